"""Operations of the DRP against statements on Python integers, part by part."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.drp.arithmetic import evaluate
from golden.spec import numerics
from golden.spec.drp.operations import OPERATIONS, Kind, Op, Subword

EDGES = [0, 1, 2, 5, 31, 32, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
         0x40000000, 0xC0000000, 0x80FF7F01, 0xFFFE0001]
WORDS = st.one_of(st.sampled_from(EDGES), st.integers(0, 2**32 - 1))
BITS = {Subword.X1: 32, Subword.X2: 16, Subword.X4: 8}


def signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) else value


def part(op, a, b, bits):
    """The operation on one part, from its words in the table."""
    x, y, ones = signed(a, bits), signed(b, bits), (1 << bits) - 1
    compare = {"EQ": a == b, "NE": a != b, "LT": x < y, "LE": x <= y, "GT": x > y, "GE": x >= y,
               "LTU": a < b, "LEU": a <= b, "GTU": a > b, "GEU": a >= b}
    if op.name in compare:
        return ones if compare[op.name] else 0
    return {"PASS": a, "PASS_B": b, "ADD": a + b, "SUB": a - b, "RSUB": b - a,
            "ABSDIFF": abs(x - y), "ABSDIFFU": abs(a - b), "MIN": min(x, y), "MAX": max(x, y),
            "MINU": min(a, b), "MAXU": max(a, b), "AND": a & b, "OR": a | b, "XOR": a ^ b,
            "ANDN": a & (ones ^ b)}[op.name] & ones


def whole(op, a, b):
    """Operations on 32 bits only."""
    x, y, by = signed(a, 32), signed(b, 32), b % 32
    if op is Op.MULH:
        product = numerics.rounding_doubling_high_multiply(x, y)
        return min(product, 2**31 - 1)
    if op is Op.CLAMP:
        least, most = signed(b & 0xFFFF, 16), signed(b >> 16, 16)
        return min(max(x, least), most)
    return {Op.SLL: x << by, Op.SRL: a >> by, Op.SRA: x >> by,
            Op.SRA_AWAY: numerics.rounding_divide_by_pot(x, by),
            Op.SRA_UP: (x + ((1 << by) >> 1)) >> by,
            Op.CLZ: 32 - a.bit_length(), Op.MUL: x * y}[op]


PARTED = [op for op, row in OPERATIONS.items()
          if len(row.subwords) == 3 and op not in (Op.NOP, Op.SELECT)]
WHOLE = [op for op, row in OPERATIONS.items() if row.kind in (Kind.SHIFTER, Kind.MULTIPLIER)]


def run(op, a, b, c=0, subword=Subword.X1, lanes=1, **options):
    words = [np.array([value] * lanes if isinstance(value, int) else value, np.uint32)
             for value in (a, b, c)]
    return evaluate(op, *words, subword, **options).tolist()


@pytest.mark.parametrize("op", PARTED)
@given(a=WORDS, b=WORDS, subword=st.sampled_from(list(Subword)))
def test_parts(op, a, b, subword):
    bits, found = BITS[subword], 0
    for low in range(0, 32, bits):
        found |= part(op, a >> low & ((1 << bits) - 1), b >> low & ((1 << bits) - 1), bits) << low
    assert run(op, a, b, subword=subword) == [found]


@pytest.mark.parametrize("op", WHOLE)
@given(a=WORDS, b=WORDS)
def test_whole(op, a, b):
    assert run(op, a, b) == [whole(op, a, b) & 0xFFFFFFFF]


@given(a=WORDS, b=WORDS, c=WORDS)
def test_select(a, b, c):
    assert run(Op.SELECT, a, b, c) == [(a & c) | (b & ~c & 0xFFFFFFFF)]


@pytest.mark.parametrize("by", range(6))
def test_lanes_move(by):
    a, b = [1, 2, 3, 4], [5, 6, 7, 8]
    assert run(Op.LANE, a, b, [0] * 4, immediate=by) == (a + b)[by % 4:by % 4 + 4]


def test_every_operation_is_tried():
    memory = {op for op, row in OPERATIONS.items() if row.kind is Kind.MEMORY}
    assert set(PARTED) | set(WHOLE) | {Op.SELECT, Op.LANE, Op.NOP} | memory == set(Op)


def test_codes_are_dense_enough():
    assert all(op < 64 and row.op is op for op, row in OPERATIONS.items())
