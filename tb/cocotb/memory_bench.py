"""Cocotb tests of the scratchpad and of the weight store with its rings."""

from collections import deque

import cocotb

from hw.interfaces import BankRead, WordRead, row_layout
from tb.cocotb.bench import BlockBench
from tb.cocotb.blocks import CONFIG
from tb.unit.mem.weights import expected, random_commands, stream_of

CYCLES = 800
WORDS = 4 * CONFIG.banks  # few, so that clients meet
ROW_BITS = (CONFIG.bank_words - 1).bit_length()
WORD_BITS = 8 * CONFIG.group


class Traffic:
    """Writes every word once; then clients that never rest, and the words they must find.

    Parameters
    ----------
    bench : BlockBench
    """

    def __init__(self, bench):
        self.bench, self.rng = bench, bench.stalls.rng
        self.writes = {name: bench.streams[name] for name in ("post_write", "load_write")}
        self.reads = {name: bench.streams[f"{name}.addr"] for name in ("post_read", "store_read")}
        for word in range(WORDS):
            self._write(self.rng.choice(list(self.writes.values())), word)
        self.stored = {}
        # What each client is to find, in this cycle and those that follow.
        self.due = deque([dict.fromkeys(self.reads)] * WordRead.LATENCY)
        self.late = {}  # written in the cycle after their transfer
        self.asked = {}  # word that the array asked for, of each bank
        self.array = {}  # what stands at the array's port, of each bank
        self.flight = deque([{}] * (BankRead.LATENCY - 1))  # what it read, on its way
        self.served = dict.fromkeys((*self.writes, *self.reads, "array"), 0)

    def step(self):
        self._check()
        self.stored |= self.late
        self.flight.append({bank: self.stored[word] for bank, word in self.asked.items()})
        self.array |= self.flight.popleft()
        self.due.append({name: self.stored[read.fields % WORDS] if read.moved else None
                         for name, read in self.reads.items()})
        self.asked = {}
        for name, stream in (self.writes | self.reads).items():
            self.served[name] += stream.moved
        self.late = {stream.fields["addr"] % WORDS: stream.fields["data"]
                     for stream in self.writes.values() if stream.moved}
        if len(self.stored) == WORDS:
            self._ask()

    def _check(self):
        for name, want in self.due.popleft().items():
            assert self.bench.get(f"{name}.valid") == (want is not None), name
            if want is not None:
                got = self.bench.get(f"{name}.data")
                assert got == want, f"{name}: {got:#x}, not {want:#x}"
        if len(self.array) < CONFIG.banks:
            return  # a bank that was never read shows X
        found = self.bench.get("array.data")
        for bank, want in self.array.items():
            got = found >> bank * WORD_BITS & (1 << WORD_BITS) - 1
            assert got == want, f"bank {bank}: {got:#x}, not {want:#x}"

    def _ask(self):
        """Keep the clients busy; the array reads no word that may be written in this cycle."""
        for stream in self.writes.values():
            if len(stream.pending) < 3:
                self._write(stream, self.rng.randrange(WORDS))
        for stream in self.reads.values():
            if len(stream.pending) < 3:
                stream.pending.append(self._beyond() | self.rng.randrange(WORDS))
        written = {item["addr"] % WORDS for stream in self.writes.values()
                   for item in stream.pending} | set(self.late)
        rows = 0
        for bank in range(CONFIG.banks):
            row = self.rng.randrange(WORDS // CONFIG.banks)
            word = row * CONFIG.banks + bank
            rows |= row << bank * ROW_BITS
            if word not in written and self.rng.random() < 0.6:
                self.asked[bank] = word
        self.served["array"] += len(self.asked)
        self.bench.pin("array.row").value = rows
        self.bench.pin("array.en").value = sum(1 << bank for bank in self.asked)

    def _write(self, stream, word):
        stream.pending.append({"addr": self._beyond() | word,
                               "data": self.rng.getrandbits(WORD_BITS)})

    def _beyond(self):
        """Address bits above the size of the scratchpad, which mean nothing."""
        return self.rng.getrandbits(16 - CONFIG.address_bits) << CONFIG.address_bits


@cocotb.test()
@cocotb.parametrize(seed=range(2))
async def scratchpad_keeps_words(dut, seed):
    bench = BlockBench(dut, "scratchpad", seed)
    traffic = Traffic(bench)
    await bench.power_on(traffic)
    await bench.idle(CYCLES)
    assert min(traffic.served.values()) > CYCLES // 20, f"{bench.place}: served {traffic.served}"


def row_numbers(layout, fields):
    """(values, indices) of a row's raw bits."""
    return tuple(tuple(layout[name].shape.from_bits(fields[name])) for name in ("value", "index"))


@cocotb.test()
@cocotb.parametrize(seed=range(3))
async def weights_match_golden(dut, seed):
    bench = BlockBench(dut, "weights", seed)
    commands = random_commands(bench.numpy, CONFIG, 4)
    entries, rows, parameters = expected(CONFIG, commands)
    bench.streams["beats"].pending.extend(stream_of(CONFIG, commands))
    bench.streams["command"].pending.extend(
        dict(blocks=len(blocks), tiles=tiles, keep=keep) for tiles, keep, blocks in commands)
    taken = bench.taken
    await bench.power_on()
    await bench.until(lambda: len(taken["entries"]) >= len(entries)
                      and len(taken["rows"]) >= len(rows)
                      and len(taken["parameters"]) >= len(parameters))
    await bench.idle(40)
    layout = row_layout(CONFIG)
    bench.check("entries", [tuple(item.values()) for item in taken["entries"]], entries)
    bench.check("rows", [row_numbers(layout, item) for item in taken["rows"]], rows)
    bench.check("parameters", taken["parameters"], parameters)
    assert not bench.get("error")["valid"], f"{bench.place}: in error"
