"""ONNX Runtime: runs the host's part of networks, and is the reference of ONNX networks.

Unoptimized and on one thread: every operator as its definition says, the same result every time.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from golden.external import External
from sw.errors import ModelError, ToolError

__all__ = ["open_session", "run_external"]

# Places of products' integer weights; their zero points come two behind.
_WEIGHTS_AT = {"QLinearConv": 3, "QLinearMatMul": 3, "QGemm": 3}
# ONNX's opset that every accepted ONNX Runtime has; later ones add types and operators.
_COMMON_OPSET = 21


def open_session(model: bytes) -> Any:
    """An ``onnxruntime.InferenceSession`` of a serialized model.

    Raises
    ------
    ToolError
        If ONNX Runtime is not installed.
    ModelError
        If it refuses the model; the text is what it says, without the file's name.
    """
    try:
        import onnxruntime  # takes long to import, and few networks need it
    except ImportError as error:
        raise ToolError(f"ONNX Runtime is not installed ({error}); pip install onnxruntime") \
            from None
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    complaint = ""
    for form in _forms(model):
        try:
            return onnxruntime.InferenceSession(form, options,
                                                providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base of their own
            complaint = complaint or " ".join(str(error).split())[:200]
    raise ModelError(complaint)


def _forms(raw: bytes) -> Iterator[bytes]:
    """The model, then in older opsets: ONNX is often ahead of ONNX Runtime."""
    try:
        raw = _exact(raw)
    except DecodeError:  # which ONNX Runtime says as well
        yield raw
        return
    yield raw
    model = onnx.load_model_from_string(raw)
    newest = max((item.version for item in model.opset_import if not item.domain), default=0)
    for version in range(newest - 1, _COMMON_OPSET - 1, -1):
        try:
            older = onnx.version_converter.convert_version(model, version)
        except Exception:  # C++ exceptions of several kinds: this version has no such operators
            continue
        for item in older.graph.output:
            if not item.type.tensor_type.elem_type:  # left open, the converter makes it 0
                item.ClearField("type")
        yield older.SerializeToString()


def _exact(raw: bytes) -> bytes:
    """The model with uint8 weights where it multiplies uint8 by int8.

    On processors without instructions for four products at once ONNX Runtime lets sums of two such
    products saturate at 16 bits; not so products of uint8 by uint8.
    """
    model = onnx.load_model_from_string(raw)
    tensors = {item.name: item for item in model.graph.initializer}
    changed = dict[str, str]()
    for node in model.graph.node:
        at = _WEIGHTS_AT.get(node.op_type)
        if at is None or len(node.input) <= at + 2:
            continue
        zero = tensors.get(node.input[2])
        names = [node.input[at], node.input[at + 2]]
        if zero is None or zero.data_type != onnx.TensorProto.UINT8 or any(
                name not in tensors or tensors[name].data_type != onnx.TensorProto.INT8
                for name in names):
            continue
        for place, name in zip((at, at + 2), names, strict=True):
            if name not in changed:
                changed[name] = f"sentei.uint8.{name}"
                values = numpy_helper.to_array(tensors[name])
                model.graph.initializer.append(numpy_helper.from_array(
                    values.view(np.uint8) ^ np.uint8(128), changed[name]))
            node.input[place] = changed[name]
    return model.SerializeToString() if changed else raw


_cached = lru_cache(maxsize=256)(open_session)


def run_external(attrs: External, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs of a part of a network that the host runs; sessions are kept.

    Raises
    ------
    ToolError
        If ONNX Runtime is not installed.
    ModelError
        If it refuses the part, or fails on these inputs.
    """
    session = _cached(attrs.model)
    names = [item.name for item in session.get_inputs()]
    if len(names) != len(inputs):
        raise ModelError(f"{len(inputs)} inputs for a part of the host that takes {len(names)}")
    try:
        found = session.run(None, dict(zip(names, inputs, strict=True)))
    except Exception as error:  # as above
        raise ModelError(f"ONNX Runtime fails: {' '.join(str(error).split())[:200]}") from None
    for value, (dtype, shape) in zip(found, attrs.given, strict=True):
        if value.dtype != dtype or value.shape != tuple(shape):
            raise ModelError(f"ONNX Runtime gives {value.dtype}{list(value.shape)}, expected is "
                             f"{dtype}{list(shape)}")
    return list(found)
