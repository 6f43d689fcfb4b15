"""The operators that the host runs between the chip's steps: the golden ones, by name.

What even they haven't, networks of ONNX Runtime's, is the operator `External`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from golden.attributes import Attributes, Weighted
from golden.executor import OPERATORS
from golden.external import External
from sw.onnx_runtime import run_external

__all__ = ["HostOperator", "attributes_to_json", "host_operators"]

HostOperator = Callable[[dict[str, Any], Sequence[np.ndarray]], Sequence[np.ndarray]]


def host_operators() -> dict[str, HostOperator]:
    """Operators by the name of their attributes class.

    Each takes the attributes as `attributes_to_json` gives them and the input arrays, and gives
    the output arrays. Operators with weights are left to the chip.
    """
    found = {kind.__name__: _operator(kind) for kind in OPERATORS if not issubclass(kind, Weighted)}
    return found | {External.__name__: _external}


def _external(attrs: dict[str, Any], arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    return run_external(External(**{name: _tuples(value) for name, value in attrs.items()}), arrays)


def attributes_to_json(attrs: Attributes) -> dict[str, Any]:
    """Attributes without arrays as JSON has them: tuples become lists; bytes are left out."""
    values = {item.name: getattr(attrs, item.name) for item in dataclasses.fields(attrs)}
    return {name: _lists(value) for name, value in values.items() if not isinstance(value, bytes)}


def _operator(kind: type[Attributes]) -> HostOperator:
    function = OPERATORS[kind]

    def operator(attrs: dict[str, Any], arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        made = kind(**{name: _tuples(value) for name, value in attrs.items()})
        shape = made.shape(*(array.shape for array in arrays))
        return [function(*arrays, attrs=made).reshape(shape)]

    return operator


def _lists(value: Any) -> Any:
    return [_lists(item) for item in value] if isinstance(value, tuple) else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
