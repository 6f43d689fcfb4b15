"""A float ONNX file, ready to be quantized: fixed shapes, folded, of an opset with the operators
that quantizing needs."""

from pathlib import Path

import numpy as np
import onnx
from onnxsim import simplify

from sw.errors import ModelError
from sw.frontend.floats import to_onnx
from sw.frontend.onnx.file import Shapes, read
from sw.inputs import TensorSpec

__all__ = ["input_specs", "prepare", "read_float"]

# QuantizeLinear by channel begins with 13; 17 is the first with LayerNormalization, which the
# simplifier then recognizes.
LEAST_QUANTIZED, TARGET = 13, 17
OWN_DOMAINS = ("", "ai.onnx")
_QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger",
              "MatMulInteger")


def read_float(path: Path, shapes: Shapes, raw: bytes | None = None) -> onnx.ModelProto:
    """Read a float ONNX file of fixed shapes, or a float TensorFlow Lite file as one.

    Parameters
    ----------
    path : Path
        A TensorFlow Lite file ends in ``.tflite``.
    shapes : mapping of str to tuple of int
        Sizes of inputs that the file leaves open; an open batch is 1.
    raw : bytes, optional
        An ONNX file's, in place of what the file holds.

    Raises
    ------
    ModelError
        If it can't be read, is quantized already, or has inputs that aren't float32.
    UsageError
        If ``shapes`` doesn't fit the inputs.
    """
    # What was translated goes through the same checks.
    if path.suffix.lower() == ".tflite":
        raw = to_onnx(path).SerializeToString()
    model = read(path, shapes, raw)
    for index, node in enumerate(model.graph.node):
        if node.op_type in _QUANTIZED or node.op_type.startswith("QLinear"):
            raise ModelError(f"{path}: quantized already: node {index} is {node.op_type} "
                             f"{node.name or node.output[0]!r}; accepted are float networks "
                             "(quantized ones run as they are: sentei run)")
        if node.domain not in OWN_DOMAINS:
            raise ModelError(f"{path}: node {index} ({node.op_type} "
                             f"{node.name or node.output[0]!r}) is of domain {node.domain}; "
                             "accepted are ONNX's own operators")
    for item in _inputs(model):
        kind = item.type.tensor_type.elem_type
        if kind != onnx.TensorProto.FLOAT:
            raise ModelError(f"{path}: input {item.name!r} is "
                             f"{onnx.TensorProto.DataType.Name(kind).lower()}; accepted are "
                             "float32 inputs")
        sizes = [size.dim_value for size in item.type.tensor_type.shape.dim]
        if len(sizes) > 1 and sizes[0] > 1:
            raise ModelError(f"{path}: input {item.name!r} has batch {sizes[0]}; accepted is 1: "
                             f"--shape {item.name}={','.join(map(str, [1, *sizes[1:]]))}")
    return model


def prepare(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold what is constant, normalizations into what is before them, and raise the opset.

    Raises
    ------
    ModelError
        If a library can't do its part.
    """
    version = next(item.version for item in model.opset_import if item.domain in OWN_DOMAINS)
    if version < LEAST_QUANTIZED:
        _without_idle_values(model)
        try:
            model = onnx.version_converter.convert_version(model, TARGET)
        except Exception as error:  # C++ exceptions of several kinds
            raise ModelError(f"{path}: opset {version} can't be raised to {TARGET}, which 8-bit "
                             f"weights by channel need: {str(error)[:300]}; export the network "
                             f"with opset {LEAST_QUANTIZED} or later") from None
    try:
        # Pools refuse pads as large as the window, which its fusion makes. A proof that nothing
        # has changed it tries where z3 is installed.
        model, _ = simplify(model, skipped_optimizers=["fuse_pad_into_pool"], certify=False)
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:  # as above
        raise ModelError(f"{path}: can't be simplified: {str(error)[:300]}") from None
    _check_outputs(path, model)
    for index, node in enumerate(model.graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{index}"
    return model


def _check_outputs(path: Path, model: onnx.ModelProto) -> None:
    computed = {name for node in model.graph.node for name in node.output}
    for item in model.graph.output:
        if item.name not in computed:
            raise ModelError(f"{path}: output {item.name!r} is an input of the network, or "
                             "constant whatever the inputs are; accepted are computed outputs")
        sizes = item.type.tensor_type.shape.dim
        if not item.type.tensor_type.HasField("shape") or any(size.dim_value < 1 for size in sizes):
            raise ModelError(f"{path}: output {item.name!r} has sizes of 0, or known only when it "
                             "runs; accepted are fixed sizes of at least 1")


def _without_idle_values(model: onnx.ModelProto) -> None:
    """Drop ``value`` of pads that repeat what is there, over which the converter stumbles."""
    for node in model.graph.node:
        modes = [item.s for item in node.attribute if item.name == "mode"]
        if node.op_type == "Pad" and modes not in ([], [b"constant"]):
            for item in [item for item in node.attribute if item.name == "value"]:
                node.attribute.remove(item)


def _inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    constants = {item.name for item in model.graph.initializer}
    return [item for item in model.graph.input if item.name not in constants]


def input_specs(model: onnx.ModelProto) -> list[TensorSpec]:
    """What the network's inputs take."""
    return [TensorSpec(item.name, tuple(size.dim_value for size in
                                        item.type.tensor_type.shape.dim), np.dtype(np.float32))
            for item in _inputs(model)]
