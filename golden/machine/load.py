"""LOAD: gathered words, weight beats and tables."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from golden.machine.errors import MachineError
from golden.machine.instruction import Instruction
from golden.machine.kernel import Kernel, Process, Signal
from golden.machine.memory import Dram, OnChip
from golden.machine.races import Races
from golden.machine.timing import Timing, transfer_beats, transfer_bursts
from golden.machine.weight_store import WeightStore
from golden.spec.config import Config
from golden.spec.isa import Target
from golden.spec.registers import Cause
from golden.weights import WeightStreamError

__all__ = ["Load"]

_NONE: NDArray = np.zeros(0, np.int64)


@dataclass(eq=False)
class _Job:
    """A LOAD under way: pieces of it that are coming, what takes them, what it does at its end."""

    instruction: Instruction
    pieces: list[tuple[int, int]]
    consume: Callable[[float, int], Process]
    complete: Callable[[], None]
    coming: deque[tuple[float, int]] = field(default_factory=deque)


class Load:
    """Executes LOADs; the next one's data is asked for while this one's comes in.

    Parameters
    ----------
    config, timing, kernel, dram, chip, store, counters, races
        What it works on.
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel, dram: Dram, chip: OnChip,
                 store: WeightStore, counters: dict[str, float], races: Races | None) -> None:
        self._config, self._timing, self._kernel = config, timing, kernel
        self._dram, self._chip, self._store = dram, chip, store
        self._counters, self._races = counters, races
        self._changed = Signal(kernel)
        self._jobs: deque[_Job] = deque()
        self._bursts = self._beats = 0  # in flight; asked for and not used
        self._done = 0.0

    @property
    def busy(self) -> float:
        """Until when it had something to do."""
        return self._kernel.now if self._jobs else self._done

    def begin(self, instruction: Instruction) -> Process:
        """Ask for an instruction's data; ends when the next one may be taken."""
        fields = instruction.fields
        instruction.need_positive("run_bytes", "runs")
        instruction.need(fields["target"] in tuple(Target), f"target {fields['target']}")
        runs = self._dram.runs(instruction, fields["run_bytes"], fields["runs"],
                               fields["run_stride"])
        if self._races:
            self._races.access_dram(instruction, runs, fields["run_bytes"])
        if fields["target"] == Target.SCRATCHPAD:
            job, others = self._words(instruction, runs), self._timing.loads_asked
        else:
            for name in ("address", "run_bytes", "run_stride"):
                instruction.need(fields[name] % self._config.group == 0,
                                 f"{name} is {fields[name]}, accepted are multiples of "
                                 f"{self._config.group}")
            raw = self._dram.data[runs[:, None] + np.arange(fields["run_bytes"])].reshape(-1)
            make = self._table if fields["target"] == Target.TABLE else self._weights
            job, others = make(instruction, runs, raw), 1
        self._jobs.append(job)
        self._changed.fire()
        yield self._kernel.now + self._timing.load_start
        yield from self._ask(job)
        while len(self._jobs) > others and job in self._jobs:
            yield self._changed

    def finish(self, retire: Callable[[Instruction], None]) -> Process:
        """Take the data of one instruction after the other, and retire them."""
        while True:
            while not self._jobs:
                yield self._changed
            job = self._jobs[0]
            for _ in range(len(job.pieces)):
                while not job.coming:
                    yield self._changed
                arrival, beats = job.coming.popleft()
                yield from job.consume(arrival + self._timing.load_data, beats)
                self._beats -= beats
                self._changed.fire()
            yield self._kernel.now + self._timing.load_end
            job.complete()
            instruction = job.instruction
            self._counters["load_busy"] += self._kernel.now - max(instruction.taken, self._done)
            self._done = self._kernel.now
            self._jobs.popleft()
            self._changed.fire()
            retire(instruction)
            yield self._kernel.now + self._timing.load_pause - self._timing.load_end

    def _words(self, instruction: Instruction, runs: NDArray) -> _Job:
        address, words = self._gather(instruction, runs)
        if self._races:
            self._races.access(instruction, _NONE, address)
        pieces = self._pieces(runs, instruction.fields["run_bytes"])
        per_beat = len(address) / sum(beats for beats, _ in pieces)

        def consume(arrival: float, beats: int) -> Process:
            arrival += self._timing.load_gather
            yield max(arrival + 1, self._kernel.now + beats * max(per_beat, 1))

        def complete() -> None:
            self._chip.words[address] = words

        return _Job(instruction, pieces, consume, complete)

    def _gather(self, instruction: Instruction, runs: NDArray) -> tuple[NDArray, NDArray]:
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

    def _table(self, instruction: Instruction, runs: NDArray, raw: NDArray) -> _Job:
        data = raw.view("<i4")
        entry = self._chip.table_entries(
            instruction.fields["dst"] + np.arange(len(data)), instruction)
        if self._races:
            self._races.access(instruction, _NONE, self._config.words + entry)

        def consume(arrival: float, beats: int) -> Process:
            # Entries are written one a cycle.
            yield max(arrival, self._kernel.now) + beats * self._config.group // data.itemsize

        def complete() -> None:
            self._chip.table[entry] = data

        return _Job(instruction, self._pieces(runs, instruction.fields["run_bytes"]), consume,
                    complete)

    def _weights(self, instruction: Instruction, runs: NDArray, raw: NDArray) -> _Job:
        try:
            items = deque(self._store.parse(raw.reshape(-1, self._config.group)))
        except WeightStreamError as error:
            raise MachineError(Cause.WEIGHT_STREAM, instruction.unit, instruction.tag,
                               text=str(error)) from error
        seen = 0

        def consume(arrival: float, beats: int) -> Process:
            nonlocal seen
            while items and items[0].end <= seen + beats:
                left = seen + beats - items[0].end
                # Beats stream in one after the other and are parsed one a cycle.
                ready = max(arrival - left * self._dram.beat_cycles,
                            self._kernel.now + min(items[0].beats, beats))
                yield min(ready, max(arrival, self._kernel.now))
                yield from self._store.push(items.popleft())
            seen += beats
            yield arrival

        return _Job(instruction, self._pieces(runs, instruction.fields["run_bytes"]), consume,
                    lambda: None)

    def _ask(self, job: _Job) -> Process:
        config = self._config
        for beats, bursts in job.pieces:
            while self._beats and (self._beats + beats > config.read_beats or (
                    self._bursts and self._bursts + bursts > config.bursts_in_flight)):
                yield self._changed
            self._beats += beats
            self._bursts += bursts
            yield self._kernel.now + bursts * self._timing.load_burst
            arrival = self._dram.transfer(self._kernel.now, beats) + config.dram_latency
            self._kernel.call(arrival, partial(self._ended, bursts))
            self._counters["beats_read"] += beats
            job.coming.append((arrival, beats))
            self._changed.fire()

    def _ended(self, bursts: int) -> None:
        self._bursts -= bursts
        self._changed.fire()

    def _pieces(self, runs: NDArray, size: int) -> list[tuple[int, int]]:
        """(beats, bursts) to ask for at once: parts of runs, small against the buffer."""
        most = max(self._config.read_beats // 4 // self._config.burst_beats, 1
                   ) * self._config.burst_beats
        pieces = []
        for beats, bursts in zip(transfer_beats(self._config, runs, size).tolist(),
                                 transfer_bursts(self._config, runs, size).tolist(), strict=True):
            parts = -(-beats // most)
            for part in range(parts):
                pieces.append((min(most, beats - part * most),
                               bursts * (part + 1) // parts - bursts * part // parts))
        return pieces
