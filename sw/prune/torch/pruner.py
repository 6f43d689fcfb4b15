"""Pruning and quantization-aware training in a PyTorch training loop."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import torch
from torch import nn

from golden.spec.config import Config
from sw.errors import UsageError
from sw.prune.base import BasePruner
from sw.prune.schedule import Schedule
from sw.prune.torch.adopt import HOME
from sw.prune.torch.importance import Importance
from sw.prune.torch.network import Network
from sw.prune.torch.quantizers import FeatureQuantizer
from sw.prune.torch.ranks import decided_once

__all__ = ["Pruner"]


class Pruner(BasePruner):
    """Prunes a model while it trains, against the chip's timing. ::

        pruner = Pruner(model, example_input, preset="base", speedup=4.0)
        for inputs, labels in data:
            loss(model(inputs), labels).backward()
            optimizer.step()
            pruner.step()
            optimizer.zero_grad()
        pruner.export("model.onnx")

    The model stays the object it is, with the same parameters; its forward() becomes its trace with
    the chip's quantization in it. Build the pruner before wrapping the model
    (DistributedDataParallel), copying it (EMA) or loading a checkpoint of such training into it.

    Parameters
    ----------
    model : nn.Module
    example_input : Tensor
        Inputs, batch first; a batch of real ones gives better first ranges and sensitivities.
    criterion : str
        Importance: ``magnitude``, ``gradient`` or ``fisher`` (see `criteria.CRITERIA`).
    qat : bool
        Train with quantization. If not, ranges of feature maps are observed all the same, for
        `export`.
    exclude : collection of str
        Layers that stay as they are. Depthwise and grouped convolutions always do.
    preset, speedup, rate, schedule, sensitivity, tolerance
        As `BasePruner` has them; so are the members, and what is raised.
    """

    _network: Network
    _once = staticmethod(decided_once)

    def __init__(self, model: nn.Module, example_input: torch.Tensor, *,
                 preset: str | Config = "base", speedup: float | None = None,
                 rate: float | Mapping[str, float] | None = None, schedule: Schedule | None = None,
                 criterion: str = "fisher", qat: bool = True,
                 sensitivity: str | Callable[[nn.Module], float] | None = "output",
                 tolerance: float = 10.0, exclude: Collection[str] = ()) -> None:
        super().__init__(
            lambda chip: Network(model, example_input, chip, quantize=qat, exclude=exclude),
            Importance, preset=preset, speedup=speedup, rate=rate, schedule=schedule,
            criterion=criterion, sensitivity=sensitivity, tolerance=tolerance)
        self._followers: list[nn.Module] = []

    def step(self) -> None:
        """After each optimizer step, before the gradients are cleared."""
        self._advance()

    def follow(self, model: nn.Module) -> None:
        """Keep the masks exact in a copy of the model too (EMA, averaged weights), and the ranges
        of its feature maps those of the model. Batch normalization's statistics are the copy's
        own: average them too (``use_buffers``)."""
        inner = _inner(model)
        if not hasattr(inner, HOME):
            raise UsageError("follow() takes a copy of the model made after the pruner was; this "
                             "one has no quantizers")
        self._followers.append(inner)

    def freeze(self) -> None:
        """Ranges of feature maps stay as they are from here on: for the last epochs."""
        for module in self._network.model.modules():
            if isinstance(module, FeatureQuantizer):
                module.observing = False

    def export(self, path: str | Path, model: nn.Module | None = None) -> None:
        """Write quantized ONNX (QuantizeLinear and DequantizeLinear), as the compiler reads it.

        Of a distributed training, on one rank: statistics of batch normalization are each one's.

        Parameters
        ----------
        path : str or Path
        model : nn.Module, optional
            A copy of the model to take the weights from, such as its EMA.

        Warns
        -----
        UserWarning
            If the schedule hasn't come to its end, so that the target isn't reached.
        """
        source = self._network.model if model is None else _inner(model)
        if not hasattr(source, HOME):
            raise UsageError("export() takes the pruner's model or a copy of it made after the "
                             "pruner was; this one has no quantizers")
        self._warn_unfinished()
        self._write(path, self._network.onnx(source, self.masks).SerializeToString())

    def _apply(self) -> None:
        super()._apply()
        for copy in self._followers:
            copy.get_submodule(HOME).load_state_dict(
                self._network.model.get_submodule(HOME).state_dict())
            self._network.apply(self.masks, copy)


def _inner(model: nn.Module) -> nn.Module:
    """What DistributedDataParallel or AveragedModel holds."""
    inner = getattr(model, "module", model)
    return inner if isinstance(inner, nn.Module) else model
