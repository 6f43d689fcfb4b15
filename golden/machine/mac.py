"""MAC: the array, fed by the weight store, and post-processing behind it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from golden.machine.instruction import Instruction
from golden.machine.kernel import Kernel, Process
from golden.machine.memory import OnChip
from golden.machine.post import post_process
from golden.machine.races import Races
from golden.machine.timing import Timing, fetch_cycles
from golden.machine.weight_store import LaneBlockState, Space, WeightStore
from golden.machine.windows import Entries, Windows
from golden.spec.config import Config
from golden.spec.isa import PostMode
from golden.spec.layout import PARAMETER_BEATS, TABLE_ENTRIES

__all__ = ["Mac"]


class Mac:
    """Executes MACs; the next one starts while the last one drains.

    Parameters
    ----------
    config, timing, kernel, chip, store, counters, races
        What it works on.
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel, chip: OnChip,
                 store: WeightStore, counters: dict[str, float], races: Races | None) -> None:
        self._config, self._timing, self._kernel = config, timing, kernel
        self._chip, self._store = chip, store
        self._counters, self._races = counters, races
        self._array_free = 0.0  # when the last instruction's last row has been issued
        self._taken = 0.0  # when post-processing has taken the last vector so far
        self._retired = 0.0
        self._pace = self._next_pace = 1  # cycles a vector, of the last tile and this one

    def execute(self, instruction: Instruction, retire: Callable[[Instruction], None]) -> Process:
        """Do one instruction's array part; ``retire`` is called when its outputs are written."""
        windows = Windows(self._config, instruction)
        outputs = self._outputs(instruction, windows)
        fetch = _Fetch(self._config, windows)
        timing, fields = self._timing, instruction.fields
        adds = fields["post_mode"] == PostMode.ADD
        self._next_pace = 2 if adds else 1
        time = self._start()
        results, first = [], self._store.position
        for block in range(fields["blocks"]):
            while (lane := self._store.lane_block(first + block)) is None:
                yield self._store.came
            time = self._arrived(time, lane.arrival)
            yield from self._run(lane, fetch, time, bool(fields["keep"]))
            time = self._array_free
            entries = Entries([(item.fields, (item.payload[0], item.payload[1]))
                               for item in lane.items])
            self._count(entries, fetch)
            if self._races:
                self._races.access(instruction, windows.reads(entries), np.zeros(0, np.int64))
            results.append(self._result(instruction, windows, lane, entries, block))
            if not fields["keep"]:
                self._store.free(time, Space(lane_blocks=1))
                self._store.drop(first + block)
        self._store.position = first if fields["keep"] else first + fields["blocks"]
        if adds:
            self._taken += timing.post_add
        self._retired = max(self._taken + timing.post, self._retired + 1)

        def complete() -> None:
            self._chip.words[outputs] = np.stack(results).view(np.uint8)
            retire(instruction)

        self._kernel.call(self._retired, complete)

    @property
    def busy(self) -> float:
        """Until when it has something to do."""
        return self._taken

    def _start(self) -> float:
        """When the first row of an instruction taken now can be issued."""
        now = self._kernel.now
        self._counters["mac_wait_drain"] += max(min(now, self._taken) - self._array_free, 0)
        time = max(now + self._timing.mac_start + self._config.columns, self._array_free)
        self._counters["mac_wait_words"] += time - max(now, self._array_free)
        return time

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
            half = TABLE_ENTRIES // 2
            mode = instruction.fields["post_mode"]
            if mode != PostMode.PLAIN:
                used = half if mode == PostMode.TABLE else TABLE_ENTRIES
                reads.append(self._config.words + np.arange(used))
            if mode == PostMode.ADD:
                reads += [windows.outputs("res", block) for block in blocks]
            self._races.access(instruction, np.concatenate(reads), outputs.reshape(-1))
        return outputs

    def _result(self, instruction: Instruction, windows: Windows, lane: LaneBlockState,
                entries: Entries, block: int) -> NDArray:
        words, residual = self._chip.words, None
        if instruction.fields["post_mode"] == PostMode.ADD:
            residual = words.view(np.int8)[windows.outputs("res", block)]
        return post_process(instruction.fields, lane.parameters,
                            windows.accumulate(entries, words), residual, self._chip.table)

    def _arrived(self, time: float, arrival: float) -> float:
        """Wait for something of the weight store."""
        late = arrival + self._timing.weight - time
        if late > 0:
            self._counters["mac_wait_weights"] += late
        return time + max(late, 0)

    def _run(self, lane: LaneBlockState, fetch: "_Fetch", time: float, keep: bool) -> Process:
        """Pass a lane block through the array; ends when its last tile enters."""
        once, before = fetch.tiles == 1, time
        for entry in range(lane.entries):
            while len(lane.items) <= entry:
                yield self._store.came
            fields = lane.items[entry].fields
            time = self._arrived(time, lane.times[entry]) + fetch.cost(fields, 0)
            if once and not keep:
                self._store.free(time, Space(list_entries=1, weight_rows=fields["n"]))
        if not keep:
            self._store.free(time, Space(parameter_beats=PARAMETER_BEATS))
        time = self._finish(time)
        if not once:
            for cost in fetch.costs([item.fields for item in lane.items])[1:].tolist():
                before, time = time, self._finish(time + cost)
            if not keep:
                at = before
                for item in lane.items:
                    at += fetch.cost(item.fields, -1)
                    self._store.free(at, item.space)
        self._array_free = time
        yield before

    def _finish(self, time: float) -> float:
        """The last row of a tile, which waits until the vectors before it have a place."""
        late = self._taken - self._timing.drain_places * self._pace - time
        if late > 0:
            self._counters["mac_wait_drain"] += late
            time += late
        self._pace = self._next_pace
        self._taken = (max(time + self._timing.drain, self._taken)
                       + self._config.drain_cycles * self._pace)
        return time

    def _count(self, entries: Entries, fetch: "_Fetch") -> None:
        rows = int(entries.n.sum())
        self._counters["mac_busy"] += rows * fetch.tiles
        self._counters["row_columns"] += rows * fetch.pixels
        kinds, counts = np.unique(np.stack([entries.dy * 256 + entries.dx, entries.n]), axis=1,
                                  return_counts=True)
        for (tap, n), count in zip(kinds.T.tolist(), counts.tolist(), strict=True):
            cycles = fetch.tap(tap) if n else np.ones(fetch.tiles)
            self._counters["conflicts"] += count * float((cycles - 1).sum())
            self._counters["mac_wait_words"] += count * float(
                np.maximum(cycles - max(n, 1), 0).sum())


