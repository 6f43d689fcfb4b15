"""ONNX files that are refused, each with a message that names the thing and what is accepted."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from sw.cli import main
from sw.errors import ModelError, UsageError
from sw.frontend.onnx import load
from sw.quantize import read_float
from tb.fuzz.onnx.network import draw
from tb.lib.float_networks import FloatBuilder
from tb.lib.onnx_builder import OnnxBuilder
from tb.sw.onnx_check import placed

GOOD = Path(__file__).parents[1] / "data" / "onnx" / "kws_qdq.onnx"


def refused(path, *words, shapes=None, error=ModelError):
    with pytest.raises(error) as caught:
        load(path, shapes)
    assert caught.value.exit_code == (3 if error is ModelError else 2)
    for word in words:
        assert word in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


def conv_net(kernel=None, data=None, shape=(1, 3, 6, 6), **attributes):
    """A quantized convolution; the builder and its result."""
    build = OnnxBuilder()
    data = data or build.pair(build.input(list(shape)), 0.03)
    kernel = build.weights(np.ones((2, 3, 3, 3), np.int8), 0.01) if kernel is None else kernel(
        build)
    return build, build.node("Conv", data, kernel, **attributes)


def finished(tmp_path, build, found, rank=4):
    build.output(found, rank=rank)
    return build.save(tmp_path / "m.onnx")


def test_no_file(tmp_path):
    refused(tmp_path / "none.onnx", "can't be read: No such file")
    refused(tmp_path, "can't be read")


@pytest.mark.parametrize("length", [0, 1, 7, 100, 5000, 40000, 49774])
def test_truncated(length, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(GOOD.read_bytes()[:length])
    refused(path, "damaged")


def damaged(model, rng):
    """Bytes of a model with bytes, a connection, or a constant's shape, type or values changed."""
    graph, kind = model.graph, rng.integers(3)
    if kind == 0:
        raw = bytearray(model.SerializeToString())
        for at in rng.integers(0, len(raw), 3):
            raw[at] = rng.integers(0, 256)
        return bytes(raw)
    if kind == 1:
        names = [name for node in graph.node for name in node.output]
        names += [item.name for item in graph.initializer]
        nodes = [node for node in graph.node if node.input]
        node = nodes[rng.integers(len(nodes))]
        node.input[rng.integers(len(node.input))] = str(rng.choice(names))
        return model.SerializeToString()
    item = graph.initializer[rng.integers(len(graph.initializer))]
    values = onnx.numpy_helper.to_array(item)
    change = rng.integers(4)
    if change == 0:
        values = values.ravel()[:max(1, values.size // 2)]
    elif change == 1:
        values = values.astype(rng.choice([np.float32, np.int8, np.uint8, np.int64, np.float64]))
    elif change == 2 and values.dtype == np.float32:
        values = values * np.float32(rng.choice([np.nan, np.inf, 1e30, 1e-30, 0, -1]))
    else:
        values = np.stack([values, values])
    item.CopyFrom(onnx.numpy_helper.from_array(values, item.name))
    return model.SerializeToString()


def test_damaged_models(tmp_path):
    """Refused, or networks; never anything else."""
    path, counts = tmp_path / "m.onnx", [0, 0]
    for seed in range(150):
        drawn = draw(seed, "pairs", steps=4)
        path.write_bytes(damaged(drawn.model, np.random.default_rng(seed)))
        try:
            load(path, drawn.shapes)
            counts[0] += 1
        except (ModelError, UsageError) as error:
            assert str(path) in str(error), seed
            counts[1] += 1
    assert min(counts) > 5, counts


def test_missing_external_weights(tmp_path):
    model = onnx.load(GOOD)
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="weights.bin",
              size_threshold=0)
    load(tmp_path / "m.onnx")
    (tmp_path / "weights.bin").unlink()
    refused(tmp_path / "m.onnx", "external weights can't be read", "weights.bin")


@pytest.mark.parametrize("operator, shape, group, taken", [
    ("Conv", (2, 4, 3, 3), 1, 4), ("Conv", (4, 3, 3, 3), 2, 6), ("Conv", (4, 1, 3, 3), 3, 3),
    ("ConvTranspose", (4, 2, 3, 3), 1, 4)])
def test_channels_of_weights(operator, shape, group, taken, tmp_path):
    """Float and quantized alike; ONNX's inference lets them pass."""
    text = (f"node {{}} ({operator} {{!r}}): input {{!r}} has 3 channels; weights {list(shape)} "
            f"with group {group} take {taken}")
    build = OnnxBuilder()
    found = build.node(operator, build.pair(build.input([1, 3, 6, 6]), 0.03),
                       build.weights(np.ones(shape, np.int8), 0.01), group=group)
    path = finished(tmp_path, build, found)
    index, node = next((index, node) for index, node in enumerate(onnx.load(path).graph.node)
                       if node.op_type == operator)
    refused(path, text.format(index, node.name or found, node.input[0]))
    build = FloatBuilder()
    kernel = build.constant(np.ones(shape, np.float32))
    found = build.node(operator, build.input("x", (1, 3, 6, 6)), kernel, group=group)
    onnx.save(build.model(found), path)
    with pytest.raises(ModelError, match=re.escape(text.format(0, f"{operator.lower()}0", "x"))):
        read_float(path, {})


@pytest.mark.parametrize("operator, more, attributes, text", [
    ("Conv", [np.ones((4, 3, 1, 1), np.float32), np.ones(3, np.float32)], {},
     "bias 'c1' has sizes [3]; accepted is [4]"),
    ("Transpose", [], {"perm": [0, 1, 2]}, "perm [0, 1, 2]; accepted are the axes 0 to 3 in any"),
    ("Reshape", [np.array([1, 7])], {},
     "shape [1, 7] for [1, 3, 6, 6], which holds 108 values; accepted is one that holds as many"),
    ("Reshape", [np.array([5, -1])], {}, "Reshape 'reshape0': Dimension could not be inferred"),
    ("Softmax", [], {"axis": 4}, "Softmax 'softmax0': 'axis' must be in [-4 , 3]"),
    ("Relu", [], None, "1 nodes and 0 outputs; accepted is at least 1 of both")])
def test_sizes_that_contradict(operator, more, attributes, text, tmp_path):
    """The node, the sizes and what is accepted, without the names of a library's errors."""
    build = FloatBuilder()
    found = build.node(operator, build.input("x", (1, 3, 6, 6)), *map(build.constant, more),
                       **(attributes or {}))
    model = build.model(*([] if attributes is None else [found]))
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError) as caught:
        read_float(tmp_path / "m.onnx", {})
    assert text in str(caught.value) and "Error]" not in str(caught.value)


