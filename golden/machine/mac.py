"""MAC: the array, fed by the weight store, and post-processing behind it."""

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np
from numpy.typing import NDArray

from golden.machine.account import Account
from golden.machine.array import Array, Span
from golden.machine.fetch_costs import FetchCosts
from golden.machine.instruction import Instruction
from golden.machine.kernel import Kernel, Process, Signal
from golden.machine.memory import OnChip
from golden.machine.post import post_process, table_entries
from golden.machine.post_timing import PostTiming
from golden.machine.races import Races
from golden.machine.sequencer import Sequencer
from golden.machine.shared_port import SharedPort
from golden.machine.timing import Timing
from golden.machine.weight_store import LaneBlock, WeightStore
from golden.machine.windows import Entries, Windows
from golden.spec.config import Config
from golden.spec.isa import PostMode, Unit
from golden.spec.layout import TABLE_ENTRIES

__all__ = ["Mac"]


@dataclass(eq=False)
class _Job:
    """A MAC under way.

    Members
    -------
    offered, begin : int
        When the unit was offered it, and the walker took it.
    tiles : int
        Not through the array.
    taken, walked : int
        When the last tile is taken from the walker; from when the walker can take another job, if
        that one is not in its way. 0 if not known yet.
    lengths : int
        Lane blocks whose length the weight store can forget and has not.
    """

    instruction: Instruction
    offered: int
    begin: int
    tiles: int
    taken: int = 0
    walked: int = 0
    lengths: int = 0


