"""Fetcher: every column finds its word in the slot when it reads it, at least cycles."""

import random
from collections import deque

import pytest

from golden.spec.config import preset
from hw.interfaces import BankRead
from hw.mac.fetch import Fetcher
from hw.mac.layouts import slots
from tb.pysim import drive, simulate

TINY = preset("tiny")
CONFIGS = {
    "tiny": TINY,
    "odd": TINY.replace(columns=5, lanes=8, drain=4, banks=8, weight_rows=64),
    "one": TINY.replace(columns=1, banks=1, lut_columns=0),
    "twelve": TINY.replace(columns=12, drain=1, banks=2),
}


def random_tile(config, rng):
    """Windows at and around the input's edges; some columns without any."""
    return {"columns": [{"base": rng.randrange(config.words), "dy_first": rng.randint(0, 2),
                         "dy_last": rng.randint(0, 4), "dx_first": rng.randint(0, 2),
                         "dx_last": rng.randint(0, 4), "present": int(rng.random() < 0.8)}
                        for _ in range(config.columns)],
            "pad_value": rng.getrandbits(8), "max": rng.randint(0, 1),
            "count": rng.randint(1, config.columns)}


def random_entries(config, rng):
    """The entries of one tile."""
    count = rng.randint(1, 7)
    return [{"n": rng.choice([0, 1, config.group]), "dy": rng.randint(0, 3),
             "dx": rng.randint(0, 3), "offset": rng.randrange(config.words),
             "last": int(place == count - 1)} for place in range(count)]


def expected(config, image, tile, entry):
    """(fetched entry, words per column, cycles beyond the first)."""
    words, banks = [], []
    for window in tile["columns"]:
        inside = (window["dy_first"] <= entry["dy"] <= window["dy_last"]
                  and window["dx_first"] <= entry["dx"] <= window["dx_last"])
        if window["present"] and inside and entry["n"]:
            address = (window["base"] + entry["offset"]) % config.words
            words.append(image[address])
            banks.append(address % config.banks)
        else:
            words.append(int.from_bytes([tile["pad_value"]] * config.group))
    extra = max((banks.count(bank) for bank in banks), default=1) - 1
    fetched = (entry["n"], entry["last"], tile["max"], tile["count"])
    inverted = -tile["max"] & (1 << 8 * config.group) - 1
    return fetched, [word ^ inverted for word in words], extra


class Surroundings:
    """Banks, issuer and columns: takes done entries at random and reads each column's slot.

    ``slow``: probability, a cycle, that no entry is taken though one is there.
    """

    def __init__(self, config, dut, image, want, rng, slow):
        self.config, self.dut, self.image, self.want = config, dut, image, want
        self.rng, self.slow = rng, slow
        self.conflicts = self.done = 0

    def kept(self, write, q):
        """The word that column q will read."""
        if write.padded >> q & 1:
            return int.from_bytes([write.pad] * self.config.group)
        return write.words[q] ^ -write.inverted & (1 << 8 * self.config.group) - 1

    async def run(self, ctx):
        config, dut, cycle, released = self.config, self.dut, 0, 0
        memory = [[None] * slots(config) for _ in range(config.columns)]
        reads = deque()  # (cycle, column, entry)
        answers = deque([{}] * (BankRead.LATENCY - 1))  # of the banks, on their way
        while released < len(self.want) or reads:
            release = released < self.done and self.rng.random() >= self.slow
            if release:
                reads += [(cycle + q, q, released) for q in range(config.columns)]
                released += 1
            ctx.set(dut.release, release)
            for _, q, entry in [read for read in reads if read[0] == cycle]:
                assert memory[q][entry % slots(config)] == self.want[entry][1][q], (
                    f"entry {entry}, column {q}")
            reads = deque(read for read in reads if read[0] > cycle)
            _, _, write, done, fetched, en, rows, conflict = await ctx.tick().sample(
                dut.write, dut.done, dut.fetched, dut.banks.en, dut.banks.row, dut.conflict)
            for q in range(config.columns):
                if write.en >> q & 1:
                    memory[q][write.slot] = self.kept(write, q)
            answers.append({bank: self.image[rows[bank] * config.banks + bank]
                            for bank in range(config.banks) if en >> bank & 1})
            for bank, word in answers.popleft().items():
                ctx.set(dut.banks.data[bank], word)
            if done:
                assert (fetched.n, fetched.last, fetched.max, fetched.count) == (
                    self.want[self.done][0]), f"entry {self.done}"
                self.done += 1
            self.conflicts += conflict
            cycle += 1
        assert not ctx.get(dut.busy), "busy though every slot was released"


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("stall, slow", [(0, 0), (0, 0.8), (0.5, 0), (0.3, 0.3)])
def test_words(name, stall, slow):
    config, rng = CONFIGS[name], random.Random(name)
    image = [rng.getrandbits(8 * config.group) for _ in range(config.words)]
    tiles = [random_tile(config, rng) for _ in range(25)]
    lists = [random_entries(config, rng) for _ in tiles]
    want = [expected(config, image, tile, entry)
            for tile, entries in zip(tiles, lists, strict=True) for entry in entries]
    dut = Fetcher(config)
    around = Surroundings(config, dut, image, want, random.Random(1), slow)
    conflicts = sum(item[2] for item in want)

    def tile_source(ctx):
        return drive(ctx, dut.tile, tiles, rng=random.Random(2), stall=stall)

    def entry_source(ctx):
        return drive(ctx, dut.entries, [entry for entries in lists for entry in entries],
                     rng=random.Random(3), stall=stall)

    cycles = 10 * (len(want) + conflicts) + 100
    if not stall and not slow:  # one entry a cycle, and one cycle per conflict
        cycles = len(want) + conflicts + Fetcher.LATENCY + config.columns + 6
    simulate(dut, tile_source, entry_source, around.run, cycles=cycles)
    assert around.done == len(want)
    assert around.conflicts == conflicts, name


def test_starved():
    """Waiting for an entry with nothing in flight, and only then."""
    config = CONFIGS["tiny"]
    dut, rng = Fetcher(config), random.Random(1)
    entry = {"n": 1, "dy": 0, "dx": 0, "offset": 0, "last": 0}

    async def bench(ctx):
        assert not ctx.get(dut.starved) and not ctx.get(dut.busy), "without a tile"
        await drive(ctx, dut.tile, [random_tile(config, rng)])
        assert ctx.get(dut.starved) and ctx.get(dut.busy)
        await drive(ctx, dut.entries, [entry])
        for _ in range(Fetcher.LATENCY + config.columns + 2):
            assert not ctx.get(dut.starved), "a slot is in use"
            await ctx.tick()
        ctx.set(dut.release, 1)
        await ctx.tick()
        ctx.set(dut.release, 0)
        assert ctx.get(dut.starved)

    simulate(dut, bench)
