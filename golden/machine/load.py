"""LOAD: gathered words, weight beats and tables."""

from collections import deque
from collections.abc import Callable
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


class Load:
    """Executes LOADs, one after the other.

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

    def execute(self, instruction: Instruction) -> Process:
        """Do one instruction; its effects are there when this ends."""
        fields = instruction.fields
        begin = self._kernel.now
        instruction.need_positive("run_bytes", "runs")
        instruction.need(fields["target"] in tuple(Target), f"target {fields['target']}")
        runs = self._dram.runs(instruction, fields["run_bytes"], fields["runs"],
                               fields["run_stride"])
        if self._races:
            self._races.access_dram(instruction, runs, fields["run_bytes"])
        if fields["target"] == Target.SCRATCHPAD:
            yield from self._words(instruction, runs)
        else:
            for name in ("address", "run_bytes", "run_stride"):
                instruction.need(fields[name] % self._config.group == 0,
                                 f"{name} is {fields[name]}, accepted are multiples of "
                                 f"{self._config.group}")
            raw = self._dram.data[runs[:, None] + np.arange(fields["run_bytes"])].reshape(-1)
            if fields["target"] == Target.TABLE:
                yield from self._table(instruction, runs, raw)
            else:
                yield from self._weights(instruction, runs, raw)
        yield self._kernel.now + self._timing.load_end
        self._counters["load_busy"] += self._kernel.now - begin

    def _words(self, instruction: Instruction, runs: NDArray) -> Process:
        address, words = self._gather(instruction, runs)
        none = np.zeros(0, np.int64)
        if self._races:
            self._races.access(instruction, none, address)
        per_run = len(address) / len(runs)
        beats = transfer_beats(self._config, runs, instruction.fields["run_bytes"]).sum()
        per_beat = per_run * len(runs) / beats
        yield from self._read(instruction, runs, lambda piece: self._paced(piece, per_beat))
        self._chip.words[address] = words

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

    def _table(self, instruction: Instruction, runs: NDArray, raw: NDArray) -> Process:
        data = raw.view("<i4")
        entry = self._chip.table_entries(
            instruction.fields["dst"] + np.arange(len(data)), instruction)
        if self._races:
            self._races.access(instruction, np.zeros(0, np.int64), self._config.words + entry)
        # Entries are written one a cycle.
        yield from self._read(instruction, runs,
                              lambda piece: self._paced(piece, self._config.group // 4))
        self._chip.table[entry] = data

    def _weights(self, instruction: Instruction, runs: NDArray, raw: NDArray) -> Process:
        try:
            items = deque(self._store.parse(raw.reshape(-1, self._config.group)))
        except WeightStreamError as error:
            raise MachineError(Cause.WEIGHT_STREAM, instruction.unit, instruction.tag,
                               text=str(error)) from error
        seen = 0

        def consume(piece: tuple[float, int]) -> Process:
            nonlocal seen
            arrival, beats = piece
            while items and items[0].end <= seen + beats:
                left = seen + beats - items[0].end
                # Beats stream in one after the other and are parsed one a cycle.
                ready = max(arrival - left * self._dram.beat_cycles,
                            self._kernel.now + min(items[0].beats, beats))
                yield max(min(ready, arrival), self._kernel.now)
                yield from self._store.push(items.popleft())
            seen += beats
            yield max(arrival, self._kernel.now)

        yield from self._read(instruction, runs, consume)

    def _paced(self, piece: tuple[float, int], cycles_per_beat: float) -> Process:
        arrival, beats = piece
        yield max(arrival + 1, self._kernel.now + beats * cycles_per_beat)

    def _read(self, instruction: Instruction, runs: NDArray,
              consume: Callable[[tuple[float, int]], Process]) -> Process:
        """Ask for the runs piece by piece and have each consumed as it arrives."""
        pieces = self._pieces(runs, instruction.fields["run_bytes"])
        arrived: deque[tuple[float, int]] = deque()
        self._bursts = self._beats = 0
        self._kernel.resume(self._kernel.now + self._timing.load_start,
                            self._ask(pieces, arrived))
        for _ in range(len(pieces)):
            while not arrived:
                yield self._changed
            piece = arrived.popleft()
            yield from consume(piece)
            self._beats -= piece[1]
            self._changed.fire()

    def _ask(self, pieces: list[tuple[int, int]], arrived: deque) -> Process:
        config = self._config
        for beats, bursts in pieces:
            while self._beats and (self._beats + beats > config.read_beats or (
                    self._bursts and self._bursts + bursts > config.bursts_in_flight)):
                yield self._changed
            self._beats += beats
            self._bursts += bursts
            yield self._kernel.now + bursts * self._timing.load_burst
            arrival = self._dram.transfer(self._kernel.now, beats) + config.dram_latency
            self._kernel.call(arrival, partial(self._ended, bursts))
            self._counters["beats_read"] += beats
            arrived.append((arrival, beats))
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
