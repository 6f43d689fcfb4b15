"""Functions of signals, as tables over all values of these: one bit of a number for each."""

from collections.abc import Iterable, Sequence
from functools import cache

__all__ = ["Function", "Signal", "Tables", "function"]

Signal = int | str | tuple[str, int]
"""A net of the netlist, "0" or "1", or ("?", wire): what is at a wire, which is none of these."""


Function = tuple[tuple[int, ...], int]
"""Nets that it depends on, the smallest first, and its table over these."""


class Tables:
    """Tables over some signals.

    Parameters
    ----------
    signals : iterable of Signal
        Constants among them need no place.
    """

    def __init__(self, signals: Iterable[Signal]) -> None:
        found = [item for item in dict.fromkeys(signals) if item not in ("0", "1")]
        self._every, masks = _masks(len(found))
        self._masks: dict[Signal, int] = dict(zip(found, masks, strict=True))
        self._masks["0"], self._masks["1"] = 0, self._every

    def lut(self, content: int, inputs: Sequence[Signal]) -> int:
        """A LUT with these signals at its inputs, of which the first counts 1."""
        every = self._every
        values = [every if content >> place & 1 else 0 for place in range(1 << len(inputs))]
        for item in inputs:
            mask = self._masks[item]
            values = [low if low == high else (low & ~mask) | (high & mask)
                      for low, high in zip(values[::2], values[1::2], strict=True)]
        return values[0]

    def carry(self, content: int, inputs: Sequence[Signal], joined: bool, into: int
              ) -> tuple[int, int]:
        """Half a carry cell: tables of its sum and its carry.

        Parameters
        ----------
        content : int
        inputs : sequence of Signal
        joined : bool
            Whether the carry that comes in counts for the sum (INJECT1 is NO).
        into : int
            Table of that carry.
        """
        wide = self.lut(content, inputs)
        narrow = self.lut(content & 15, inputs[:2]) if joined else 0
        return wide ^ (into if joined else 0), (~wide & narrow) | (wide & into)

    def of(self, item: Signal) -> int:
        """A signal's own table."""
        return self._masks[item]

    def signal(self, table: int) -> Signal | None:
        """The signal, or constant, whose table it is."""
        return next((item for item, mask in self._masks.items() if mask == table), None)


def function(content: int, inputs: Sequence[Signal]) -> Function | None:
    """What a LUT computes; None if it has something other than nets and constants at an input."""
    nets = sorted({item for item in inputs if isinstance(item, int)})
    if any(isinstance(item, tuple) for item in inputs):
        return None
    tables = Tables(nets)
    table = tables.lut(content, inputs)
    for place, net in enumerate(nets):
        mask = tables.of(net)
        if (table & mask) >> (1 << place) == table & ~mask:
            return function(content, ["0" if item == net else item for item in inputs])
    return tuple(nets), table


@cache
def _masks(count: int) -> tuple[int, tuple[int, ...]]:
    size = 1 << count
    return (1 << size) - 1, tuple(
        sum(1 << place for place in range(size) if place >> number & 1)
        for number in range(count))
