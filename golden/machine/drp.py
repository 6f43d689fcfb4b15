"""DRP: kernels on the tile, one after the other."""

from collections import deque
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from golden.drp.errors import TileError
from golden.drp.gathered import indirect
from golden.drp.stream import Stream
from golden.drp.tile import Tile
from golden.drp.timing import Timing as TileTiming
from golden.drp.timing import timing as tile_timing
from golden.machine.account import Account
from golden.machine.errors import MachineError
from golden.machine.instruction import Instruction
from golden.machine.kernel import Kernel, Process, Signal
from golden.machine.memory import OnChip
from golden.machine.races import Races
from golden.machine.sequencer import Sequencer
from golden.machine.timing import Timing
from golden.spec.config import Config
from golden.spec.drp.image import Space
from golden.spec.isa import Unit
from golden.spec.registers import KERNEL_CAUSES

__all__ = ["Drp"]


@dataclass(frozen=True)
class _Result:
    """What a kernel does: bytes it writes, and how long it takes."""

    places: NDArray
    data: NDArray
    took: TileTiming


class Drp:
    """Executes DRP instructions; the next one's streams begin as soon as the last one's steps end.

    A kernel's scratchpad accesses are timed as if nobody else used it.

    Parameters
    ----------
    config, timing, kernel, sequencer, chip, account, races
        What it works on; of a chip with a DRP.
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel, sequencer: Sequencer,
                 chip: OnChip, account: Account, races: Races | None) -> None:
        assert config.fabric and chip.drp
        self._fabric, self._contents = config.fabric, chip.drp
        self._config, self._timing, self._kernel = config, timing, kernel
        self._sequencer, self._chip = sequencer, chip
        self._account, self._races = account, races
        self._changed = Signal(kernel)
        self._taken = self._retired = 0
        self._tags: deque[int] = deque()  # of kernels that haven't written everything
        self._since = self._until = 0  # busy since, if it is; or until
        self._stepped = 0  # when the last kernel's steps end
        account.standing.append(self._standing)

    def processes(self) -> list[Process]:
        """What takes instructions and executes them."""
        return [self._take()]

    def _take(self) -> Process:
        current = 0  # from when the last kernel taken is the tile's
        while True:
            yield from self._sequencer.next(Unit.DRP)
            if self._kernel.now < current:
                yield current
            while self._taken - self._retired == self._timing.kernels:
                yield self._changed
            now = self._kernel.now
            instruction = self._sequencer.take(Unit.DRP)
            if self._taken == self._retired:
                self._account.add("drp_wait_semaphore", max(instruction.wanted, self._until), now)
                self._since = now + 1
            self._taken += 1
            self._tags.append(instruction.tag)
            self._sequencer.release(instruction)
            result = self._result(instruction)
            start = max(now + self._timing.kernel, self._stepped)
            self._stepped = start + result.took.steps + result.took.waits_in
            current = max(now, start) + 2
            done = start + result.took.cycles + self._timing.kernel_end
            self._account.add("drp_steps", start, self._stepped, result.took.steps)
            self._account.add("drp_wait_in", start, self._stepped, result.took.waits_in)
            self._account.add("drp_wait_out", start, self._stepped, result.took.waits_out)
            self._kernel.call(done, partial(self._complete, instruction, result))

    def _complete(self, instruction: Instruction, result: _Result) -> None:
        self._chip.words.reshape(-1)[result.places] = result.data
        self._retired += 1
        self._tags.popleft()
        if self._taken == self._retired:
            self._until = self._kernel.now
            self._account.add("drp_busy", self._since, self._until)
        self._changed.fire()
        self._sequencer.retire(instruction)

    def _standing(self, time: int) -> list[tuple[str, int]]:
        if self._taken > self._retired:
            return [("drp_busy", max(time - self._since, 0))]
        head = self._sequencer.head(Unit.DRP)
        if head and head.wanted and not head.taken:
            return [("drp_wait_semaphore", max(time - max(head.wanted, self._until), 0))]
        return []

    def _result(self, instruction: Instruction) -> _Result:
        """Run the kernel on what the scratchpad holds now."""
        if self._races:
            self._races.described(instruction)
        fields, contents = instruction.fields, self._contents
        inputs, outputs = list(contents.inputs), list(contents.outputs)
        memory = self._chip.words.reshape(-1).copy()
        tile = Tile(contents.kernel(fields["first"]), contents.memories)
        try:
            run = tile.run(memory, inputs, outputs, max_steps=fields["limit"])
            took = tile_timing(self._fabric, run, inputs, outputs)
        except TileError as error:
            raise MachineError(KERNEL_CAUSES[error.cause], Unit.DRP, self._tags[0], error.stream,
                               str(error)) from error
        places = np.concatenate([np.zeros(0, np.int64), *(
            stream.places(self._fabric.lanes, output=True) for stream in outputs if stream)])
        if self._races:
            self._note(instruction, tile, inputs, places)
        return _Result(places, memory[places], took)

    def _note(self, instruction: Instruction, tile: Tile, inputs: list[Stream | None],
              places: NDArray) -> None:
        """Tell what the kernel touches."""
        assert self._races
        group = self._config.group
        gathers = indirect(self._fabric, inputs)
        words = [stream.places(self._fabric.lanes, indirect=stream is gathers) // group
                 for stream in inputs if stream]
        own = [self._races.tile(space, np.array(sorted(used), np.int64)) for space, used in
               zip((Space.ELEMENT, Space.STATE, Space.TABLE, Space.TABLE), tile.touched,
                   strict=True)]
        # One kernel after the other uses the memories: those it writes are not others' to read.
        self._races.access(instruction, np.unique(np.concatenate([*words, *own])),
                           np.unique(places // group))
