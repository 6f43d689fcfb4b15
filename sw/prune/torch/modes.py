"""A model in evaluation for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

__all__ = ["inference"]


@contextmanager
def inference(model: nn.Module) -> Iterator[None]:
    """Evaluation without gradients; every module's mode comes back."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode
