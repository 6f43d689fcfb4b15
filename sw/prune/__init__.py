"""Pruning: which weights go, so that what remains costs few cycles on the chip.

What decides works on numpy arrays and knows no framework. `Pruner` is PyTorch's front (extra
``[torch]``), imported when it is first asked for; that of Keras is `sw.prune.keras.Pruner` (extra
``[tensorflow]``).
"""

from typing import Any

from sw.errors import ToolError
from sw.prune.schedule import Schedule

__all__ = ["Pruner", "Schedule"]


def __getattr__(name: str) -> Any:
    if name != "Pruner":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from sw.prune.torch import Pruner
    except ImportError as error:
        raise ToolError(f"sw.prune.{name} needs PyTorch: pip install sentei[torch] "
                        f"({error})") from error
    return Pruner
