"""What an operator's tensors must be, checked once for all operators."""

import math
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from golden.graph import Quant
from sw.errors import ModelError
from sw.frontend.flatbuffer import RawModel, RawOperator, RawTensor
from sw.frontend.scales import ACTIVATIONS, activation_range
from sw.frontend.unsigned import OFFSET

__all__ = ["Operand", "Operands", "check_activation", "check_shape", "constant_data"]

DTYPES = {"INT8": np.int8, "UINT8": np.uint8, "INT32": np.int32, "INT64": np.int64}
ACTIVATION_NAMES = "NONE, RELU, RELU6, RELU_N1_TO_1"


@dataclass(frozen=True)
class Operand:
    """An 8-bit tensor with its quantization; ``type`` is INT8 or UINT8."""

    index: int
    type: str
    shape: tuple[int, ...]
    quant: Quant


def check_activation(path: Path, tensor: RawTensor, *types: str) -> Operand:
    """A tensor of one of these 8-bit types and of fixed shape, quantized as a whole.

    Raises
    ------
    ModelError
        If it is anything else.
    """
    def fail(text: str) -> ModelError:
        return ModelError(f"{path}: {tensor.label} {text}")

    if tensor.type not in types:
        raise fail(f"is {tensor.type}, must be {' or '.join(types)} (a network quantized to int8, "
                   "or to uint8 throughout; float ones become int8 by sentei quantize)")
    if tensor.special:
        raise fail(f"is {tensor.special}, which is not supported")
    check_shape(path, tensor)
    if not tensor.scales.size:
        raise fail("has no quantization (scale and zero point)")
    if tensor.scales.size != 1 or tensor.zero_points.size > 1:
        raise fail(f"has {tensor.scales.size} scales, must be 1 (only kernels have one a channel)")
    scale = float(tensor.scales[0])
    zero = int(tensor.zero_points[0]) if tensor.zero_points.size else 0
    limits = np.iinfo(tensor.type.lower())
    if not (math.isfinite(scale) and scale > 0 and limits.min <= zero <= limits.max):
        raise fail(f"has scale {scale} and zero point {zero}; the scale must be above 0, the zero "
                   f"point in {limits.min} to {limits.max}")
    return Operand(tensor.index, tensor.type, tensor.shape, Quant(scale, zero))


def check_shape(path: Path, tensor: RawTensor) -> None:
    """Refuse a tensor whose shape is open, but for its batch."""
    # -1 as the batch is how Keras says "one at a time".
    dynamic = [axis for axis, size in enumerate(tensor.signature) if size < 0]
    if min(tensor.shape, default=1) < 1 or any(axis > 0 for axis in dynamic):
        raise ModelError(f"{path}: {tensor.label} has dynamic shape "
                         f"{list(tensor.signature or tensor.shape)}; all sizes but the batch must "
                         "be fixed")


def constant_data(path: Path, tensor: RawTensor) -> np.ndarray:
    """A constant's array.

    Raises
    ------
    ModelError
        If it is no constant, is sparse, or its bytes don't fill its shape.
    """
    if tensor.data is None:
        raise ModelError(f"{path}: {tensor.label} is computed, must be constant")
    if tensor.special:
        raise ModelError(f"{path}: {tensor.label} is {tensor.special}, which is not supported")
    dtype = np.dtype(DTYPES[tensor.type])
    if min(tensor.shape, default=1) < 0 \
            or math.prod(tensor.shape) * dtype.itemsize != len(tensor.data):
        raise ModelError(f"{path}: damaged TensorFlow Lite file: {tensor.label} of shape "
                         f"{list(tensor.shape)} has {len(tensor.data)} bytes")
    return np.frombuffer(tensor.data, dtype).reshape(tensor.shape)


