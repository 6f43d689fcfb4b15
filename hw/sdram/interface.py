"""What the controller's parts hand each other, and its pins."""

import enum

from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.sdram.timing import DATA_BITS

__all__ = ["AUTO_BIT", "Command", "Geometry", "SdramPins", "command_layout", "segment_layout"]

AUTO_BIT = 10  # address pin that makes PRECHARGE one of all banks


class Command(enum.IntEnum):
    """Pins ras_n, cas_n, we_n, the first one being bit 2."""

    MODE = 0b000
    REFRESH = 0b001
    PRECHARGE = 0b010
    ACTIVATE = 0b011
    WRITE = 0b100
    READ = 0b101
    NOP = 0b111


class Geometry:
    """Widths that follow from a part and the size of a beat.

    Parameters
    ----------
    part : SdramTiming
    beat_bytes : int
        Bytes of an AXI beat: 4, 8, 16 or 32.

    Attributes
    ----------
    words : int
        Words of a beat.
    burst : int
        Words of one column command, the part's burst length.
    commands : int
        Column commands of a beat.
    row_pins, bank_pins, column_bits, beat_bits, column_beats : int
        Bits of row, bank, word in its row, byte in its beat, beat in its row.
    """

    MOST_BURST = 8  # longest burst length that parts have, but for the full page

    def __init__(self, part, beat_bytes):
        if beat_bytes not in (4, 8, 16, 32):
            raise ValueError(f"beat_bytes is {beat_bytes!r}, accepted is 4, 8, 16 or 32")
        self.part, self.beat_bytes = part, beat_bytes
        self.words = 8 * beat_bytes // DATA_BITS
        self.burst = min(self.words, self.MOST_BURST)
        self.commands = self.words // self.burst
        self.row_pins = part.rows.bit_length() - 1
        self.bank_pins = part.banks.bit_length() - 1
        self.column_bits = part.columns.bit_length() - 1
        self.beat_bits = beat_bytes.bit_length() - 1
        self.column_beats = (part.columns // self.words).bit_length() - 1


class SdramPins(wiring.Signature):
    """The part's pins but the clock, which the board drives; dq apart.

    Members
    -------
    cke, cs_n, ras_n, cas_n, we_n : Out(1)
    ba, a, dqm : Out
    dq_o, dq_oe : Out
    dq_i : In
    """

    def __init__(self, part):
        self.part = part
        row_pins, bank_pins = part.rows.bit_length() - 1, part.banks.bit_length() - 1
        super().__init__({
            "cke": Out(1), "cs_n": Out(1, init=1), "ras_n": Out(1, init=1),
            "cas_n": Out(1, init=1), "we_n": Out(1, init=1),
            "ba": Out(bank_pins), "a": Out(row_pins),
            "dqm": Out(DATA_BITS // 8, init=(1 << DATA_BITS // 8) - 1),
            "dq_o": Out(DATA_BITS), "dq_oe": Out(1), "dq_i": In(DATA_BITS),
        })

    def __eq__(self, other):
        return isinstance(other, SdramPins) and self.part == other.part

    def __repr__(self):
        return f"SdramPins({self.part.name})"


def segment_layout(geometry, most_beats):
    """Beats of one burst in one row.

    ``start`` is the first beat in its row, ``len`` beats - 1; ``error``: not in the part;
    ``last``: of its burst.
    """
    return data.StructLayout({
        "write": 1, "error": 1, "last": 1, "bank": geometry.bank_pins, "row": geometry.row_pins,
        "start": geometry.column_beats, "len": range(most_beats)})


def command_layout(geometry):
    """One command for the pins."""
    return data.StructLayout({
        "command": Command, "ba": geometry.bank_pins, "a": geometry.row_pins})
