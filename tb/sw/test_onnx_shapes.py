"""Sizes that ONNX infers otherwise than ONNX Runtime gives them."""

import numpy as np
import onnx
import pytest
from onnx import helper

from sw.errors import ModelError
from sw.frontend.onnx import load
from sw.frontend.onnx.shapes import runtime_shape, with_shapes
from tb.lib.onnx_builder import OnnxBuilder
from tb.sw.onnx_check import check
from tb.sw.test_onnx_operators import feature_map, save

pytest.importorskip("onnxruntime")

# Windows, and sizes for 9 x 10 pixels.
POOLS = {
    "dropped": ({"kernel_shape": [2, 2], "strides": [3, 4]}, (3, 3)),
    "padded": ({"kernel_shape": [2, 2], "strides": [2, 2], "pads": [0, 1, 1, 1]}, (5, 6)),
    "one axis": ({"kernel_shape": [2, 3], "strides": [3, 3]}, (3, 4)),
    "kept": ({"kernel_shape": [2, 3], "strides": [2, 2]}, (5, 5)),
}


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_last_windows_of_pools(op, kind, tmp_path):
    """What lies in the padding alone is left out, in every opset; others stay."""
    attributes, size = POOLS[kind]
    for opset in (12, 22):
        build = OnnxBuilder(opset)
        found = build.node(op, feature_map(build, 5, (9, 10)), ceil_mode=1, **attributes)
        imported = check(save(tmp_path, build, build.pair(found, 0.03, 3)), samples=1, chip=False,
                         share=1)
        (output,) = imported.graph.outputs
        assert imported.graph.tensors[output].shape == (1, 5, *size), opset


def test_pool_that_cannot_be_said_otherwise(tmp_path):
    build = OnnxBuilder(12)
    found = build.node("AveragePool", feature_map(build, 5, (9, 10)), ceil_mode=1,
                       count_include_pad=1, **POOLS["one axis"][0])
    with pytest.raises(ModelError, match="windows that begin before"):
        load(save(tmp_path, build, build.pair(found, 0.03)))


@pytest.mark.parametrize("opset", [9, 10, 11, 19])
def test_scales(opset):
    """0.7 of 10 pixels are 7, and the indices stay those of 0.7."""
    build = OnnxBuilder(opset)
    op, data = "Upsample" if opset < 10 else "Resize", build.input([1, 2, 5, 10])
    scales = build.constant([1, 1, 2, 1.7 if opset < 10 else 0.7], np.float32)
    empty = [build.constant([], np.float32)] if opset == 11 else [""] if opset > 11 else []
    build.output(build.node(op, data, *empty, scales, mode="nearest"))
    model = build.model()
    node = onnx.NodeProto.FromString(model.graph.node[0].SerializeToString())
    constants = {item.name: item for item in model.graph.initializer}
    wanted = (1, 2, 10, 17 if opset < 10 else 7)
    assert runtime_shape(node, (1, 2, 5, 10), constants) == wanted
    (found,) = with_shapes(model).graph.output
    assert tuple(size.dim_value for size in found.type.tensor_type.shape.dim) == wanted


def test_others_have_no_shape_of_their_own():
    assert runtime_shape(helper.make_node("Relu", ["x"], ["y"]), (1, 2), {}) is None
    for changed in ({"kernel_shape": [2]}, {"strides": [0, 1]}, {"auto_pad": "SAME_UPPER"}):
        node = helper.make_node("MaxPool", ["x"], ["y"], ceil_mode=1, **{
            "kernel_shape": [2, 2], **changed})
        assert runtime_shape(node, (1, 2, 5, 5), {}) is None
