"""Which cases of a test ``make test`` has, and which only ``make test-all``."""

import pytest

__all__ = ["quick"]


def quick(count, *rows):
    """Parameters of a test: the first ``count`` ones always, the rest marked slow."""
    return [*rows[:count], *(pytest.param(*row if isinstance(row, tuple) else (row,),
                                          marks=pytest.mark.slow) for row in rows[count:])]
