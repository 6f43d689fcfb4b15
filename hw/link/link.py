"""The host link, from the pins to the buses."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden.spec.link import Hello
from hw.bus.axi import AXI4, AXI4Lite
from hw.link.deframer import Deframer
from hw.link.engine import TIMEOUT_CYCLES, LinkEngine
from hw.link.framer import Framer
from hw.link.uart_receiver import UartReceiver
from hw.link.uart_transmitter import UartTransmitter
from hw.stream import SkidBuffer

__all__ = ["Link"]

BLINKS_HZ = 20  # the light stays on that part of a second after a frame


class Link(wiring.Component):
    """A host on a serial line reads and writes registers and memory; see `golden.spec.link`.

    Parameters
    ----------
    config : Config
        The chip, for its digest and its bus.
    clock_hz, baud : int
        At least 8 cycles a bit.
    memory_bytes : int
        DRAM, from address 0; a power of two.
    timeout_cycles : int
        Cycles an access to a bus may take, a power of two.

    Members
    -------
    rx : In(1)
        Asynchronous.
    tx : Out(1)
    axil : Out(AXI4Lite)
        The chip's registers.
    axi : Out(AXI4(config.group))
        DRAM; bursts of one beat.
    irq : In(1)
    activity : Out(1)
        For a light: frames are coming in.
    """

    def __init__(self, config, *, clock_hz, baud, memory_bytes, timeout_cycles=TIMEOUT_CYCLES):
        self.hello = Hello(digest=config.digest(), clock_hz=clock_hz, baud=baud,
                           memory_bytes=memory_bytes, beat_bytes=config.group)
        self.receiver = UartReceiver(clock_hz=clock_hz, baud=baud)
        self.transmitter = UartTransmitter(clock_hz=clock_hz, baud=baud)
        self.engine = LinkEngine(self.hello, timeout_cycles=timeout_cycles)
        super().__init__({
            "rx": In(1, init=1),
            "tx": Out(1, init=1),
            "axil": Out(AXI4Lite()),
            "axi": Out(AXI4(config.group)),
            "irq": In(1),
            "activity": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = self.receiver
        m.submodules.deframer = deframer = Deframer()
        m.submodules.engine = engine = self.engine
        m.submodules.framer = framer = Framer()
        m.submodules.transmitter = transmitter = self.transmitter
        connect(m, deframer.o, engine.i)
        connect(m, engine.o, framer.i)
        m.submodules.byte = byte = SkidBuffer(8)  # the line's pace and the framer's work stay apart
        connect(m, framer.o, byte.i)
        connect(m, byte.o, transmitter.i)
        connect(m, engine.axil, flipped(self.axil))
        connect(m, engine.axi, flipped(self.axi))
        m.d.comb += [
            receiver.rx.eq(self.rx),
            deframer.valid.eq(receiver.valid),
            deframer.data.eq(receiver.data),
            deframer.error.eq(receiver.error),
            self.tx.eq(transmitter.tx),
            engine.irq.eq(self.irq),
        ]
        since = Signal((self.hello.clock_hz // BLINKS_HZ).bit_length(), init=-1)
        came, begin = Signal(), Signal()  # the light may be at the other end of the device
        m.d.comb += self.activity.eq(~since[-1])
        m.d.sync += [came.eq(deframer.good), begin.eq(came)]
        with m.If(begin):
            m.d.sync += since.eq(0)
        with m.Elif(self.activity):
            m.d.sync += since.eq(since + 1)
        return m
