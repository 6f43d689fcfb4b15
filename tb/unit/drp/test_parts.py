"""Multiplier, Shifter, TableMemory: on time, with waits, against golden.drp; History, stepped."""

import random

import numpy as np
import pytest
from amaranth.hdl import Module, Signal

from golden.drp.arithmetic import evaluate
from golden.spec.drp.operations import OPERATIONS, Kind, Op
from hw.drp.decode import MEMORY, MULTIPLIER, SHIFTER, code
from hw.drp.history import History
from hw.drp.memory import TableMemory
from hw.drp.multiplier import Multiplier
from hw.drp.shifter import Shifter
from hw.drp.stepped import stepped
from tb.pysim import simulate
from tb.unit.drp.words import words

STEPS = 1200
UNITS = {Kind.MULTIPLIER: (Multiplier, MULTIPLIER), Kind.SHIFTER: (Shifter, SHIFTER)}


def one(op, a, b):
    return int(evaluate(op, *(np.array([value], np.uint32) for value in (a, b, 0)))[0])


@pytest.mark.parametrize("kind", UNITS)
def test_arithmetic(kind):
    """Every operation, one a step; ``o`` is there LATENCY - 1 steps later, however many cycles."""
    rng = random.Random(f"parts {kind}")
    unit, layout = UNITS[kind]
    ops = [op for op, operation in OPERATIONS.items() if operation.kind is kind]
    chosen = [rng.choice(ops) for _ in range(STEPS)]
    a, b = words(rng, STEPS).tolist(), words(rng, STEPS).tolist()
    for index in range(0, STEPS, 2):
        if chosen[index] is Op.CLAMP and rng.random() < 0.5:
            a[index] = (b[index] + rng.randint(-1, 1)) % 65536
        elif chosen[index] is Op.CLZ:
            a[index] >>= rng.randrange(33)
    a[3], b[3], chosen[3] = 0x80000000, 0x80000000, ops[-1]
    dut = unit()
    assert dut.LATENCY == OPERATIONS[ops[0]].latency

    async def bench(ctx):
        expected = []
        for op, x, y in zip(chosen, a, b, strict=True):
            ctx.set(dut.a, x)
            ctx.set(dut.b, y)
            ctx.set(dut.code, layout.from_bits(code(op)))
            while rng.random() < 0.3:
                await ctx.tick()
            ctx.set(dut.step, 1)
            expected.append(one(op, x, y))
            if len(expected) >= unit.LATENCY:
                at = len(expected) - unit.LATENCY
                assert ctx.get(dut.o) == expected[at], (chosen[at], hex(a[at]), hex(b[at]))
            await ctx.tick()
            ctx.set(dut.step, 0)

    simulate(dut, bench, cycles=3 * STEPS)


def test_memory():
    """Reads, writes and sums in a row on few words, while words are loaded into others."""
    rng = random.Random("memory")
    dut, used, size = TableMemory(16), 8, 16
    table, loads = [rng.getrandbits(32) for _ in range(size)], []

    async def load(ctx, port, address, value):
        ctx.set(port.payload, {"addr": address, "data": value})
        ctx.set(port.valid, 1)
        await ctx.tick().until(port.ready)
        ctx.set(port.valid, 0)

    async def bench(ctx):
        for address, value in enumerate(table):
            await load(ctx, dut.load, address, value)
        expected = None
        for _ in range(STEPS):
            op = rng.choice([Op.LOOKUP, Op.STORE, Op.ADD_TO])
            where, extra, acts = rng.randrange(used), rng.getrandbits(32), rng.randint(0, 1)
            ctx.set(dut.a, (where - extra * (op is Op.LOOKUP)) % (1 << 32))
            ctx.set(dut.b, extra)
            ctx.set(dut.acts, acts)
            ctx.set(dut.code, MEMORY.from_bits(code(op)))
            while rng.random() < 0.3:
                await ctx.tick()
            ctx.set(dut.step, 1)
            if expected is not None:
                assert ctx.get(dut.o) == expected
            expected = table[where] if op is Op.LOOKUP else None
            if acts and op is Op.STORE:
                table[where] = extra
            if acts and op is Op.ADD_TO:
                table[where] = (table[where] + extra) % (1 << 32)
            await ctx.tick()
            ctx.set(dut.step, 0)
        for where in range(size):
            ctx.set(dut.a, where)
            ctx.set(dut.b, 0)
            ctx.set(dut.code, MEMORY.from_bits(code(Op.LOOKUP)))
            ctx.set(dut.step, 1)
            await ctx.tick()
            assert ctx.get(dut.o) == (table[where] if where < used else loads[where - used])

    async def loader(ctx):
        await ctx.tick().repeat(40)
        for where in range(used, size):
            loads.append(rng.getrandbits(32))
            await load(ctx, dut.load, where, loads[-1])
            for _ in range(rng.randrange(9)):
                await ctx.tick()

    simulate(dut, bench, loader, cycles=3 * STEPS)


@pytest.mark.parametrize("depth", [4, 16])
def test_history(depth):
    rng = random.Random(depth)
    dut = History(width=32, depth=depth, links=2, route=True)

    async def bench(ctx):
        results, shown = [], None
        for number in range(300):
            result, other = rng.getrandbits(32), rng.getrandbits(32)
            results.append(result)
            ctx.set(dut.result, result)
            ctx.set(dut.other, other)
            ctx.set(dut.number, number % depth)
            delays = [rng.randrange(min(depth, number + 1)) for _ in range(2)]
            expected = [results[number - delay] for delay in delays]
            routes = rng.random() < 0.2
            if routes:
                expected[0] = other
            ctx.set(dut.views, [(number - delay) % depth for delay in delays])
            ctx.set(dut.routes, routes)
            ctx.set(dut.step, 0)
            while rng.random() < 0.3:
                await ctx.tick()
            if shown is not None:
                assert [ctx.get(dut.shown[index]) for index in range(2)] == shown
            ctx.set(dut.step, 1)
            await ctx.tick()
            shown = expected

    simulate(dut, bench)


def test_stepped():
    """The value of the last cycle with a step."""
    m, step, value, rng = Module(), Signal(), Signal(8), random.Random("stepped")
    held = stepped(m, step, 8, value, "held")

    async def bench(ctx):
        expected = None
        for _ in range(200):
            given, steps = rng.getrandbits(8), rng.getrandbits(1)
            ctx.set(value, given)
            ctx.set(step, steps)
            await ctx.tick()
            expected = given if steps else expected
            assert expected is None or ctx.get(held) == expected

    simulate(m, bench)
