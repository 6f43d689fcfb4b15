"""Cocotb tests of the MAC unit: array, column fetch and drain, as its streams bound it."""

from collections import deque

import cocotb
import numpy as np

from golden.spec.isa import Opcode, PostMode, encode
from hw.interfaces import BankRead, row_layout
from tb.cocotb.bench import BlockBench
from tb.cocotb.blocks import CONFIG
from tb.cocotb.work import MacWork


class Banks:
    """The scratchpad's end of a BankRead: the word LATENCY cycles later, held after it."""

    def __init__(self, bench, words):
        self.enable, self.row, self.data = (
            bench.pin(f"banks.{name}") for name in ("en", "row", "data"))
        self.words, self.bits = words, 8 * CONFIG.group
        self.row_bits = (CONFIG.bank_words - 1).bit_length()
        self.given = 0
        self.flight = deque([0] * (BankRead.LATENCY - 1))  # words on their way

    def step(self):
        enable = int(self.enable.value)
        if enable:
            rows = int(self.row.value)
            for bank in range(CONFIG.banks):
                if enable >> bank & 1:
                    row = rows >> bank * self.row_bits & CONFIG.bank_words - 1
                    word = self.words[row * CONFIG.banks + bank]
                    at = bank * self.bits
                    self.given &= ~((1 << self.bits) - 1 << at)
                    self.given |= int.from_bytes(word.tobytes(), "little") << at
        self.flight.append(self.given)
        self.data.value = self.flight.popleft()


def row_fields(values, indices):
    layout = row_layout(CONFIG)
    return {"value": int.from_bytes(values.tobytes(), "little"),
            "index": layout["index"].shape.const(indices.tolist()).as_bits()}


@cocotb.test()
@cocotb.parametrize(seed=range(4))
async def mac_matches_golden(dut, seed):
    bench = BlockBench(dut, "mac", seed)
    rng = bench.numpy
    words = rng.integers(0, 256, (CONFIG.words, CONFIG.group)).astype(np.uint8)
    works = [MacWork(CONFIG, rng, PostMode(int(rng.choice(PostMode)))) for _ in range(4)]
    for work in works:
        entries, rows = work.replayed()
        bench.streams["i"].pending.append(int.from_bytes(encode(Opcode.MAC, **{
            name: value for name, value in work.fields.items() if name != "opcode"}), "little"))
        bench.streams["entries"].pending.extend(entries)
        bench.streams["rows"].pending.extend(row_fields(*row) for row in rows)
    vectors = [work.fields["tiles"] * work.fields["blocks"] * CONFIG.drain_cycles for work in works]
    await bench.power_on(Banks(bench, words))
    await bench.until(lambda: len(bench.taken["tile"]) == sum(vectors))
    await bench.idle(40)

    assert not bench.get("busy"), f"{bench.place}: busy after the last vector"
    assert len(bench.taken["tile"]) == sum(vectors), f"{bench.place}: more vectors than tiles have"
    for name in ("i", "entries", "rows"):
        assert bench.streams[name].idle, f"{bench.place}: {name} left over"
    raw = b"".join(bits.to_bytes(4 * CONFIG.drain, "little") for bits in bench.taken["tile"])
    parts = np.split(np.frombuffer(raw, "<i4").reshape(-1, CONFIG.drain), np.cumsum(vectors)[:-1])
    for number, (work, part) in enumerate(zip(works, parts, strict=True)):
        sums = work.accumulators(words)
        got = part.reshape(len(sums), -1, CONFIG.lanes)[:, :sums.shape[1]]
        np.testing.assert_array_equal(got, sums, f"{bench.place}, instruction {number}")
    for name, fields in (("weights", ("blocks", "tiles", "keep")),
                         ("post", ("tag", "post", "out_width", "res_base", "add_multiplier"))):
        bench.check(name, [[item[field] for field in fields] for item in bench.taken[name]],
                    [[work.fields[field] for field in fields] for work in works])


