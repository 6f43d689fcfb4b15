"""Layouts and signatures that blocks share, built from the tables of golden.spec."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa, registers
from golden.spec.layout import TABLE_ENTRIES

__all__ = [
    "ERROR", "FAULT", "REGION", "RETIRE", "BankRead", "RunRead", "WordRead", "beside",
    "entry_layout", "instruction_layout", "post_command_layout", "record_layout", "row_layout",
    "table_write_layout", "tile_vector_layout", "weight_command", "word_write_layout",
]


def record_layout(record):
    """StructLayout of a golden.spec Record, padded to its full width by member ``unused``."""
    members = {field.name: signed(field.bits) if field.signed else unsigned(field.bits)
               for field in record.fields}
    used = sum(field.bits for field in record.fields)
    if used < record.bits:
        members["unused"] = unsigned(record.bits - used)
    return data.StructLayout(members)


def instruction_layout(opcode):
    """StructLayout of one instruction, 512 bits."""
    return record_layout(isa.INSTRUCTIONS[opcode])


# A unit pulses ``valid`` for one cycle when an instruction has had all its effects.
RETIRE = data.StructLayout({"valid": 1, "post": isa.SEMAPHORES})

# A unit holds ``valid`` from the cycle it meets an error until it is reset.
ERROR = data.StructLayout({"valid": 1, "cause": 8, "tag": 16, "address": 32})
assert max(registers.Cause) < 256

# The first error of the chip, with the unit (isa.Unit) that met it; held until reset.
FAULT = data.StructLayout({
    "valid": 1, "unit": range(max(isa.Unit) + 1), "cause": 8, "tag": 16, "address": 32})


def beside(config):
    """Bytes of a word as their lanes lie: those that are drained together are neighbours."""
    return [byte for place in range(config.drain)
            for byte in range(place, config.lanes, config.drain)]


def word_write_layout(config):
    """Payload of a scratchpad write stream: address (words) and one word."""
    return data.StructLayout({"addr": 16, "data": 8 * config.group})


def table_write_layout():
    """Payload of a stream that fills the lookup tables: entry and its value."""
    return data.StructLayout({"addr": range(TABLE_ENTRIES), "data": signed(32)})


class WordRead(wiring.Signature):
    """One scratchpad read client on the shared port.

    ``addr`` is a stream of word addresses; ``data`` carries the word LATENCY cycles after the
    transfer, marked by ``valid`` (no backpressure: ask only with room for the answer).
    """

    LATENCY = 3

    def __init__(self, config):
        self.bits = 8 * config.group
        super().__init__({
            "addr": Out(stream.Signature(unsigned(16))),
            "valid": In(1),
            "data": In(self.bits),
        })

    def __eq__(self, other):
        return isinstance(other, WordRead) and self.bits == other.bits

    def __repr__(self):
        return f"WordRead({self.bits} bits)"


class RunRead(wiring.Signature):
    """A client of the AXI read master, which splits runs into bursts.

    ``run`` asks for ``beats`` beats from beat-aligned byte address ``addr``; runs are answered in
    order on ``beat``, ``last`` marking the last beat of each run. ``resp`` is AXI's.
    """

    def __init__(self, config):
        self.beat_bytes = config.group
        super().__init__({
            "run": Out(stream.Signature(data.StructLayout({"addr": 32, "beats": 24}))),
            "beat": In(stream.Signature(data.StructLayout(
                {"data": 8 * self.beat_bytes, "resp": 2, "last": 1}))),
        })

    def __eq__(self, other):
        return isinstance(other, RunRead) and self.beat_bytes == other.beat_bytes

    def __repr__(self):
        return f"RunRead({self.beat_bytes})"


# Base address and length in bytes of one DRAM region.
REGION = data.StructLayout({"base": 32, "bytes": 32})


class BankRead(wiring.Signature):
    """The MAC's private port: every bank by itself, data LATENCY cycles after ``en``."""

    LATENCY = 3

    def __init__(self, config):
        self.banks, self.rows, self.bits = config.banks, config.bank_words, 8 * config.group
        super().__init__({
            "en": Out(self.banks),
            "row": Out(data.ArrayLayout((self.rows - 1).bit_length(), self.banks)),
            "data": In(data.ArrayLayout(self.bits, self.banks)),
        })

    def __eq__(self, other):
        return (isinstance(other, BankRead)
                and (self.banks, self.rows, self.bits) == (other.banks, other.rows, other.bits))

    def __repr__(self):
        return f"BankRead({self.banks} x {self.rows} x {self.bits} bits)"


def weight_command(config):
    """What the MAC tells the weight store once per instruction.

    For each of ``blocks`` lane blocks the store replays its entries and rows ``tiles`` times.
    With ``keep`` all read positions return to where the instruction found them.
    """
    return data.StructLayout({"blocks": 11, "tiles": 24, "keep": 1})


def entry_layout(config):
    """One group-list entry; ``last`` marks the last one of a pass over a lane block."""
    return data.StructLayout({
        "n": 8, "dy": 8, "dx": 8, "offset": config.address_bits, "last": 1})


def row_layout(config):
    """One weight row: L (value, index) pairs."""
    return data.StructLayout({
        "value": data.ArrayLayout(signed(8), config.lanes),
        "index": data.ArrayLayout(unsigned(config.index_bits), config.lanes)})


def tile_vector_layout(config):
    """D accumulators, in order: column 0 lanes 0..D-1, D..2D-1, ..., then column 1, ..."""
    return data.ArrayLayout(signed(32), config.drain)


# Instruction fields that post-processing needs, forwarded by the MAC when it takes one.
_POST_FIELDS = (
    "tag", "post", "post_mode", "keep", "blocks", "out_width", "out_height", "tiles",
    "out_base", "out_row_step", "out_block_step", "res_base", "res_row_step", "res_block_step",
    "zero", "least", "most", "add_multiplier", "add_pre", "add_post", "add_zero", "add_least",
    "add_most",
)


def post_command_layout():
    """StructLayout of the command the MAC forwards to post-processing, once per instruction."""
    fields = {field.name: field for field in isa.MAC.fields}
    return data.StructLayout({
        name: signed(fields[name].bits) if fields[name].signed else unsigned(fields[name].bits)
        for name in _POST_FIELDS})