class Mac:
    """Executes MACs; the next one starts while the last one drains.

    Parameters
    ----------
    config, timing, kernel, sequencer, chip, store, shared, account, races
        What it works on.
    computes : bool
        Write results; without, it only takes their time.
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel, sequencer: Sequencer,
                 chip: OnChip, store: WeightStore, shared: SharedPort, account: Account,
                 races: Races | None, computes: bool = True) -> None:
        self._computes = computes
        self._config, self._timing, self._kernel = config, timing, kernel
        self._sequencer, self._chip, self._store = sequencer, chip, store
        self._account, self._races = account, races
        self._post = PostTiming(config, timing, store, shared)
        self._array = Array(config, timing, store, self._post)
        self._changed = Signal(kernel)
        self._jobs: deque[_Job] = deque()  # begun, not through the array
        self._ends: list[int] = []  # retirements known
        self._told = 0  # up to when each cycle is accounted for
        self._stalls = False  # the array waits or has waited for weights of a lane block
        account.standing.append(self._standing)

    def processes(self) -> list[Process]:
        """What takes MACs, and what executes them."""
        return [self._take(), self._execute()]

    def _take(self) -> Process:
        jobs: list[_Job] = []  # the last two
        for number in count():
            yield from self._sequencer.next(Unit.MAC)
            instruction = self._sequencer.head(Unit.MAC)
            assert instruction
            offered = self._kernel.now
            if jobs:
                while not self._walks(*jobs):
                    yield self._changed
                yield jobs[-1].walked
            job = _Job(instruction, offered, self._kernel.now,
                       instruction.fields["blocks"] * instruction.fields["tiles"])
            if not instruction.fields["keep"]:
                job.lengths = instruction.fields["blocks"]
            self._free_lengths(job, offered + self._timing.plan_lengths,
                               self._timing.lengths_ahead)
            jobs = [*jobs[-1:], job]
            self._jobs.append(job)
            self._changed.fire()
            # Post-processing must have a place for it, too.
            others = number - self._timing.post_ahead
            while len(self._ends) < others:
                yield self._changed
            if others > 0:
                yield self._ends[others - 1] - 1
            self._sequencer.take(Unit.MAC)

    def _free_lengths(self, job: _Job, time: int, blocks: int) -> None:
        """The weight store reads ahead how long lane blocks are."""
        blocks = min(blocks, job.lengths)
        job.lengths -= blocks
        self._store.lengths.free([time] * blocks)
        self._store.changed.fire()

    def _execute(self) -> Process:
        while True:
            while not self._jobs:
                yield self._changed
            job = self._jobs[0]
            for name, start, end in self._idle(job.begin + 1, job.instruction):
                self._account.add(name, start, end)
            self._told = max(self._told, job.begin + 1)
            self._stalls = False
            yield from self._run(job)
            self._jobs.popleft()

    def _run(self, job: _Job) -> Process:
        """Pass an instruction through the array, lane block by lane block."""
        instruction, fields = job.instruction, job.instruction.fields
        windows = Windows(self._config, instruction)
        outputs = self._outputs(instruction, windows)
        costs = FetchCosts(self._config, windows)
        first, keep, blocks = self._store.position, bool(fields["keep"]), fields["blocks"]
        adds = fields["post_mode"] == PostMode.ADD
        self._array.start(job.begin)
        self._next(job)
        self._post.start(job.offered, adds)
        results = []
        for block in range(blocks):
            lane = yield from self._lane(job, first + block)
            self._free_lengths(job, self._kernel.now, 1)
            residuals = windows.outputs("res", block).tolist() if adds else []
            self._post.block(outputs[block].tolist(), residuals)
            following = first + block + 1 if block < blocks - 1 else None
            yield from self._pass(job, lane, costs, following)
            if self._races or self._computes:
                entries = Entries([(item.fields, (item.payload[0], item.payload[1]))
                                   for item in lane.items])
                if self._races:
                    self._races.access(instruction, windows.reads(entries), np.zeros(0, np.int64))
                if self._computes:
                    results.append(self._result(instruction, windows, lane, entries, block))
            if not keep:
                self._store.drop(first + block)
        self._store.position = first if keep else first + blocks
        done = self._post.finish()
        self._ends.append(done)
        self._changed.fire()

        def complete() -> None:
            if results:
                self._chip.words[outputs] = np.stack(results).view(np.uint8)
            self._sequencer.retire(instruction)

        self._kernel.call(done, complete)

    def _walks(self, job: _Job, after: _Job | None = None) -> bool:
        """Whether it is known when the walker is through with the last of one or two jobs."""
        if not after:
            return job.walked > 0
        # A single tile is walked even while the job before it waits for its weights.
        if not after.walked and after.tiles == 1 and job.taken:
            after.walked = max(after.begin + 2, job.taken) + self._config.columns
        return after.walked > 0

    def _next(self, job: _Job) -> None:
        """It is known when the job's next tile is taken, from when on the walker goes further."""
        take = self._array.take
        if job.tiles == 1:
            job.taken = take
            job.walked = job.walked or self._array.full
        self._changed.fire()

    def _taken(self, job: _Job) -> Process:
        """Wait until the fetcher takes the next tile."""
        yield self._array.take
        if job.tiles == 2:
            job.walked = self._array.take + self._config.columns
            self._changed.fire()

    def _lane(self, job: _Job, number: int) -> Generator[int | Signal, None, LaneBlock]:
        """Wait for a lane block to begin to arrive."""
        yield from self._taken(job)
        self._stalls, self._array.starved = True, (0, 0)
        self._array.waits = max(self._array.released, self._array.take + 1)
        while (lane := self._store.lane_block(number)) is None:
            yield self._store.changed
        return lane

    def _pass(self, job: _Job, lane: LaneBlock, costs: FetchCosts,
              following: int | None) -> Process:
        """Pass a lane block through the array; ends when its last tile is being fetched.

        Parameters
        ----------
        following : int or None
            Number of the job's next lane block.
        """
        array, tiles, columns = self._array, costs.tiles, self._config.columns
        keep = bool(job.instruction.fields["keep"])
        sizes: list[int] = []
        for tile in range(tiles):
            if tile:
                yield from self._taken(job)
            if not tile:
                end = yield from array.first(lane, costs, job.offered, keep or tiles > 1,
                                             partial(self._note, min(columns, costs.pixels)),
                                             partial(self._late, job, lane, costs))
                self._post.parameters(lane, keep)
                items = [item.fields for item in lane.items]
                sizes = [fields["n"] for fields in items]
                cycles = costs.of(items)
            else:
                span = array.again(cycles[tile], sizes, keep or tile < tiles - 1)
                self._note(min(columns, costs.pixels - tile * columns), span)
                end = span.end - 1
            self._account.add("conflicts", array.take, end + 1, sum(cycles[tile]) - len(sizes))
            self._post.tile(end)
            if following and (after := self._store.lane_block(following)):
                self._post.read(after, keep)
            job.tiles -= 1
            if job.tiles:
                array.step()
                self._next(job)

    def _late(self, job: _Job, lane: LaneBlock, costs: FetchCosts) -> None:
        """A lane block's last rows are on their way: later tiles' words are fetched meanwhile."""
        if 1 < job.tiles == costs.tiles and (
                ahead := self._array.ahead(costs.of([item.fields for item in lane.items])[1:])):
            job.walked, job.taken = ahead
            self._changed.fire()

    def _note(self, pixels: int, span: Span) -> None:
        """Count the cycles of a tile of so many pixels, or of a part of it."""
        begin, rows = max(span.begin, self._told), span.end - span.drain
        words = span.end - begin - span.rows - span.weights - span.drain
        self._account.divide(begin, span.end, {
            "mac_wait_weights": span.weights, "mac_wait_words": words, "mac_busy": span.rows,
            "mac_wait_drain": span.drain})
        self._account.add("row_columns", rows - span.rows, rows, span.rows * pixels)
        self._told = span.end

    def _idle(self, time: int, instruction: Instruction | None) -> list[tuple[str, int, int]]:
        """What the cycles before a time are that no job accounts for, given the next one."""
        start = self._told
        time = max(time, start)
        released = min(max(self._array.released, start), time)
        drained = min(max(self._post.last + self._timing.drain_told, released), time)
        wanted = instruction.wanted if instruction and instruction.wanted else time
        waits = min(max(wanted, drained), time)
        granted = instruction.taken if instruction and instruction.taken else time
        ends = min(max(granted, waits), time)
        return [("mac_wait_words", start, released), ("mac_wait_drain", released, drained),
                ("mac_idle", drained, waits), ("mac_wait_semaphore", waits, ends),
                ("mac_idle", ends, time)]

    def _standing(self, time: int) -> list[tuple[str, int]]:
        if self._jobs:
            start = min(self._told, time)
            waits = min(max(self._array.waits, start), time) if self._stalls else time
            begin, end = self._array.starved
            starved = max(min(end, waits) - max(begin, start), 0) if self._stalls else 0
            return [("mac_wait_words", waits - start - starved),
                    ("mac_wait_weights", time - waits + starved)]
        return [(name, end - start) for name, start, end in
                self._idle(time, self._sequencer.head(Unit.MAC))]

    def _outputs(self, instruction: Instruction, windows: Windows) -> NDArray:
        """Output addresses [blocks, P], checked and noted."""
        blocks = range(instruction.fields["blocks"])
        outputs = self._chip.word_addresses(
            np.stack([windows.outputs("out", block) for block in blocks]), instruction)
        if instruction.fields["post_mode"] == PostMode.ADD:
            for block in blocks:
                self._chip.word_addresses(windows.outputs("res", block), instruction)
        if self._races:
            reads = [np.zeros(0, np.int64)]
            mode = instruction.fields["post_mode"]
            if mode == PostMode.TABLE:
                reads.append(self._config.words + table_entries(instruction.fields))
            if mode == PostMode.ADD:
                reads.append(self._config.words + np.arange(TABLE_ENTRIES))
                reads += [windows.outputs("res", block) for block in blocks]
            self._races.access(instruction, np.concatenate(reads), outputs.reshape(-1))
        return outputs

    def _result(self, instruction: Instruction, windows: Windows, lane: LaneBlock,
                entries: Entries, block: int) -> NDArray:
        words, residual = self._chip.words, None
        if instruction.fields["post_mode"] == PostMode.ADD:
            residual = words.view(np.int8)[windows.outputs("res", block)]
        return post_process(instruction.fields, lane.head.payload,
                            windows.accumulate(entries, words), residual, self._chip.table)