class _Fetch:
    """Cycles an instruction's word fetches take, by tap and tile."""

    def __init__(self, config: Config, windows: Windows) -> None:
        self._config, self._windows = config, windows
        self.pixels = len(windows.address)
        self.tiles = -(-self.pixels // config.columns)
        self._taps: dict[int, NDArray] = {}

    def tap(self, tap: int) -> NDArray:
        """Cycles [tiles] of a fetch at tap dy x 256 + dx."""
        if tap not in self._taps:
            dy, dx = divmod(tap, 256)
            used = self._windows.inside(np.array([dy]), np.array([dx]))[:, 0]
            shape = (self.tiles, self._config.columns)
            spare = self.tiles * self._config.columns - self.pixels
            self._taps[tap] = fetch_cycles(
                self._config, np.pad(self._windows.address, (0, spare)).reshape(shape),
                np.pad(used, (0, spare)).reshape(shape))
        return self._taps[tap]

    def cost(self, fields: dict[str, int], tile: int) -> int:
        """Cycles of an entry in a tile: its rows, or its fetch where that takes longer."""
        if not fields["n"]:
            return 1  # reads nothing
        return max(int(self.tap(fields["dy"] * 256 + fields["dx"])[tile]), fields["n"])

    def costs(self, items: list[dict[str, int]]) -> NDArray:
        """Cycles [tiles] of a whole group list."""
        counts: dict[tuple[int, int], int] = {}
        for fields in items:
            key = fields["dy"] * 256 + fields["dx"], fields["n"]
            counts[key] = counts.get(key, 0) + 1
        total = np.zeros(self.tiles, np.int64)
        for (tap, n), count in counts.items():
            total += count * (np.maximum(self.tap(tap), n) if n else 1)
        return total
