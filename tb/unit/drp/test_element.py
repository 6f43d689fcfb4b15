"""Element by itself against golden.drp: operands, first values of reductions, links, waits."""

import random

import numpy as np
import pytest

from golden.drp.arithmetic import evaluate
from golden.spec.drp.contexts import FIRST, LAST
from golden.spec.drp.fabric import fabric
from golden.spec.drp.operations import Op, Subword
from hw.drp.decode import Part, code
from hw.drp.element import Element
from tb.pysim import simulate
from tb.unit.drp.words import words

FABRICS = {"tiny": fabric("tiny"), "lanes": fabric("tiny", lanes=2, movers=(3,), history=4)}
OPS = (Op.PASS_B, Op.ADD, Op.SUB, Op.MAX, Op.SELECT, Op.XOR)  # one step, all of the ALU
STEPS = 300


def context(shape, rng):
    """A random context of the ALU, ``op`` beside it."""
    return {"op": rng.choice(OPS), "immediate": rng.getrandbits(32),
            "a": rng.randrange(shape.sources), "b": rng.randrange(shape.sources),
            "c": rng.randrange(shape.thirds), "row_delay": rng.randrange(shape.history),
            "col_delay": rng.randrange(shape.history), "route": rng.random() < 0.2,
            "stage": rng.randrange(4), "when": rng.choice((0, rng.randrange(LAST + 4)))}


def holds(now, turns, turn):
    """Whether a context's condition does, for what its stage works at in this step."""
    first, last = turns[turn - now["stage"]]
    when = now["when"]
    return bool(when) and bool(
        first >> (when - FIRST) & 1 if when < LAST else last >> (when - LAST) & 1)


@pytest.mark.parametrize("name, number", [("tiny", 0), ("lanes", 4)])
def test_reductions(name, number):
    """A pass is a step. All operands hold something random: a first value that is none, or
    another one, is seen in the next step."""
    shape = FABRICS[name]
    rng = random.Random(f"element {name} {number}")
    lanes = range(shape.lanes)
    fill = {"when": 0, "op": Op.PASS_B, "b": shape.sources - 1}  # histories
    contexts = [context(shape, rng) | (fill if step < shape.history else {})
                for step in range(STEPS)]
    turns = [(rng.getrandbits(4), rng.getrandbits(4)) for _ in range(STEPS + 2)]
    dut = Element(shape, number)

    def cue(step):
        first, last = turns[step]
        return {"valid": 1, "number": step % shape.history, "turn": step % shape.stages,
                "first": first, "last": last}

    def vector():
        return words(rng, shape.lanes)

    async def bench(ctx):
        results, row, col, replaced = [], vector(), vector(), 0
        ctx.set(dut.write, cue(0))
        ctx.set(dut.advance, 1)
        await ctx.tick()
        for step in range(-1, STEPS):
            # In a step the context of the next one is taken.
            if step + 1 < STEPS:
                fields = dict(contexts[step + 1])
                fields["control"] = {"part": Part.ALU, "code": code(fields.pop("op")),
                                     "subword": Subword.X1}
                ctx.set(dut.context, fields)
                ctx.set(dut.cue, cue(step + 1))
                ctx.set(dut.write, cue(step + 2))
            others = [vector() for _ in range(shape.columns - 1)]
            column = [vector() for _ in range(shape.rows - 1)]
            extra = vector()
            for port, value in (*zip(dut.row_others, others, strict=True),
                                *zip(dut.col_others, column, strict=True), (dut.extra, extra)):
                ctx.set(port, value.tolist())
            ctx.set(dut.advance, 0)
            ctx.set(dut.step, 0)
            while rng.random() < 0.2:
                await ctx.tick()
            if step >= shape.history:
                assert [ctx.get(dut.row[lane]) for lane in lanes] == row.tolist(), step
                assert [ctx.get(dut.col[lane]) for lane in lanes] == col.tolist(), step
            ctx.set(dut.advance, 1)
            ctx.set(dut.step, step >= 0)
            await ctx.tick()
            if step < 0:
                continue
            now = contexts[step]
            first = holds(now, turns, step)
            replaced += first
            constant = np.full(shape.lanes, now["immediate"], np.uint32)
            a = (*others, *column, row, extra)[now["a"]]
            b = constant if first else (*others, *column, col, constant)[now["b"]]
            c = (*column, extra)[now["c"]]
            results.append(evaluate(now["op"], a, b, c))
            if step >= shape.history - 1:
                row = c if now["route"] else results[step - now["row_delay"]]
                col = results[step - now["col_delay"]]
        assert replaced > STEPS / 10

    simulate(dut, bench, cycles=2 * STEPS)
