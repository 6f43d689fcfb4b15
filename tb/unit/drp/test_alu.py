"""Alu: every operation of its kind on every sub-word, against golden.drp, edges and random."""

import random

import pytest
from amaranth.sim import Simulator

from golden.drp.arithmetic import evaluate
from golden.spec.drp.operations import OPERATIONS, Kind, Op, Subword
from hw.drp.alu import Alu
from hw.drp.decode import ALU, code
from tb.unit.drp.words import words

OPS = [op for op, operation in OPERATIONS.items()
       if operation.kind is Kind.ALU and op is not Op.NOP]
COUNT = 150


@pytest.mark.parametrize("subword", Subword)
def test_operations(subword):
    rng = random.Random(f"alu {subword}")
    dut = Alu()
    a, b, c = (words(rng, COUNT) for _ in "abc")
    b[::5] = a[::5]  # equal
    b[1::7] = (a[1::7] & 0xFF00FF) | (b[1::7] & 0xFF00FF00)  # equal in some parts
    expected = {op: evaluate(op, *(values[:, None] for values in (a, b, c)),
                             subword)[:, 0].tolist() for op in OPS}

    async def bench(ctx):
        ctx.set(dut.subword, subword)
        for op in OPS:
            ctx.set(dut.code, ALU.from_bits(code(op)))
            for index in range(COUNT):
                ctx.set(dut.a, int(a[index]))
                ctx.set(dut.b, int(b[index]))
                ctx.set(dut.c, int(c[index]))
                got = ctx.get(dut.o)
                assert got == expected[op][index], (
                    f"{op.name} {subword.name} of {a[index]:08x} {b[index]:08x} {c[index]:08x} "
                    f"is {got:08x}, not {expected[op][index]:08x}")

    sim = Simulator(dut)
    sim.add_testbench(bench)
    sim.run()


def test_takes_another():
    rng = random.Random("alu other")
    dut = Alu()

    async def bench(ctx):
        ctx.set(dut.takes, 1)
        for subword in Subword:
            ctx.set(dut.subword, subword)
            for op in OPS:
                ctx.set(dut.code, ALU.from_bits(code(op)))
                for name in ("a", "b", "c"):
                    ctx.set(getattr(dut, name), rng.getrandbits(32))
                other = rng.getrandbits(32)
                ctx.set(dut.other, other)
                assert ctx.get(dut.o) == other, op.name

    sim = Simulator(dut)
    sim.add_testbench(bench)
    sim.run()
