"""The register file: what the host sees of the chip."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa, registers
from golden.spec.registers import REGIONS, REGISTERS, Control, Status
from hw.bus.axi import AXI4Lite, Response
from hw.control.counters import counters_of
from hw.interfaces import FAULT, REGION

__all__ = ["RegisterFile"]

_WORD = 0xFFFF_FFFF


class RegisterFile(wiring.Component):
    """Every register of golden.spec.registers, on AXI4-Lite.

    An address without a register is answered DECERR, a write to a read-only one SLVERR, both
    without effect. Bits that alignment makes zero are not stored: they read 0.

    Parameters
    ----------
    config : Config

    Members
    -------
    bus : In(AXI4Lite)
    start, soft_reset : Out(1)
        Pulses. START is ignored while ``running``, ``resetting`` or in error; SOFT_RESET goes
        first where both are written.
    program_address, program_bytes, watchdog : Out(32)
    regions : Out(ArrayLayout(REGION, 8))
    irq : Out(1)
    running : In(1)
    resetting : In(1)
        A soft reset is under way; STATUS shows it as RUNNING.
    done : In(1)
        Pulse. STATUS.DONE holds it until the next START or SOFT_RESET.
    fault : In(FAULT)
    counters : In(ArrayLayout(32, counters))
        Those the chip has; the others read 0.
    fetched : In(32)
    waited : In(16)

    Timing
    ------
    A read takes 4 cycles from address to data, a write 2 to its response; registers and pulses
    change with the response. One read and one write can be under way.
    """

    GROUP_BITS = 3  # registers in a group that a read's first multiplexers select from, log2

    def __init__(self, config):
        self.digest, self.counted = config.digest(), counters_of(config)
        beat, word = config.group, isa.INSTRUCTION_BYTES
        self.stored = {"IRQ_ENABLE": 1, "WATCHDOG": _WORD,  # name: bits that exist
                       "PROGRAM_ADDRESS": _WORD - (word - 1), "PROGRAM_BYTES": _WORD - (word - 1)}
        for index in range(REGIONS):
            self.stored[f"REGION{index}_BASE"] = _WORD - (beat - 1)
            self.stored[f"REGION{index}_BYTES"] = _WORD
        super().__init__({
            "bus": In(AXI4Lite()),
            "start": Out(1),
            "soft_reset": Out(1),
            "program_address": Out(32),
            "program_bytes": Out(32),
            "watchdog": Out(32),
            "regions": Out(data.ArrayLayout(REGION, REGIONS)),
            "irq": Out(1),
            "running": In(1),
            "resetting": In(1),
            "done": In(1),
            "fault": In(FAULT),
            "counters": In(data.ArrayLayout(32, len(self.counted))),
            "fetched": In(32),
            "waited": In(isa.SEMAPHORES),
        })

    def elaborate(self, platform):
        m = Module()
        value = {register.name: Signal(32, name=register.name.lower()) for register in REGISTERS}
        self._show(m, value)
        self._read(m, value)
        self._write(m, value)
        return m

    def _show(self, m, value):
        """Values of registers that come from elsewhere, and outputs from those stored."""
        shown = {
            "ID": registers.ID,
            "VERSION": registers.VERSION,
            "DIGEST": self.digest,
            "ERROR_CAUSE": self.fault.cause,
            "ERROR_UNIT": self.fault.unit,
            "ERROR_TAG": self.fault.tag,
            "ERROR_ADDRESS": self.fault.address,
            "FETCHED": self.fetched,
            "SEMAPHORES_WAITED": self.waited,
        }
        for index, counter in enumerate(self.counted):
            shown[f"COUNT_{counter.name.upper()}"] = self.counters[index]
        m.d.comb += [value[name].eq(source) for name, source in shown.items()]
        m.d.comb += [
            self.program_address.eq(value["PROGRAM_ADDRESS"]),
            self.program_bytes.eq(value["PROGRAM_BYTES"]),
            self.watchdog.eq(value["WATCHDOG"]),
        ]
        for index in range(REGIONS):
            m.d.comb += [
                self.regions[index].base.eq(value[f"REGION{index}_BASE"]),
                self.regions[index].bytes.eq(value[f"REGION{index}_BYTES"]),
            ]

    def _read(self, m, value):
        """Address register, multiplexers of a few registers each, multiplexer, data register."""
        bus = self.bus
        asked, picked, chosen = Signal(), Signal(), Signal()  # address, selection, groups are valid
        address = Signal.like(bus.ar.payload.addr, reset_less=True)
        r_valid = Signal()
        r = Signal(bus.r.payload.shape(), reset_less=True)
        m.d.comb += [bus.ar.ready.eq(~asked), bus.r.valid.eq(r_valid), bus.r.payload.eq(r)]
        # One-hot selections from registers: AND-OR takes fewer LUTs than multiplexers.
        index = address[2:]
        size = 1 << self.GROUP_BITS
        low = Signal(size, reset_less=True)
        high = Signal(-(-len(REGISTERS) // size), reset_less=True)
        known = Signal()
        m.d.sync += [
            low.eq(1 << index[:self.GROUP_BITS]),
            high.eq(Cat(index[self.GROUP_BITS:] == group for group in range(len(high)))),
            known.eq(index < len(REGISTERS)),
        ]
        chosen_value = 0
        for group, first in enumerate(range(0, len(REGISTERS), size)):
            some = Signal(32, name=f"group_{group}", reset_less=True)
            m.d.sync += some.eq(self._any(
                value[register.name] & low[at].replicate(32)
                for at, register in enumerate(REGISTERS[first:first + size])))
            chosen_value |= some & high[group].replicate(32)
        with m.If(bus.r.ready):
            m.d.sync += r_valid.eq(0)
        with m.If(~asked):
            m.d.sync += [asked.eq(bus.ar.valid), address.eq(bus.ar.payload.addr)]
        with m.Elif(~chosen):
            m.d.sync += [picked.eq(1), chosen.eq(picked)]
        with m.Elif(~r_valid | bus.r.ready):
            m.d.sync += [asked.eq(0), picked.eq(0), chosen.eq(0), r_valid.eq(1)]
        with m.If(~r_valid | bus.r.ready):  # the data counts once it is chosen
            m.d.sync += [r.data.eq(chosen_value),
                         r.resp.eq(Mux(known, Response.OKAY, Response.DECERR))]

    @staticmethod
    def _any(values):
        return reduce(or_, values)

    def _write(self, m, value):
        """Stored registers; what CONTROL and IRQ_PENDING ask for goes to ``_act``."""
        bus = self.bus
        accept, write, b_valid, b_resp = Signal(), Signal(), Signal(), Signal(2, reset_less=True)
        index = Signal(len(bus.aw.payload.addr) - 2, reset_less=True)
        word, strobe = Signal(32, reset_less=True), Signal(4, reset_less=True)
        act = {name: Signal(name=f"act_{name.lower()}") for name in ("CONTROL", "IRQ_PENDING")}
        m.d.comb += [
            accept.eq(bus.aw.valid & bus.w.valid & ~write & ~b_valid),
            bus.aw.ready.eq(accept),
            bus.w.ready.eq(accept),
            bus.b.valid.eq(b_valid),
            bus.b.payload.resp.eq(b_resp),
        ]
        m.d.sync += [
            write.eq(accept),
            index.eq(bus.aw.payload.addr[2:]),
            word.eq(bus.w.payload.data),
            strobe.eq(bus.w.payload.strb),
        ]
        with m.If(bus.b.ready):
            m.d.sync += b_valid.eq(0)
        with m.If(write):
            m.d.sync += b_valid.eq(1)
            with m.Switch(index):
                for number, register in enumerate(REGISTERS):
                    name = register.name
                    with m.Case(number):
                        m.d.sync += b_resp.eq(
                            Response.SLVERR if register.access == "ro" else Response.OKAY)
                        if name in act:  # all their bits are in the lowest byte
                            m.d.comb += act[name].eq(strobe[0])
                        elif register.access != "ro":
                            self._store(m, value[name], word & self.stored[name], strobe)
                with m.Default():
                    m.d.sync += b_resp.eq(Response.DECERR)
        self._act(m, value, control=Mux(act["CONTROL"], word, 0),
                  clear=act["IRQ_PENDING"] & word[0])

    @staticmethod
    def _store(m, register, word, strobe):
        for index in range(4):
            with m.If(strobe[index]):
                m.d.sync += register[8 * index:8 * index + 8].eq(word[8 * index:8 * index + 8])

    def _act(self, m, value, *, control, clear):
        """Pulses, STATUS and the interrupt."""
        bit = {flag: flag.bit_length() - 1 for flag in (*Control, *Status)}
        busy, done, pending = Signal(), Signal(), Signal()
        fault_before, finished = Signal(), Signal()
        reset = control[bit[Control.SOFT_RESET]]
        start = control[bit[Control.START]] & ~reset & ~busy & ~self.fault.valid
        m.d.comb += [
            # a pulse under way takes a cycle to come back as running or resetting
            busy.eq(self.running | self.resetting | self.start | self.soft_reset),
            finished.eq(self.done & ~self.resetting & ~self.soft_reset),
            value["STATUS"][bit[Status.RUNNING]].eq(busy),
            value["STATUS"][bit[Status.DONE]].eq(done),
            value["STATUS"][bit[Status.ERROR]].eq(self.fault.valid),
            value["IRQ_PENDING"].eq(pending),
            self.irq.eq(pending & value["IRQ_ENABLE"][0]),
        ]
        m.d.sync += [
            self.start.eq(start),
            self.soft_reset.eq(reset),
            fault_before.eq(self.fault.valid),
        ]
        with m.If(start | reset):
            m.d.sync += done.eq(0)
        with m.Elif(finished):
            m.d.sync += done.eq(1)
        with m.If(finished | (self.fault.valid & ~fault_before)):
            m.d.sync += pending.eq(1)
        with m.Elif(clear):
            m.d.sync += pending.eq(0)
