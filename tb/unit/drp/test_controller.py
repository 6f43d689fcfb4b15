"""Controller: addresses, passes and pauses of random states, against golden.drp's walk."""

import random

import numpy as np
import pytest

from golden.drp.errors import TileError
from golden.drp.tile import Tile
from golden.spec.drp.controller import end_state, state_record
from golden.spec.drp.fabric import fabric
from hw.drp.controller import Controller
from tb.pysim import simulate
from tb.unit.drp.programs import STEPS, program

TINY = fabric("tiny")


@pytest.mark.parametrize("stall", [0.0, 0.4, 0.7])
def test_addresses(stall):
    """Without stalls also the pauses: none after STEPS steps, BRANCH for a branch."""
    rng = random.Random(f"controller {stall}")
    dut, record = Controller(TINY), state_record(TINY)
    kernels, expected = [], []
    flags = [rng.getrandbits(1) for _ in range(TINY.elements)]
    registers = [np.array([flag], np.uint32) for flag in (*flags, *[0] * 20)]
    while len(kernels) < 6:
        kernel = program(TINY, rng, branches=0.6).kernel
        try:
            steps = [(address, turn.holds(0, 0), turn.holds(0, 1), turn.holds(0, 5))
                     for address, turn in Tile(kernel)._walk(registers, 2 * STEPS[1])]
        except TileError:  # too long with these flags
            continue
        kernels.append(kernel)
        expected.append(steps)
    states = [[record.decode(word) for word in kernel.states] for kernel in kernels]
    found, at, ends = [], [], []

    async def main(ctx):
        for kernel in kernels:
            for addr, word in enumerate(kernel.states):
                ctx.set(dut.write, {"en": 1, "addr": addr, "data": dut.write.data.shape()
                                    .from_bits(word)})
                await ctx.tick()
            ctx.set(dut.write.en, 0)
            before = len(ends)
            ctx.set(dut.start.valid, 1)
            await ctx.tick().until(dut.start.ready)
            ctx.set(dut.start.valid, 0)
            while len(ends) == before:
                await ctx.tick()

    async def pipeline(ctx):
        ctx.set(dut.flags, sum(flag << place for place, flag in enumerate(flags)))
        behind, cycle = [(0, 0)] * 3, 0  # (valid, decides) read, decoded, executed
        while True:
            advance = rng.random() >= stall
            ctx.set(dut.advance, advance)
            ctx.set(dut.step, advance and behind[2][0])
            ctx.set(dut.decides, behind[0][1] and behind[0][0])
            _, _, cue, address = await ctx.tick().sample(dut.cue, dut.address)
            if advance:
                behind = [(cue.valid, cue.decides), *behind[:2]]
                if cue.valid:
                    valid = cue.valids & 1
                    found.append((address, bool(valid), bool(valid and cue.first & 1),
                                  bool(valid and cue.last & 1)))
                    at.append(cycle)
                if cue.end:
                    ends.append(len(found))
            cycle += 1

    simulate(dut, main, background=(pipeline,), cycles=20_000)
    assert found == [step for steps in expected for step in steps]
    assert ends == np.cumsum([len(steps) for steps in expected]).tolist()
    if stall:
        return
    place = 0
    for steps, parts in zip(expected, states, strict=True):
        begin = place
        for step in range(place + 1, place + len(steps)):
            state = next(part for part in parts if part["base"] <= found[step - 1][0]
                         <= part["base"] + part["ii"])
            pause = at[step] - at[step - 1] - 1
            inside = state["base"] <= found[step][0] <= state["base"] + state["ii"]
            if inside and not pause:
                continue
            if step - begin >= Controller.STEPS:
                assert pause <= (Controller.BRANCH if state["branch"] else 0), (step, pause)
            begin = step
        place += len(steps)
    assert end_state(TINY) == TINY.states
