"""Writes small TensorFlow Lite files, right ones and wrong ones."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite

__all__ = ["ModelBuilder"]

DTYPES = {"INT8": np.int8, "INT32": np.int32, "INT64": np.int64, "FLOAT32": np.float32,
          "UINT8": np.uint8}


@dataclass
class _Tensor:
    shape: Sequence[int]
    type: str
    scales: Sequence[float]
    zeros: Sequence[int]
    axis: int
    data: np.ndarray | None
    signature: Sequence[int]
    name: str
    variable: bool


@dataclass
class _Operator:
    code: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: dict[str, Any] = field(default_factory=dict)


class ModelBuilder:
    """Collects tensors and operators, then gives the file's bytes."""

    def __init__(self) -> None:
        self.tensors: list[_Tensor] = []
        self.operators: list[_Operator] = []

    def tensor(self, shape: Sequence[int], type: str = "INT8", *, scales: Sequence[float] = (0.5,),
               zeros: Sequence[int] = (0,), axis: int = 0, data: np.ndarray | None = None,
               signature: Sequence[int] = (), name: str | None = None,
               variable: bool = False) -> int:
        """Add a tensor; returns its index. No scales means no quantization."""
        label = f"t{len(self.tensors)}" if name is None else name
        self.tensors.append(_Tensor(shape, type, scales, zeros, axis, data, signature, label,
                                    variable))
        return len(self.tensors) - 1

    def constant(self, data: np.ndarray, **settings: Any) -> int:
        """Add a constant of the array's own shape and type."""
        kind = next(name for name, dtype in DTYPES.items() if data.dtype == dtype)
        if kind != "INT8":
            settings = {"scales": (), "zeros": (), **settings}
        return self.tensor(data.shape, kind, data=data, **settings)

    def operator(self, code: str, inputs: Sequence[int], outputs: Sequence[int],
                 **options: Any) -> None:
        """Add an operator.

        Parameters
        ----------
        code : str
            Name of a ``tflite.BuiltinOperator``, or ``CUSTOM name``.
        options : any
            ``table="Conv2DOptions"`` and the table's fields by their names in the schema's
            Python form (``StrideW=2``); no table if left out. ``custom=bytes`` are those of
            another maker's operator.
        """
        self.operators.append(_Operator(code, inputs, outputs, options))

    def finish(self, inputs: Sequence[int], outputs: Sequence[int], subgraphs: int = 1) -> bytes:
        """The file; ``subgraphs`` repeats the only one."""
        builder = flatbuffers.Builder(1024)
        buffers, numbers = [self._buffer(builder, None)], []
        for tensor in self.tensors:
            numbers.append(len(buffers) if tensor.data is not None else 0)
            if tensor.data is not None:
                buffers.append(self._buffer(builder, tensor.data))
        codes = sorted({operator.code for operator in self.operators})
        code_tables = [self._code(builder, code) for code in codes]
        tensors = [self._tensor(builder, *item)
                   for item in zip(self.tensors, numbers, strict=True)]
        operators = [self._operator(builder, item, codes.index(item.code))
                     for item in self.operators]
        graph = self._table(
            builder, "SubGraph", Tensors=self._offsets(builder, tensors),
            Inputs=self._ints(builder, inputs), Outputs=self._ints(builder, outputs),
            Operators=self._offsets(builder, operators))
        model = self._table(
            builder, "Model", Version=3, OperatorCodes=self._offsets(builder, code_tables),
            Subgraphs=self._offsets(builder, [graph] * subgraphs),
            Buffers=self._offsets(builder, buffers))
        builder.Finish(model, file_identifier=b"TFL3")
        return bytes(builder.Output())

    @staticmethod
    def _table(builder: Any, kind: str, **fields: Any) -> int:
        module = importlib.import_module(f"tflite.{kind}")
        getattr(module, f"{kind}Start")(builder)
        for name, value in fields.items():
            if value is not None:
                getattr(module, f"{kind}Add{name}")(builder, value)
        return getattr(module, f"{kind}End")(builder)

    @staticmethod
    def _ints(builder: Any, values: Sequence[int]) -> int:
        return builder.CreateNumpyVector(np.array(values, np.int32))

    @staticmethod
    def _offsets(builder: Any, offsets: Sequence[int]) -> int:
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()

    def _buffer(self, builder: Any, data: np.ndarray | None) -> int:
        if data is None:
            return self._table(builder, "Buffer")
        raw = np.frombuffer(data.tobytes(), np.uint8)
        # LiteRT reads constants in place and wants them aligned.
        builder.StartVector(1, raw.size, 16)
        builder.head -= raw.size
        builder.Bytes[builder.head:builder.head + raw.size] = raw.tobytes()
        return self._table(builder, "Buffer", Data=builder.EndVector())

    def _code(self, builder: Any, code: str) -> int:
        code, _, name = code.partition(" ")
        number = getattr(tflite.BuiltinOperator, code)
        custom = builder.CreateString(name) if code == "CUSTOM" else None
        return self._table(builder, "OperatorCode", DeprecatedBuiltinCode=min(number, 127),
                           BuiltinCode=number, Version=1, CustomCode=custom)

    def _tensor(self, builder: Any, tensor: _Tensor, buffer: int) -> int:
        name = builder.CreateString(tensor.name)
        shape = self._ints(builder, tensor.shape)
        signature = self._ints(builder, tensor.signature) if tensor.signature else None
        quantization = None
        if len(tensor.scales):
            scales = builder.CreateNumpyVector(np.array(tensor.scales, np.float32))
            zeros = builder.CreateNumpyVector(np.array(tensor.zeros, np.int64))
            quantization = self._table(builder, "QuantizationParameters", Scale=scales,
                                       ZeroPoint=zeros, QuantizedDimension=tensor.axis)
        return self._table(builder, "Tensor", Shape=shape, Buffer=buffer, Name=name,
                           Type=getattr(tflite.TensorType, tensor.type), Quantization=quantization,
                           ShapeSignature=signature, IsVariable=tensor.variable)

    def _operator(self, builder: Any, operator: _Operator, code: int) -> int:
        fields = dict(operator.options)
        kind, custom = fields.pop("table", None), fields.pop("custom", None)
        extra = {}
        if custom is not None:
            extra = {"CustomOptions": builder.CreateByteVector(custom)}
        if kind is not None:
            for name, value in fields.items():
                if isinstance(value, tuple):
                    fields[name] = self._ints(builder, value)
            extra = {"BuiltinOptionsType": getattr(tflite.BuiltinOptions, kind),
                     "BuiltinOptions": self._table(builder, kind, **fields)}
        return self._table(builder, "Operator", OpcodeIndex=code,
                           Inputs=self._ints(builder, operator.inputs),
                           Outputs=self._ints(builder, operator.outputs), **extra)
