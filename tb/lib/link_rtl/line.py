"""A `ByteStream` to the link's RTL, in simulated time."""

import ctypes
import hashlib
import math
import os
import shutil
import tempfile
from pathlib import Path

from amaranth.back import verilog

from hw.link.link import Link
from sw.engines.rtl.builder import FLAGS, cache_folder
from sw.engines.rtl.toolchain import Toolchain

__all__ = ["RtlLine"]

MEMORY_LATENCY = 20  # cycles, about an SDRAM's
STEP_CYCLES = 2000
HERE = Path(__file__).parent


class RtlLine:
    """The link with memory and 4 KiB of registers behind it; beats have 4 bytes.

    It is its own clock: ``read`` lets time pass, and ``line()`` is the time in seconds.

    Parameters
    ----------
    config : Config
    clock_hz, baud, memory_bytes : int
    latency : float
        Seconds each way between program and line, as a USB bridge has.
    """

    def __init__(self, config, *, clock_hz, baud, memory_bytes, latency):
        dut = Link(config, clock_hz=clock_hz, baud=baud, memory_bytes=memory_bytes)
        self.library = library = _library(dut)
        self.hz, self.latency = clock_hz, round(latency * clock_hz)
        self._link = library.link_create(memory_bytes, clock_hz / baud, MEMORY_LATENCY)
        self.memory = (ctypes.c_uint8 * memory_bytes).from_address(
            library.link_memory(self._link))
        self.registers = (ctypes.c_uint32 * 1024).from_address(library.link_registers(self._link))
        self.interrupt_at = None  # cycle
        library.link_run(self._link, 100)

    @property
    def cycle(self):
        return self.library.link_now(self._link)

    def __call__(self):
        return self.cycle / self.hz

    def write(self, data):
        self.library.link_send(self._link, self.cycle + self.latency, data, len(data))

    def read(self, limit, timeout):
        end = self.cycle + math.ceil(timeout * self.hz)
        buffer = ctypes.create_string_buffer(limit)
        while True:
            now = self.cycle
            size = self.library.link_take(self._link, max(0, now - self.latency), buffer, limit)
            if size or now >= end:
                return buffer.raw[:size]
            self.library.link_run(self._link, min(STEP_CYCLES, end - now))
            if self.interrupt_at is not None and self.cycle >= self.interrupt_at:
                self.library.link_irq(self._link, 1)

    def noise(self, per_million):
        """Chance of a bit to arrive wrong, both ways."""
        self.library.link_noise(self._link, per_million)

    @property
    def bad_stops(self):
        """Stop bits of the link's that were none."""
        return self.library.link_bad_stops(self._link)

    def close(self):
        if self._link:
            self.library.link_destroy(self._link)
            self._link = None


def _library(dut):
    """The simulation as a shared library, built once for each Verilog."""
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    text = verilog.convert(dut, name="link", emit_src=False, strip_internal_attrs=True)
    tools = Toolchain()
    source = (HERE / "harness.cpp").read_text()
    flags = [flag.replace("npu", "link") for flag in FLAGS]
    key = "\0".join((tools.version, *flags, text, source))
    kept = cache_folder() / "link" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.so"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="sentei-link-") as name:
            folder = Path(name)
            (folder / "link.v").write_text(text)
            (folder / "harness.cpp").write_text(source)
            tools.run(["verilator", *flags, "-o", "link.so", "link.v",
                       str(folder / "harness.cpp")], folder)
            fresh = kept.with_suffix(f".{os.getpid()}")
            shutil.copy(folder / "obj_dir" / "link.so", fresh)
            fresh.replace(kept)
    library = ctypes.CDLL(str(kept))
    handle, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    for function, result, arguments in (
            ("create", handle, [u32, ctypes.c_double, ctypes.c_int]),
            ("destroy", None, [handle]),
            ("send", None, [handle, ctypes.c_double, ctypes.c_char_p, u32]),
            ("run", None, [handle, u64]),
            ("now", u64, [handle]),
            ("take", u32, [handle, u64, ctypes.c_char_p, u32]),
            ("memory", handle, [handle]),
            ("registers", handle, [handle]),
            ("bad_stops", u32, [handle]),
            ("irq", None, [handle, ctypes.c_int]),
            ("noise", None, [handle, u32])):
        entry = getattr(library, f"link_{function}")
        entry.restype, entry.argtypes = result, arguments
    return library
