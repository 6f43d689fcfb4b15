"""A float ONNX file, ready to be quantized: fixed shapes, folded, of an opset with the operators
that quantizing needs."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
from onnxsim import simplify

from golden.graph import DTYPES
from sw.errors import ModelError
from sw.frontend.floats import to_onnx
from sw.frontend.onnx.file import Shapes, complaint, read
from sw.inputs import TensorSpec
from sw.quantize.finer import LEAST_OPSET
from sw.quantize.network import Network
from sw.quantize.regions import find_regions

__all__ = ["input_specs", "prepare", "read_float"]

# QuantizeLinear by channel begins with 13; 17 is the first with LayerNormalization, which the
# simplifier then recognizes.
LEAST_QUANTIZED, TARGET = 13, 17
_STDERR = 2  # as the system numbers it
OWN_DOMAINS = ("", "ai.onnx")
LEAST_IR = 10  # of files with that of int16
_QUANTIZED = ("QuantizeLinear", "DequantizeLinear")
_DYNAMIC = ("DynamicQuantizeLinear", "ConvInteger", "MatMulInteger")


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
        If it can't be read, is quantized already, or has inputs of a type or batch that nobody
        takes.
    UsageError
        If ``shapes`` doesn't fit the inputs.
    """
    # What was translated goes through the same checks.
    if path.suffix.lower() == ".tflite":
        raw = to_onnx(path).SerializeToString()
    model = read(path, shapes, raw)
    for index, node in enumerate(model.graph.node):
        if node.op_type in _DYNAMIC:
            raise ModelError(f"{path}: quantized already, with scales that it computes as it runs: "
                             f"node {index} is {node.op_type} {node.name or node.output[0]!r}; "
                             "accepted is the float network that it was made from")
        if node.op_type in _QUANTIZED or node.op_type.startswith("QLinear"):
            raise ModelError(f"{path}: quantized already: node {index} is {node.op_type} "
                             f"{node.name or node.output[0]!r}; accepted are float networks "
                             "(quantized ones run as they are: sentei run)")
        if node.domain not in OWN_DOMAINS:
            raise ModelError(f"{path}: node {index} ({node.op_type} "
                             f"{node.name or node.output[0]!r}) is of domain {node.domain}; "
                             "accepted are ONNX's own operators")
    specs = input_specs(model)
    for spec in specs:
        if str(spec.dtype) not in DTYPES:
            raise ModelError(f"{path}: input {spec.name!r} is {spec.dtype}; accepted are float32 "
                             f"and, for the host alone, {', '.join(DTYPES)}")
    # A state whose axis 0 counts layers stands beside an input of batch 1.
    batched = [spec for spec in specs if spec.shape[1:]]
    if batched and all(spec.shape[0] > 1 for spec in batched):
        name, (batch, *sizes) = batched[0].name, batched[0].shape
        raise ModelError(f"{path}: input {name!r} has batch {batch}; accepted is 1: "
                         f"--shape {name}={','.join(map(str, [1, *sizes]))}")
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
                             f"weights by channel need: {complaint(error)}; export the network "
                             f"with opset {LEAST_QUANTIZED} or later") from None
    try:
        model = _simplified(model)
        # Files may say a wrong number of axes of outputs where only folding tells the sizes.
        for item in model.graph.output:
            item.type.tensor_type.ClearField("shape")
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:  # as above
        raise ModelError(f"{path}: can't be simplified: {complaint(error)}") from None
    _check_outputs(path, model)
    model = _with_int16(model)
    for index, node in enumerate(model.graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{index}"
    return model


def _with_int16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Of an opset whose QuantizeLinear knows int16, if there is a use for that; else as it is."""
    version = next(item.version for item in model.opset_import if item.domain in OWN_DOMAINS)
    if version >= LEAST_OPSET or not find_regions(Network(model)):
        return model
    try:
        raised = onnx.version_converter.convert_version(model, LEAST_OPSET)
        raised = onnx.shape_inference.infer_shapes(raised, strict_mode=True, data_prop=True)
    except Exception:  # as in `prepare`: 8 bits will do
        return model
    raised.ir_version = max(raised.ir_version, LEAST_IR)
    return raised


def _simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    # Pools refuse pads as large as the window, which its fusion makes. A proof that nothing has
    # changed it tries where z3 is installed.
    skipped = ["fuse_pad_into_pool"]
    with _quiet():
        try:
            return simplify(model, skipped_optimizers=skipped, certify=False)[0]
        except Exception:  # as above: branches within branches it puts in a wrong order
            skipped.append("eliminate_if_with_const_cond")
            return simplify(model, skipped_optimizers=skipped, certify=False)[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what a library of C++ writes to stderr: what it can't fold, which needn't be."""
    sys.stderr.flush()
    kept, sink = os.dup(_STDERR), os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, _STDERR)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
        os.close(sink)


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


def input_specs(model: onnx.ModelProto) -> list[TensorSpec]:
    """What the network's inputs take."""
    constants = {item.name for item in model.graph.initializer}
    return [TensorSpec(item.name, tuple(size.dim_value for size in tensor.shape.dim),
                       np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)))
            for item in model.graph.input if item.name not in constants
            for tensor in (item.type.tensor_type,)]
