"""The register file: what the host sees of the chip."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa, registers
from golden.spec.registers import COUNTERS, REGIONS, REGISTERS, Control, Status
from hw.bus.axi import AXI4Lite, Response
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
    fetched : In(32)
    waited : In(16)

    Timing
    ------
    A read takes 2 cycles from address to data, a write 1 to its response; registers and pulses
    change with the response. One read and one write can be under way.
    """

    def __init__(self, config):
        self.digest = config.digest()
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
            "counters": In(data.ArrayLayout(32, len(COUNTERS))),
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
        for index, counter in enumerate(COUNTERS):
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
        """Address register, then multiplexer, then data register."""
        bus = self.bus
        asked = Signal()
        address = Signal.like(bus.ar.payload.addr, reset_less=True)
        r_valid = Signal()
        r = Signal(bus.r.payload.shape(), reset_less=True)
        m.d.comb += [bus.ar.ready.eq(~asked), bus.r.valid.eq(r_valid), bus.r.payload.eq(r)]
        with m.If(bus.r.ready):
            m.d.sync += r_valid.eq(0)
        with m.If(~asked):
            m.d.sync += [asked.eq(bus.ar.valid), address.eq(bus.ar.payload.addr)]
        with m.Elif(~r_valid | bus.r.ready):
            m.d.sync += [asked.eq(0), r_valid.eq(1)]
            with m.Switch(address[2:]):
                for index, register in enumerate(REGISTERS):
                    with m.Case(index):
                        m.d.sync += [r.data.eq(value[register.name]), r.resp.eq(Response.OKAY)]
                with m.Default():
                    m.d.sync += [r.data.eq(0), r.resp.eq(Response.DECERR)]

    def _write(self, m, value):
        """Stored registers; what CONTROL and IRQ_PENDING ask for goes to ``_act``."""
        bus = self.bus
        write, b_valid, b_resp = Signal(), Signal(), Signal(2, reset_less=True)
        word, strobe = bus.w.payload.data, bus.w.payload.strb
        act = {name: Signal(name=f"act_{name.lower()}") for name in ("CONTROL", "IRQ_PENDING")}
        m.d.comb += [
            write.eq(bus.aw.valid & bus.w.valid & (~b_valid | bus.b.ready)),
            bus.aw.ready.eq(write),
            bus.w.ready.eq(write),
            bus.b.valid.eq(b_valid),
            bus.b.payload.resp.eq(b_resp),
        ]
        with m.If(bus.b.ready):
            m.d.sync += b_valid.eq(0)
        with m.If(write):
            m.d.sync += b_valid.eq(1)
            with m.Switch(bus.aw.payload.addr[2:]):
                for index, register in enumerate(REGISTERS):
                    name = register.name
                    with m.Case(index):
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