class Operands:
    """One operator with its tensors.

    Parameters
    ----------
    path : Path
        For messages.
    model : RawModel
        The network it is from.
    operator : RawOperator
        The operator.
    unsigned : set of int
        Tensors that were uint8 before `as_signed`.
    """

    def __init__(self, path: Path, model: RawModel, operator: RawOperator,
                 unsigned: Set[int] = frozenset()) -> None:
        self.path = path
        self.model = model
        self.operator = operator
        self._unsigned = unsigned

    @property
    def legacy(self) -> bool:
        """Whether the operator computes in uint8, for which some of LiteRT's kernels differ."""
        return self.operator.outputs[0] in self._unsigned

    def fail(self, text: str) -> ModelError:
        """The refusal of this operator."""
        return ModelError(f"{self.path}: {self.operator.label}: {text}")

    def options(self, kind: type) -> SimpleNamespace:
        """The operator's options, which are a table of this type."""
        return self.operator.options(kind)

    def _tensor(self, position: int, what: str) -> RawTensor:
        inputs = self.operator.inputs
        if position >= len(inputs) or inputs[position] < 0:
            raise self.fail(f"has no {what}")
        return self.model.tensors[inputs[position]]

    def input(self, position: int = 0, types: tuple[str, ...] = ("INT8",)) -> Operand:
        """An 8-bit input."""
        return check_activation(self.path, self._tensor(position, f"input {position}"), *types)

    def all_inputs(self) -> list[Operand]:
        """Every input, all of them int8."""
        return [self.input(position) for position in range(len(self.operator.inputs))]

    def output(self, types: tuple[str, ...] = ("INT8",)) -> Operand:
        """The one 8-bit output."""
        if len(self.operator.outputs) != 1 or self.operator.outputs[0] < 0:
            raise self.fail(f"has {len(self.operator.outputs)} outputs, must be 1")
        return check_activation(self.path, self.model.tensors[self.operator.outputs[0]], *types)

    def real(self, tensor: int) -> bool:
        """Whether a tensor is of real numbers; if so it must be an input or output of the network.

        Raises
        ------
        ModelError
            If it is one within the network.
        """
        raw = self.model.tensors[tensor] if tensor >= 0 else None
        if raw is None or raw.type != "FLOAT32":
            return False
        if tensor not in self.model.inputs + self.model.outputs:
            raise self.fail(f"{raw.label} is FLOAT32 within the network; accepted are FLOAT32 "
                            "inputs and outputs of the network")
        check_shape(self.path, raw)
        return True

    def outputs(self) -> list[Operand]:
        """All outputs, int8."""
        return [check_activation(self.path, self.model.tensors[index], "INT8")
                for index in self.operator.outputs if index >= 0]

    def constant(self, position: int, what: str, *types: str) -> np.ndarray:
        """A constant input of one of these types."""
        tensor = self._tensor(position, what)
        if tensor.type not in types:
            raise self.fail(f"{what} is {tensor.type}, must be {' or '.join(types)}")
        if tensor.data is None:
            raise self.fail(f"{what} is computed, must be constant")
        return constant_data(self.path, tensor)

    def kernel(self, rank: int, channel_axis: int) -> tuple[np.ndarray, np.ndarray]:
        """(kernel less its zero point, float32 scales: one or one per output channel) of input 1.

        The kernel is int8, or int16 where a uint8 kernel needs it.
        """
        data = self.constant(1, "kernel", "INT8")
        tensor = self._tensor(1, "kernel")
        if data.ndim != rank or not data.size:
            raise self.fail(f"kernel has shape {list(data.shape)}, must have {rank} dimensions")
        channels = data.shape[channel_axis]
        scales = tensor.scales
        if scales.size not in (1, channels) or (scales.size > 1 and tensor.axis != channel_axis):
            raise self.fail(f"kernel has {scales.size} scales along axis {tensor.axis}, must be 1 "
                            f"or {channels} along axis {channel_axis}")
        if tensor.zero_points.any():
            data = self._centred(data, tensor)
        if not (np.isfinite(scales).all() and (scales > 0).all()):
            raise self.fail("kernel has scales that are not above 0")
        return data, scales

    def slopes(self, channels: int) -> tuple[np.ndarray, float]:
        """(slopes less their zero point, int16, one a channel; their scale) of input 1."""
        tensor = self._tensor(1, "slopes")
        found = self.constant(1, "slopes", "INT8")
        if found.size not in (1, channels) or found.shape[-1:] != (found.size,):
            raise self.fail(f"slopes have shape {list(found.shape)}, must be one, or one for each "
                            f"of {channels} channels")
        quant = check_activation(self.path, tensor, "INT8").quant
        steps = found.astype(np.int16).ravel() - np.int16(quant.zero_point)
        return np.broadcast_to(steps, (channels,)).copy(), quant.scale

    def _centred(self, data: np.ndarray, tensor: RawTensor) -> np.ndarray:
        """A kernel less its zero point."""
        if tensor.index not in self._unsigned:
            raise self.fail("kernel has zero points other than 0, must be symmetric (or UINT8)")
        if tensor.zero_points.size != 1:
            raise self.fail(f"kernel has zero points {(tensor.zero_points + OFFSET).tolist()}, "
                            "must be one")
        wide = data.astype(np.int16) - np.int16(tensor.zero_points[0])
        narrow = wide.astype(np.int8)
        return narrow if np.array_equal(narrow, wide) else wide

    def bias(self, channels: int, position: int = 2) -> np.ndarray:
        """int32 bias; zeros if left out."""
        inputs = self.operator.inputs
        if len(inputs) <= position or inputs[position] < 0:
            return np.zeros(channels, np.int32)
        data = self.constant(position, "bias", "INT32")
        if data.shape != (channels,):
            raise self.fail(f"bias has shape {list(data.shape)}, must be [{channels}]")
        return data

    def clamp(self, activation: int, quant: Quant) -> tuple[int, int]:
        """(least, most) of a fused activation."""
        if activation not in ACTIVATIONS:
            raise self.fail(f"fused activation {activation}, must be {ACTIVATION_NAMES}")
        least, most = activation_range(activation, quant)
        if least > most:
            raise self.fail(f"fused activation leaves no value of scale {quant.scale} and zero "
                            f"point {quant.zero_point}")
        return least, most

    def same_quant(self, first: Operand, second: Operand) -> None:
        """Refuse two tensors whose quantization differs."""
        if first.quant != second.quant:
            labels = [self.model.tensors[operand.index].label for operand in (first, second)]
            raise self.fail(f"{labels[0]} and {labels[1]} must have the same scale and zero point, "
                            f"have {first.quant} and {second.quant}")
