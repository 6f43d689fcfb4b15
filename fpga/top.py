"""The top of a board: clock, reset, pads."""

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Elaboratable, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import AsyncFFSynchronizer
from amaranth.vendor import LatticePlatform as Platform

from fpga.boards import Board
from fpga.pll import Pll
from golden.spec.config import Config
from hw.sdram.timing import PARTS
from hw.system import System
from sw.errors import UsageError

__all__ = ["BoardTop"]

_PAD_REGISTERS = 2  # one out, one in
# Of the SDRAM's clock, in periods: what it answers is then sampled in the middle of its time at
# these clocks, with 4.5 ns there and back. Half a period would fail from 50 to 67 MHz.
_LAG, _LEAST_MHZ, _MOST_MHZ = 0.75, 40, 110
_HEARTBEATS = 2  # changes a second, about


class BoardTop(Elaboratable):
    """Everything in one clock domain, made by a PLL from the board's oscillator.

    Commands leave from registers in the pads; the SDRAM's clock is a later copy.

    Parameters
    ----------
    board : Board
    config : Config
    clock_mhz : float

    Raises
    ------
    UsageError
        If the clock can't be made, or SDRAM or serial line can't run at it.
    ToolError
        If the board's pins are not installed.
    """

    def __init__(self, board: Board, config: Config, clock_mhz: float) -> None:
        if not _LEAST_MHZ <= clock_mhz <= _MOST_MHZ:
            raise UsageError(f"clock {clock_mhz:g} MHz: accepted is {_LEAST_MHZ} to {_MOST_MHZ}, "
                             "where the SDRAM's answers are sampled in time")
        self._board = board
        self._hz = round(clock_mhz * 1e6)
        self._pll = Pll(board.platform().default_clk_frequency, self._hz, lag=_LAG)
        try:
            self._system = System(config, PARTS[board.sdram], clock_hz=self._hz, baud=board.baud,
                                  pad_registers=_PAD_REGISTERS)
        except ValueError as error:
            raise UsageError(f"clock {clock_mhz:g} MHz: {error}") from None

    def elaborate(self, platform: Platform) -> Module:
        m = Module()
        m.submodules.pll = pll = self._pll
        m.submodules.system = system = self._system
        oscillator = platform.request(platform.default_clk, dir="-")
        m.submodules.oscillator = oscillator = io.Buffer("i", oscillator)
        m.domains.sync = ClockDomain("sync", reset_less=True)
        m.domains.memory = ClockDomain("memory", reset_less=True)
        m.submodules.reset = AsyncFFSynchronizer(~pll.locked, system.rst)
        m.d.comb += [pll.source.eq(oscillator.i), ClockSignal().eq(pll.clock),
                     ClockSignal("memory").eq(pll.late)]
        platform.add_clock_constraint(pll.clock, self._hz)
        self._serial(m, platform, system)
        self._sdram(m, platform, system)
        self._lights(m, platform, system)
        return m

    def _serial(self, m: Module, platform: Platform, system: System) -> None:
        uart = platform.request("uart", dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.FFBuffer("o", uart.tx)
        m.d.comb += [system.rx.eq(rx.i), tx.o.eq(system.tx)]

    def _sdram(self, m: Module, platform: Platform, system: System) -> None:
        pads = platform.request("sdram", dir="-")
        pins = system.sdram
        # Names of the platform's resource; those with _n are inverted by their pads.
        outputs = {"clk_en": pins.cke, "cs": ~pins.cs_n, "ras": ~pins.ras_n, "cas": ~pins.cas_n,
                   "we": ~pins.we_n, "ba": pins.ba, "a": pins.a, "dqm": pins.dqm}
        for name, value in outputs.items():
            m.submodules[f"pad_{name}"] = pad = io.FFBuffer("o", getattr(pads, name))
            m.d.comb += pad.o.eq(value)
        m.submodules.pad_dq = dq = io.FFBuffer("io", pads.dq)
        m.d.comb += [dq.o.eq(pins.dq_o), dq.oe.eq(pins.dq_oe), pins.dq_i.eq(dq.i)]
        m.submodules.pad_clk = clock = io.DDRBuffer("o", pads.clk, o_domain="memory")
        m.d.comb += clock.o.eq(0b01)

    def _lights(self, m: Module, platform: Platform, system: System) -> None:
        beat = Signal((self._hz // _HEARTBEATS).bit_length())
        m.d.sync += beat.eq(beat + 1)
        shown = Signal(4)
        m.d.sync += shown.eq(Cat(system.ready & beat[-1], system.activity, system.working,
                                 system.irq))
        ports = []
        for name, number in self._board.leds:
            port = platform.request(name, number, dir="-")
            ports += [port] if isinstance(port, io.PortLike) else [port.r, port.g, port.b]
        for number, port in enumerate(ports[:len(shown)]):
            m.submodules[f"light_{number}"] = light = io.Buffer("o", port)
            m.d.comb += light.o.eq(shown[number])
