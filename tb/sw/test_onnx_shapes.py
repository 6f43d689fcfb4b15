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


@pytest.mark.parametrize("opset", [9, 17])
@pytest.mark.parametrize("given", ["initializer", "node"])
def test_behind_operators_of_onnx_runtime(given, opset):
    """ONNX's inference doesn't know them; what follows has shapes all the same."""
    build, domain = OnnxBuilder(opset), "com.microsoft"
    scale, zero = build.parameters(0.03, 5, np.uint8)
    if given == "node":
        zero = build.node("Constant", value=onnx.numpy_helper.from_array(np.array(5, np.uint8)))
    codes = build.node("QuantizeLinear", build.input([1, 2, 5, 10]), scale, zero, domain=domain)
    joined = build.node("QLinearConcat", scale, zero, *(codes, scale, zero) * 2, domain=domain,
                        axis=1)
    found = build.node("DequantizeLinear", joined, scale, zero, domain=domain)
    build.output(build.node("Relu", build.node("Gelu", found, domain=domain)))
    model = with_shapes(build.model())
    assert [node.op_type for node in model.graph.node] == [
        *["Constant"] * (given == "node"), "QuantizeLinear", "QLinearConcat", "DequantizeLinear",
        "Gelu", "Relu"]
    (output,) = model.graph.output
    assert [size.dim_value for size in output.type.tensor_type.shape.dim] == [1, 4, 5, 10]
    kinds = {item.name: item.type.tensor_type.elem_type for item in model.graph.value_info}
    assert kinds[joined] == onnx.TensorProto.UINT8 and kinds[found] == onnx.TensorProto.FLOAT


def test_constants_that_are_inputs(tmp_path):
    """As before version 4; and weights rounded in the network: along one axis both get a row."""
    build = OnnxBuilder()
    scale, zero = build.parameters(0.02, 0, np.int8)
    kernel = build.constant(np.random.default_rng(0).standard_normal((4, 3, 3)), np.float32)
    kernel = build.node("DequantizeLinear", build.node("QuantizeLinear", kernel, scale, zero),
                        scale, zero)
    found = build.node("Conv", build.pair(build.input([1, 3, 12]), 0.03), kernel)
    build.output(build.pair(found, 0.05), rank=3)
    model = build.model()
    model.graph.input.extend(helper.make_tensor_value_info(item.name, item.data_type, item.dims)
                             for item in model.graph.initializer)
    onnx.save(model, tmp_path / "m.onnx")
    graph = check(tmp_path / "m.onnx").graph
    assert graph.inputs == ("x",) and "Conv2D" in {node.op for node in graph.nodes}
