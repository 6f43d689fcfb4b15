"""Pruning and quantization-aware training in a PyTorch training loop."""

import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from golden.spec import config as configs
from golden.spec.config import Config
from sw.errors import UsageError
from sw.prune.schedule import Schedule
from sw.prune.sensitivity import factors
from sw.prune.target import Target
from sw.prune.torch.adopt import HOME
from sw.prune.torch.importance import Importance
from sw.prune.torch.network import Network
from sw.prune.torch.quantizers import FeatureQuantizer
from sw.prune.torch.ranks import decided_once
from sw.prune.torch.sensitivity import measure

__all__ = ["Pruner"]


class Pruner:
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
    preset : str or Config
        The chip.
    speedup : float, optional
        Over all weights issued, in cycles from doorbell to interrupt.
    rate : float or mapping of str to float, optional
        Instead: share of all prunable weights, or by layer, that goes.
    schedule : Schedule
        In calls of `step`.
    criterion : str
        Importance: ``magnitude``, ``gradient`` or ``fisher`` (see `criteria.CRITERIA`).
    qat : bool
        Train with quantization. If not, ranges of feature maps are observed all the same, for
        `export`.
    sensitivity : "output", callable or None
        How layers are compared before the first weights go: each is pruned to a half alone, and
        either the output's error on the example or the callable (given the model, a number that is
        higher for a worse one, such as its loss on held-out data) tells the damage. Importance is
        scaled so that a layer loses what was measured. None: as the criterion says.
    tolerance : float
        Layers whose damage is so many times the median are left alone, if the speed-up allows.
    exclude : collection of str
        Layers that stay as they are. Depthwise and grouped convolutions always do.

    Members
    -------
    masks : dict of str to bool tensor
        By layer.
    excluded : list of str
        Layers left alone because of their sensitivity.
    final : bool
        The masks don't change any more.

    Raises
    ------
    UsageError
        For what can't be: the text names it and what is accepted, a speed-up that can be reached
        for one that can't.
    ModelError
        For a model that does what the chip can't.
    """

    def __init__(self, model: nn.Module, example_input: torch.Tensor, *,
                 preset: str | Config = "base", speedup: float | None = None,
                 rate: float | Mapping[str, float] | None = None, schedule: Schedule | None = None,
                 criterion: str = "fisher", qat: bool = True,
                 sensitivity: str | Callable[[nn.Module], float] | None = "output",
                 tolerance: float = 10.0, exclude: Collection[str] = ()) -> None:
        if not (sensitivity in ("output", None) or callable(sensitivity)):
            raise UsageError(f"sensitivity is {sensitivity!r}; accepted are 'output', a callable "
                             "or None")
        try:
            chip = configs.preset(preset) if isinstance(preset, str) else preset
        except configs.ConfigError as error:
            raise UsageError(str(error)) from error
        self._network = Network(model, example_input, chip, quantize=qat, exclude=exclude)
        self._importance = Importance(self._network, criterion)
        self._target = Target(self._network.budget, self._network.chip, speedup, rate,
                              Importance(self._network, "magnitude").scores())
        self._schedule = schedule or Schedule()
        self._sensitivity, self._tolerance = sensitivity, tolerance
        self._followers: list[nn.Module] = []
        self._factors: dict[str, float] | None = None
        self._steps = 0
        self.masks = {name: mask.clone() for name, mask in self._network.masks.items()}
        self.excluded: list[str] = []
        self.final = False

    def step(self) -> None:
        """After each optimizer step, before the gradients are cleared."""
        self._steps += 1
        if not self.final:
            self._importance.observe()
            if self._schedule.due(self._steps):
                self._decide(self._schedule.progress(self._steps))
        self._apply()

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

    @property
    def counts(self) -> dict[str, NDArray]:
        """N of every block, [lane blocks, blocks], by layer."""
        return {name: self._pattern(name).counts(self._network.to_chip(name, mask))
                for name, mask in self.masks.items()}

    @property
    def cycles(self) -> int:
        """Doorbell to interrupt with the present masks, by compiler and machine."""
        return self._network.budget.cycles(
            {self._network.chip[name]: self._network.to_chip(name, mask)
             for name, mask in self.masks.items()})

    @property
    def dense_cycles(self) -> int:
        """The same with every weight issued."""
        return self._network.budget.dense_cycles

    @property
    def speedup(self) -> float:
        """Of the present masks."""
        return self.dense_cycles / self.cycles

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
        if not (self.final or self._target.idle):
            warnings.warn(f"exported after {self._steps} of the schedule's {self._schedule.end} "
                          "steps: the pruning is not done", stacklevel=2)
        proto = self._network.onnx(source, self.masks)
        try:
            Path(path).write_bytes(proto.SerializeToString())
        except OSError as error:
            raise UsageError(f"{path}: can't be written: {error.strerror}") from error

    def state_dict(self) -> dict[str, Any]:
        """All that a checkpoint needs beside the model's and the optimizer's own."""
        return {"steps": self._steps, "final": self.final, "excluded": list(self.excluded),
                "factors": self._factors, "asked": self._asked(),
                "masks": {name: mask.cpu() for name, mask in self.masks.items()},
                "means": {name: mean.cpu() for name, mean in self._importance.means.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint; the model's own is loaded by the caller.

        Raises
        ------
        UsageError
            If it is of another model, chip or target.
        """
        if state["asked"] != self._asked():
            raise UsageError(f"the checkpoint was made for {state['asked']}, this pruner is for "
                             f"{self._asked()}")
        shapes = {name: mask.shape for name, mask in self.masks.items()}
        if {name: mask.shape for name, mask in state["masks"].items()} != shapes:
            raise UsageError("the checkpoint's layers are not this model's: "
                             f"{', '.join(state['masks'])} against {', '.join(shapes)}")
        self._steps, self.final = state["steps"], state["final"]
        self.excluded, self._factors = list(state["excluded"]), state["factors"]
        self.masks = {name: state["masks"][name].to(mask.device)
                      for name, mask in self.masks.items()}
        self._importance.means = {name: mean.to(self.masks[name].device)
                                  for name, mean in state["means"].items()}
        self._apply()

    def _asked(self) -> dict[str, Any]:
        rate = self._target.rate
        return {"digest": self._network.budget.config.digest(), "speedup": self._target.speedup,
                "rate": dict(rate) if isinstance(rate, Mapping) else rate,
                "criterion": self._importance.criterion}

    def _decide(self, progress: float) -> None:
        """Choose masks on one rank, for all."""
        def decide() -> tuple[dict[str, NDArray], dict[str, float], list[str]]:
            scores = self._importance.scores()
            weights, excluded = self._factors, self.excluded
            if weights is None:
                weights, excluded = self._compare(scores)
            scores = {name: values * weights[name] for name, values in scores.items()
                      if name not in excluded}
            live = {name: self._network.to_chip(name, mask) for name, mask in self.masks.items()}
            return self._target.masks(scores, live, progress), weights, excluded

        masks, self._factors, self.excluded = decided_once(decide)
        for name, mask in masks.items():
            self.masks[name] = self._network.to_torch(name, mask)
        self.final = progress >= 1

    def _compare(self, scores: dict[str, NDArray]) -> tuple[dict[str, float], list[str]]:
        """(factor of each layer's importance, layers to leave alone)."""
        if self._sensitivity is None:
            return dict.fromkeys(scores, 1.0), []
        how = self._sensitivity if callable(self._sensitivity) else None
        found = measure(self._network, scores, how)
        return factors(found), self._target.excluded(found, self._tolerance, scores)

    @torch.no_grad()
    def _apply(self) -> None:
        """Zero what is pruned, in the model and its copies."""
        for copy in self._followers:
            copy.get_submodule(HOME).load_state_dict(
                self._network.model.get_submodule(HOME).state_dict())
        for model in (self._network.model, *self._followers):
            for name, mask in self.masks.items():
                weight = self._network.weight(name, model)
                # Not a product: NaN x 0 would stay NaN.
                weight.masked_fill_(~mask.to(weight.device), 0)

    def _pattern(self, name: str) -> Any:
        return self._network.budget.sites[self._network.chip[name]].pattern


def _inner(model: nn.Module) -> nn.Module:
    """What DistributedDataParallel or AveragedModel holds."""
    inner = getattr(model, "module", model)
    return inner if isinstance(inner, nn.Module) else model