def test_float(tmp_path, capsys):
    build = OnnxBuilder()
    kernel = build.constant(np.ones((2, 3, 3, 3)), np.float32)
    path = finished(tmp_path, build, build.node("Conv", build.input([1, 3, 6, 6]), kernel))
    refused(path, "not quantized", "sentei quantize makes one")
    assert main(["compile", str(path), "-o", str(tmp_path / "x.sentei")]) == 3
    assert "not quantized" in capsys.readouterr().err


@pytest.mark.parametrize("opset", [7, 99])
def test_opset(opset, tmp_path):
    build, found = conv_net()
    build.opset = opset
    refused(finished(tmp_path, build, found), f"opset {opset}; accepted are", "8 to")


def test_open_sizes(tmp_path):
    build = OnnxBuilder()
    found = build.pair(build.input(["n", 3, "h", None], name="image"), 0.03)
    path = finished(tmp_path, build, found)
    refused(path, "'image' has dynamic shape [n, 3, h, ?]", "--shape image=1,3,224,224")
    refused(path, "--shape other: no input", "image", shapes={"other": (1,)}, error=UsageError)
    refused(path, "2 sizes, the input has 4", shapes={"image": (1, 3)}, error=UsageError)
    refused(path, "size 4 of axis 1, the file says 3", shapes={"image": (1, 4, 5, 5)},
            error=UsageError)
    assert load(path, {"image": (1, 3, 5, 6)}).tensors["image"].shape == (1, 3, 5, 6)
    build = OnnxBuilder()
    path = finished(tmp_path, build, build.pair(build.input([-1, 3, 0, 6], name="image"), 0.03))
    refused(path, "'image' has dynamic shape [-1, 3, ?, 6]", "--shape image=1,3,224,6")
    assert load(path, {"image": (1, 3, 5, 6)}).tensors["image"].shape == (1, 3, 5, 6)
    build = OnnxBuilder()
    path = finished(tmp_path, build, build.pair(build.input([4, 3, 5, 6], name="image"), 0.03))
    refused(path, "size 2 of axis 0, the file says 4", shapes={"image": (2, 3, 5, 6)},
            error=UsageError)
    assert load(path, {"image": (1, 3, 5, 6)}).tensors["image"].shape == (1, 3, 5, 6)


