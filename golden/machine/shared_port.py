"""Timing of the scratchpad port that all but the array share."""

from collections.abc import Iterable

from golden.spec.config import Config

__all__ = ["SharedPort"]

_BANKS = 32  # at most
_MOST = 1 << 17  # uses remembered before old ones are forgotten


class SharedPort:
    """Which banks are used in which cycles, by clients that others wait for.

    Parameters
    ----------
    config : Config
    """

    def __init__(self, config: Config) -> None:
        self._mask = config.banks - 1
        self._used: set[int] = set()

    def use(self, times: Iterable[int], words: Iterable[int]) -> None:
        """Words are moved in these cycles, whatever others want."""
        mask = self._mask
        self._used.update([time * _BANKS + (word & mask)
                           for time, word in zip(times, words, strict=False)])

    def first(self, time: int, word: int) -> int:
        """The first cycle from ``time`` on in which a word can be moved, as far as is known."""
        key = time * _BANKS + (word & self._mask)
        while key in self._used:
            key += _BANKS
        return key // _BANKS

    def wait(self, time: int, word: int) -> int:
        """Move a word in that cycle, which is given."""
        time = self.first(time, word)
        self._used.add(time * _BANKS + (word & self._mask))
        return time

    def forget(self, time: int) -> None:
        """Nobody will ask for cycles before this any more."""
        if len(self._used) > _MOST:
            self._used = {key for key in self._used if key >= time * _BANKS}
