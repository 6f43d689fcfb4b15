"""Every operation of ``golden.spec.drp.operations`` on arrays; memories are the tile's.

Values are uint32 arrays whose last axis is lanes; results are too.
"""

from collections.abc import Callable

import numpy as np

from golden.ops import requantize
from golden.spec.drp.operations import Op, Subword

__all__ = ["evaluate"]

_WIDTHS: dict[Subword, tuple[type[np.unsignedinteger], type[np.signedinteger]]] = {
    Subword.X1: (np.uint32, np.int32),
    Subword.X2: (np.uint16, np.int16),
    Subword.X4: (np.uint8, np.int8),
}
Binary = Callable[[np.ndarray, np.ndarray], np.ndarray]

# On parts of a value as unsigned numbers; results are low bits or, of comparisons, booleans.
_UNSIGNED: dict[Op, Binary] = {
    Op.ADD: np.add, Op.SUB: np.subtract, Op.RSUB: lambda a, b: b - a,
    Op.ABSDIFFU: lambda a, b: np.maximum(a, b) - np.minimum(a, b),
    Op.MINU: np.minimum, Op.MAXU: np.maximum, Op.EQ: np.equal, Op.NE: np.not_equal,
    Op.LTU: np.less, Op.LEU: np.less_equal, Op.GTU: np.greater, Op.GEU: np.greater_equal,
    Op.AND: np.bitwise_and, Op.OR: np.bitwise_or, Op.XOR: np.bitwise_xor,
    Op.ANDN: lambda a, b: a & ~b,
}
# The same on signed numbers.
_SIGNED: dict[Op, Binary] = {
    Op.ABSDIFF: lambda a, b: np.maximum(a, b) - np.minimum(a, b),
    Op.MIN: np.minimum, Op.MAX: np.maximum,
    Op.LT: np.less, Op.LE: np.less_equal, Op.GT: np.greater, Op.GE: np.greater_equal,
}


def _rounded_shift(a: np.ndarray, by: np.ndarray, *, away: bool) -> np.ndarray:
    return requantize.rounding_divide_by_pot(a.astype(np.int64), by, not away)


def _high(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    product = requantize.rounding_doubling_high_multiply(a.astype(np.int64), b.astype(np.int64))
    return np.minimum(product, (1 << 31) - 1)


def _clamp(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    least, most = b.astype(np.int16).astype(np.int32), b >> 16
    return np.minimum(np.maximum(a, least), most)


# On whole values, signed.
_WHOLE: dict[Op, Binary] = {
    Op.SLL: lambda a, b: a << (b & 31),
    Op.SRL: lambda a, b: a.view(np.uint32) >> (b & 31).view(np.uint32),
    Op.SRA: lambda a, b: a >> (b & 31),
    Op.SRA_AWAY: lambda a, b: _rounded_shift(a, b & 31, away=True),
    Op.SRA_UP: lambda a, b: _rounded_shift(a, b & 31, away=False),
    Op.CLAMP: _clamp,
    Op.CLZ: lambda a, b: 32 - np.frexp(a.view(np.uint32).astype(np.float64))[1],
    Op.MUL: np.multiply,
    Op.MULH: _high,
}


def evaluate(op: Op, a: np.ndarray, b: np.ndarray, c: np.ndarray,
             subword: Subword = Subword.X1, immediate: int = 0) -> np.ndarray:
    """Result of an operation that uses no memory.

    Parameters
    ----------
    op : Op
    a, b, c : (..., lanes) uint32
        Operands of one shape; those the operation doesn't read may hold anything.
    subword : Subword
    immediate : int
        Distance of LANE.

    Returns
    -------
    (..., lanes) uint32
    """
    if op is Op.PASS:
        return a
    if op is Op.PASS_B:
        return b
    if op is Op.SELECT:
        return (a & c) | (b & ~c)
    if op is Op.LANE:
        lanes = a.shape[-1]
        by = immediate % lanes
        return np.concatenate([a, b], axis=-1)[..., by:by + lanes]
    unsigned, signed = _WIDTHS[subword]
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    if op in _UNSIGNED:
        found = _UNSIGNED[op](a.view(unsigned), b.view(unsigned))
    elif op in _SIGNED:
        found = _SIGNED[op](a.view(signed), b.view(signed))
    else:
        found = _WHOLE[op](a.view(signed), b.view(signed))
    if found.dtype == np.bool_:
        found = np.where(found, unsigned(np.iinfo(unsigned).max), unsigned(0))
    return np.ascontiguousarray(found.astype(unsigned, copy=False)).view(np.uint32)