def test_shape_on_the_command_line(tmp_path, capsys):
    build = OnnxBuilder()
    path = finished(tmp_path, build, build.pair(build.input(["n", 3, "h", 4], name="a=b"), 0.03))
    output = ["-o", str(tmp_path / "x.sentei")]
    assert main(["compile", str(path), "--shape", "a=b=1,3,5,4", *output]) == 0
    for bad in ("1,2", "x=1,a", "x=0"):
        assert main(["compile", str(path), "--shape", bad, *output]) == 2
        assert "accepted is name=sizes" in capsys.readouterr().err
    for other in ("vww", str(tmp_path / "x.sentei")):
        assert main(["run", other, "--shape", "x=1"]) == 2
        assert "--shape" in capsys.readouterr().err


def test_cycle_and_missing_tensor(tmp_path):
    build, found = conv_net()
    path = finished(tmp_path, build, found)
    for at, name, words in (
            (0, found, ("cyclic graph: node 3 (Conv 'conv3') reads from node 3 (Conv 'conv3')",)),
            (1, "nowhere", ("node 3 (Conv 'conv3'): reads 'nowhere', which no node",))):
        model = onnx.load(path)
        next(node for node in model.graph.node if node.op_type == "Conv").input[at] = name
        onnx.save(model, tmp_path / "bad.onnx")
        refused(tmp_path / "bad.onnx", *words)
    model = onnx.load(path)
    model.graph.node[0].input[0] = found
    onnx.save(model, tmp_path / "bad.onnx")
    refused(tmp_path / "bad.onnx", "cyclic graph", "node 0 (Q", "reads from node 3 (C", "node 1 (D")
    model = onnx.load(path)
    model.graph.output[0].name = "nothing"
    onnx.save(model, tmp_path / "bad.onnx")
    refused(tmp_path / "bad.onnx", "output 'nothing' is given by no node")


def test_another_order(tmp_path):
    """Nodes in any order, as some tools write them, are the same network."""
    build, found = conv_net()
    path = finished(tmp_path, build, build.pair(found, 0.02))
    wanted, model = str(load(path)), onnx.load(path)
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, path)
    again = str(load(path))
    assert [line.split("=")[1].split("(")[0] for line in wanted.splitlines()[2:-1]] == [
        line.split("=")[1].split("(")[0] for line in again.splitlines()[2:-1]]


