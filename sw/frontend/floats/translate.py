"""A float TensorFlow Lite file as an ONNX model."""

from pathlib import Path

import onnx

from sw.frontend.flatbuffer import read
from sw.frontend.floats import elementwise, images, movement, products
from sw.frontend.floats.network import FloatNetwork, Step

__all__ = ["FLOAT_OPERATORS", "to_onnx"]

_TRANSLATORS = {**elementwise.TRANSLATORS, **images.TRANSLATORS, **movement.TRANSLATORS,
                **products.TRANSLATORS}
FLOAT_OPERATORS = tuple(sorted(_TRANSLATORS))


def to_onnx(path: Path | str) -> onnx.ModelProto:
    """Translate a float TensorFlow Lite file.

    Weights may be float32, float16, sparse (they become dense, zeros stay exactly zero) or 8-bit
    integers with scales (as in dynamic-range quantization, whose arithmetic is then float). Names,
    shapes and order of axes of inputs and outputs are the file's.

    Parameters
    ----------
    path : Path or str

    Returns
    -------
    onnx.ModelProto
        Opset 17, checked.

    Raises
    ------
    ModelError
        If the file can't be read, computes in integers, or uses an operator or form without
        translation; the text names it and what is accepted.
    """
    path = Path(path)
    net = FloatNetwork(path, read(path))
    for index in net.model.inputs:
        net.write(index, False)
    for operator in net.model.operators:
        if operator.name not in _TRANSLATORS:
            raise net.fail(f"{operator.label} has no float translation; accepted are "
                           f"{', '.join(FLOAT_OPERATORS)}")
        _TRANSLATORS[operator.name](Step(net, operator))
    return net.proto()
