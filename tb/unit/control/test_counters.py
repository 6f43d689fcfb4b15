"""Counters against sums of random events."""

import random

import pytest

from golden.spec.config import preset
from hw.control.counters import Counters, counters_of, event_layout
from tb.pysim import simulate


def names(config):
    return [counter.name for counter in counters_of(config)]


def most(name, config):
    return {"row_columns": config.columns, "instructions": 5}.get(name, 1)


@pytest.mark.parametrize("config", [preset("tiny"), preset("base"), preset("tiny", columns=1)],
                         ids=["tiny", "base", "one column"])
@pytest.mark.parametrize("seed", range(2))
def test_sums(config, seed):
    rng = random.Random(seed)
    dut = Counters(config)

    async def bench(ctx):
        for round_ in range(3):
            sums = dict.fromkeys(names(config), 0)
            running = False
            for cycle in range(200):
                ctx.set(dut.start, cycle == 0)
                running = cycle > 0 and rng.random() < (0.9 if running else 0.3)
                ctx.set(dut.running, running)
                event = {name: rng.randint(0, most(name, config)) for name in names(config)
                         if name != "cycles"}
                ctx.set(dut.event, event)
                if running:
                    sums["cycles"] += 1
                    for name, step in event.items():
                        sums[name] += step
                await ctx.tick()
            ctx.set(dut.running, 0)
            await ctx.tick().repeat(2)  # an event shows 3 cycles later: one is past
            got = {name: ctx.get(dut.value[index]) for index, name in enumerate(names(config))}
            assert got == sums, f"seed {seed}, round {round_}"
            await ctx.tick().repeat(5)
            assert ctx.get(dut.value[0]) == sums["cycles"]

    simulate(dut, bench, cycles=2000)


def test_layout():
    """Every counter but the clock has an event wide enough for its most."""
    config = preset("base")
    layout = event_layout(config)
    clock, *others = names(config)
    assert [name for name, _ in layout] == others and clock == "cycles"
    for name in others:
        assert 1 << layout[name].width > most(name, config)
