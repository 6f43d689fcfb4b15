"""Legacy networks of uint8 as networks of int8: every value less 128."""

import dataclasses

import numpy as np

from sw.frontend.flatbuffer import RawModel, RawOperator, RawTensor

__all__ = ["OFFSET", "as_signed"]

OFFSET = 128


def as_signed(model: RawModel) -> tuple[RawModel, set[int]]:
    """The network with int8 in place of uint8, and which of its tensors were uint8.

    Zero points move with the values, so that all differences from them stay what they are: a
    kernel's weights are still w - z. Tensors that only QUANTIZE touches stay as they are: those are
    the uint8 edges of an int8 network.
    """
    touched = {index for operator in model.operators
               if operator.name != "QUANTIZE" or _reads_real(model, operator)
               for index in operator.inputs + operator.outputs if index >= 0}
    unsigned = {index for index in touched if model.tensors[index].type == "UINT8"}
    tensors = [_signed(tensor) if tensor.index in unsigned else tensor
               for tensor in model.tensors]
    return dataclasses.replace(model, tensors=tensors), unsigned


def _reads_real(model: RawModel, operator: RawOperator) -> bool:
    return any(model.tensors[index].type == "FLOAT32" for index in operator.inputs if index >= 0)


def _signed(tensor: RawTensor) -> RawTensor:
    data = tensor.data
    if data is not None:
        data = (np.frombuffer(data, np.uint8) ^ OFFSET).tobytes()
    return dataclasses.replace(tensor, type="INT8", data=data,
                               zero_points=tensor.zero_points - OFFSET)
