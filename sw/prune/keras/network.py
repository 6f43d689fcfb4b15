"""A Keras model beside the chip's graph of it: layers by name, kernels in both orders."""

import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from golden.attributes import Conv2D, FullyConnected, Weighted
from golden.graph import Graph
from golden.spec.config import Config
from sw.errors import ModelError, UsageError
from sw.frontend.tflite import load
from sw.prune.budget import Budget
from sw.prune.keras.convert import first_line, to_tflite
from sw.prune.keras.match import chip_order, marked, matches, normalization
from sw.prune.keras.quantizers import WeightQuantizer
from sw.prune.kernels import ones
from sw.prune.names import check_layer
from sw.prune.network import BaseNetwork
from sw.prune.pattern import DEPTHWISE, EXCLUDED

__all__ = ["Network", "samples"]

Masks = Mapping[str, NDArray]
_PRUNED = (keras.layers.Conv2D, keras.layers.Dense)
_KEPT = (keras.layers.DepthwiseConv2D,)


class Network(BaseNetwork):
    """A Keras model known to the chip's timing; its members are those of `BaseNetwork`.

    Parameters
    ----------
    model : keras.Model
    example : array
        Inputs, batch first.
    config : Config
    exclude : collection of str
        Layers that stay as they are.

    Raises
    ------
    UsageError
        If there is nothing to prune, weights are not numbers or an excluded layer isn't there.
    ModelError
        If the model does what the chip can't, or its layers can't be found in the converted one.
    """

    def __init__(self, model: keras.Model, example: Any, config: Config, *,
                 exclude: Collection[str]) -> None:
        self.model = model
        self.example = samples(example, "example_input")
        try:
            model(self.example[:1], training=False)
        except Exception as error:  # whatever the model's own code raises
            raise ModelError(f"the model can't take example_input of shape {self.example.shape}: "
                             f"{first_line(error)}") from error
        self.check_weights()
        leaves = self._leaves()
        weighted = {name: layer for name, layer in leaves.items()
                    if any(len(variable.shape) > 1 for variable in layer.weights)}
        for name in exclude:
            check_layer(name, list(weighted))
        self._check_layers(weighted, exclude)
        self._weighted = weighted
        self.layers = {name: layer for name, layer in weighted.items()
                       if _has_kernel(layer, _PRUNED)}
        self._norms: dict[str, keras.layers.BatchNormalization | None] = {}
        self._quantizers: list[WeightQuantizer] = []
        kept = {name: (kernel != 0) | (not kernel.any())  # all zero: initialized so, not pruned
                for name, kernel in ((name, self.kernel(name)) for name in self.layers)}
        nodes, self._graph = self._convert(leaves, exclude, kept)
        free = {node for name, node in nodes.items() if name not in exclude}
        self.budget = Budget(self._graph, config, [
            node.name for node in self._graph.nodes if node.name not in free])
        self.chip = {name: node for name, node in nodes.items() if node in self.budget.sites}
        self.unpruned = {name: self.budget.unpruned.get(
            nodes.get(name, ""), DEPTHWISE if isinstance(layer, _KEPT) else EXCLUDED)
            for name, layer in weighted.items() if name not in self.chip}
        self.masks = {name: kept[name] for name in self.chip}

    def kernel(self, name: str) -> NDArray:
        """A layer's weights, as Keras has them."""
        values: NDArray = self.layers[name].kernel.numpy()
        return values

    def folded(self, name: str) -> NDArray:
        """The same with its batch normalization."""
        norm, kernel = self._norms[name], self.kernel(name)
        return kernel if norm is None else np.asarray(kernel * normalization(norm))

    def to_chip(self, name: str, values: NDArray) -> NDArray:
        """Values of a layer's weights in the chip's order."""
        return chip_order(values).reshape(self.pattern(name).shape)

    def from_chip(self, name: str, values: NDArray) -> NDArray:
        """The opposite."""
        shape = tuple(self.layers[name].kernel.shape)
        return np.ascontiguousarray(np.moveaxis(values.reshape(shape[-1], *shape[:-1]), 0, -1))

    def quantize(self) -> None:
        """Round the kernels as the chip's are from here on; layers are changed in place."""
        self._quantizers = [WeightQuantizer(layer) for layer in self._weighted.values()
                            if _has_kernel(layer, _PRUNED + _KEPT)]
        # What was traced before knows nothing of the quantizers.
        for name in ("train_function", "test_function", "predict_function"):
            if hasattr(self.model, name):
                setattr(self.model, name, None)

    def apply(self, masks: Masks) -> None:
        """Zero what the masks leave out."""
        for name, mask in masks.items():
            kernel = self.layers[name].kernel
            # Not a product: NaN x 0 would stay NaN.
            kernel.assign(tf.where(mask, tf.convert_to_tensor(kernel), 0))

    @contextmanager
    def only(self, name: str, mask: NDArray) -> Iterator[None]:
        """With some of a layer's weights, the mask in the chip's order."""
        before = self.kernel(name)
        self.apply({name: self.from_chip(name, mask)})
        try:
            yield
        finally:
            self.layers[name].kernel.assign(before)

    def outputs(self) -> NDArray:
        """The model's for the example."""
        found = self.model(self.example, training=False)
        return np.concatenate([np.asarray(part, np.float64).reshape(len(self.example), -1)
                               for part in keras.tree.flatten(found)], axis=1)

    def stored(self, values: NDArray) -> NDArray:
        """An array for a checkpoint."""
        return values.copy()

    def restored(self, name: str, values: NDArray) -> NDArray:
        """A layer's array out of one."""
        return values.copy()

    def check_weights(self) -> None:
        """Refuse NaN and infinity."""
        for variable in self.model.weights:
            if not np.isfinite(variable.numpy()).all():
                raise UsageError(f"weights {variable.path!r} hold NaN or infinity; accepted are "
                                 "finite weights")

    def export(self, calibration: NDArray, masks: Masks) -> tuple[bytes, Graph]:
        """(the model as an int8 file, its graph), the masks' zeros in it.

        Raises
        ------
        ModelError
            If the converter gives another network than before, or fills in a pruned weight.
        """
        raw, graph = self._tflite(calibration)
        first, now = _kernels(self._graph), _kernels(graph)
        shapes = [[kernel.shape for kernel in part.values()] for part in (first, now)]
        if shapes[0] != shapes[1]:
            raise ModelError(f"model {self.model.name!r} is converted to kernels {shapes[1]}, when "
                             f"the pruner was built to {shapes[0]}: its layers have changed")
        twin = dict(zip(first, now.values(), strict=True))
        for name, mask in masks.items():
            if twin[self.chip[name]][~self.to_chip(name, mask)].any():
                raise ModelError(f"layer {name!r}: pruned weights are not zero in the converted "
                                 "model")
        return raw, graph

    def _leaves(self) -> dict[str, keras.layers.Layer]:
        """The layers with weights that hold no others, by name."""
        found: dict[str, keras.layers.Layer] = {}
        for layer in self.model._flatten_layers(include_self=False):
            if next(iter(layer._flatten_layers(include_self=False)), None) is not None \
                    or any(layer is other for other in found.values()):
                continue
            if not layer.weights:
                continue
            if layer.name in found:
                raise ModelError(f"two layers are called {layer.name!r}; accepted are names of "
                                 "their own (name=...)")
            found[layer.name] = layer
        return found

    def _check_layers(self, weighted: Mapping[str, keras.layers.Layer],
                      exclude: Collection[str]) -> None:
        for name, layer in weighted.items():
            kind = type(layer).__name__
            if layer.compute_dtype != "float32":
                raise ModelError(f"layer {name!r} computes in {layer.compute_dtype}; accepted is "
                                 "float32: the converter to int8 takes no other")
            if name not in exclude and not _has_kernel(layer, _PRUNED + _KEPT):
                raise ModelError(f"layer {name!r} ({kind}) can't be pruned; accepted are Conv2D, "
                                 "Dense and DepthwiseConv2D, whose kernels are variables, and any "
                                 "layer in exclude=")

    def _convert(self, leaves: Mapping[str, keras.layers.Layer], exclude: Collection[str],
                 kept: Masks) -> tuple[dict[str, str], Graph]:
        """(node by layer, the graph with a one for every weight that isn't zero)."""
        norms = [layer for layer in leaves.values()
                 if isinstance(layer, keras.layers.BatchNormalization)]
        known = [layer for layer in leaves.values() if _has_kernel(layer, _PRUNED + _KEPT)]
        with marked(known, norms), tempfile.TemporaryDirectory() as folder:
            raw, graph = self._tflite(self.example[:1])
            path = Path(folder) / "model.tflite"
            path.write_bytes(raw)
            found = matches(path, graph, self.layers, norms)
        nodes = {}
        for name, parts in found.items():
            if len(parts) != 1 and name not in exclude:
                raise ModelError(f"layer {name!r} is in the converted model {len(parts)} times; "
                                 "accepted is once, or the layer in exclude=")
            if len(parts) == 1:
                nodes[name], self._norms[name] = parts[0].node, parts[0].norm
        taken = {part.node for parts in found.values() for part in parts}
        if all(name in self.layers for name in exclude):
            for node in graph.nodes:
                if isinstance(node.attrs, Conv2D | FullyConnected) and node.name not in taken:
                    raise ModelError(f"node {node.name!r} of the converted model, kernel "
                                     f"{node.attrs.kernel.shape}, is none of the layers "
                                     f"{', '.join(self.layers)}; accepted are models whose "
                                     "weights are those of Conv2D, Dense and DepthwiseConv2D "
                                     "layers")
        return nodes, ones(graph, {node: chip_order(kept[name]) for name, node in nodes.items()})

    def _tflite(self, calibration: NDArray) -> tuple[bytes, Graph]:
        with ExitStack() as stack:
            for quantizer in self._quantizers:
                stack.enter_context(quantizer.off())
            raw = to_tflite(self.model, calibration)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{self.model.name}.tflite"
            path.write_bytes(raw)
            return raw, load(path)


def _has_kernel(layer: Any, kinds: tuple[type, ...]) -> bool:
    """Is it of these, its kernel a variable?"""
    return isinstance(layer, kinds) and isinstance(getattr(layer, "kernel", None), keras.Variable)


def _kernels(graph: Graph) -> dict[str, NDArray]:
    """By node, in the graph's order."""
    return {node.name: node.attrs.kernel for node in graph.nodes
            if isinstance(node.attrs, Weighted)}


def samples(values: Any, what: str, shape: tuple[int, ...] | None = None) -> NDArray:
    """Inputs as float32, batch first.

    Raises
    ------
    UsageError
        If they are no such thing.
    """
    try:
        found = np.asarray(values, np.float32)
    except (TypeError, ValueError):
        found = np.zeros(0, np.float32)
    if found.ndim < 2 or not len(found) or (shape and found.shape[1:] != shape):
        wanted = f" of shape {shape}" if shape else ""
        raise UsageError(f"{what} has shape {found.shape}; accepted is an array, batch first, of "
                         f"at least one sample{wanted}")
    if not np.isfinite(found).all():
        raise UsageError(f"{what} holds NaN or infinity; accepted are finite samples")
    return found
