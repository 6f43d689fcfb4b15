"""Timing of the gather: beats of a LOAD's runs to words of the scratchpad."""

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from golden.machine.kernel import Kernel, Process, Signal
from golden.machine.read_master import ReadPort
from golden.machine.shared_port import SharedPort
from golden.machine.timing import Timing, transfer_beats
from golden.spec.config import Config

__all__ = ["Gather"]

# Places from the first stage to the beats: how many there are room for, and how long they take.
_ROOM, _STAGES = 6, 5
# Words are timed between so many cycles ahead: when those who go first at the banks have told
# when they use them, and those who go last have not.
_LEAST_AHEAD, _MOST_AHEAD = 4, 8


class Gather:
    """Takes beats as its words need them, and writes a word a cycle.

    Parameters
    ----------
    config, timing, kernel, port, shared
        What it works on.
    changed : Signal
        To fire when more is known.

    Members
    -------
    free : list of int
        From when it can be handed another LOAD after each one, as far as that is known.
    idle : int
        From when nothing of the LOADs so far is left in it.
    """

    def __init__(self, config: Config, timing: Timing, kernel: Kernel, port: ReadPort,
                 shared: SharedPort, changed: Signal) -> None:
        self._config, self._timing, self._kernel = config, timing, kernel
        self._port, self._shared = port, shared
        self.free: list[int] = []
        self.idle, self._changed = 0, changed
        # Of the last word, out of the window and to the queue; of the last ones, to their banks.
        self._moved = self._pushed = 0
        self._written = deque([0] * timing.gather_words, maxlen=timing.gather_words)
        self._left = deque([-1] * (_ROOM + 2), maxlen=_ROOM + 2)  # when places were done with

    def write(self, runs: NDArray, fields: dict[str, int], address: NDArray, time: int,
              written: Callable[[int], None]) -> Process:
        """Write the words of a LOAD that is handed over in a cycle.

        Parameters
        ----------
        runs : ndarray [runs]
            Byte addresses.
        address : ndarray [W]
            Word addresses, in order.
        written : callable
            Told the cycle of the last word, behind which there may be beats that no word needs.
        """
        port, wait = self._port, self._shared.wait
        beats, targets = port.beats, iter(address.tolist())
        places = self._places(runs, fields)
        left = max(time + self._timing.gather, self.idle) - 1  # when a place was done with
        # The last word enters, if nothing is in its way, or a cycle after there is room: when all
        # but so many places are done with. Beats to drop take none before the second stage.
        rest = not places[-1][2]
        drops = len(places) > 1 + rest and not places[-2 - rest][2]
        entered = time + self._timing.gather + len(places) - rest - drops - _STAGES - 1
        enters = _ROOM + rest + drops
        if enters >= len(places):
            self._enter(max(entered, self._left[len(places) - 1 - enters] + 1))
        moved, pushed, used, words = self._moved, self._pushed, 0, len(address)
        wrote = self._written
        for to_go, (advance, straddles, word) in zip(
                range(len(places) - 1, -1, -1), places, strict=True):
            left = max(left + 1, moved)
            for _ in range(advance):
                if not beats:
                    port.changed.fire()
                    while not beats:
                        yield port.came
                left = used = max(used + 1, left, beats.popleft())
                port.use(used)
            self._left.append(left)
            if to_go == enters:
                self._enter(max(entered, left + 1))
            if not word:
                continue
            if left > self._kernel.now + _MOST_AHEAD:
                port.changed.fire()
                yield left - _LEAST_AHEAD
            moved = max(left + 1, pushed)
            if straddles:
                if not beats:
                    port.changed.fire()
                    while not beats:
                        yield port.came
                moved = max(moved, used + 1, beats[0])
            pushed = max(moved + 1, pushed + 1, wrote[0] + 1)
            wrote.append(wait(max(pushed, wrote[-1]) + 1, next(targets)))
            words -= 1
            if not words:
                written(wrote[-1] + self._timing.sunk)
        port.changed.fire()
        self._moved, self._pushed = moved, pushed
        self.idle = left + 1

    def _enter(self, time: int) -> None:
        """The last word of a LOAD enters in a cycle."""
        self.free.append(time + 1)
        self._changed.fire()

    def _places(self, runs: NDArray, f: dict[str, int]) -> list[tuple[int, bool, bool]]:
        """For every word: beats that go by before it, whether it needs one more, and True.

        At the end of a run that has beats no word needs, these, and False.
        """
        group = self._config.group
        i0, i1, i2 = (np.arange(f[f"count{axis}"], dtype=np.int64) for axis in range(3))
        low, beats = runs % group, transfer_beats(self._config, runs, f["run_bytes"])
        row = f["first"] + i0 * f["step0"] + i1[:, None] * f["step1"]
        # One beat more, as the first byte's beat has to go by, too.
        place = (row + i2[:, None, None] * f["step2"] + low[:, None, None, None] + group)
        place = place.reshape(len(runs), -1)
        size = np.clip(f["row_bytes"] - row, 0, np.where(i0 == len(i0) - 1, f["tail"], group))
        size = np.broadcast_to(size, (len(i2), *size.shape)).reshape(-1)
        gone = np.maximum.accumulate(np.minimum(place // group, beats[:, None]), axis=1)
        straddles = (place % group + size > group) & (gone != beats[:, None])
        advance = np.diff(gone, axis=1, prepend=0, append=beats[:, None])
        places = []
        for ahead, both in zip(advance.tolist(), straddles.tolist(), strict=True):
            places += [(beats, second, True)
                       for beats, second in zip(ahead[:-1], both, strict=True)]
            if ahead[-1]:
                places.append((ahead[-1], False, False))
        return places
