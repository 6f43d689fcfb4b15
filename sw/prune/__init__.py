"""Pruning: which weights go, so that what remains costs few cycles on the chip.

`allocate` and `budget` decide on numpy arrays and know no framework. `Pruner` is PyTorch's front
(extra ``[torch]``), imported when it is first asked for.
"""

from typing import Any

from sw.errors import ToolError

__all__ = ["Pruner", "Schedule"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from sw.prune import torch
    except ImportError as error:
        raise ToolError(f"sw.prune.{name} needs PyTorch: pip install sentei[torch] "
                        f"({error})") from error
    return getattr(torch, name)
