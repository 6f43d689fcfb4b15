"""A TensorFlow Lite file as plain Python values, or a refusal.

The flatbuffer library trusts its input: a damaged file makes it read anywhere in the buffer, raise
anything, or loop over billions of elements. Here every count is held against the file's
size and every failure becomes a ``ModelError``, so nothing after this meets a flatbuffer.
"""

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
import tflite

from sw.errors import ModelError
from sw.frontend.sparsity import Sparsity, read_sparsity

__all__ = ["RawModel", "RawOperator", "RawTensor", "read", "unique_names"]

MAGIC = b"TFL3"
# What reading outside a buffer, or garbage inside it, makes struct, numpy and flatbuffers raise.
DAMAGE = (struct.error, IndexError, TypeError, ValueError, OverflowError, AttributeError,
          AssertionError, MemoryError)


def _names(enumeration: type) -> dict[int, str]:
    """Names of a schema enumeration's numbers."""
    return {value: name for name, value in vars(enumeration).items()
            if isinstance(value, int) and not name.startswith("_")}


def _scalars(table: type) -> list[str]:
    """The fields of a table that are one value: its methods without arguments."""
    return [name for name, member in vars(table).items()
            if isinstance(member, FunctionType) and member.__code__.co_argcount == 1
            and not name.endswith(("Length", "AsNumpy", "IsNone"))]


OPERATOR_NAMES = _names(tflite.BuiltinOperator)
TYPE_NAMES = _names(tflite.TensorType)


@dataclass(frozen=True, eq=False)
class RawTensor:
    """A tensor as the file states it.

    Members
    -------
    label : str
        Number and name, for messages.
    type : str
        INT8, FLOAT32 and so on.
    signature : tuple of int
        The shape with -1 where it is dynamic; empty if not stated.
    scales, zero_points, axis
        Quantization; empty if there is none. ``axis`` is that of several scales.
    data : bytes or None
        Of a constant.
    special : str
        Why the tensor is out of the ordinary (sparse, variable), or empty.
    sparsity : Sparsity or None
        How ``data`` encodes a sparse constant.
    """

    index: int
    name: str
    type: str
    shape: tuple[int, ...]
    signature: tuple[int, ...]
    scales: np.ndarray
    zero_points: np.ndarray
    axis: int
    data: bytes | None
    special: str
    sparsity: Sparsity | None = None

    @property
    def label(self) -> str:
        """Number and name, for messages."""
        return f"tensor {self.index} ({self.name!r})"


@dataclass(frozen=True, eq=False)
class RawOperator:
    """An operator as the file states it.

    Members
    -------
    name : str
        As in the schema; of other makers' operators ``CUSTOM`` and their name.
    options : callable
        Reads its options, a table of given type.
    custom : bytes
        Options of another maker's operator.
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Callable[[type], SimpleNamespace]
    custom: bytes = b""

    @property
    def label(self) -> str:
        """Number and name, for messages."""
        return f"operator {self.index} ({self.name})"


@dataclass(frozen=True, eq=False)
class RawModel:
    """The one subgraph of a file."""

    tensors: list[RawTensor]
    operators: list[RawOperator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def unique_names(given: list[str]) -> list[str]:
    """Names, with ``#index`` added to those that are empty or come twice."""
    counts = Counter(given)
    return [name if name and counts[name] == 1 else f"{name}#{index}"
            for index, name in enumerate(given)]


