"""The chip as the host sees it: load a program, run it, take outputs and counters."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from golden.spec import isa
from golden.spec.config import Config
from golden.spec.isa import Opcode
from golden.spec.layout import LOG_BYTES
from golden.spec.program import Binding, ChipStep, HostStep, Program, ProgramError
from golden.spec.registers import (
    COUNTERS,
    DRP_COUNTERS,
    ID,
    VERSION,
    Control,
    Region,
    Status,
    offset,
)
from sw.driver.host import HostOperator, host_operators
from sw.driver.identity import known, settings
from sw.driver.postmortem import post_mortem
from sw.driver.result import LogRecord, RunResult
from sw.driver.transport import Transport
from sw.errors import DeviceError, InputError, ModelError

__all__ = ["Device"]

PAGE = 4096
WATCHDOG_CYCLES = 1_000_000
# A run is ended by the interrupt or the watchdog; this only bounds a chip that has neither.
TIMEOUT_CYCLES = 1 << 40
RESET_POLLS = 1000
RESET_POLL_CYCLES = 256
WRAP = 1 << 32


class Device:
    """A chip behind a transport.

    Parameters
    ----------
    transport : Transport
    watchdog_cycles : int
        Cycles without progress after which the chip stops itself; 0 is never.
    operators : mapping, optional
        Host operators by name; those of `host_operators` if not given.

    Members
    -------
    bases : dict of Region to int
        Where the loaded program's regions begin in DRAM.

    Raises
    ------
    DeviceError
        If what answers is not this chip or has another register map.
    """

    def __init__(self, transport: Transport, *, watchdog_cycles: int = WATCHDOG_CYCLES,
                 operators: Mapping[str, HostOperator] | None = None) -> None:
        self.transport = transport
        self.operators = host_operators() if operators is None else operators
        for name, expected in (("ID", ID), ("VERSION", VERSION)):
            value = self._get(name)
            if value != expected:
                raise DeviceError(f"register {name} reads {value:#010x}, expected is "
                                  f"{expected:#010x}: no Sentei chip of this version answers")
        self.digest = self._get("DIGEST")
        self.program: Program | None = None
        self._config = Config()
        self.bases: dict[Region, int] = {}
        self._set("WATCHDOG", watchdog_cycles)

    def load(self, program: Program) -> None:
        """Reset the chip, place a program's regions in DRAM, write constants and base registers.

        A program that is refused changes nothing.

        Raises
        ------
        DeviceError
            If the program was compiled for another chip or does not fit the memory.
        ModelError
            If a value of the program is not acceptable or it needs an unknown host operator.
        """
        try:
            program.check()
            config = program.chip()
        except ProgramError as error:
            raise ModelError(str(error)) from None
        if program.digest != self.digest:
            raise DeviceError(
                f"the program's digest is {program.digest:#010x} (configuration "
                f"{program.config['name']}: {settings(config)}), the chip's is "
                f"{self.digest:#010x} ({known(self.digest)}); compile the network for this chip")
        for step in program.steps:
            if isinstance(step, HostStep) and step.op not in self.operators:
                raise ModelError(f"host step {step.name}: no host operator {step.op!r}, there are "
                                 f"{', '.join(sorted(self.operators))}")
        address = 0
        bases = {}
        for region in Region:
            bases[region] = address
            address += -(-program.region_bytes(region) // PAGE) * PAGE
        if address > self.transport.memory_bytes:
            raise DeviceError(f"the program needs {address} bytes of DRAM, there are "
                              f"{self.transport.memory_bytes}")
        self.reset()  # what ran before may have left more than it should
        self.program, self.bases, self._config = program, bases, config
        self.transport.write(bases[Region.CONSTANTS], program.constants)
        for region in Region:
            self._set(f"REGION{int(region)}_BASE", bases[region])
            self._set(f"REGION{int(region)}_BYTES", program.region_bytes(region))

    def run(self, inputs: Mapping[str, np.ndarray] | Sequence[np.ndarray], *,
            timeout_cycles: int = TIMEOUT_CYCLES) -> RunResult:
        """Run the loaded program once.

        Parameters
        ----------
        inputs : mapping of name to ndarray, or sequence of ndarray
            The model's inputs, with its shapes and dtypes.
        timeout_cycles : int
            Longest run of one chip step.

        Raises
        ------
        InputError
            If the inputs are not the model's.
        DeviceError
            If the chip stops or does not finish; the text is a post-mortem. The device has been
            reset and can run again.
        """
        program = self._loaded()
        if self._get("STATUS") & (Status.RUNNING | Status.ERROR):
            self.reset()  # such a chip ignores START
        for binding, array in _match(program.inputs, inputs):
            self.write_tensor(binding, array)
        result = RunResult()
        for number, step in enumerate(program.steps):
            if isinstance(step, ChipStep):
                self._run_chip(program, number, step, timeout_cycles, result)
            else:
                self._run_host(step, result)
        result.outputs = {binding.name: self.read_tensor(binding) for binding in program.outputs}
        return result

    def read_tensor(self, binding: Binding) -> np.ndarray:
        """A tensor from DRAM."""
        raw = self.transport.read(self.bases[binding.region] + binding.offset, binding.bytes)
        return np.frombuffer(raw, _dtype(binding)).astype(binding.dtype).reshape(binding.shape)

    def write_tensor(self, binding: Binding, array: np.ndarray) -> None:
        """A tensor to DRAM; shape and dtype are the binding's."""
        raw = array.astype(_dtype(binding)).tobytes()
        self.transport.write(self.bases[binding.region] + binding.offset, raw)

    def reset(self) -> None:
        """Soft reset: the chip ends what is outstanding and forgets all but its registers.

        Raises
        ------
        DeviceError
            If it does not come back.
        """
        self._set("IRQ_ENABLE", 0)
        self._set("CONTROL", Control.SOFT_RESET)
        for _ in range(RESET_POLLS):
            self.transport.wait(RESET_POLL_CYCLES)
            if not self._get("STATUS"):
                self._set("IRQ_PENDING", 1)
                return
        raise DeviceError(f"the soft reset did not end within {RESET_POLLS * RESET_POLL_CYCLES} "
                          f"cycles, STATUS reads {self._get('STATUS'):#x}")

    def _run_chip(self, program: Program, number: int, step: ChipStep, timeout_cycles: int,
                  result: RunResult) -> None:
        self._set("IRQ_PENDING", 1)
        self._set("IRQ_ENABLE", 1)
        self._set("PROGRAM_ADDRESS", self.bases[Region.CONSTANTS] + step.offset)
        self._set("PROGRAM_BYTES", step.bytes)
        self._set("CONTROL", Control.START)
        finished = self.transport.wait(timeout_cycles)
        if not finished or self._get("STATUS") != Status.DONE:
            self._fail(program, number, step, "" if finished else
                       f"no interrupt within {timeout_cycles} cycles\n")
        self._set("IRQ_PENDING", 1)
        result.occupied += [replace(item, start=item.start + result.cycles,
                                    end=item.end + result.cycles)
                            for item in self.transport.occupied()]
        for counter in COUNTERS + (DRP_COUNTERS if self._config.fabric else ()):
            result.counters[counter.name] += self._get(f"COUNT_{counter.name.upper()}")
        result.cycles = result.counters["cycles"]
        result.log += self._read_log(program, number, step)

    def _fail(self, program: Program, number: int, step: ChipStep, text: str) -> None:
        text = f"step {number} of {program.network}: {text}{post_mortem(program, step, self._get)}"
        try:
            self.reset()
        except DeviceError as error:
            text += f"\n{error}"
        raise DeviceError(text)

    def _run_host(self, step: HostStep, result: RunResult) -> None:
        start = time.perf_counter()
        arrays = [self.read_tensor(binding) for binding in step.inputs]
        try:
            outputs = list(self.operators[step.op]({**step.attrs, **step.blobs}, arrays))
        except (TypeError, ValueError) as error:
            raise ModelError(f"host step {step.name} ({step.op}): {error}") from error
        if len(outputs) != len(step.outputs):
            raise ModelError(f"host step {step.name} ({step.op}) gives {len(outputs)} tensors, the "
                             f"program expects {len(step.outputs)}")
        for binding, array in zip(step.outputs, outputs, strict=True):
            if array.shape != binding.shape or array.dtype != binding.dtype:
                raise ModelError(f"host step {step.name} ({step.op}) gives {array.dtype} "
                                 f"{array.shape}, {binding.name} is {binding.dtype} "
                                 f"{binding.shape}")
            self.write_tensor(binding, array)
        result.host_seconds.append((step.name, time.perf_counter() - start))

    def _read_log(self, program: Program, number: int, step: ChipStep) -> list[LogRecord]:
        """The records of one step, found by its LOG instructions."""
        records = []
        before = {counter.name: 0 for counter in COUNTERS}
        for start in range(step.offset, step.offset + step.bytes, isa.INSTRUCTION_BYTES):
            if program.constants[start] != Opcode.LOG:
                continue
            _, log = isa.decode(program.constants[start:start + isa.INSTRUCTION_BYTES])
            raw = self.transport.read(self.bases[Region(log["region"])] + log["address"],
                                      LOG_BYTES)
            tag, *values = (int(value) for value in np.frombuffer(raw, "<u4"))
            if tag != log["tag"]:
                self.reset()
                raise DeviceError(f"log record at {log['address']:#x} has tag {tag}, its "
                                  f"instruction {log['tag']}")
            counters = {counter.name: value
                        for counter, value in zip(COUNTERS, values, strict=True)}
            delta = {name: (value - before[name]) % WRAP for name, value in counters.items()}
            records.append(LogRecord(tag, program.layer(tag), number, counters, delta,
                                     delta["beats_read"] * self._config.group,
                                     delta["beats_written"] * self._config.group))
            before = counters
        return records

    def _loaded(self) -> Program:
        if self.program is None:
            raise DeviceError("no program is loaded")
        return self.program

    def _get(self, name: str) -> int:
        return self.transport.read32(offset(name))

    def _set(self, name: str, value: int) -> None:
        self.transport.write32(offset(name), value)


def _dtype(binding: Binding) -> np.dtype:
    return np.dtype(binding.dtype).newbyteorder("<")


def _match(bindings: Sequence[Binding], inputs: Mapping[str, np.ndarray] | Sequence[np.ndarray],
           ) -> list[tuple[Binding, np.ndarray]]:
    """Inputs by binding, each of the right shape and dtype."""
    names = [binding.name for binding in bindings]
    if isinstance(inputs, Mapping):
        if set(inputs) != set(names):
            raise InputError(f"inputs are {', '.join(inputs)}, the model's are {', '.join(names)}")
        arrays = [inputs[name] for name in names]
    else:
        arrays = list(inputs)
        if len(arrays) != len(names):
            raise InputError(f"{len(arrays)} inputs, the model has {len(names)}: "
                             f"{', '.join(names)}")
    for binding, array in zip(bindings, arrays, strict=True):
        if array.shape != binding.shape or array.dtype != binding.dtype:
            raise InputError(f"input {binding.name} is {array.dtype} {array.shape}, accepted is "
                             f"{binding.dtype} {binding.shape}")
    return list(zip(bindings, arrays, strict=True))
