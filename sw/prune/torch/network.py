"""A PyTorch model beside the chip's graph of it: layers by name, weights in both orders."""

import dataclasses
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from golden.attributes import Conv2D, FullyConnected, Weighted
from golden.graph import Graph
from golden.spec.config import Config
from sw.errors import UsageError
from sw.frontend.onnx import load
from sw.prune.budget import Budget
from sw.prune.target import check_layer
from sw.prune.torch.adopt import HOME, adopt
from sw.prune.torch.export import OnnxWriter
from sw.prune.torch.modes import inference
from sw.prune.torch.trace import trace

__all__ = ["Network"]

Masks = dict[str, torch.Tensor]


class Network:
    """A model, adopted: traced, with quantizers, and known to the chip's timing.

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

    Members
    -------
    budget : Budget
        Finds masks; its names are the chip's.
    masks : dict of str to bool tensor
        Weights that were not zero, by layer that can be pruned, as PyTorch has them.

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
        names = self._names()
        weights = {name: self.weight(name).detach() for name in layers}
        # A layer that is all zero has been initialized so, not pruned.
        kept = {name: (weight != 0) | ~(weight != 0).any() for name, weight in weights.items()}
        graph = self._graph(names, kept)
        self.budget = Budget(graph, config, [names[name] for name in exclude])
        self.chip = {name: names[name] for name in layers if names[name] in self.budget.sites}
        self.masks: Masks = {name: kept[name] for name in self.chip}

    def weight(self, name: str, model: nn.Module | None = None) -> nn.Parameter:
        """A layer's weights."""
        layer: Any = (model or self.model).get_submodule(name)
        return layer.weight  # type: ignore[no-any-return]

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

    def to_torch(self, name: str, values: NDArray) -> torch.Tensor:
        """The opposite."""
        weight = self.weight(name)
        data, shape = torch.from_numpy(np.ascontiguousarray(values)), tuple(weight.shape)
        if len(shape) == 2 and (inner := self._flattened(name)):
            shape = (shape[0], *inner)
        if len(shape) == 4:
            outputs, inputs, height, width = shape
            data = data.reshape(outputs, height, width, inputs).permute(0, 3, 1, 2)
        return data.reshape(weight.shape).to(weight.device)

    def _flattened(self, name: str) -> tuple[int, ...] | None:
        step = next(step for step in self.found.steps if step.name == name)
        return self.found.flattened(step)

    def _check_weights(self) -> None:
        for name, values in self.model.named_parameters():
            if not bool(torch.isfinite(values).all()):
                raise UsageError(f"parameter {name!r} holds NaN or infinity; accepted are finite "
                                 "weights")

    def _names(self) -> dict[str, str]:
        writer = OnnxWriter(self.model, self.found, self.owner, {})
        self._proto = writer.write()
        return writer.names

    def _graph(self, names: dict[str, str], kept: Masks) -> Graph:
        """The chip's graph, with a one for every weight that isn't zero."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{type(self.model).__name__}.onnx"
            path.write_bytes(self._proto.SerializeToString())
            graph = load(path)
        del self._proto
        layer = {node: name for name, node in names.items()}
        nodes = []
        for node in graph.nodes:
            if isinstance(node.attrs, Weighted) and node.name in layer:
                name = layer[node.name]
                ones = np.ones_like(node.attrs.kernel)
                if isinstance(node.attrs, Conv2D | FullyConnected):
                    ones = self.to_chip(name, kept[name].to(torch.int8))
                node = dataclasses.replace(node, attrs=dataclasses.replace(node.attrs,
                                                                           kernel=ones))
            nodes.append(node)
        return dataclasses.replace(graph, nodes=nodes)
