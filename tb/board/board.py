"""The simulated board: chip, link, SDRAM controller and SDRAM, as a line to talk to."""

import ctypes
from pathlib import Path

from tb.board.chips import board_verilog
from tb.lib.uart_line import UartLine
from tb.lib.verilated import library

__all__ = ["SimulatedBoard"]

HARNESS = Path(__file__).with_name("harness.cpp")
FUNCTIONS = {
    "create": (ctypes.c_void_p, [ctypes.c_double]),
    "register_writes": (ctypes.c_uint64, [ctypes.c_void_p]),
    "memory_writes": (ctypes.c_uint64, [ctypes.c_void_p]),
    "violations": (ctypes.c_uint32, [ctypes.c_void_p]),
    "ready": (ctypes.c_int, [ctypes.c_void_p]),
}
STEP_CYCLES = 1000


class SimulatedBoard(UartLine):
    """A board with power on and its SDRAM initialized.

    Parameters
    ----------
    config : Config
    part : SdramTiming
    clock_hz, baud : int
    latency : float
        Seconds each way between program and line.

    Raises
    ------
    RuntimeError
        If the SDRAM is not initialized in time.
    """

    def __init__(self, config, part, *, clock_hz, baud, latency=0.0):
        text = board_verilog(config, part, clock_hz=clock_hz, baud=baud)
        made = library("board", text, HARNESS, FUNCTIONS)
        super().__init__(made, made.board_create(clock_hz / baud), hz=clock_hz, latency=latency)
        limit = 2 * part.power_up * 1e-9 * clock_hz
        while not made.board_ready(self.handle):
            if self.cycle > limit:
                raise RuntimeError(f"the SDRAM is not ready after {self.cycle} cycles")
            self.run(STEP_CYCLES)

    @property
    def writes(self):
        """Registers written and transfers to the memory begun by the link so far."""
        return (self.library.board_register_writes(self.handle),
                self.library.board_memory_writes(self.handle))

    @property
    def violations(self):
        """How often the SDRAM was used against its data sheet; each has been printed."""
        return self.library.board_violations(self.handle)
