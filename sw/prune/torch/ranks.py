"""One decision for all processes of a distributed training."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch.distributed as dist

__all__ = ["decided_once"]

Result = TypeVar("Result")


def decided_once(decide: Callable[[], Result]) -> Result:
    """What ``decide`` gives on rank 0, on every rank; so is what it raises."""
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return decide()
    answer: list[Any] = [None, None]
    if dist.get_rank() == 0:
        try:
            answer[0] = decide()
        except Exception as error:  # whatever it is, the others would wait for it for ever
            answer[1] = error
    dist.broadcast_object_list(answer, src=0)
    if answer[1] is not None:
        raise answer[1]
    result: Result = answer[0]
    return result