@pytest.mark.parametrize(("kind", "words"), [
    (TensorProto.STRING, ("input 'x' is string", "float, int8 and uint8")),
    (TensorProto.BFLOAT16, ("input 'x' is bfloat16",)),
])
def test_input_type(kind, words, tmp_path):
    build, _ = conv_net()
    build.nodes.append(onnx.helper.make_node("Identity", ["x"], ["y"]))
    build.inputs = []
    build.input([1, 3, 6, 6], kind)
    build.nodes = build.nodes[-1:]
    build.nodes.append(onnx.helper.make_node("DequantizeLinear", [build.constant(np.int8(1)), *build
                                             .parameters(1.0, 0, np.int8)], ["z"]))
    build.output("y", kind)
    refused(build.save(tmp_path / "m.onnx"), *words)


def test_operators(tmp_path):
    build, found = conv_net()
    path = finished(tmp_path, build, build.node("LRN", build.pair(found, 0.02), size=3))
    placed(path, "the chip has no operator LRN")


def test_operators_of_no_opset(tmp_path):
    build, found = conv_net()
    build.nodes.append(onnx.helper.make_node("Nonsense", [build.pair(found, 0.02)], ["y"], "last"))
    build.output("y")
    refused(build.save(tmp_path / "m.onnx"), "(Nonsense 'last')", "opset 17 has no operator")


def test_outputs_without_a_type(tmp_path):
    """Some tools leave them open."""
    build, found = conv_net()
    build.output(build.pair(found, 0.02))
    model = build.model()
    model.graph.output[0].ClearField("type")
    onnx.save(model, tmp_path / "m.onnx")
    (name,) = load(tmp_path / "m.onnx").outputs
    assert name == model.graph.output[0].name


def test_shufflenet():
    path = Path(__file__).parents[3] / "shared" / "assets" / "models_onnx"
    path /= "shufflenet-v2-12-int8.onnx"
    if not path.exists():
        pytest.skip("its licence text is not at hand, so it is no test data")
    graph = load(path)
    assert not any(node.op == "External" for node in graph.nodes)
    *own, bias = [node for node in graph.nodes if node.op in ("Conv2D", "DepthwiseConv2D")]
    file = onnx.load(path).graph.node
    assert len(own) == sum(node.op_type == "QLinearConv" for node in file) == 56
    # What QLinearAdd adds to the product, one number a channel.
    assert bias.name == "Gemm_260_Add_quant" and bias.attrs.kernel.shape == (1, 1, 1, 1000)
    # 16 blocks end in a shuffle; 13 of them begin with two halves.
    assert sum(node.op == "Take" for node in graph.nodes) == 16 + 13 * 2


def not_quantized_between(build):
    return build.node("Conv", build.node("Conv", build.pair(build.input([1, 2, 6, 6]), 0.03),
                                         ones(build)), ones(build)), ("is not quantized",)


def ones(build, *shape, dtype=np.int8, **settings):
    return build.weights(np.ones(shape or (2, 2, 1, 1), dtype), 0.01, **settings)


def feature_map(build, *shape):
    return build.pair(build.input(list(shape or (1, 2, 6, 6))), 0.03)


def two_of(build, op, first, second, **attributes):
    build.input(list(second), name="y")
    return build.node(op, feature_map(build, *first), build.pair("y", 0.02), **attributes)


