"""STORE and LOG: words packed to bytes, and counters."""

import numpy as np

from golden.machine.instruction import Instruction
from golden.machine.kernel import Kernel, Process
from golden.machine.memory import Dram, OnChip
from golden.machine.races import Races
from golden.machine.timing import Timing, transfer_beats, transfer_bursts
from golden.spec.config import Config
from golden.spec.isa import Opcode
from golden.spec.layout import LOG_BYTES
from golden.spec.registers import COUNTERS

__all__ = ["Store"]


class Store:
    """Executes STOREs and LOGs, one after the other.

    Parameters
    ----------
    config, timing, kernel, dram, chip, counters, races
        What it works on.
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel, dram: Dram, chip: OnChip,
                 counters: dict[str, float], races: Races | None) -> None:
        self._config, self._timing, self._kernel = config, timing, kernel
        self._dram, self._chip = dram, chip
        self._counters, self._races = counters, races

    def execute(self, instruction: Instruction) -> Process:
        """Do one instruction; its effects are there when this ends."""
        begin = self._kernel.now
        if instruction.opcode == Opcode.LOG:
            yield from self._log(instruction)
        else:
            yield from self._store(instruction)
        self._counters["store_busy"] += self._kernel.now - begin

    def _log(self, instruction: Instruction) -> Process:
        where = self._dram.runs(instruction, LOG_BYTES, 1, 0)
        if self._races:
            self._races.access_dram(instruction, where, LOG_BYTES)
        beats = int(transfer_beats(self._config, where, LOG_BYTES).sum())
        snapshot = dict(self._counters, cycles=self._kernel.now)
        words = [instruction.tag] + [int(snapshot[item.name]) & 0xFFFFFFFF for item in COUNTERS]
        end = self._dram.transfer(self._kernel.now + self._timing.log, beats)
        yield end + self._config.dram_latency
        self._counters["beats_written"] += beats
        raw = np.array(words, "<u4").view(np.uint8)
        self._dram.data[where[0]:where[0] + LOG_BYTES] = raw

    def _store(self, instruction: Instruction) -> Process:
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

        # Words come one a cycle, beats leave as the memory takes them.
        beats = transfer_beats(config, runs, size)
        bursts = transfer_bursts(config, runs, size)
        per_run = f["count0"] * f["count1"] * f["count2"]
        time, end = self._kernel.now + self._timing.store_start, 0.0
        for beat, burst in zip(beats.tolist(), bursts.tolist(), strict=True):
            for part in range(burst):
                share = beat * (part + 1) // burst - beat * part // burst
                time += per_run * share / beat
                yield time
                end = self._dram.transfer(time, share)
                # The unit can't run ahead of the bus by more than it buffers: a burst.
                time = max(time, end - share * self._dram.beat_cycles)
            time += self._timing.store_run
        yield max(time, end) + config.dram_latency + self._timing.store_end
        self._counters["beats_written"] += int(beats.sum())
        self._dram.data[runs[:, None] + np.arange(size)] = data
