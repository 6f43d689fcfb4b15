"""The runs of a LOAD, STORE or LOG, checked against their region."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa
from golden.spec.registers import REGIONS
from hw.dma.burst import run_layout
from hw.interfaces import REGION

__all__ = ["RunIssuer", "run_fields_layout"]

_FIELDS = ("region", "address", "run_bytes", "runs", "run_stride")


def run_fields_layout():
    """The fields of an instruction that say which runs of DRAM bytes it touches."""
    bits = {field.name: field.bits for field in isa.LOAD.fields}
    return data.StructLayout({name: bits[name] for name in _FIELDS})


class RunIssuer(wiring.Component):
    """Walks an instruction's runs with adders only, and stops at one outside its region.

    The low bits of a region's base that don't count beats are taken as zero.

    Parameters
    ----------
    config : Config

    Members
    -------
    i : In(stream of run_fields_layout)
        Taken with the last run, so it stays while its runs are made.
    regions : In(array of REGION)
    o : Out(stream of run_layout)
        ``addr`` is the run's first byte, ``beats`` those it touches, ``final`` marks the last run.
    stop : In(1)
        Make no more runs.
    bad : Out(1)
        The next run leaves the region; held until reset.
    address : Out(32)
        Its byte address in DRAM.

    Timing
    ------
    4 cycles from ``i`` to the first run; a run every other cycle.
    """

    def __init__(self, config):
        self.beat_bits = config.group.bit_length() - 1
        super().__init__({
            "i": In(stream.Signature(run_fields_layout())),
            "regions": In(data.ArrayLayout(REGION, REGIONS)),
            "o": Out(stream.Signature(run_layout())),
            "stop": In(1),
            "bad": Out(1),
            "address": Out(32),
        })

    def elaborate(self, platform):
        m = Module()
        fields = self.i.p
        base = Signal(32 - self.beat_bits, reset_less=True)
        length = Signal(32, reset_less=True)
        most = Signal(34, reset_less=True)    # largest offset at which a run fits, or negative
        offset = Signal(33, reset_less=True)  # of the next run; the first past 2**32 stops
        left = Signal(16, reset_less=True)
        low = Signal(self.beat_bits)
        move, beyond = Signal(), Signal()
        m.d.comb += [
            self.address.eq(Cat(Const(0, self.beat_bits), base) + offset),
            low.eq(offset),
            move.eq(~self.o.valid | self.o.ready),
        ]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM(name="issue"):
            with m.State("REGION"):
                exists = fields.region < REGIONS
                region = self.regions[fields.region[:(REGIONS - 1).bit_length()]]
                m.d.sync += [
                    base.eq(Mux(exists, region.base[self.beat_bits:], 0)),
                    length.eq(Mux(exists, region.bytes, 0)),
                ]
                with m.If(self.i.valid & ~self.stop):
                    m.next = "LIMIT"
            with m.State("LIMIT"):
                m.d.sync += [
                    most.eq(length - fields.run_bytes),
                    offset.eq(fields.address),
                    left.eq(fields.runs),
                ]
                m.next = "CHECK"
            with m.State("CHECK"):
                m.d.sync += beyond.eq(most[-1] | (offset > most[:-1]))
                m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.bad.eq(beyond)
                with m.If(move & ~self.bad & ~self.stop):
                    m.d.sync += [
                        self.o.valid.eq(1),
                        self.o.p.addr.eq(self.address),
                        self.o.p.beats.eq(
                            (fields.run_bytes + low + (1 << self.beat_bits) - 1) >> self.beat_bits),
                        self.o.p.final.eq(left == 1),
                        offset.eq(offset + fields.run_stride),
                        left.eq(left - 1),
                    ]
                    m.next = "CHECK"
                    with m.If(left == 1):
                        m.d.comb += self.i.ready.eq(1)
                        m.next = "REGION"
        return m