CASES = {
    "unquantized conv": not_quantized_between,
    "unquantized output": lambda b: (b.node("Conv", feature_map(b), ones(b)),
                                     ("stays float: read by an output",)),
    "asymmetric weights": lambda b: (
        b.node("Conv", feature_map(b), b.weights(np.array([0, 255, 1, 2], np.uint8).reshape(
            2, 2, 1, 1), 0.01, zero=3)), ("-3 to 252", "symmetric")),
    "float weights": lambda b: (
        b.node("Conv", feature_map(b), b.constant(np.ones((2, 2, 1, 1)), np.float32)),
        ("weights, input 1", "are not quantized")),
    "computed weights": lambda b: (two_of(b, "Conv", (1, 2, 6, 6), (2, 2, 1, 1)),
                                   ("is computed; accepted are constants",)),
    "scales along inputs": lambda b: (
        b.node("Conv", feature_map(b), b.weights(np.ones((2, 2, 1, 1), np.int8), [0.1, 0.2],
                                                 axis=1)), ("along axis 1, must be along 0",)),
    "rank": lambda b: (b.node("Conv", feature_map(b, 1, 2, 6, 6, 6), ones(b, 2, 2, 1, 1, 1)),
                       ("weights have shape [2, 2, 1, 1, 1]",)),
    "batch": lambda b: (b.node("Conv", feature_map(b, 2, 2, 6, 6), ones(b)), ("batch 2",)),
    "per-channel activations": lambda b: (
        b.node("QuantizeLinear", b.input([1, 2, 6, 6]), b.constant([0.1, 0.2], np.float32),
               b.constant([0, 0], np.int8)), ("2 scales for a computed tensor",)),
    "int16 activations": lambda b: (
        b.node("QuantizeLinear", b.input([1, 2, 6, 6]), *b.parameters(0.1, 0, np.int16)),
        ("quantizes to int16",)),
    "scale of 0": lambda b: (feature_map(b) and b.pair(b.node("Relu", "dequantizelinear1"), 0.0),
                             ("scale is 0.0",)),
    "broadcast": lambda b: (two_of(b, "Add", (1, 2, 6, 6), (1, 2, 1, 1)), ("no broadcasting",)),
    "constant operand": lambda b: (
        b.node("Add", feature_map(b), b.constant(np.ones((1, 2, 6, 6)), np.float32)),
        ("constant of shape [1, 2, 6, 6]", "one number, or one a channel")),
    "product of two": lambda b: (two_of(b, "Mul", (1, 2, 6, 6), (1, 2, 6, 6)),
                                 ("both operands are computed",)),
    "dilated pool": lambda b: (b.node("AveragePool", feature_map(b), kernel_shape=[2, 2],
                                      dilations=[2, 2], pads=[1, 0, 0, 0]),
                               ("dilations (2, 2) with pads", "one of the two")),
    "finer average": lambda b: (
        b.pair(b.node("AveragePool", feature_map(b), kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
               0.01), ("finer than the input's",)),
    "mean over the batch": lambda b: (b.node("ReduceMean", feature_map(b), axes=[0, 1]),
                                      ("axes (0, 1)", "batch can't be averaged")),
    "batch normalization of what isn't quantized": lambda b: (
        b.node("BatchNormalization", b.node("Sigmoid", feature_map(b)), *(
            b.constant(np.ones(2), np.float32) for _ in range(4))), ("not quantized",)),
    "rows mixed with channels": lambda b: (
        b.node("Conv", b.node("Reshape", b.node("Transpose", b.node(
            "Reshape", b.pair(b.node("Conv", feature_map(b), ones(b, 4, 2, 1, 1)), 0.1),
            b.constant([1, 2, 2, 6, 6], np.int64)), perm=[0, 2, 3, 1, 4]),
            b.constant([1, 4, 6, 6], np.int64)), ones(b, 2, 4, 1, 1)), ("mixes", "channels")),
    "indices": lambda b: (b.node("MaxPool", feature_map(b), kernel_shape=[2, 2], outputs=2),
                          ("gives indices too",)),
    "transposed product": lambda b: (b.node("Gemm", feature_map(b, 4, 1), ones(b, 4, 3), transA=1),
                                     ("transA 1",)),
}


@pytest.mark.parametrize("case", CASES)
def test_one_thing_wrong(case, tmp_path):
    build = OnnxBuilder(21 if case in ("int16 activations", "dilated pool") else 17)
    found, words = CASES[case](build)
    kind = TensorProto.INT16 if case == "int16 activations" else TensorProto.FLOAT
    if case == "per-channel activations":
        kind = TensorProto.INT8
    if case == "rows mixed with channels":
        found = build.pair(found, 0.1)
    rank = 5 if case == "rank" else 2 if case == "transposed product" else 4
    build.output(found, kind, rank)
    placed(build.save(tmp_path / "m.onnx"), *words)
