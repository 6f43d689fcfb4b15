"""Passes, Repeats, Conditions, ContextMemory, Successors and the ports by themselves."""

import itertools
import random

from amaranth.hdl import Module
from amaranth.lib import wiring

from golden.spec.drp.controller import end_state
from golden.spec.drp.fabric import fabric
from hw.drp.conditions import Conditions
from hw.drp.context_memory import ContextMemory
from hw.drp.cue import cue_layout
from hw.drp.passes import Passes
from hw.drp.ports import InputPort, OutputPort
from hw.drp.repeats import Repeats
from hw.drp.successors import Successors
from tb.pysim import simulate

TINY = fabric("tiny")


def iterations(counts):
    """(first, last) by level of every iteration, as bits."""
    for indices in itertools.product(*(range(count) for count in reversed(counts))):
        indices = indices[::-1]
        yield tuple(sum(all(index == edge[place] for place, index in enumerate(indices[:level + 1]))
                        << level for level in range(4))
                    for edge in ((0,) * 4, [count - 1 for count in counts]))


def test_passes():
    """Random states after each other, passes of any length."""
    rng, dut = random.Random(11), Passes(TINY)
    states = [{f"count{level}": rng.choice((1, 1, 2, 3)) for level in range(4)}
              | {"stages": rng.randrange(4)} for _ in range(12)]

    async def bench(ctx):
        for state in states:
            ctx.set(dut.following, state)
            ctx.set(dut.enter, 1)
            await ctx.tick()
            ctx.set(dut.enter, 0)
            ctx.set(dut.state, state)
            ctx.set(dut.following, {})
            found = list(iterations([state[f"count{level}"] for level in range(4)]))
            passes = len(found) + state["stages"]
            for number in range(passes):
                while rng.random() < 0.3:
                    await ctx.tick()
                if number < len(found):
                    assert (ctx.get(dut.first), ctx.get(dut.last)) == found[number]
                for stage in range(TINY.stages):
                    assert (ctx.get(dut.valids) >> stage & 1) == (
                        0 <= number - stage < len(found)), (number, stage)
                assert ctx.get(dut.final) == (number == passes - 1)
                ctx.set(dut.go, 1)
                await ctx.tick()
                ctx.set(dut.go, 0)

    simulate(dut, bench)


def test_repeats():
    """All 0 when a kernel begins, whatever was counted before; ready after clearing."""
    rng, dut = random.Random(12), Repeats(8)

    async def bench(ctx):
        for _ in range(4):
            await ctx.tick().until(dut.ready)
            ctx.set(dut.begin, 1)
            await ctx.tick()
            ctx.set(dut.begin, 0)
            counts = [{"count": 0, "enough": 0}] * 8
            for _ in range(30):
                state = rng.randrange(8)
                ctx.set(dut.state, state)
                await ctx.tick()
                for name, value in counts[state].items():
                    assert ctx.get(dut.o[name]) == value
                counts[state] = {"count": rng.getrandbits(16), "enough": rng.getrandbits(1)}
                ctx.set(dut.at, state)
                ctx.set(dut.value, counts[state])
                ctx.set(dut.write, 1)
                await ctx.tick()
                ctx.set(dut.write, 0)

    simulate(dut, bench)


def test_conditions():
    """Any stage and condition against the flags of the last passes."""
    rng, dut = random.Random(13), Conditions(TINY)

    async def bench(ctx):
        passes = []
        for turn in range(100):
            cue = {"turn": turn % TINY.stages, "first": rng.getrandbits(4),
                   "last": rng.getrandbits(4), "valids": rng.getrandbits(TINY.stages)}
            passes.append(cue)
            ctx.set(dut.write, cue)
            ctx.set(dut.advance, 1)
            await ctx.tick()
            ctx.set(dut.cue, cue)
            # What comes next waits, and must not be seen.
            ctx.set(dut.advance, 0)
            ctx.set(dut.write, {"turn": (turn + 1) % TINY.stages, "first": rng.getrandbits(4),
                                "last": rng.getrandbits(4)})
            await ctx.tick()
            for _ in range(5):
                stage, when = rng.randrange(min(turn + 1, TINY.stages)), rng.randrange(9)
                ctx.set(dut.stage, stage)
                ctx.set(dut.when, when)
                then = passes[-1 - stage]
                flags = (1, *(then[edge] >> level & 1 for edge in ("first", "last")
                              for level in range(4)))
                assert ctx.get(dut.holds) == flags[when]
                assert ctx.get(dut.valid) == cue["valids"] >> stage & 1

    simulate(dut, bench)


