"""How hard the mapper tries."""

from dataclasses import dataclass

__all__ = ["Effort"]


@dataclass(frozen=True)
class Effort:
    """How much freedom a model has and how long it is searched.

    Parameters
    ----------
    copies : int
        Optional copies of each value that is used more than once; streams' values have one more.
    single : int
        Optional copies of a value that is used once.
    slack : int
        Steps by which operations may be later than their earliest time, beyond one interval.
    deterministic : float
        Limit of the search, in the solver's units (about a second each).
    """

    copies: int
    single: int
    slack: int
    deterministic: float
