"""The machine engine: a Transport onto golden.machine."""

from golden.machine import Instruction, Machine, MachineError, Timing, UndefinedError
from golden.spec.config import Config
from golden.spec.isa import INSTRUCTION_BYTES
from golden.spec.registers import (
    COUNTERS,
    DRP_COUNTERS,
    ID,
    REGIONS,
    REGISTERS,
    VERSION,
    Cause,
    Control,
    Status,
)
from sw.driver.result import Occupied
from sw.driver.transport import Transport
from sw.errors import DeviceError

__all__ = ["MachineTransport"]

MEMORY_BYTES = 1 << 28
_WORD = (1 << 32) - 1


class MachineTransport(Transport):
    """The machine behind the chip's registers.

    A run is computed when START is written; `wait` then lets its cycles pass, and only after them
    do status and interrupt tell its end.

    Parameters
    ----------
    config : Config
        Chip and simulated memory.
    memory_bytes : int
        Size of the DRAM; memory is taken from the host only where it is used.
    timing : Timing, optional
        Constants of the timing model.
    check_races : bool
        Refuse programs whose meaning depends on timing.
    computes : bool
        Compute results; without, there are only cycles.

    Members
    -------
    instructions : list of Instruction
        Of the last run, with the cycles at which they started and ended.
    """

    def __init__(self, config: Config, *, memory_bytes: int = MEMORY_BYTES,
                 timing: Timing | None = None, check_races: bool = True,
                 computes: bool = True) -> None:
        self.memory_bytes = memory_bytes
        self._machine = Machine(config, memory_bytes, timing=timing, check_races=check_races,
                                computes=computes)
        self._values = {item.name: 0 for item in REGISTERS}
        self._values.update(ID=ID, VERSION=VERSION, DIGEST=config.digest())
        # Bits that writable registers have.
        self._bits = {"IRQ_ENABLE": 1, "PROGRAM_ADDRESS": -INSTRUCTION_BYTES,
                      "PROGRAM_BYTES": -INSTRUCTION_BYTES}
        self._bits |= {f"REGION{index}_BASE": -config.group for index in range(REGIONS)}
        self._left: int | None = None  # cycles until the run's end, None for never
        self._result = Status(0)

    @property
    def instructions(self) -> list[Instruction]:
        """Instructions of the last run."""
        return self._machine.instructions

    def read32(self, offset: int) -> int:
        """Read a register."""
        return self._values[self._name(offset)]

    def write32(self, offset: int, value: int) -> None:
        """Write a register; START computes the run."""
        name = self._name(offset)
        if REGISTERS[offset // 4].access == "ro":
            raise DeviceError(f"register {name} can't be written")
        if name == "CONTROL":
            if value & Control.SOFT_RESET:
                self._reset()
            elif value & Control.START and not self._values["STATUS"] & (
                    Status.RUNNING | Status.ERROR):
                self._start()
        elif name == "IRQ_PENDING":
            self._values[name] &= ~value
        else:
            self._values[name] = value & _WORD & self._bits.get(name, _WORD)

    def read(self, address: int, size: int) -> bytes:
        """Read DRAM."""
        return self._machine.dram.data[self._place(address, size)].tobytes()

    def write(self, address: int, data: bytes) -> None:
        """Write DRAM."""
        self._machine.dram.data[self._place(address, len(data))] = memoryview(bytes(data))

    def wait(self, timeout_cycles: int) -> bool:
        """Let cycles pass until the interrupt (True) or the limit (False)."""
        if self._values["STATUS"] & Status.RUNNING and self._left is not None:
            if self._left > timeout_cycles:
                self._left -= timeout_cycles
            else:
                self._values["STATUS"] = int(self._result)
                self._values["IRQ_PENDING"] = 1
        return bool(self._values["IRQ_PENDING"] & self._values["IRQ_ENABLE"])

    def occupied(self) -> list[Occupied]:
        """Of the last run."""
        return [Occupied(item.unit, item.tag, item.taken, item.done)
                for item in self.instructions]

    def _start(self) -> None:
        values = self._values
        self._machine.dram.regions = [
            (values[f"REGION{index}_BASE"], values[f"REGION{index}_BYTES"])
            for index in range(REGIONS)]
        extra: int | None = 0
        self._result = Status.DONE
        try:
            self._machine.run(values["PROGRAM_ADDRESS"], values["PROGRAM_BYTES"])
        except MachineError as error:
            self._result = Status.ERROR
            if error.cause == Cause.WATCHDOG:
                extra = values["WATCHDOG"] or None
            if extra is not None:
                values.update(ERROR_CAUSE=int(error.cause), ERROR_UNIT=int(error.unit),
                              ERROR_TAG=error.tag, ERROR_ADDRESS=error.address)
        except UndefinedError as error:
            raise DeviceError(f"the program has no defined meaning: {error}") from error
        for counter in COUNTERS + DRP_COUNTERS:
            values[f"COUNT_{counter.name.upper()}"] = self._machine.counters[counter.name] & _WORD
        values.update(STATUS=int(Status.RUNNING), FETCHED=self._machine.fetched,
                      SEMAPHORES_WAITED=self._machine.semaphores_waited)
        self._left = None if extra is None else self._machine.counters["cycles"] + extra

    def _reset(self) -> None:
        for name in ("STATUS", "ERROR_CAUSE", "ERROR_UNIT", "ERROR_TAG", "ERROR_ADDRESS",
                     "FETCHED", "SEMAPHORES_WAITED"):
            self._values[name] = 0

    def _place(self, address: int, size: int) -> slice:
        if not 0 <= address <= address + size <= self.memory_bytes:
            raise DeviceError(f"{size} bytes at {address:#x} lie outside the DRAM of "
                              f"{self.memory_bytes} bytes")
        return slice(address, address + size)

    @staticmethod
    def _name(offset: int) -> str:
        if offset % 4 or not 0 <= offset < 4 * len(REGISTERS):
            raise DeviceError(f"there is no register at {offset:#x}")
        return REGISTERS[offset // 4].name