def test_context_memory():
    """LATENCY times ``advance``, and it waits in between."""
    rng, dut = random.Random(14), ContextMemory(18, 16)

    async def bench(ctx):
        words = [rng.getrandbits(18) for _ in range(16)]
        for addr, word in enumerate(words):
            ctx.set(dut.write, {"en": 1, "addr": addr, "data": word})
            await ctx.tick()
        ctx.set(dut.write.en, 0)
        asked = []
        for _ in range(60):
            while rng.random() < 0.4:
                await ctx.tick()
            if len(asked) >= ContextMemory.LATENCY:
                assert ctx.get(dut.o) == words[asked[-ContextMemory.LATENCY]]
            asked.append(rng.randrange(16))
            ctx.set(dut.address, asked[-1])
            ctx.set(dut.advance, 1)
            await ctx.tick()
            ctx.set(dut.advance, 0)
            ctx.set(dut.address, rng.randrange(16))

    simulate(dut, bench)


def test_successors():
    """Ready 3 cycles after a state was entered; repeated, then on, then the next kernel."""
    dut, end = Successors(TINY), end_state(TINY)
    state = {"next": end, "again": 2, "repeats": 1, "other": 3}

    async def enter(ctx, number, **kind):
        ctx.set(dut.entered, 1)
        for name in kind:
            ctx.set(getattr(dut, name), 1)
        await ctx.tick()
        for name in ("entered", *kind):
            ctx.set(getattr(dut, name), 0)
        ctx.set(dut.number, number)
        ctx.set(dut.now, state)
        assert not ctx.get(dut.ready)

    async def bench(ctx):
        for number in range(8):
            ctx.set(dut.write, {"en": 1, "addr": number, "data": {"base": number + 8}})
            await ctx.tick()
        ctx.set(dut.write.en, 0)
        ctx.set(dut.kernel, 5)
        ctx.set(dut.kernel_waits, 1)
        await ctx.tick().until(dut.ready)
        assert ctx.get(dut.follow.base) == 13
        ctx.set(dut.kernel_waits, 0)
        await enter(ctx, 5, begun=True)
        for _ in range(3):
            await ctx.tick()
        assert (ctx.get(dut.ready), ctx.get(dut.succ), ctx.get(dut.follow.base)) == (1, 2, 10)
        assert (ctx.get(dut.last), ctx.get(dut.other.base)) == (0, 11)
        await enter(ctx, 5, by_itself=True)
        for _ in range(9):
            await ctx.tick()
        assert (ctx.get(dut.known), ctx.get(dut.ready), ctx.get(dut.succ)) == (1, 0, end)
        assert ctx.get(dut.last)
        ctx.set(dut.kernel_waits, 1)
        await ctx.tick().until(dut.ready)
        assert ctx.get(dut.follow.base) == 13

    simulate(dut, bench)


def test_ports():
    """Register of an input: the result of ``delay`` steps ago; source of an output; illegal."""
    rng = random.Random(15)
    m = Module()
    sources = len(TINY.seen_by_output(0))
    m.submodules.input, m.submodules.output = into, out = InputPort(TINY), OutputPort(TINY, sources)
    assert isinstance(into, wiring.Component)

    async def bench(ctx):
        taken, wanted = [], None
        for number in range(80):
            delay, value = rng.randrange(min(number + 1, TINY.history)), rng.getrandbits(32)
            source, when = rng.randrange(sources), rng.choice((0, 0, 0, 9))
            cue = {"valid": 1, "number": number % TINY.history, "valids": rng.getrandbits(1)}
            assert set(cue) <= {name for name, _ in cue_layout(TINY)}
            for port in (into, out):
                ctx.set(port.cue, cue)
                ctx.set(port.advance, 1)
                ctx.set(port.step, number > 0)
            ctx.set(into.context, {"pop": 1, "delay": delay})
            ctx.set(out.context, {"push": 1, "source": source, "when": when})
            if number:
                taken.append(ctx.get(into.vector[0]))
            await ctx.tick()
            assert ctx.get(into.acts) == cue["valids"]
            assert ctx.get(out.illegal) == (when == 9)
            if wanted is not None:
                assert ctx.get(into.extra[0]) == taken[wanted]
            wanted = number - delay if number - delay >= 0 else None
            shown = [rng.getrandbits(32) for _ in range(sources)]
            for index, item in enumerate(shown):
                ctx.set(out.seen[index][0], item)
            assert ctx.get(out.vector[0]) == shown[source]
            ctx.set(into.vector[0], value)

    simulate(m, bench)
