"""PyTorch's front of the pruner."""

from sw.prune.torch.pruner import Pruner

__all__ = ["Pruner"]
