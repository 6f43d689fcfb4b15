"""The performance counters of a run, at any of its cycles."""

from collections.abc import Callable

from golden.spec.registers import COUNTERS, DRP_COUNTERS

__all__ = ["Account"]

# Each cycle counts as one of these.
_DIVIDED = tuple(counter.name for counter in COUNTERS if counter.name.startswith("mac_"))


class Account:
    """What counts when: units say so ahead of time, or on request for what is still going on.

    Members
    -------
    standing : list of callable
        Each gives, for a time, (counter, cycles) of what began before it and was not added yet.
    """

    def __init__(self) -> None:
        self._totals = {counter.name: 0 for counter in COUNTERS + DRP_COUNTERS}
        self._counts: list[tuple[int, int, str, int]] = []
        self._shares: list[tuple[int, int, dict[str, int]]] = []
        self.standing: list[Callable[[int], list[tuple[str, int]]]] = []
        self._told = dict.fromkeys(self._totals, 0)

    def add(self, name: str, start: int, end: int, amount: int | None = None) -> None:
        """Count ``amount`` evenly over cycles [start, end), or every one of them."""
        count = end - start if amount is None else amount
        if count > 0:
            self._counts.append((start, max(end, start + 1), name, count))

    def divide(self, start: int, end: int, shares: dict[str, int]) -> None:
        """Cycles [start, end) are divided among counters, in that order: shares add up to them."""
        self._shares.append((start, end, shares))

    def before(self, time: int) -> dict[str, int]:
        """The counters over the cycles before a time; times may not go back."""
        totals = self._totals
        for _, _, name, amount in (span for span in self._counts if span[1] <= time):
            totals[name] += amount
        for _, _, shares in (span for span in self._shares if span[1] <= time):
            for name, amount in shares.items():
                totals[name] += amount
        self._counts = [span for span in self._counts if span[1] > time]
        self._shares = [item for item in self._shares if item[1] > time]
        values = dict(totals, cycles=time)
        for start, end, name, amount in self._counts:
            if start < time:
                values[name] += amount * (time - start) // (end - start)
        for start, _, shares in self._shares:
            left = max(time - start, 0)
            for name, amount in shares.items():
                values[name] += min(amount, left)
                left -= min(amount, left)
        for tell in self.standing:
            for name, count in tell(time):
                values[name] += count
        self._keep_told(values)
        return values

    def _keep_told(self, values: dict[str, int]) -> None:
        """What was told is not taken back: if it was another wait, that counts from now on."""
        taken = 0
        for name in _DIVIDED:
            taken += max(self._told[name] - values[name], 0)
            values[name] = max(values[name], self._told[name])
        for name in reversed(_DIVIDED):  # work last
            less = min(values[name] - self._told[name], taken)
            values[name] -= less
            taken -= less
        self._told = values
