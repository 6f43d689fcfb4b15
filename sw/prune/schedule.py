"""When how much is pruned."""

from dataclasses import dataclass

from sw.errors import UsageError

__all__ = ["Schedule"]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Cubic: much at first, while the network can still mend it, then ever less.

    Parameters
    ----------
    begin : int
        Steps before the first weight goes.
    end : int
        Step at which the last one has gone; the masks are final.
    every : int
        Steps between changes of the masks.
    """

    begin: int = 0
    end: int = 1000
    every: int = 50

    def __post_init__(self) -> None:
        for name, good, accepted in (
                ("begin", self.begin >= 0, "0 or more"),
                ("end", self.end >= self.begin, f"begin ({self.begin}) or more"),
                ("every", self.every >= 1, "1 or more")):
            if not good:
                raise UsageError(f"{name} of the schedule is {getattr(self, name)}, accepted is "
                                 f"{accepted}")

    def due(self, step: int) -> bool:
        """Do the masks change at this step (counted from 1)?"""
        if not self.begin < step <= self.end:
            return step == max(self.end, 1)
        return step == self.end or (step - self.begin) % self.every == 0

    def progress(self, step: int) -> float:
        """Share of the pruning done after a step: 1 - (1 - t)^3."""
        if step >= self.end:
            return 1.0
        if step <= self.begin:
            return 0.0
        return 1.0 - (1.0 - (step - self.begin) / (self.end - self.begin)) ** 3
