"""The link's RTL behind a line."""

import ctypes
from pathlib import Path

from hw.link.link import Link
from tb.lib.uart_line import UartLine
from tb.lib.verilated import generate, library

__all__ = ["RtlLine"]

MEMORY_LATENCY = 20  # cycles, about an SDRAM's
HARNESS = Path(__file__).with_name("harness.cpp")
FUNCTIONS = {
    "create": (ctypes.c_void_p, [ctypes.c_uint32, ctypes.c_double, ctypes.c_int]),
    "memory": (ctypes.c_void_p, [ctypes.c_void_p]),
    "registers": (ctypes.c_void_p, [ctypes.c_void_p]),
    "irq": (None, [ctypes.c_void_p, ctypes.c_int]),
}


class RtlLine(UartLine):
    """The link with memory and 4 KiB of registers behind it; beats have 4 bytes.

    Parameters
    ----------
    config : Config
    clock_hz, baud, memory_bytes : int
    latency : float
        As of `UartLine`.
    """

    def __init__(self, config, *, clock_hz, baud, memory_bytes, latency):
        dut = Link(config, clock_hz=clock_hz, baud=baud, memory_bytes=memory_bytes)
        made = library("link", generate(dut, "link"), HARNESS, FUNCTIONS)
        handle = made.link_create(memory_bytes, clock_hz / baud, MEMORY_LATENCY)
        super().__init__(made, handle, hz=clock_hz, latency=latency)
        self.memory = (ctypes.c_uint8 * memory_bytes).from_address(made.link_memory(handle))
        self.registers = (ctypes.c_uint32 * 1024).from_address(made.link_registers(handle))
        self.interrupt_at = None  # cycle
        self.run(100)

    def run(self, cycles):
        super().run(cycles)
        if self.interrupt_at is not None and self.cycle >= self.interrupt_at:
            self.library.link_irq(self.handle, 1)
