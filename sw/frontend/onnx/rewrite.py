"""An ONNX file with other weights and biases in the same places."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from golden.attributes import DepthwiseConv2D, Weighted
from golden.graph import Graph, Node
from golden.ops.requantize import requantize
from sw.errors import ModelError
from sw.frontend.onnx.file import Shapes, parse
from sw.frontend.onnx.held import held_tensors
from sw.frontend.onnx.importer import import_model
from sw.frontend.onnx.origin import Origin, Slots

__all__ = ["OnnxWeights"]

_SCALING = ("bias", "multiplier", "pre", "post")


class OnnxWeights:
    """Where the weights of a file lie.

    Parameters
    ----------
    path : Path
    shapes : mapping of str to tuple of int, optional
        As for `load`.

    Members
    -------
    no_bias : set of str
        Nodes that have no place for a bias of each channel.
    fixed : set of str
        Nodes whose weights can't be others: they aren't in the file one by one.
    """

    def __init__(self, path: Path, shapes: Shapes | None = None) -> None:
        self.path, self._shapes = path, shapes
        imported = import_model(path, shapes)
        self._graph, self._slots = imported.graph, imported.slots
        self.no_bias = {name for name, item in self._slots.items() if item.bias.place is None}
        self.fixed = {name for name, item in self._slots.items() if item.origin is None}

    def replaced(self, nodes: Sequence[Node]) -> bytes:
        """The file with the weights and biases of these nodes.

        Biases are as near as the file's type and scale can hold them; a channel that has lost all
        its weights gives the same value with another scale.

        Raises
        ------
        ModelError
            If two operators share weights that are no longer the same, or the file read again
            is not the network of these nodes.
        """
        model = parse(self.path)
        tensors = held_tensors(model)
        given = {node.name: node for node in self._graph.nodes}
        taken: dict[str, _Taken] = {}
        for node in nodes:
            if node.name not in self._slots:
                continue
            slots, before, after = self._slots[node.name], given[node.name].attrs, node.attrs
            assert isinstance(before, Weighted) and isinstance(after, Weighted)
            if slots.origin is not None:
                signs = np.broadcast_to(slots.signs, slots.origin.positions.shape)
                origin = slots.origin.moved(slots.finish)
                self._take(taken, tensors, node.name, origin, before.kernel != after.kernel,
                           origin.stored(after.kernel.astype(np.int64) * slots.finish(signs)))
            if (place := slots.bias.place) is not None:
                change = _change(slots, before, after)
                self._take(taken, tensors, node.name, place.origin, change != 0,
                           place.stored(change))
        for name, item in taken.items():
            if not np.array_equal(item.values, item.original):
                tensors[name].CopyFrom(onnx.numpy_helper.from_array(
                    item.values.reshape(item.shape), tensors[name].name))
        raw = model.SerializeToString()
        self._check(nodes, import_model(self.path, self._shapes, raw).graph)
        return raw

    def _take(self, taken: dict[str, "_Taken"], tensors: Mapping[str, onnx.TensorProto], name: str,
              origin: Origin, changed: NDArray, stored: NDArray) -> None:
        """Take the places of a node, with new values where they have changed."""
        if origin.name not in taken:
            taken[origin.name] = _Taken(onnx.numpy_helper.to_array(tensors[origin.name]))
        item, new = taken[origin.name], stored[changed]
        if new.size and not (item.least <= new.min() and new.max() <= item.most):
            raise ModelError(f"{self.path}: {self._slots[name].label}: needs {new.min():g} to "
                             f"{new.max():g} in {origin.name!r}, which is {item.values.dtype} "
                             f"(--exclude {name} leaves it as it is)")
        wanted = item.original[origin.positions]
        wanted[changed] = new
        other = item.owner[origin.positions]
        conflict = (other != "") & (wanted != item.values[origin.positions])
        if conflict.any():
            raise ModelError(f"{self.path}: nodes {other[conflict][0]!r} and {name!r} share "
                             "weights or biases in the file and would need different ones; "
                             "accepted are files in which each has its own, or --exclude for both")
        item.values[origin.positions], item.owner[origin.positions] = wanted, name

    def _check(self, nodes: Sequence[Node], found: Graph) -> None:
        """What has been written, read again, is the network of these nodes."""
        names = [node.name for node in found.nodes]
        if names != [node.name for node in nodes]:
            raise ModelError(f"{self.path}: with other weights it has other operators: "
                             f"{', '.join(names)}")
        for wanted, node in zip(nodes, found.nodes, strict=True):
            slots = self._slots.get(node.name)
            differs = _difference(wanted, node, slots)
            if differs:
                label = slots.label if slots else f"node {node.name!r}"
                raise ModelError(f"{self.path}: {label}: with the new weights the file would give "
                                 f"another {differs} than was computed; it isn't written "
                                 f"(--exclude {node.name} leaves it as it is)")


class _Taken:
    """Values of a constant of the file, old and new, flat, and which node each is of."""

    def __init__(self, values: NDArray) -> None:
        self.shape, self.original, self.values = values.shape, values.ravel(), values.flatten()
        self.owner = np.full(values.size, "", object)
        info = np.iinfo(values.dtype) if values.dtype.kind in "iu" else np.finfo(values.dtype)
        self.least, self.most = float(info.min), float(info.max)


def _dead(attrs: Weighted) -> NDArray:
    """Channels without weights."""
    kernel = np.moveaxis(attrs.kernel, -1, 0) if isinstance(attrs, DepthwiseConv2D) else (
        attrs.kernel)
    return np.asarray(~kernel.reshape(len(attrs.bias), -1).any(axis=1))


def _alone(attrs: Weighted) -> NDArray:
    """What each channel gives without weights, in steps of the output."""
    return requantize(attrs.bias, attrs.multiplier, attrs.pre, attrs.post)


def _change(slots: Slots, before: Weighted, after: Weighted) -> NDArray:
    """By how much the real bias of each channel changes."""
    # Read again, the scales of channels that have lost all weights are others: what they give is
    # aimed at in the middle.
    wanted = np.where(_dead(after), _alone(after) * slots.step, after.bias * slots.unit)
    same = (after.bias == before.bias) & (_dead(after) == _dead(before))
    return np.where(same, 0.0, wanted - slots.bias.values)


def _beyond(wanted: NDArray, found: NDArray, spacing: NDArray) -> NDArray:
    """Where integers differ by more than rounding to what the file can hold explains."""
    return np.asarray(np.abs(found.astype(np.int64) - wanted) > (spacing + 1) / 2)


def _difference(wanted: Node, found: Node, slots: Slots | None) -> str:
    """Which part of a node is another one than wanted; empty if none is."""
    if (wanted.inputs, wanted.outputs) != (found.inputs, found.outputs):
        return "input or output"
    one, other = wanted.attrs, found.attrs
    names = [field.name for field in dataclasses.fields(one)]
    if slots is not None:
        assert isinstance(one, Weighted) and isinstance(other, Weighted)
        names = [name for name in names if name not in _SCALING]
        place, dead = slots.bias.place, _dead(one)
        spacing = np.zeros(len(dead)) if place is None else place.spacing
        if _beyond(_alone(one), _alone(other), spacing / slots.step)[dead].any():
            return "result of channels without weights"
        if any((getattr(one, name) != getattr(other, name))[~dead].any() for name in _SCALING[1:]):
            return "scale"
        if _beyond(one.bias, other.bias, spacing / slots.unit)[~dead].any():
            return "bias"
    return next((name for name in names if type(one) is not type(other) or not _same(
        getattr(one, name), getattr(other, name))), "")


def _same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray):
        return np.array_equal(one, np.asarray(other))
    return one == other
