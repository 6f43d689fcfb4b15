"""Fetch, queues, semaphores, SYNC and END."""

from collections import deque
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from golden.machine.account import Account
from golden.machine.errors import MachineError
from golden.machine.instruction import Instruction
from golden.machine.kernel import Kernel, Process, Signal
from golden.machine.memory import Dram
from golden.machine.races import Races
from golden.machine.read_master import ReadPort
from golden.machine.timing import Timing
from golden.spec.config import Config
from golden.spec.isa import (
    HEADER,
    INSTRUCTION_BYTES,
    OPCODE_UNIT,
    SEMAPHORE_BITS,
    SEMAPHORES,
    Opcode,
    Unit,
    decode,
)
from golden.spec.registers import Cause

__all__ = ["Sequencer"]


@dataclass
class _Queue:
    """A unit's instructions that it has not taken.

    Members
    -------
    waiting : deque of Instruction
        Dispatched, the first one perhaps granted.
    granted : bool
        It is offered to the unit.
    first : list of int
        Cycles in which first beats came, of every instruction.
    freed : list of int
        Cycles in which the unit took instructions.
    """

    waiting: deque[Instruction] = field(default_factory=deque)
    granted: bool = False
    first: list[int] = field(default_factory=list)
    freed: list[int] = field(default_factory=list)


class Sequencer:
    """Hands instructions to the units and takes them back.

    Parameters
    ----------
    config, timing, kernel, dram, port, account
        What it works with; ``port`` is the read master's for the fetch.
    races : Races or None
        Finds accesses that no semaphore orders.

    Members
    -------
    finished : bool
        END has been reached,
    cycles : int
        and was over before this cycle.
    fetched : int
        Instructions fetched.
    instructions : list of Instruction
        All that were dispatched.
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel, dram: Dram, port: ReadPort,
                 account: Account, races: Races | None) -> None:
        self._config, self._timing, self._kernel, self._dram = config, timing, kernel, dram
        self._port, self._account, self._races = port, account, races
        self._beats = INSTRUCTION_BYTES // config.group
        units = (Unit.LOAD, Unit.MAC, Unit.STORE) + ((Unit.DRP,) if config.fabric else ())
        self._queues = {unit: _Queue() for unit in units}
        self._semaphores = np.zeros(SEMAPHORES, np.int64)
        # One signal for all changes of queues and semaphores: there are few units to wake.
        self._changed = Signal(kernel)
        # Beats in front of the dispatcher: from when each may be used, and from when there is room.
        self._held: deque[int] = deque()
        self._places = deque([0, 0])
        self._came, self._passed = Signal(kernel), Signal(kernel)
        self._handed: list[int] = []  # cycle of each instruction's last beat out of the fetch
        self._outstanding = self._settled = 0  # not retired; when that was known last
        self.finished = False
        self.fetched = self.cycles = 0
        self.instructions: list[Instruction] = []

    def processes(self, address: int, size: int) -> list[Process]:
        """What fetches, dispatches and grants, until END."""
        return [self._fetch(address, size // INSTRUCTION_BYTES), self._buffer(),
                self._dispatch(address, size),
                *(self._grant(unit) for unit in self._queues)]

    def _fetch(self, address: int, count: int) -> Process:
        """Ask for the program, a run of instructions at a time, ahead of its use."""
        timing, time = self._timing, 1  # a cycle to look at the size
        for first in range(0, count, timing.fetch_run):
            before = first - timing.fetch_held + timing.fetch_run  # must have been handed over
            while len(self._handed) < before:
                yield self._changed
            if before > 0:
                time = max(time, self._handed[before - 1] + 1)
            size = min(timing.fetch_run, count - first)
            yield from self._port.split.accept(
                time + 1, address + first * INSTRUCTION_BYTES, size * self._beats)
            time = self._kernel.now + 1

    def _buffer(self) -> Process:
        """Take beats from the read master into the two places in front of the dispatcher."""
        port, time = self._port, 0
        while True:
            while not port.beats:
                port.changed.fire()
                yield port.came
            while not self._places:
                port.changed.fire()
                yield self._passed
            time = max(time + 1, port.beats.popleft(), self._places.popleft())
            port.use(time)
            self._held.append(time + self._timing.fetch_beat)
            self._came.fire()

    def _dispatch(self, address: int, size: int) -> Process:
        free = 0  # from when an instruction can be decoded
        for index in count():
            if index < size // INSTRUCTION_BYTES:
                while not self._held:
                    yield self._came
                free = max(free, self._held[0])
            yield free
            instruction = self._decode(index, address, size)
            own = instruction.unit == Unit.SEQUENCER
            time = free
            for beat in range(self._beats):
                while not self._held:
                    yield self._came
                time = max(time + 1, self._held.popleft())
                if not own:
                    while (room := self._room(self._queues[instruction.unit], beat)) is None:
                        yield self._changed
                    time = max(time, room)
                    if not beat:
                        self._queues[instruction.unit].first.append(time)
                self._places.append(time + 1)
                self._passed.fire()
            self._handed.append(time)
            free = time + 1
            if not own:
                instruction.passed = time
                self._queues[instruction.unit].waiting.append(instruction)
                self.instructions.append(instruction)
                self._outstanding += 1
                self._changed.fire()
                continue
            self._changed.fire()
            yield free
            instruction.need(not instruction.fields["wait"] | instruction.fields["post"],
                             "wait and post must be 0")
            while self._outstanding:
                yield self._changed
            free = max(self._kernel.now, self._settled) + 1
            if instruction.opcode == Opcode.END:
                free += self._timing.settle  # what the last posts may overflow
            self._account.add("instructions", free - 1, free)
            if instruction.opcode == Opcode.END:
                yield free
                self.cycles = free
                self.finished = True
                return
            if self._races:
                self._races.synchronize(instruction)

    def _room(self, queue: "_Queue", beat: int) -> int | None:
        """From when a queue has a place for a beat of the next instruction; None if unknown."""
        leaves = len(queue.first) - (beat > 0) - self._config.queue_depth
        if leaves < 0:
            return 0
        if leaves > len(queue.freed):
            return None
        # It follows the beat that goes to the queue's head.
        head = queue.freed[leaves - 1] + 1 if leaves else 0
        return max(head, queue.first[leaves] + 1) + beat + 1

    def _grant(self, unit: Unit) -> Process:
        """Put a unit's instructions together and wait for their semaphores, one after another."""
        queue = self._queues[unit]
        for number in count():
            while not queue.waiting:
                yield self._changed
            instruction = queue.waiting[0]
            whole = queue.freed[number - 1] + self._beats if number else 0
            yield max(whole, instruction.passed + 1) + self._timing.whole
            instruction.wanted = self._kernel.now
            while not self._free(instruction):
                yield self._changed
            self._take(instruction)
            yield self._kernel.now + 1
            queue.granted = True
            self._changed.fire()
            while queue.granted:
                yield self._changed

    def next(self, unit: Unit) -> Process:
        """Wait until a unit is offered its next instruction; it is then ``head``."""
        while not self._queues[unit].granted:
            yield self._changed

    def head(self, unit: Unit) -> Instruction | None:
        """The first instruction of a queue, granted or not."""
        waiting = self._queues[unit].waiting
        return waiting[0] if waiting else None

    def take(self, unit: Unit) -> Instruction:
        """The unit takes the instruction that it is offered, in this cycle."""
        queue = self._queues[unit]
        queue.granted = False
        queue.freed.append(self._kernel.now)
        self._changed.fire()
        return queue.waiting.popleft()

    def retire(self, instruction: Instruction) -> None:
        """All effects of an instruction are complete, since the cycle before."""
        instruction.done = self._kernel.now
        self._account.add("instructions", instruction.done, instruction.done + 1)
        if self._races:
            self._races.retire(instruction)
        # The units say themselves whether they are busy; post-processing two cycles later.
        self._kernel.call(instruction.done + 2 * (instruction.unit == Unit.MAC), self._left)
        self._kernel.call(instruction.done + self._timing.semaphore - 1,
                          lambda: self._post(instruction, instruction.fields["post"]))

    def release(self, instruction: Instruction) -> None:
        """The unit has what the instruction names descriptors of, as of this cycle."""
        mask = instruction.fields["release"]
        if self._races:
            self._races.release(instruction, mask)
        self._kernel.call(self._kernel.now + self._timing.semaphore,
                          lambda: self._post(instruction, mask))

    def _left(self) -> None:
        self._outstanding -= 1
        self._settled = self._kernel.now + self._timing.drained
        self._changed.fire()

    def deadlock(self) -> MachineError:
        """The watchdog's error: of the first unit with something to do; what all wait for."""
        parts, unit, tag = [], Unit.SEQUENCER, 0
        for name, queue in reversed(self._queues.items()):
            if item := next((item for item in self.instructions
                             if item.unit == name and not item.done), None):
                unit, tag = name, item.tag
            head = self.head(name)
            if head and not queue.granted and not self._free(head):
                missing = [i for i in range(SEMAPHORES)
                           if head.fields["wait"] >> i & 1 and not self._semaphores[i]]
                parts.append(f"{name.name} instruction {head.index} (tag {head.tag}) "
                             f"waits for semaphore {', '.join(map(str, missing))}")
        stuck = [item for item in self.instructions if item.taken and not item.done]
        parts += [f"{item.unit.name} instruction {item.index} (tag {item.tag}) doesn't end"
                  for item in stuck]
        return MachineError(Cause.WATCHDOG, unit, tag, text="; ".join(parts))

    def waited(self) -> int:
        """Bit mask of semaphores that queue heads wait for and have not."""
        missing = 0
        for unit, queue in self._queues.items():
            if (head := self.head(unit)) and not queue.granted:
                missing |= head.fields["wait"] & ~self._mask()
        return missing

    def _mask(self) -> int:
        return sum(1 << i for i in range(SEMAPHORES) if self._semaphores[i])

    def _free(self, instruction: Instruction) -> bool:
        return not instruction.fields["wait"] & ~self._mask()

    def _take(self, instruction: Instruction) -> None:
        instruction.taken = self._kernel.now
        for index in range(SEMAPHORES):
            if instruction.fields["wait"] >> index & 1:
                self._semaphores[index] -= 1
        if self._races:
            self._races.take(instruction)

    def _post(self, instruction: Instruction, mask: int) -> None:
        for index in range(SEMAPHORES):
            if mask >> index & 1:
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
            if OPCODE_UNIT[opcode] not in (Unit.SEQUENCER, *self._queues):
                raise ValueError(f"opcode {opcode.name}, and the chip has no such unit")
        except ValueError as error:
            tag = HEADER.decode(int.from_bytes(raw, "little"))["tag"]
            raise MachineError(Cause.ILLEGAL_OPCODE, Unit.SEQUENCER, tag, start,
                               str(error)) from error
        return Instruction(index, opcode, fields)
