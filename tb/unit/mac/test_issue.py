"""Issuer: one token per row, in order, closing a tile only when it may."""

import random
from collections import deque

import pytest

from golden.spec.config import preset
from hw.mac.issue import Issuer
from hw.mac.layouts import slots
from tb.pysim import drive, simulate

CONFIGS = {
    "tiny": preset("tiny"),
    "odd": preset("tiny").replace(columns=12, lanes=8, drain=1, weight_rows=64),
}


def random_entry(config, rng):
    return {"n": rng.choice([0, 1, 1, 2, rng.randint(1, config.group)]),
            "last": int(rng.random() < 0.3), "max": rng.randint(0, 1),
            "count": rng.randint(1, config.columns)}


def random_row(config, rng):
    return {"value": [rng.randint(-128, 127) for _ in range(config.lanes)],
            "index": [rng.randrange(config.group) for _ in range(config.lanes)]}


def expected(config, entries, rows):
    """(slot, pop, add, last, max, value, index, pixels) of every token but bubbles."""
    rows, tokens = iter(rows), []
    for number, entry in enumerate(entries):
        for row in range(max(entry["n"], 1)):
            given = next(rows) if entry["n"] else None
            tokens.append((
                number % slots(config), row == 0, given is not None,
                bool(entry["last"]) and row == max(entry["n"], 1) - 1, bool(entry["max"]),
                given["value"] if given else [0] * config.lanes,
                given["index"] if given else None,
                entry["count"] if given else 0))
    return tokens


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("stall", [0, 0.3])
def test_tokens(name, stall):
    config, rng = CONFIGS[name], random.Random(name)
    entries = [random_entry(config, rng) for _ in range(80)]
    rows = [random_row(config, rng) for _ in range(sum(entry["n"] for entry in entries))]
    dut, want = Issuer(config), expected(config, entries, rows)

    def entry_source(ctx):
        return drive(ctx, dut.entries, entries, rng=random.Random(1), stall=stall)

    def row_source(ctx):
        return drive(ctx, dut.rows, rows, rng=random.Random(2), stall=stall)

    async def sink(ctx):
        clear_rng, tokens, seen = random.Random(3), [], deque(maxlen=Issuer.LATENCY + 1)
        while len(tokens) < len(want):
            clear = not stall or clear_rng.random() >= stall
            ctx.set(dut.clear, clear)
            _, _, *sample = await ctx.tick().sample(
                dut.token, dut.row, dut.last, dut.row_columns, dut.needs_row, dut.has_entry)
            seen.append((clear, *sample))
            if len(seen) < seen.maxlen:
                continue
            clear, _, row, last, pixels, needs, has = seen[0]
            token, slot = seen[-1][1], seen[-2][1].next.slot
            assert seen[-2][1].next.pop == token.flags.pop
            pop, flags = token.flags.pop, token.flags
            assert (flags.add, flags.last) == (row, last)
            if pop or row or last:
                assert clear or not last, f"{name}, token {len(tokens)}"
                assert has and not needs
                tokens.append((slot, bool(pop), bool(row), bool(last),
                               bool(flags.max), list(token.value),
                               list(token.index) if row else None, pixels))
            else:
                assert not any(token.value) and not pixels, "a bubble adds something"
                # An entry waits for a row, or else for clear.
                assert not has or needs or not clear
        return tokens

    # Without stalls one token a cycle.
    cycles = 20 * len(want) if stall else len(want) + Issuer.LATENCY + 3
    *_, got = simulate(dut, entry_source, row_source, sink, cycles=cycles)
    for number, (one, other) in enumerate(zip(got, want, strict=True)):
        assert one == other, f"{name}, stall {stall}, token {number}"
