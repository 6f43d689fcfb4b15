"""Tile against golden.drp: random kernels, streams that wait at random."""

import random

import pytest

from golden.spec.drp.controller import Cause
from golden.spec.drp.fabric import fabric
from golden.spec.drp.image import Space
from hw.drp.tile import Tile
from tb.pysim import drive, simulate
from tb.unit.drp.programs import program

TINY = fabric("tiny")
FABRICS = {
    "tiny": TINY,
    "lanes": fabric("tiny", lanes=2, movers=(3,), history=4, multipliers=(0, 1, 4)),
    "one": fabric("tiny", rows=1, columns=1, multipliers=(0,), shifters=(0,), memories=(0,),
                  inputs=1, outputs=1),
}


def items(kernel):
    """What is loaded for a kernel."""
    for space, units in ((Space.ELEMENT, kernel.elements), (Space.INPUT, kernel.inputs),
                         (Space.OUTPUT, kernel.outputs), (Space.STATE, [kernel.states])):
        for unit, words in enumerate(units):
            for addr, word in enumerate(words):
                yield {"space": space, "unit": unit, "addr": addr, "data": word}
    for unit, table in kernel.tables.items():
        for addr, word in enumerate(table.tolist()):
            yield {"space": Space.TABLE, "unit": unit, "addr": addr, "data": word}


def run(dut, kernels, rng, *, stall=0.0, cycles=20_000):
    """Load and run kernels, a list of Expected, one after the other; returns the log.

    The log has the cycles of ``begun``, ``step`` and ``ended``.
    """
    shape = dut.fabric
    log = {"begun": [], "step": [], "ended": []}
    given = [[] for _ in range(shape.outputs)]

    async def main(ctx):
        for kernel in kernels:
            await drive(ctx, dut.load, items(kernel.kernel))
            await drive(ctx, dut.start, [0])
            while len(log["ended"]) <= kernels.index(kernel):
                await ctx.tick()
        return log, given

    def source(index):
        async def bench(ctx):
            vectors = [vector for kernel in kernels
                       for vector in kernel.vectors[index][:kernel.taken[index]]]
            await drive(ctx, dut.inputs[index], vectors, rng=rng, stall=stall)
        return bench

    def sink(index):
        async def bench(ctx):
            port = dut.outputs[index]
            while True:
                ready = rng.random() >= stall
                ctx.set(port.ready, ready)
                _, _, valid, vector = await ctx.tick().sample(port.valid, port.payload)
                if valid and ready:
                    given[index].append(list(vector))
        return bench

    async def watch(ctx):
        cycle = 0
        while True:
            _, _, *values = await ctx.tick().sample(dut.begun, dut.step, dut.ended, dut.cause)
            for name, value in zip(log, values, strict=False):
                if value:
                    log[name].append(cycle)
            assert values[3] == Cause.NONE
            cycle += 1

    return simulate(dut, main, background=(
        watch, *map(source, range(shape.inputs)), *map(sink, range(shape.outputs))),
        cycles=cycles)[0]


def check(kernels, log, given):
    assert len(log["step"]) == sum(kernel.steps for kernel in kernels)
    for output, vectors in enumerate(given):
        expected = [vector for kernel in kernels for vector in kernel.outputs[output]]
        assert len(vectors) == len(expected)
        for index, (got, want) in enumerate(zip(vectors, expected, strict=True)):
            assert all(want_ is None or got_ == want_ for got_, want_ in zip(
                got, want, strict=True)), f"output {output} vector {index}: {got}, not {want}"


@pytest.mark.parametrize("name, stall", [
    ("tiny", 0.0), ("tiny", 0.3), ("lanes", 0.3), ("one", 0.0)])
def test_random_kernels(name, stall):
    """Two in a row; the second one finds what the first one left, which it doesn't depend on."""
    rng = random.Random(f"tile {name} {stall}")
    kernels = [program(FABRICS[name], rng) for _ in range(2)]
    check(kernels, *run(Tile(FABRICS[name]), kernels, rng, stall=stall))
