"""Cycles that fetches of words take where words of one fetch lie in the same bank."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from golden.machine.timing import fetch_cycles
from golden.machine.windows import Windows
from golden.spec.config import Config

__all__ = ["FetchCosts"]


class FetchCosts:
    """What the entries of an instruction cost, by tap and tile.

    Parameters
    ----------
    config : Config
    windows : Windows

    Members
    -------
    pixels, tiles : int
        Of a lane block.
    """

    def __init__(self, config: Config, windows: Windows) -> None:
        self._config, self._windows = config, windows
        self.pixels = len(windows.address)
        self.tiles = -(-self.pixels // config.columns)
        self._address = self._tiled(windows.address)
        self._taps: dict[int, NDArray] = {}

    def first(self, entry: dict[str, int]) -> int:
        """Cycles to fetch an entry in the first tile."""
        return int(self._entry(entry)[0])

    def of(self, entries: Sequence[dict[str, int]]) -> list[list[int]]:
        """Cycles to fetch each of some entries, tile by tile."""
        return np.stack([self._entry(fields) for fields in entries], axis=1).tolist()

    def _entry(self, fields: dict[str, int]) -> NDArray:
        """Cycles [tiles] of an entry; one without rows reads nothing."""
        return self._tap(fields["dy"] * 256 + fields["dx"] if fields["n"] else -1)

    def _tap(self, tap: int) -> NDArray:
        if tap not in self._taps:
            self._taps[tap] = self._cycles(*divmod(tap, 256))
        return self._taps[tap]

    def _cycles(self, dy: int, dx: int) -> NDArray:
        if dy < 0:
            return np.ones(self.tiles, np.int64)
        used = self._windows.inside(np.array([dy]), np.array([dx]))[:, 0]
        return fetch_cycles(self._config, self._address, self._tiled(used))

    def _tiled(self, values: NDArray) -> NDArray:
        """Values of the pixels as [tiles, Q], the last tile filled up with zeros."""
        tiled = np.zeros((self.tiles, self._config.columns), values.dtype)
        tiled.reshape(-1)[:self.pixels] = values
        return tiled
