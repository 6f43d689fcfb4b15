"""PyTorch's front of the pruner."""

from sw.prune.torch.pruner import Pruner
from sw.prune.torch.schedule import Schedule

__all__ = ["Pruner", "Schedule"]
