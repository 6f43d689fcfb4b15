"""What a board carries: the chip, its memory, and the link to the host."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.bus.arbiter import Arbiter
from hw.link.link import Link
from hw.npu import Npu
from hw.resettable import Resettable
from hw.sdram.controller import SdramController
from hw.sdram.interface import SdramPins

__all__ = ["System"]


class System(wiring.Component):
    """Chip, link and SDRAM controller on one clock.

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
        for name, part in (("link", link), ("arbiter", arbiter), ("memory", memory)):
            m.submodules[name] = Resettable(part, self.rst)
        connect(m, link.axil, npu.axil)
        connect(m, npu.axi, arbiter.a)
        connect(m, link.axi, arbiter.b)
        connect(m, arbiter.bus, memory.axi)
        connect(m, memory.pins, flipped(self.sdram))
        m.d.comb += [
            npu.rst.eq(self.rst),
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
            link.irq.eq(npu.irq),
            self.ready.eq(memory.ready),
            self.activity.eq(link.activity),
            self.irq.eq(npu.irq),
        ]
        m.d.sync += self.working.eq((npu.axi.r.valid & npu.axi.r.ready)
                                    | (npu.axi.w.valid & npu.axi.w.ready))
        return m
