"""STORE and LOG: words packed to bytes, and counters."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.machine.account import Account
from golden.machine.bus import Bus
from golden.machine.instruction import Instruction
from golden.machine.kernel import Kernel, Process, Signal
from golden.machine.memory import Dram, OnChip
from golden.machine.races import Races
from golden.machine.sequencer import Sequencer
from golden.machine.shared_port import SharedPort
from golden.machine.timing import Timing, transfer_beats
from golden.machine.write_master import WriteMaster
from golden.spec.config import Config
from golden.spec.isa import Opcode, Unit
from golden.spec.layout import LOG_BYTES
from golden.spec.registers import COUNTERS

__all__ = ["Store"]

# Cycles for which words are timed at once: everyone else goes first at the banks.
_AHEAD = 2


@dataclass(eq=False)
class _Job:
    """A STORE or LOG under way.

    Members
    -------
    taken : int
        When the unit took it.
    runs, size
        Byte addresses of its runs, and the bytes of each.
    words : list of int
        Scratchpad words it reads, in order; none of a LOG.
    bytes : list of int
        Of each word of a run.
    issued : int
        When its last run was on its way, 0 if not yet.
    """

    instruction: Instruction
    taken: int
    runs: NDArray
    size: int
    words: list[int]
    bytes: list[int]
    complete: Callable[[], None]
    issued: int = 0


class Store:
    """Executes STOREs and LOGs; the next one's words are read while responses come in.

    Parameters
    ----------
    config, timing, kernel, sequencer, bus, dram, chip, shared, account, races
        What it works on.
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel, sequencer: Sequencer,
                 bus: Bus, dram: Dram, chip: OnChip, shared: SharedPort, account: Account,
                 races: Races | None) -> None:
        self._config, self._timing, self._kernel = config, timing, kernel
        self._sequencer, self._bus, self._dram, self._chip = sequencer, bus, dram, chip
        self._shared, self._account, self._races = shared, account, races
        self._master = WriteMaster(config, timing, kernel, bus, account, self._written)
        self._changed = Signal(kernel)
        self._pending: deque[_Job] = deque()  # taken, not answered
        self._unasked: deque[_Job] = deque()  # taken, runs not asked for
        self._packed = deque([-1] * timing.store_ahead, maxlen=timing.store_ahead)
        self._free = 0  # when the beat before left the packer
        self._since = self._answered = 0  # busy since, if it is; the last final response
        account.standing.append(self._standing)

    def processes(self) -> list[Process]:
        """What takes instructions and reads their words, asks for runs, and sends them."""
        return [self._take(), self._ask(), self._master.process()]

    def _take(self) -> Process:
        while True:
            yield from self._sequencer.next(Unit.STORE)
            if len(self._pending) == self._timing.stores_taken:
                while len(self._pending) == self._timing.stores_taken:
                    yield self._changed
                yield self._kernel.now + 1
            instruction = self._sequencer.take(Unit.STORE)
            if not self._pending:
                self._since = self._kernel.now + 1
            log = instruction.opcode == Opcode.LOG
            job = self._log(instruction) if log else self._store(instruction)
            self._pending.append(job)
            self._bus.writing = True
            self._unasked.append(job)
            self._changed.fire()
            time = job.taken + self._timing.store_words
            if log:
                while self._pending[0] is not job:
                    yield self._changed
                time = max(time, self._answered + 1)
                yield time
                self._snapshot(job)
            yield from self._read(job, time)
            time = self._kernel.now + log
            while not job.issued:
                yield self._changed
            yield max(time, job.issued) + 2

    def _ask(self) -> Process:
        time = 0
        while True:
            while not self._unasked:
                yield self._changed
            job = self._unasked[0]
            time = max(time, job.taken + self._timing.run)
            last = len(job.runs) - 1
            beats = transfer_beats(self._config, job.runs, job.size).tolist()
            job.issued = 0 if last else time - 1
            for index, address in enumerate(job.runs.tolist()):
                yield from self._master.split.accept(time, address, beats[index], index == last)
                time = max(self._kernel.now + 1, time + 2)  # a run is made every other cycle
                if index == last - 1:
                    job.issued = time - 1
                    self._changed.fire()
            self._unasked.popleft()

    def _read(self, job: _Job, time: int) -> Process:
        """Read an instruction's words from a cycle on, and pack them; ends with the last read."""
        group, master, timing = self._config.group, self._master, self._timing
        per_run = len(job.bytes)
        words = iter(job.words)
        there = timing.store_pack + (timing.word_read if job.words else 1)  # a LOG's are at once
        time -= 1
        packed = self._packed[-1]
        for address in job.runs.tolist():
            fill = address % group
            for index, size in enumerate(job.bytes):
                time = max(time, self._packed[0]) + 1
                if job.words:
                    word = next(words)
                    while (time := self._shared.first(time, word)) > self._kernel.now + _AHEAD:
                        yield time
                    self._shared.wait(time, word)
                packed = max(time + there, packed + 1, self._free)
                self._packed.append(packed)
                fill += size
                ends = index == per_run - 1
                while fill >= group or (ends and fill > 0):
                    while (room := master.room()) is None:
                        yield master.changed
                    self._free = max(packed + 1, room)
                    master.put(self._free)
                    fill -= group
                    if ends and fill > 0:  # the rest of the last word
                        packed = self._free
        yield time

    def _written(self) -> None:
        """The first instruction's last response has come."""
        job = self._pending.popleft()
        self._answered = self._kernel.now
        if not self._pending:
            self._bus.writing = False
            self._account.add("store_busy", self._since, self._kernel.now + 1)
        self._changed.fire()
        self._kernel.call(self._kernel.now + 1, lambda: self._end(job))

    def _end(self, job: _Job) -> None:
        job.complete()
        self._sequencer.retire(job.instruction)

    def _standing(self, time: int) -> list[tuple[str, int]]:
        return [("store_busy", max(time - self._since, 0))] if self._pending else []

    def _log(self, instruction: Instruction) -> _Job:
        where = self._dram.runs(instruction, LOG_BYTES, 1, 0)
        if self._races:
            self._races.access_dram(instruction, where, LOG_BYTES)
        group = self._config.group
        return _Job(instruction, self._kernel.now, where, LOG_BYTES, [],
                    [group] * (LOG_BYTES // group), lambda: None)

    def _snapshot(self, job: _Job) -> None:
        """What a LOG writes: the counters, which come by two registers."""
        values = self._account.before(self._kernel.now - 2)
        words = [job.instruction.tag] + [values[item.name] & 0xFFFFFFFF for item in COUNTERS]
        raw = np.array(words, "<u4").view(np.uint8)
        at = int(job.runs[0])

        def complete() -> None:
            self._dram.data[at:at + LOG_BYTES] = raw

        job.complete = complete

    def _store(self, instruction: Instruction) -> _Job:
        f, config = instruction.fields, self._config
        instruction.need_positive("count0", "count1", "count2", "runs", "run_bytes")
        instruction.need(1 <= f["tail"] <= config.group, f"tail is {f['tail']}")
        size = ((f["count0"] - 1) * config.group + f["tail"]) * f["count1"] * f["count2"]
        instruction.need(size == f["run_bytes"],
                         f"run_bytes is {f['run_bytes']}, its words have {size}")
        runs = self._dram.runs(instruction, size, f["runs"], f["run_stride"])
        if self._races:
            self._races.access_dram(instruction, runs, size)
        i0, i1, i2 = (np.arange(f[f"count{axis}"], dtype=np.int64) for axis in range(3))
        address = (f["src"] + i0 * f["src_step0"] + i1[:, None] * f["src_step1"]
                   + i2[:, None, None] * f["src_step2"]
                   + np.arange(len(runs))[:, None, None, None] * f["src_run_step"])
        address = self._chip.word_addresses(address, instruction)
        if self._races:
            self._races.access(instruction, address.reshape(-1), np.zeros(0, np.int64))
        words = self._chip.words[address]
        kept = np.ones((f["count0"], config.group), bool)
        kept[-1, f["tail"]:] = False
        data = words[..., kept].reshape(len(runs), -1)

        def complete() -> None:
            self._dram.data[runs[:, None] + np.arange(size)] = data

        pixel = [config.group] * (f["count0"] - 1) + [f["tail"]]
        return _Job(instruction, self._kernel.now, runs, size, address.reshape(-1).tolist(),
                    pixel * (f["count1"] * f["count2"]), complete)