@contextmanager
def _damage(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a damaged file causes into a ``ModelError``."""
    try:
        yield
    except DAMAGE as error:
        raise ModelError(f"{path}: damaged or truncated TensorFlow Lite file: {what} can't be read "
                         f"({type(error).__name__})") from None


class _Reader:
    """Walks one file."""

    def __init__(self, path: Path, raw: bytes) -> None:
        self.path = path
        self.raw = raw
        self.model: Any = tflite.Model.GetRootAs(raw, 0)

    def fail(self, text: str) -> ModelError:
        return ModelError(f"{self.path}: {text}")

    def count(self, number: int, what: str) -> int:
        """A vector's length, which can't be more than the file has bytes."""
        if not 0 <= number <= len(self.raw):
            raise self.fail(f"damaged or truncated TensorFlow Lite file: {number} {what} in "
                            f"{len(self.raw)} bytes")
        return number

    def numbers(self, table: Any, field: str) -> tuple[int, ...]:
        """A vector of integers."""
        length = self.count(getattr(table, f"{field}Length")(), f"values of {field}")
        element = getattr(table, field)
        return tuple(int(element(at)) for at in range(length))

    def tensor(self, graph: Any, index: int) -> RawTensor:
        table = graph.Tensors(index)
        name = (table.Name() or b"").decode("utf-8", "replace")
        kind = TYPE_NAMES.get(table.Type(), f"type {table.Type()}")
        special = "variable" if table.IsVariable() else "sparse" if table.Sparsity() else ""
        quantization = table.Quantization()
        scales, zeros, axis = np.zeros(0, np.float32), np.zeros(0, np.int64), 0
        if quantization is not None:
            count = self.count(quantization.ScaleLength(), "scales")
            scales = np.array([quantization.Scale(at) for at in range(count)], np.float32)
            zeros = np.array(self.numbers(quantization, "ZeroPoint"), np.int64)
            axis = quantization.QuantizedDimension()
        return RawTensor(index, name, kind, self.numbers(table, "Shape"),
                         self.numbers(table, "ShapeSignature"), scales, zeros, axis,
                         self.data(table.Buffer()), special,
                         read_sparsity(table.Sparsity(), self.count) if special == "sparse"
                         else None)

    def data(self, index: int) -> bytes | None:
        """Bytes of a buffer; None if it is empty, as that of every computed tensor is."""
        if index >= self.model.BuffersLength():
            raise self.fail(f"damaged or truncated TensorFlow Lite file: buffer {index} of "
                            f"{self.model.BuffersLength()}")
        buffer = self.model.Buffers(index)
        if buffer.Offset() > 1:
            raise self.fail(f"buffer {index} lies outside the flatbuffer; files above 2 GB are not "
                            "supported")
        length = self.count(buffer.DataLength(), "bytes of a buffer")
        return buffer.DataAsNumpy().tobytes() if length else None

    def operator(self, graph: Any, index: int) -> RawOperator:
        table = graph.Operators(index)
        if table.OpcodeIndex() >= self.model.OperatorCodesLength():
            raise self.fail(f"damaged or truncated TensorFlow Lite file: operator code "
                            f"{table.OpcodeIndex()} of {self.model.OperatorCodesLength()}")
        code = self.model.OperatorCodes(table.OpcodeIndex())
        # Codes above 127 came later, in a field of their own.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = OPERATOR_NAMES.get(number, f"code {number}")
        if name == "CUSTOM":
            name = f"CUSTOM {(code.CustomCode() or b'').decode('utf-8', 'replace')}"

        def options(kind: type) -> SimpleNamespace:
            with _damage(self.path, f"options of operator {index}"):
                union = table.BuiltinOptions()
                result: Any = kind()
                if union is None:
                    raise self.fail(f"operator {index} ({name}) has no options")
                result.Init(union.Bytes, union.Pos)
                return SimpleNamespace(**{name: getattr(result, name)() for name in _scalars(kind)})

        own = self.count(table.CustomOptionsLength(), "bytes of options")
        return RawOperator(index, name, self.numbers(table, "Inputs"),
                           self.numbers(table, "Outputs"), options,
                           table.CustomOptionsAsNumpy().tobytes() if own else b"")

    def read(self) -> RawModel:
        subgraphs = self.count(self.model.SubgraphsLength(), "subgraphs")
        if subgraphs != 1:
            raise self.fail(f"{subgraphs} subgraphs, must be 1: control flow is not supported")
        graph = self.model.Subgraphs(0)
        tensors = [self.tensor(graph, index)
                   for index in range(self.count(graph.TensorsLength(), "tensors"))]
        operators = [self.operator(graph, index)
                     for index in range(self.count(graph.OperatorsLength(), "operators"))]
        inputs, outputs = self.numbers(graph, "Inputs"), self.numbers(graph, "Outputs")
        used = [(f"of {op.label}", at) for op in operators for at in op.inputs + op.outputs]
        for what, at in [("of the network", at) for at in inputs + outputs] + used:
            # -1 stands for an input that is left out.
            if not -1 <= at < len(tensors):
                raise self.fail(f"damaged TensorFlow Lite file: tensor {at} {what} of "
                                f"{len(tensors)}")
        return RawModel(tensors, operators, inputs, outputs)


def read(path: Path) -> RawModel:
    """Read a TensorFlow Lite file.

    Raises
    ------
    ModelError
        If there is no such file, it is not TensorFlow Lite, or it is damaged.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: can't be read: {error.strerror}") from None
    if raw[4:8] != MAGIC:
        raise ModelError(f"{path}: not a TensorFlow Lite file: bytes 4 to 7 are {raw[4:8]!r}, must "
                         f"be {MAGIC!r}")
    with _damage(path, "the network"):
        return _Reader(path, raw).read()
