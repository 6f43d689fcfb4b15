"""Python's operators, for what stands for data in a kernel's body."""

from collections.abc import Callable
from typing import Any

__all__ = ["Operators"]


class Operators:
    """Python's operators, by ``_binary`` and ``_unary`` of the class."""

    __array_ufunc__ = None  # numpy leaves mixed operations to us
    __hash__ = object.__hash__

    def _binary(self, name: str, other: Any, reflected: bool) -> Any:
        raise NotImplementedError

    def _unary(self, name: str) -> Any:
        raise NotImplementedError

    def __neg__(self) -> Any:
        return self._unary("neg")

    def __invert__(self) -> Any:
        return self._unary("invert")

    def __abs__(self) -> Any:
        return self._unary("abs")

    def __eq__(self, other: object) -> Any:  # type: ignore[override]
        return self._binary("eq", other, False)

    def __ne__(self, other: object) -> Any:  # type: ignore[override]
        return self._binary("ne", other, False)


def _define(name: str, *, reflected: bool) -> Callable[..., Any]:
    return lambda self, other: self._binary(name, other, reflected)


for _name in ("add", "sub", "mul", "and", "or", "xor", "lshift", "rshift", "floordiv", "truediv",
              "mod", "pow", "matmul"):
    setattr(Operators, f"__{_name}__", _define(_name, reflected=False))
    setattr(Operators, f"__r{_name}__", _define(_name, reflected=True))
for _name in ("lt", "le", "gt", "ge"):
    setattr(Operators, f"__{_name}__", _define(_name, reflected=False))
