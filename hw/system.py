"""What a board carries: the chip, its memory, and the link to the host."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.bus.arbiter import Arbiter
from hw.bus.slice import AXISlice
from hw.link.link import Link
from hw.npu import Npu
from hw.resettable import Resettable
from hw.sdram.controller import SdramController
from hw.sdram.interface import SdramPins

__all__ = ["System"]


class System(wiring.Component):
    """Chip, link and SDRAM controller on one clock, far from each other on the device: registers
    stand between them, in both directions of every stream.

    Parameters
    ----------
    config : Config
    part : SdramTiming
        The SDRAM.
    clock_hz, baud : int
    pad_registers : int
        Registers between the pins here and the SDRAM's pads, both ways together.

    Members
    -------
    rst : In(1)
        As of `Npu`, for everything.
    rx : In(1)
    tx : Out(1)
    sdram : Out(SdramPins)
    ready : Out(1)
        The SDRAM is initialized.
    activity : Out(1)
        The host talks.
    working : Out(1)
        The chip moves data.
    irq : Out(1)
    """

    def __init__(self, config, part, *, clock_hz, baud, pad_registers=0):
        self.npu = Npu(config)
        self.link = Link(config, clock_hz=clock_hz, baud=baud, memory_bytes=part.size)
        cas = part.cycles(clock_hz / 1e6).cas
        self.memory = SdramController(part, mhz=clock_hz / 1e6, beat_bytes=config.group,
                                      capture=cas + 1 + pad_registers)
        self.arbiter = Arbiter(config.group)
        super().__init__({
            "rst": In(1),
            "rx": In(1, init=1),
            "tx": Out(1, init=1),
            "sdram": Out(SdramPins(part)),
            "ready": Out(1),
            "activity": Out(1),
            "working": Out(1),
            "irq": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.npu = npu = self.npu
        link, arbiter, memory = self.link, self.arbiter, self.memory
        slices = {name: AXISlice(signature) for name, signature in (
            ("registers_slice", link.axil.signature), ("npu_slice", npu.axi.signature),
            ("link_slice", link.axi.signature), ("memory_slice", arbiter.bus.signature))}
        reset = Signal(init=1, reset_less=True)
        m.d.sync += reset.eq(self.rst)
        for name, part in {"link": link, "arbiter": arbiter, "memory": memory, **slices}.items():
            m.submodules[name] = Resettable(part, reset)
        for manager, between, subordinate in (
                (link.axil, "registers_slice", npu.axil), (npu.axi, "npu_slice", arbiter.a),
                (link.axi, "link_slice", arbiter.b), (arbiter.bus, "memory_slice", memory.axi)):
            connect(m, manager, slices[between].manager)
            connect(m, slices[between].subordinate, subordinate)
        connect(m, memory.pins, flipped(self.sdram))
        m.d.comb += [
            npu.rst.eq(reset),
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
        ]
        m.d.sync += [
            link.irq.eq(npu.irq),
            self.ready.eq(memory.ready),
            self.activity.eq(link.activity),
            self.irq.eq(npu.irq),
            self.working.eq((npu.axi.r.valid & npu.axi.r.ready)
                            | (npu.axi.w.valid & npu.axi.w.ready)),
        ]
        return m
