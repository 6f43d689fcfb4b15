"""Cocotb tests of the post unit: requantization, tables, residuals, words and retirement."""

import cocotb
import numpy as np

from golden.spec.isa import PostMode
from golden.spec.layout import TABLE_ENTRIES
from hw.interfaces import post_command_layout
from tb.cocotb.bench import BlockBench, WordReader
from tb.cocotb.blocks import CONFIG
from tb.cocotb.work import MacWork


def integer(array):
    return int.from_bytes(np.ascontiguousarray(array).tobytes(), "little")


class Retirements:
    """(post mask, words written before) of every retirement."""

    def __init__(self, bench):
        self.bench, self.seen = bench, []

    def step(self):
        retire = self.bench.get("retire")
        if retire["valid"]:
            self.seen.append((retire["post"], len(self.bench.taken["write"])))


def vectors(work, sums, rng):
    """Payloads of the tile stream; columns without a pixel hold anything."""
    blocks, pixels, lanes = sums.shape
    padded = rng.integers(-1 << 31, 1 << 31,
                          (blocks, work.fields["tiles"] * CONFIG.columns, lanes)).astype("<i4")
    padded[:, :pixels] = sums
    return [integer(vector) for vector in padded.reshape(-1, CONFIG.drain)]


@cocotb.test()
@cocotb.parametrize(seed=range(4))
async def post_matches_golden(dut, seed):
    bench = BlockBench(dut, "post", seed)
    rng = bench.numpy
    words = rng.integers(0, 256, (CONFIG.words, CONFIG.group)).astype(np.uint8)
    table = (rng.integers(-1 << 31, 1 << 31, TABLE_ENTRIES)
             >> rng.integers(0, 17, TABLE_ENTRIES)).astype(np.int32)
    modes = [*PostMode, *rng.choice(PostMode, 2)]
    rng.shuffle(modes)
    works = [MacWork(CONFIG, rng, PostMode(int(mode))) for mode in modes]
    streams, expected, posts = bench.streams, [], []
    for work in works:
        shape = (work.fields["blocks"], work.fields["out_width"] * work.fields["out_height"],
                 CONFIG.lanes)
        sums = (rng.integers(-1 << 31, 1 << 31, shape) >> rng.integers(0, 32, shape)).astype("<i4")
        streams["tile"].pending.extend(vectors(work, sums, rng))
        streams["parameters"].pending.extend(map(integer, work.parameter_beats()))
        made = work.outputs(sums, words, table)
        expected += [{"addr": address, "data": integer(word)} for address, word in made]
        posts.append((work.fields["post"], len(expected)))
    streams["table"].pending.extend({"addr": entry, "data": int(value)}
                                    for entry, value in enumerate(table))
    retirements = Retirements(bench)
    await bench.power_on(WordReader(bench, "residual", words), retirements)
    await bench.until(lambda: streams["table"].idle)
    names = [name for name, _ in post_command_layout()]
    streams["command"].pending.extend({name: int(work.fields[name]) for name in names}
                                      for work in works)
    await bench.until(lambda: len(retirements.seen) == len(works))
    await bench.idle(40)

    bench.check("words", bench.taken["write"], expected)
    bench.check("posts", [post for post, _ in retirements.seen], [post for post, _ in posts])
    for number, ((_, written), (_, due)) in enumerate(zip(retirements.seen, posts, strict=True)):
        assert written >= due, f"{bench.place}: {number} retired {due - written} words too early"
    assert not bench.get("busy"), f"{bench.place}: busy"
    assert not bench.get("error")["valid"], f"{bench.place}: in error"
    for name in ("tile", "parameters"):
        assert streams[name].idle, f"{bench.place}: {name} left over"
