"""Gradients of a PyTorch model, as ``backward()`` leaves them."""

from collections.abc import Iterator

import torch

from sw.prune.importance import BaseImportance
from sw.prune.torch.network import Network

__all__ = ["Importance"]


class Importance(BaseImportance):
    """Importance of the weights of a PyTorch model (see `BaseImportance`)."""

    network: Network
    remedy = "call step() after backward() and before zero_grad(), or take 'magnitude'"

    def _gradients(self, given: None) -> Iterator[tuple[str, torch.Tensor]]:
        for name in self.network.chip:
            part = self.network.weight(name).grad
            if part is not None:
                yield name, part.detach().float()

    def _finite(self, values: torch.Tensor) -> bool:
        return bool(torch.isfinite(values).all())
