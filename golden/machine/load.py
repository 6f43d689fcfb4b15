"""LOAD: gathered words, weight beats and tables."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np
from numpy.typing import NDArray

from golden.drp.contents import Section, sections
from golden.drp.errors import TileError
from golden.machine.account import Account
from golden.machine.errors import MachineError
from golden.machine.gather import Gather
from golden.machine.instruction import Instruction
from golden.machine.kernel import Kernel, Process, Signal
from golden.machine.memory import Dram, OnChip
from golden.machine.races import Races
from golden.machine.read_master import ReadPort
from golden.machine.sequencer import Sequencer
from golden.machine.shared_port import SharedPort
from golden.machine.timing import Timing, transfer_beats
from golden.machine.weight_store import WeightStore
from golden.spec.config import Config
from golden.spec.drp.image import ITEM_ALIGN, Space, item_bytes
from golden.spec.isa import Target, Unit
from golden.spec.registers import Cause
from golden.weights import WeightStreamError

__all__ = ["Load"]

_NONE: NDArray = np.zeros(0, np.int64)


@dataclass(eq=False)
class _Job:
    """A LOAD.

    Members
    -------
    time : int
        Of its being taken.
    sink : callable
        Takes its beats, those after a given cycle; calls what it is given with the last one's.
    complete : callable
        Does what it does.
    """

    instruction: Instruction
    time: int
    sink: Callable[[int, Callable[[int], None]], Process]
    complete: Callable[[], None]


class Load:
    """Executes LOADs; the next one's data is asked for while this one's comes in.

    Parameters
    ----------
    config, timing, kernel, sequencer, port, dram, chip, store, shared, account, races
        What it works on; ``port`` is the read master's for the data.
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel, sequencer: Sequencer,
                 port: ReadPort, dram: Dram, chip: OnChip, store: WeightStore,
                 shared: SharedPort, account: Account, races: Races | None) -> None:
        self._config, self._timing, self._kernel = config, timing, kernel
        self._sequencer, self._port, self._dram, self._chip = sequencer, port, dram, chip
        self._store, self._account, self._races = store, account, races
        self._changed = Signal(kernel)
        self._gather = Gather(config, timing, kernel, port, shared, self._changed)
        self._jobs: deque[_Job] = deque()  # not handed to a sink
        self._using: deque[tuple[_Job, int]] = deque()  # handed, not begun
        self._ends: list[int] = []  # when LOADs used their last beats or wrote their last words
        self._handed = 0  # when the last one so far was handed to its sink
        self._taken = self._retired = 0  # LOADs so far
        self._since = self._until = 0  # busy since, if it is; or until
        account.standing.append(self._standing)

    def processes(self) -> list[Process]:
        """What takes LOADs and asks for their data, and what uses it."""
        return [self._ask(), self._hand(), self._use()]

    def _ask(self) -> Process:
        port, asked, runs_before = self._port, 0, 0
        while True:
            yield from self._sequencer.next(Unit.LOAD)
            self._begin(self._kernel.now)
            instruction = self._sequencer.take(Unit.LOAD)
            time = self._kernel.now
            job, runs = self._job(instruction, time)
            self._jobs.append(job)
            self._changed.fire()
            time += self._timing.run
            beats = transfer_beats(self._config, runs, instruction.fields["run_bytes"])
            for address, size in zip(runs.tolist(), beats.tolist(), strict=True):
                asked += size
                port.marks.append(asked)
                runs_before += 1
                if runs_before > self._timing.runs_ahead:
                    while not port.marked:
                        yield port.changed
                    time = max(time, port.marked.popleft() + 1)
                yield from port.split.accept(time, address, size)
                time = self._kernel.now + 1
            while job in self._jobs:
                yield self._changed
            yield max(time, self._handed + 1) + 1

    def _hand(self) -> Process:
        """Hand LOADs over to what uses their data, each when that is free for it."""
        gathered, target = 0, -1
        for number in count():
            while not self._jobs:
                yield self._changed
            job, before = self._jobs[0], target
            target = job.instruction.fields["target"]
            words = target == Target.SCRATCHPAD
            follows = target == before and target not in (Target.TABLE, Target.DRP)
            others = number  # LOADs that must be done with
            if follows:
                others = max(number - self._timing.loads_asked + 1, 0)
                while words and len(self._gather.free) < gathered:
                    yield self._changed
            while len(self._ends) < others:
                yield self._changed
            free = self._gather.free[-1] if words and follows else self._gather.idle
            self._handed = max(job.time, self._ends[others - 1] if others else -1, free - 1) + 1
            gathered += words
            self._using.append((self._jobs.popleft(), self._handed))
            self._changed.fire()

    def _use(self) -> Process:
        """Use the data of one LOAD after the other."""
        while True:
            while not self._using:
                yield self._changed
            job, handed = self._using.popleft()
            yield from job.sink(handed, partial(self._ended, job))

    def _ended(self, job: _Job, time: int) -> None:
        """A LOAD uses its last beat, or writes its last word, in a cycle."""
        self._ends.append(time)
        self._changed.fire()
        self._kernel.call(time + 1, partial(self._retire, job))

    def _begin(self, time: int) -> None:
        """An instruction is taken."""
        if self._taken == self._retired:
            instruction = self._sequencer.head(Unit.LOAD)
            assert instruction
            self._account.add("load_wait_semaphore", max(instruction.wanted, self._until),
                              instruction.taken)
            self._since = time + 1
        self._taken += 1

    def _retire(self, job: _Job) -> None:
        """An instruction has had its effects."""
        job.complete()
        self._retired += 1
        if self._taken == self._retired:
            self._until = self._kernel.now
            self._account.add("load_busy", self._since, self._until)
        self._sequencer.retire(job.instruction)

    def _standing(self, time: int) -> list[tuple[str, int]]:
        if self._taken > self._retired:
            return [("load_busy", max(time - self._since, 0))]
        head = self._sequencer.head(Unit.LOAD)
        if head and head.wanted and not head.taken:
            return [("load_wait_semaphore", max(time - max(head.wanted, self._until), 0))]
        return []

    def _job(self, instruction: Instruction, time: int) -> tuple[_Job, NDArray]:
        """What there is to do, and the byte addresses of the runs."""
        fields = instruction.fields
        instruction.need_positive("run_bytes", "runs")
        instruction.need(fields["target"] in tuple(Target), f"target {fields['target']}")
        runs = self._dram.runs(instruction, fields["run_bytes"], fields["runs"],
                               fields["run_stride"])
        if self._races:
            self._races.access_dram(instruction, runs, fields["run_bytes"])
        if fields["target"] == Target.SCRATCHPAD:
            return self._words(instruction, runs, time), runs
        for name in ("address", "run_bytes", "run_stride"):
            instruction.need(fields[name] % self._config.group == 0,
                             f"{name} is {fields[name]}, accepted are multiples of "
                             f"{self._config.group}")
        raw = self._dram.data[runs[:, None] + np.arange(fields["run_bytes"])].reshape(-1)
        make = {Target.TABLE: self._table, Target.WEIGHTS: self._weights,
                Target.DRP: self._image}[Target(fields["target"])]
        return make(instruction, raw, time), runs

    def _words(self, instruction: Instruction, runs: NDArray, time: int) -> _Job:
        address, words = self._gathered(instruction, runs)
        if self._races:
            self._races.access(instruction, _NONE, address)

        def complete() -> None:
            self._chip.words[address] = words

        return _Job(instruction, time, partial(
            self._gather.write, runs, instruction.fields, address), complete)

    def _gathered(self, instruction: Instruction, runs: NDArray) -> tuple[NDArray, NDArray]:
        """Addresses [W] and words [W, M] that a LOAD writes, in its order."""
        f = instruction.fields
        instruction.need_positive("count0", "count1", "count2")
        instruction.need(1 <= f["tail"] <= self._config.group, f"tail is {f['tail']}")
        instruction.need(f["first"] > -self._config.group, f"first is {f['first']}")
        i0, i1, i2 = (np.arange(f[f"count{axis}"], dtype=np.int64) for axis in range(3))
        byte = np.arange(self._config.group)
        row = f["first"] + i0[:, None] * f["step0"] + i1[:, None, None] * f["step1"] + byte
        there = (row >= 0) & (row < f["row_bytes"])
        there[:, -1] &= byte < f["tail"]
        position = row + i2[:, None, None, None] * f["step2"]
        there = np.broadcast_to(there, position.shape)
        instruction.need(not (position[there] >= f["run_bytes"]).any(),
                         f"words reach past the run's {f['run_bytes']} bytes")
        start = position[..., 0].reshape(-1)
        instruction.need(bool((np.diff(start) >= 0).all()), "words go backwards in the run")
        source = runs[:, None, None, None, None] + np.where(there, position, 0)
        words = np.where(there, self._dram.data[source], np.uint8(f["fill"]))
        address = (f["dst"] + i0 * f["dst_step0"] + i1[:, None] * f["dst_step1"]
                   + i2[:, None, None] * f["dst_step2"]
                   + np.arange(len(runs))[:, None, None, None] * f["dst_run_step"])
        address = self._chip.word_addresses(address.reshape(-1), instruction)
        return address, words.reshape(-1, self._config.group)

    def _table(self, instruction: Instruction, raw: NDArray, time: int) -> _Job:
        data = raw.view("<i4")
        entry = self._chip.table_entries(
            instruction.fields["dst"] + np.arange(len(data)), instruction)
        if self._races:
            self._races.access(instruction, _NONE, self._config.words + entry)
        beats = len(raw) // self._config.group

        def sink(time: int, written: Callable[[int], None]) -> Process:
            # Entries are written one a cycle.
            for _ in range(beats):
                while not self._port.beats:
                    self._port.changed.fire()
                    yield self._port.came
                time = (max(time, self._port.beats.popleft() - 1)
                        + self._config.group // data.itemsize)
                self._port.use(time)
            self._port.changed.fire()
            written(time)

        def complete() -> None:
            self._chip.table[entry] = data

        return _Job(instruction, time, sink, complete)

    def _weights(self, instruction: Instruction, raw: NDArray, time: int) -> _Job:
        try:
            kinds = self._store.parse(raw.reshape(-1, self._config.group))
        except WeightStreamError as error:
            raise MachineError(Cause.WEIGHT_STREAM, instruction.unit, instruction.tag,
                               text=str(error)) from error
        return _Job(instruction, time, partial(self._store.write, kinds, self._port),
                    lambda: None)

    def _image(self, instruction: Instruction, raw: NDArray, time: int) -> _Job:
        contents, fabric = self._chip.drp, self._config.fabric
        instruction.need(contents is not None, "target DRP, and the chip has none")
        assert contents and fabric
        instruction.need(len(raw) % ITEM_ALIGN == 0,
                         f"{len(raw)} bytes of kernel images, accepted are multiples of "
                         f"{ITEM_ALIGN}")
        try:
            found = list(sections(fabric, raw.tobytes()))
        except ValueError as error:
            instruction.need(False, str(error))
            raise
        except TileError as error:
            raise MachineError(Cause.KERNEL_IMAGE, instruction.unit, instruction.tag,
                               text=str(error)) from error
        for section in found:
            instruction.need(contents.has(section), f"a section of {section.space.name} for unit "
                             f"{section.unit}, {len(section.items)} from {section.first} on; there "
                             "is none")
        costs: list[int] = []  # cycles of each word
        for section in found:
            words = len(section.items) * item_bytes(fabric, section.space) // ITEM_ALIGN
            slow = section.space in (Space.TABLE, Space.INPUT_STREAM, Space.OUTPUT_STREAM)
            costs += [2 if words else 1] + [4 if slow else 1] * words
        parts = ITEM_ALIGN // self._config.group
        if self._races:
            self._note(instruction, found)

        def sink(time: int, written: Callable[[int], None]) -> Process:
            free = time  # when the word before is in its place
            for cost in costs:
                for part in range(parts):
                    while not self._port.beats:
                        self._port.changed.fire()
                        yield self._port.came
                    time = max(time + 1, self._port.beats.popleft())
                    if part == parts - 1:
                        time = max(time, free)
                        free = time + cost
                    self._port.use(time)
            self._port.changed.fire()
            written(free - 1 + self._timing.image_item)

        def complete() -> None:
            for section in found:
                contents.load(section)

        return _Job(instruction, time, sink, complete)

    def _note(self, instruction: Instruction, found: list[Section]) -> None:
        """Tell what of the DRP an image replaces."""
        assert self._races
        streams = (Space.INPUT_STREAM, Space.OUTPUT_STREAM, Space.USED)
        writes = [_NONE, *(self._races.tile(section.space, np.array(
            [section.unit] if section.space is Space.TABLE
            else range(section.first, section.first + len(section.items)), np.int64))
            for section in found if section.space not in streams)]
        self._races.access(instruction, _NONE, np.unique(np.concatenate(writes)))
        if any(section.space in streams for section in found):
            self._races.describe(instruction, max(
                (other.index for other in self._sequencer.instructions
                 if other.unit == Unit.DRP and other.index < instruction.index), default=-1))
