"""Makes a failing case small: tries simpler ones as long as they fail alike."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

__all__ = ["smallest"]


def smallest(case: Any, proposals: Sequence[Callable[[Any], Iterable[Any]]],
             fails: Callable[[Any], bool], seconds: float) -> Any:
    """The smallest case found that fails.

    Parameters
    ----------
    case : any
        One that fails.
    proposals : sequence of callable
        Each gives simpler cases than the one it is given.
    fails : callable
        Does a case fail, and in the same way?
    seconds : float
        Limit of the search.
    """
    end = time.monotonic() + seconds
    smaller = True
    while smaller:
        smaller = False
        for propose in proposals:
            again = True
            while again:
                again = False
                for candidate in propose(case):
                    if time.monotonic() > end:
                        return case
                    if fails(candidate):
                        case, again, smaller = candidate, True, True
                        break
    return case
