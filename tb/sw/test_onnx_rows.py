"""Networks along one axis get a row: the same numbers, wholly on the chip."""

import numpy as np
import onnx
import onnxruntime
import pytest

from golden.external import External
from sw.frontend.onnx.file import read
from tb.lib.float_networks import FloatBuilder
from tb.lib.onnx_builder import OnnxBuilder
from tb.sw.onnx_check import check

SIZE, CHANNELS = 24, 6


class Rows(FloatBuilder):
    """Draws operators on [1, CHANNELS, size]."""

    def draw(self, data, size):
        """(tensor, its size) behind one operator more."""
        kind = self.rng.choice(["conv", "grouped", "transposed", "max", "mean", "norm", "slopes",
                                "residual", "joined", "curve", "constants"])
        k = int(self.rng.integers(1, 6))
        if kind in ("conv", "grouped"):
            groups = 3 if kind == "grouped" else 1
            stride, dilation = (int(self.rng.integers(1, 3)) for _ in range(2))
            pads = [int(self.rng.integers(0, 3)) for _ in range(2)]
            new = (size + sum(pads) - dilation * (k - 1) - 1) // stride + 1
            if new > 0:
                return self.node("Conv", data, self.weights(CHANNELS, CHANNELS // groups, k),
                                 self.constant(self.rng.standard_normal(CHANNELS).astype("f")),
                                 strides=[stride], dilations=[dilation], pads=pads,
                                 group=groups), new
        if kind == "transposed":
            return self.node("ConvTranspose", data, self.weights(CHANNELS, CHANNELS, k),
                             strides=[2], output_padding=[1]), 2 * size + k - 1
        if kind in ("max", "mean") and size >= k:
            return self.node("MaxPool" if kind == "max" else "AveragePool", data,
                             kernel_shape=[k], strides=[1]), size - k + 1
        if kind == "norm":
            return self.node("BatchNormalization", data, *(
                self.constant(self.rng.uniform(0.5, 1.5, CHANNELS).astype("f"))
                for _ in range(4))), size
        if kind == "slopes":
            return self.node("PRelu", data, self.weights(CHANNELS, 1)), size
        if kind == "residual":
            return self.node("Add", self.node("Relu", data), data), size
        if kind == "joined":
            return self.node("Concat", data, self.node("Neg", data), axis=2 - 3 * (k % 2)), 2 * size
        if kind == "constants":
            shape = [(), (size,), (CHANNELS, 1), (1, CHANNELS, size)][k % 4]
            return self.node("Mul", self.constant(self.rng.uniform(1, 2, shape).astype("f")),
                             data), size
        return self.node("Sigmoid", data), size


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("seed", range(8))
def test_the_same_numbers(seed, opset, tmp_path):
    """What ONNX Runtime makes of the file, and of the file with rows."""
    build = Rows(seed, opset)
    size = SIZE
    data = build.node("Conv", build.input("x", (1, 4, SIZE)), build.weights(CHANNELS, 4, 3),
                      auto_pad="SAME_UPPER")
    for _ in range(7):
        data, size = build.draw(data, size)
    ends = [data, build.node("Flatten", build.node("GlobalAveragePool", data)),
            build.node("Transpose", data, perm=[0, 2, 1])]
    path = tmp_path / "m.onnx"
    onnx.save(build.model(*ends), path)
    lifted = read(path, {})
    given = {"x": build.rng.standard_normal((1, 4, SIZE)).astype(np.float32)}
    results = [onnxruntime.InferenceSession(
        raw, providers=["CPUExecutionProvider"]).run(ends, given)
               for raw in (path.read_bytes(), lifted.SerializeToString())]
    for wanted, found in zip(*results, strict=True):
        assert wanted.shape == found.shape
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    ranks = {item.name: len(item.type.tensor_type.shape.dim) for item in lifted.graph.value_info}
    assert all(ranks[node.output[0]] == 4 for node in lifted.graph.node
               if node.op_type in ("Conv", "ConvTranspose", "MaxPool", "AveragePool",
                                   "BatchNormalization"))


@pytest.mark.parametrize("shared", [False, True])
def test_quantized(shared, tmp_path):
    """QDQ with weights of their own, or the same ones twice; nothing but the ends on the host."""
    rng, build = np.random.default_rng(3), OnnxBuilder()
    data = build.pair(build.input([1, 5, 20]), 0.03)
    kernels = [build.weights(rng.integers(-127, 128, (5, 5, 3), np.int8), 0.006)
               for _ in range(1 if shared else 2)]
    for kernel in (kernels[0], kernels[-1]):
        data = build.pair(build.node("Conv", data, kernel, pads=[1, 1]), 0.05)
        data = build.pair(build.node("Relu", data), 0.03, -128)
    data = build.pair(build.node("MaxPool", data, kernel_shape=[2], strides=[2]), 0.03, -128)
    path = tmp_path / "m.onnx"
    build.output(data, rank=3)
    build.save(path)
    imported = check(path)
    assert not [node for node in imported.graph.nodes if isinstance(node.attrs, External)]


def test_maps_of_images_stay_as_they_are(tmp_path):
    build = FloatBuilder()
    found = build.conv(build.input("x", (1, 3, 8, 8)), 4, 3, size=3)
    path = tmp_path / "m.onnx"
    onnx.save(build.model(found), path)
    assert [node.op_type for node in read(path, {}).graph.node] == ["Conv"]
