"""A PyTorch model beside the chip's graph of it: layers by name, weights in both orders."""

import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from golden.spec.config import Config
from sw.errors import UsageError
from sw.frontend.onnx import load
from sw.prune.budget import Budget
from sw.prune.kernels import ones
from sw.prune.names import check_layer
from sw.prune.network import BaseNetwork
from sw.prune.torch.adopt import HOME, adopt
from sw.prune.torch.export import OnnxWriter, folded
from sw.prune.torch.modes import inference
from sw.prune.torch.trace import Step, trace

__all__ = ["Network"]

Masks = Mapping[str, torch.Tensor]


class Network(BaseNetwork):
    """A PyTorch model, adopted: traced, with quantizers, and known to the chip's timing; its
    members are those of `BaseNetwork`.

    Parameters
    ----------
    model : nn.Module
        Changed in place (`adopt`).
    example : Tensor
        An input, batch first.
    config : Config
    quantize : bool
        Whether its forward() rounds as the chip does.
    exclude : collection of str
        Layers that stay as they are.

    Raises
    ------
    UsageError
        If there is nothing to prune, weights are not numbers or an excluded layer isn't there.
    ModelError
        If the model does what the chip can't.
    """

    def __init__(self, model: nn.Module, example: torch.Tensor, config: Config, *,
                 quantize: bool, exclude: Collection[str]) -> None:
        if hasattr(model, HOME):
            raise UsageError(f"the model has a submodule {HOME!r}: a pruner has adopted it before; "
                             "accepted is a model of its own for each pruner")
        if not isinstance(example, torch.Tensor) or example.ndim < 2 or not len(example):
            raise UsageError("example_input must be a tensor, batch first, of at least one sample")
        self.model, self.example = model, example
        self._check_weights()
        self.found = trace(model, example)
        layers = [step.name for step in self.found.steps if step.weighted]
        for name in exclude:
            check_layer(name, layers)
        self.owner = adopt(model, self.found, quantize=quantize)
        with inference(model):
            model(example)
        proto = OnnxWriter(model, self.found, self.owner, {}).write()
        weights = {name: self.weight(name).detach() for name in layers}
        # A layer that is all zero has been initialized so, not pruned.
        kept = {name: (weight != 0) | ~(weight != 0).any() for name, weight in weights.items()}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{type(model).__name__}.onnx"
            path.write_bytes(proto.SerializeToString())
            graph = ones(load(path), self.on_chip(kept))
        self.budget = Budget(graph, config, exclude)
        self.chip = {name: name for name in self.budget.sites}  # the file's nodes are the layers
        self.unpruned = {name: reason for name, reason in self.budget.unpruned.items()
                         if name in layers}  # others are pools
        self.masks = {name: kept[name] for name in self.chip}

    def weight(self, name: str, model: nn.Module | None = None) -> nn.Parameter:
        """A layer's weights."""
        layer: Any = (model or self.model).get_submodule(name)
        return layer.weight  # type: ignore[no-any-return]

    def kernel(self, name: str) -> torch.Tensor:
        """The same without their gradients, in float32."""
        return self.weight(name).detach().float()

    def folded(self, name: str) -> torch.Tensor:
        """The same with its batch normalization."""
        return folded(self.model, self._step(name))[0]

    def onnx(self, model: nn.Module, masks: Masks) -> onnx.ModelProto:
        """The model as quantized ONNX."""
        return OnnxWriter(model, self.found, self.owner, masks).write()

    def to_chip(self, name: str, values: torch.Tensor) -> NDArray:
        """Values of a layer's weights in the chip's order: (O, y, x, I)."""
        data = values.detach().cpu()
        if data.ndim == 2 and (shape := self._flattened(name)):
            data = data.reshape(len(data), *shape)
        if data.ndim == 4:
            data = data.permute(0, 2, 3, 1)
        # A matrix whose inputs are pixels has two axes on the chip, too.
        result: NDArray = data.contiguous().numpy()
        return result.reshape(len(result), -1) if values.ndim == 2 else result

    def from_chip(self, name: str, values: NDArray) -> torch.Tensor:
        """The opposite."""
        weight = self.weight(name)
        data, shape = torch.from_numpy(np.ascontiguousarray(values)), tuple(weight.shape)
        if len(shape) == 2 and (inner := self._flattened(name)):
            shape = (shape[0], *inner)
        if len(shape) == 4:
            outputs, inputs, height, width = shape
            data = data.reshape(outputs, height, width, inputs).permute(0, 3, 1, 2)
        return data.reshape(weight.shape).to(weight.device)

    @torch.no_grad()
    def apply(self, masks: Masks, model: nn.Module | None = None) -> None:
        """Zero what the masks leave out, in the model or a copy of it."""
        for name, mask in masks.items():
            weight = self.weight(name, model)
            # Not a product: NaN x 0 would stay NaN.
            weight.masked_fill_(~mask.to(weight.device), 0)

    @contextmanager
    def only(self, name: str, mask: NDArray) -> Iterator[None]:
        """With some of a layer's weights, the mask in the chip's order."""
        weight = self.weight(name).detach()
        before = weight.clone()
        self.apply({name: self.from_chip(name, mask)})
        try:
            yield
        finally:
            weight.copy_(before)

    def inference(self) -> AbstractContextManager[None]:
        """With the model in evaluation, without gradients."""
        return inference(self.model)

    def outputs(self) -> NDArray:
        """The model's for the example."""
        found: NDArray = self.model(self.example).detach().double().cpu().numpy()
        return found

    def stored(self, values: torch.Tensor) -> torch.Tensor:
        """A tensor for a checkpoint."""
        return values.cpu()

    def restored(self, name: str, values: torch.Tensor) -> torch.Tensor:
        """A layer's tensor out of one."""
        return values.to(self.weight(name).device)

    def _step(self, name: str) -> Step:
        return next(step for step in self.found.steps if step.name == name)

    def _flattened(self, name: str) -> tuple[int, ...] | None:
        return self.found.flattened(self._step(name))

    def _check_weights(self) -> None:
        for name, values in self.model.named_parameters():
            if not bool(torch.isfinite(values).all()):
                raise UsageError(f"parameter {name!r} holds NaN or infinity; accepted are finite "
                                 "weights")
