"""Stream descriptors in block RAM, two for each stream: one at work, one that comes next."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.contexts import LOOPS
from golden.spec.drp.streams import LOOP, STREAM, TAP, TAPS
from hw.interfaces import record_layout

__all__ = ["Descriptors", "counts_layout", "descriptor_write"]

WORD = 32
# 32-bit words of a descriptor as an image has it: STREAM, then the loops, then the taps.
_STREAM, _LOOP, _TAP = (record.bits // WORD for record in (STREAM, LOOP, TAP))
_LOOPS_AT, _TAPS_AT = _STREAM, _STREAM + LOOPS * _LOOP
WORDS = _TAPS_AT + TAPS * _TAP


def descriptor_write(streams):
    """One word of the descriptor that comes next for a stream."""
    return data.StructLayout({"en": 1, "stream": range(streams), "bank": 1,
                              "index": range(WORDS), "data": WORD})


def counts_layout():
    """What a walk through a descriptor needs at once: iterations of the loops, and whether that is
    one, last tap."""
    loop = data.StructLayout({"count": 16, "single": 1})
    return data.StructLayout({"loops": data.ArrayLayout(loop, LOOPS), "taps": 4})


class Descriptors(wiring.Component):
    """Two banks of descriptors.

    Parameters
    ----------
    streams : int

    Members
    -------
    write : In(descriptor_write)
    stream, bank : In
        The one that is read.
    counts : Out(counts_layout)
        At once.
    level, tap : In
        The loop and the tap that are read.
    header, loop, at : Out(STREAM, LOOP, TAP)
        Two cycles later.
    """

    LATENCY = 2

    def __init__(self, streams):
        self.streams = streams
        super().__init__({
            "write": In(descriptor_write(streams)),
            "stream": In(range(streams)), "bank": In(1), "counts": Out(counts_layout()),
            "level": In(range(LOOPS)), "tap": In(range(TAPS)),
            "header": Out(record_layout(STREAM)), "loop": Out(record_layout(LOOP)),
            "at": Out(record_layout(TAP))})

    def elaborate(self, platform):
        m = Module()
        write = self.write
        place = Cat(self.bank, self.stream)
        written = Cat(write.bank, write.stream)
        for word in range(_STREAM):
            self._words(m, f"header_{word}", 2 * self.streams, place, written,
                        write.index == word, self.header, word)
        loop, tap = write.index - _LOOPS_AT, write.index - _TAPS_AT
        in_loops = (write.index >= _LOOPS_AT) & (write.index < _TAPS_AT)
        for word in range(_LOOP):
            self._words(m, f"loop_{word}", 2 * self.streams * LOOPS, Cat(self.level, place),
                        Cat(loop[2:4], written), in_loops & (loop[:2] == word), self.loop, word)
        for word in range(_TAP):
            self._words(m, f"tap_{word}", 2 * self.streams * TAPS, Cat(self.tap, place),
                        Cat(tap[1:5], written),
                        (write.index >= _TAPS_AT) & (tap[:1] == word), self.at, word)
        # As few bits of many are wanted at once, they are in LUT RAM, too.
        record = record_layout(STREAM)
        low = record["taps"].offset
        count = write.data[:16]
        counted = Cat(count, count == 1)
        for level in range(LOOPS):
            self._now(m, f"count_{level}", place, written,
                      write.index == _LOOPS_AT + level * _LOOP, counted, self.counts.loops[level])
        self._now(m, "taps", place, written, write.index == low // WORD,
                  write.data[low % WORD:low % WORD + 4], self.counts.taps)
        return m

    def _words(self, m, name, depth, place, written, en, target, word):
        """A block RAM for one word of a record."""
        ram = memory.Memory(shape=WORD, depth=depth, init=[],
                            attrs={"ram_style": "block", "no_rw_check": 1})
        m.submodules[name] = ram
        write, read = ram.write_port(), ram.read_port()
        held = Signal(WORD, name=f"{name}_held", reset_less=True)
        m.d.sync += held.eq(read.data)
        m.d.comb += [write.en.eq(self.write.en & en), write.addr.eq(written),
                     write.data.eq(self.write.data), read.addr.eq(place), read.en.eq(1),
                     target.as_value()[word * WORD:(word + 1) * WORD].eq(held)]

    def _now(self, m, name, place, written, en, value, target):
        ram = memory.Memory(shape=len(value), depth=2 * self.streams, init=[])
        m.submodules[name] = ram
        write, read = ram.write_port(), ram.read_port(domain="comb")
        m.d.comb += [write.en.eq(self.write.en & en), write.addr.eq(written),
                     write.data.eq(value), read.addr.eq(place), target.eq(read.data)]
