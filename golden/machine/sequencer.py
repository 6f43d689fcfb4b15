"""Fetch, queues, semaphores, SYNC and END."""

from collections import deque
from collections.abc import Callable
from itertools import count

import numpy as np

from golden.machine.errors import MachineError
from golden.machine.instruction import Instruction
from golden.machine.kernel import Kernel, Process, Signal
from golden.machine.memory import Dram
from golden.machine.races import Races
from golden.machine.timing import Timing
from golden.spec.config import Config
from golden.spec.isa import (
    HEADER,
    INSTRUCTION_BYTES,
    SEMAPHORE_BITS,
    SEMAPHORES,
    Opcode,
    Unit,
    decode,
)
from golden.spec.registers import Cause

__all__ = ["Sequencer"]


class Sequencer:
    """Hands instructions to the units and takes them back.

    Parameters
    ----------
    config, timing, kernel, dram
        What it works with.
    counters : dict of str to float
        Counters of this run.
    races : Races or None
        Finds accesses that no semaphore orders.

    Members
    -------
    finished : bool
        END has been reached.
    fetched : int
        Instructions fetched.
    instructions : list of Instruction
        All that were dispatched.
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel, dram: Dram,
                 counters: dict[str, float], races: Races | None) -> None:
        self._config, self._timing, self._kernel, self._dram = config, timing, kernel, dram
        self._counters, self._races = counters, races
        self._queues: dict[Unit, deque[Instruction]] = {
            unit: deque() for unit in (Unit.LOAD, Unit.MAC, Unit.STORE)}
        self._semaphores = np.zeros(SEMAPHORES, np.int64)
        # One signal for all changes of queues and semaphores: there are few units to wake.
        self._changed = Signal(kernel)
        self._outstanding = 0
        self.finished = False
        self.fetched = 0
        self.instructions: list[Instruction] = []

    def process(self, address: int, size: int) -> Process:
        """Fetch and dispatch a program until END."""
        timing = self._timing
        beats = INSTRUCTION_BYTES // self._config.group
        total = size // INSTRUCTION_BYTES
        # When each of the instructions left that hold up the next run; their runs' arrival.
        room = deque([self._kernel.now] * timing.fetch_held)
        arrival = 0.0
        for index in count():
            if index % timing.fetch_run == 0:
                part = max(min(timing.fetch_run, total - index), 0)
                request = room[min(timing.fetch_run, len(room)) - 1] + timing.fetch_start
                arrival = (self._dram.transfer(request, part * beats) - part * beats
                           + self._config.dram_latency + timing.fetch_latency)
                self._counters["beats_read"] += part * beats
            arrival = max(arrival, self._kernel.now) + beats
            yield arrival
            instruction = self._decode(index, address, size)
            if instruction.unit == Unit.SEQUENCER:
                instruction.need(not instruction.fields["wait"] | instruction.fields["post"],
                                 "wait and post must be 0")
                while self._outstanding:
                    yield self._changed
                if instruction.opcode == Opcode.END:
                    self._counters["instructions"] += 1
                    self.finished = True
                    return
                if self._races:
                    self._races.synchronize(instruction)
                self._counters["instructions"] += 1
            else:
                queue = self._queues[instruction.unit]
                while len(queue) >= self._config.queue_depth:
                    yield self._changed
                instruction.queued = self._kernel.now
                queue.append(instruction)
                self.instructions.append(instruction)
                self._outstanding += 1
                self._kernel.call(self._kernel.now + timing.queue, self._changed.fire)
            room.append(self._kernel.now)
            room.popleft()
            yield self._kernel.now + timing.dispatch

    def next(self, unit: Unit, waits: str = "", idle: str = "",
             busy: Callable[[], float] = lambda: 0.0) -> Process:
        """Wait until a unit's next instruction may start; `take` then gives it.

        Parameters
        ----------
        unit : Unit
        waits, idle : str
            Counters for cycles with an instruction that waits, and with none.
        busy : callable
            Until when the unit has something to do; cycles before it don't count.
        """
        queue = self._queues[unit]
        since, counter = self._kernel.now, waits if queue else idle
        while not queue or not self._free(queue[0]):
            yield self._changed
            if counter:
                self._counters[counter] += max(self._kernel.now - max(since, busy()), 0)
            since, counter = self._kernel.now, waits if queue else idle

    def take(self, unit: Unit) -> Instruction:
        """Take the instruction that `next` waited for."""
        instruction = self._queues[unit].popleft()
        self._take(instruction)
        instruction.taken = self._kernel.now
        self._changed.fire()
        return instruction

    def retire(self, instruction: Instruction) -> None:
        """All effects of an instruction are complete."""
        instruction.done = self._kernel.now
        self._counters["instructions"] += 1
        self._outstanding -= 1
        if self._races:
            self._races.retire(instruction)
        self._kernel.call(self._kernel.now + self._timing.semaphore,
                          lambda: self._post(instruction))

    def deadlock(self) -> MachineError:
        """The watchdog's error: of the first unit with something to do; what all wait for."""
        parts, unit, tag = [], Unit.SEQUENCER, 0
        for name, queue in reversed(self._queues.items()):
            if item := next((item for item in self.instructions
                             if item.unit == name and not item.done), None):
                unit, tag = name, item.tag
            if queue and not self._free(queue[0]):
                wait = queue[0].fields["wait"]
                missing = [i for i in range(SEMAPHORES)
                           if wait >> i & 1 and not self._semaphores[i]]
                parts.append(f"{name.name} instruction {queue[0].index} (tag {queue[0].tag}) "
                             f"waits for semaphore {', '.join(map(str, missing))}")
        stuck = [item for item in self.instructions if item.taken and not item.done]
        parts += [f"{item.unit.name} instruction {item.index} (tag {item.tag}) doesn't end"
                  for item in stuck]
        return MachineError(Cause.WATCHDOG, unit, tag, text="; ".join(parts))

    def waited(self) -> int:
        """Bit mask of semaphores that queue heads wait for and have not."""
        missing = 0
        for queue in self._queues.values():
            if queue:
                missing |= queue[0].fields["wait"] & ~self._mask()
        return missing

    def _mask(self) -> int:
        return sum(1 << i for i in range(SEMAPHORES) if self._semaphores[i])

    def _free(self, instruction: Instruction) -> bool:
        seen = instruction.queued + self._timing.queue <= self._kernel.now
        return seen and not instruction.fields["wait"] & ~self._mask()

    def _take(self, instruction: Instruction) -> None:
        for index in range(SEMAPHORES):
            if instruction.fields["wait"] >> index & 1:
                self._semaphores[index] -= 1
        if self._races:
            self._races.take(instruction)

    def _post(self, instruction: Instruction) -> None:
        for index in range(SEMAPHORES):
            if instruction.fields["post"] >> index & 1:
                self._semaphores[index] += 1
                if self._semaphores[index] >> SEMAPHORE_BITS:
                    raise MachineError(Cause.SEMAPHORE_OVERFLOW, instruction.unit,
                                       instruction.tag, 0, f"semaphore {index}")
        self._changed.fire()

    def _decode(self, index: int, address: int, size: int) -> Instruction:
        start = index * INSTRUCTION_BYTES
        if start + INSTRUCTION_BYTES > size:
            raise MachineError(Cause.PROGRAM_END, Unit.SEQUENCER, 0, address + start,
                               f"the program has {size} bytes and no END in them")
        start += address
        if start + INSTRUCTION_BYTES > len(self._dram.data):
            raise MachineError(Cause.READ_DECODE_ERROR, Unit.SEQUENCER, 0, start)
        raw = self._dram.data[start:start + INSTRUCTION_BYTES].tobytes()
        self.fetched += 1
        try:
            opcode, fields = decode(raw)
        except ValueError as error:
            tag = HEADER.decode(int.from_bytes(raw, "little"))["tag"]
            raise MachineError(Cause.ILLEGAL_OPCODE, Unit.SEQUENCER, tag, start,
                               str(error)) from error
        return Instruction(index, opcode, fields)
