"""What values an expression may take, so that cheaper operations can be proven equal."""

from typing import Any

from golden.spec.drp.operations import Op

__all__ = ["interval"]

_LIMITS = {"int32": (-(1 << 31), (1 << 31) - 1)}


def interval(value: Any) -> tuple[int, int]:
    """Least and largest an int32 expression may be."""
    if value.span is None:
        found = _interval(value) if value.dtype == "int32" else _LIMITS["int32"]
        least, most = _LIMITS["int32"]
        value.span = found if least <= found[0] and found[1] <= most else (least, most)
    return value.span


def _interval(value: Any) -> tuple[int, int]:
    everything = _LIMITS["int32"]
    if value.is_constant:
        word = value.constant - ((value.constant >> 31) << 32)
        return word, word
    if len(value.args) < 2 or any(arg.dtype != "int32" for arg in value.args[:2]):
        return everything
    (a, b), (c, d) = interval(value.args[0]), interval(value.args[1])
    if value.op is Op.ADD:
        return a + c, b + d
    if value.op is Op.SUB:
        return a - d, b - c
    if value.op is Op.RSUB:
        return c - b, d - a
    if value.op is Op.MUL:
        products = (a * c, a * d, b * c, b * d)
        return min(products), max(products)
    if value.op is Op.MIN:
        return min(a, c), min(b, d)
    if value.op is Op.MAX:
        return max(a, c), max(b, d)
    if value.op is Op.SELECT:
        return min(a, c), max(b, d)
    if value.op is Op.ABSDIFF:
        return 0, max(b - c, d - a)
    if value.op is Op.AND and c == d >= 0:
        return 0, d
    if value.op is Op.SLL and c == d and 0 <= c < 32:
        return a << c, b << c
    if value.op is Op.SRA and c == d and 0 <= c < 32:
        return a >> c, b >> c
    return everything
