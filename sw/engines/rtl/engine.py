"""The rtl engine: a Transport onto the Verilated chip."""

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

from golden.spec.config import Config
from sw.driver.transport import Transport
from sw.engines.rtl.builder import build, generate_verilog
from sw.errors import DeviceError, ToolError, UsageError

__all__ = ["NEVER", "RtlTransport"]

MEMORY_BYTES = 1 << 28
# Between two of these Python sees Ctrl-C.
RUN_CYCLES = 1 << 18
NEVER = 4  # as a response to inject: none at all

_HANDLE = ctypes.c_void_p
_FUNCTIONS: dict[str, tuple[object, list[object]]] = {
    "create": (_HANDLE, [ctypes.c_uint64, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint64,
                         ctypes.c_uint32, ctypes.c_uint32]),
    "destroy": (None, [_HANDLE]),
    "memory": (ctypes.c_void_p, [_HANDLE]),
    "read32": (ctypes.c_int, [_HANDLE, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)]),
    "write32": (ctypes.c_int, [_HANDLE, ctypes.c_uint32, ctypes.c_uint32]),
    "run": (ctypes.c_int, [_HANDLE, ctypes.c_uint64]),
    "cycles": (ctypes.c_uint64, [_HANDLE]),
    "beats": (ctypes.c_uint64, [_HANDLE, ctypes.c_int]),
    "fault": (ctypes.c_char_p, [_HANDLE]),
    "inject": (None, [_HANDLE, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int, ctypes.c_int,
                      ctypes.c_int]),
    "inject_nothing": (None, [_HANDLE]),
    "trace": (ctypes.c_int, [_HANDLE, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint64]),
}


class RtlTransport(Transport):
    """The generated Verilog of a configuration, simulated, behind a simulated DRAM.

    Parameters
    ----------
    config : Config
        The chip; its ``dram_bytes`` and ``dram_latency`` set the memory's timing.
    memory_bytes : int
        Size of the DRAM; memory is taken from the host only where it is used.
    stall_percent, seed : int
        Chance in percent that a channel pauses in a cycle, and the randomness.
    trace : path, optional
        Record waves to this file, .vcd or .fst.
    trace_cycles : (int, int)
        First and last cycle to record.
    verilog : str, optional
        Verilog to simulate instead of the configuration's.
    random_start : bool
        Draw from the seed what has no initial value in the Verilog.
    progress : callable, optional
        Told in words what takes long.

    Raises
    ------
    ToolError
        If the simulator can't be built.
    UsageError
        For a trace file of another kind.
    """

    def __init__(self, config: Config, *, memory_bytes: int = MEMORY_BYTES,
                 stall_percent: int = 0, seed: int = 0,
                 trace: str | os.PathLike[str] | None = None,
                 trace_cycles: tuple[int, int] = (0, (1 << 64) - 1), verilog: str | None = None,
                 random_start: bool = False, progress: Callable[[str], None] | None = None) -> None:
        self._chip = None
        if not 0 <= stall_percent < 100:
            raise UsageError(f"stall percentage is {stall_percent}, accepted is 0 to 99")
        self.memory_bytes = memory_bytes
        kind = "" if trace is None else _trace_kind(Path(trace))
        text = generate_verilog(config, progress) if verilog is None else verilog
        library = build(text, config.group, trace=kind, random_start=random_start,
                        progress=progress)
        self._library = _load(library)
        self._chip = self._library.sentei_create(
            memory_bytes, config.dram_bytes, config.dram_latency, seed, stall_percent,
            config.burst_beats)
        if not self._chip:
            raise ToolError(f"no {memory_bytes} bytes of memory for the simulated DRAM")
        self._memory = self._library.sentei_memory(self._chip)
        if trace is not None:
            self._library.sentei_trace(self._chip, os.fsencode(trace), *trace_cycles)
        self._check()

    @property
    def cycles(self) -> int:
        """Clock cycles since the power-on reset."""
        return self._library.sentei_cycles(self._alive())

    @property
    def beats(self) -> tuple[int, int]:
        """Beats read and written so far."""
        chip = self._alive()
        return self._library.sentei_beats(chip, 0), self._library.sentei_beats(chip, 1)

    def read32(self, offset: int) -> int:
        """Read a register through AXI4-Lite."""
        value = ctypes.c_uint32()
        self._answered(self._library.sentei_read32(self._alive(), offset, ctypes.byref(value)),
                       f"read of register {offset:#x}")
        return value.value

    def write32(self, offset: int, value: int) -> None:
        """Write a register through AXI4-Lite."""
        self._answered(self._library.sentei_write32(self._alive(), offset, value),
                       f"write of register {offset:#x}")

    def read(self, address: int, size: int) -> bytes:
        """Read DRAM, taking no time."""
        return ctypes.string_at(self._place(address, size), size)

    def write(self, address: int, data: bytes) -> None:
        """Write DRAM, taking no time."""
        ctypes.memmove(self._place(address, len(data)), bytes(data), len(data))

    def wait(self, timeout_cycles: int) -> bool:
        """Clock the chip until its interrupt or the limit."""
        while True:
            part = min(timeout_cycles, RUN_CYCLES)
            state = self._library.sentei_run(self._alive(), part)
            self._check()
            timeout_cycles -= part
            if state or timeout_cycles <= 0:
                return state == 1

    def inject(self, start: int, size: int, response: int, *, reads: bool = True,
               writes: bool = True) -> None:
        """Answer beats in [start, start + size) with an AXI response, or NEVER; for tests."""
        self._library.sentei_inject(self._alive(), start, size, response, reads, writes)

    def inject_nothing(self) -> None:
        """End every injection."""
        self._library.sentei_inject_nothing(self._alive())

    def close(self) -> None:
        """End the simulation and the trace file."""
        if self._chip:
            self._library.sentei_destroy(self._chip)
            self._chip = None

    def __del__(self) -> None:
        self.close()

    def _alive(self) -> int:
        if not self._chip:
            raise DeviceError("the simulation has been closed")
        return self._chip

    def _place(self, address: int, size: int) -> int:
        self._alive()
        if not 0 <= address <= address + size <= self.memory_bytes:
            raise DeviceError(f"{size} bytes at {address:#x} lie outside the DRAM of "
                              f"{self.memory_bytes} bytes")
        return self._memory + address

    def _answered(self, response: int, what: str) -> None:
        self._check()
        if response:
            raise DeviceError(f"{what}: AXI4-Lite response {response}")

    def _check(self) -> None:
        """Refuse to go on once the chip has broken a rule of its buses."""
        fault = self._library.sentei_fault(self._alive())
        if fault:
            raise DeviceError(f"the chip broke a bus rule: {fault.decode()}")


def _trace_kind(path: Path) -> str:
    kind = path.suffix.removeprefix(".")
    if kind not in ("vcd", "fst"):
        raise UsageError(f"trace file is {path.name}, accepted is .vcd or .fst")
    if not path.parent.is_dir():
        raise UsageError(f"trace file {path}: there is no folder {path.parent}")
    return kind


def _load(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise ToolError(f"can't load the simulator {path}: {error}; remove it to build it "
                        "again") from None
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, f"sentei_{name}")
        function.restype, function.argtypes = result, arguments
    return library
