"""Simpler cases than one that fails."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from golden import executor
from golden.attributes import GraphError, MaxPool, Pad, Weighted, Window
from golden.graph import Graph, Node
from golden.movement import Take
from golden.spec.numerics import IDENTITY
from golden.transposed import TransposedConv2D
from tb.fuzz.case import Case
from tb.fuzz.chips import CHIPS
from tb.fuzz.rebuild import outputs_kept, rebuild
from tb.fuzz.search import smallest

__all__ = ["shrink"]

# What a parameter of a case, and an attribute of an operator, is when it plays no part.
_PLAIN = {"stride": (1, 1), "dilation": (1, 1), "pads": (0, 0, 0, 0), "least": -128, "most": 127,
          "block": 1}


def shrink(case: Case, fails: Callable[[Case], bool], *, seconds: float = 120) -> Case:
    """The smallest case found that fails.

    Parameters
    ----------
    case : Case
        One that fails.
    fails : callable
        Does a case fail, and in the same way?
    seconds : float
        Limit of the search.
    """
    return smallest(case, [_valid(propose) for propose in (
        _parameters, _cuts, _shapes, _attributes, _values)], fails, seconds)


def _valid(propose: Callable[[Case], Iterator[Callable[[], Case]]]
           ) -> Callable[[Case], Iterator[Case]]:
    def proposals(case: Case) -> Iterator[Case]:
        for make in propose(case):
            try:
                yield make()
            except GraphError:  # an operator could not follow
                continue

    return proposals


def _parameters(case: Case) -> Iterator[Callable[[], Case]]:
    """Plain surroundings."""
    config = CHIPS[case.chip]
    plain: dict[str, Any] = {
        "stall_percent": 0, "dense": False, "dram_bytes": config.dram_bytes,
        "dram_latency": config.dram_latency}
    if len(case.inputs) > 1:
        for run in range(len(case.inputs)):
            yield lambda run=run: case.change(inputs=(case.inputs[run],))
    changed = {name: value for name, value in plain.items() if getattr(case, name) != value}
    if len(changed) > 1:
        yield lambda: case.change(**changed)
    for name, value in changed.items():
        yield lambda name=name, value=value: case.change(**{name: value})


def _cuts(case: Case) -> Iterator[Callable[[], Case]]:
    """Fewer operators: an earlier output, a later input, one left out."""
    graph = case.graph
    for node in graph.nodes:
        if graph.outputs != node.outputs:
            yield lambda node=node: _with(case, rebuild(graph, outputs=node.outputs))
    for node in reversed(graph.nodes[:-1]):
        yield lambda node=node: _with(case, rebuild(graph, inputs=node.outputs))
    for node in graph.nodes:
        for name in node.inputs:
            yield lambda node=node, name=name: _with(
                case, rebuild(graph, aliases={node.outputs[0]: name}))


def _smaller(size: int) -> list[int]:
    return sorted({1, size // 2, size - 1} - {0, size})


def _shapes(case: Case) -> Iterator[Callable[[], Case]]:
    """Smaller inputs, all together or one alone, and fewer output channels."""
    graph = case.graph
    given = {name: graph.tensors[name].shape for name in graph.inputs}
    for axis in range(1, max(len(shape) for shape in given.values())):
        together = [(name,) for name in given]
        if len(given) > 1:
            together.insert(0, tuple(given))
        for names in together:
            if any(axis >= len(given[name]) for name in names):
                continue
            for size in _smaller(max(given[name][axis] for name in names)):
                cut = {name: (*given[name][:axis], min(size, given[name][axis]),
                              *given[name][axis + 1:]) for name in names}
                yield lambda cut=cut: _with(case, rebuild(graph, shapes=cut))
    for node in graph.nodes:
        if isinstance(node.attrs, Weighted):
            for size in _smaller(len(node.attrs.bias)):
                yield lambda node=node, size=size: _changed(
                    case, node, outputs_kept(node.attrs, size))


def _attributes(case: Case) -> Iterator[Callable[[], Case]]:
    """Plain attributes and smaller windows."""
    for node in case.graph.nodes:
        attrs = node.attrs
        if isinstance(attrs, Take):
            for axis, chosen in enumerate(attrs.indices):
                for less in () if chosen is None else (None, chosen[:1], chosen[:-1]):
                    if less != chosen and less != ():
                        some = (*attrs.indices[:axis], less, *attrs.indices[axis + 1:])
                        yield lambda node=node, some=some: _replaced(case, node, indices=some)
            continue
        if isinstance(attrs, Pad):
            for axis, pair in enumerate(attrs.pads):
                if max(pair):
                    some = (*attrs.pads[:axis], (0, 0), *attrs.pads[axis + 1:])
                    yield lambda node=node, some=some: _replaced(case, node, pads=some)
            continue
        for name, plain in _PLAIN.items():
            value = getattr(attrs, name, plain)
            if value == plain:
                continue
            yield lambda node=node, name=name, plain=plain: _replaced(case, node, **{name: plain})
            if isinstance(plain, tuple):
                for i, part in enumerate(plain):
                    for less in dict.fromkeys((part, value[i] - 1)):
                        if value[i] != part:
                            some = (*value[:i], less, *value[i + 1:])
                            yield lambda node=node, name=name, some=some: _replaced(
                                case, node, **{name: some})
        if isinstance(attrs, Window):
            for axis in (0, 1):
                for size in _smaller(attrs.window[axis]):
                    yield lambda node=node, axis=axis, size=size: _narrowed(
                        case, node, axis, size)
        if isinstance(attrs, TransposedConv2D):
            for axis in (1, 2):
                for size in _smaller(attrs.kernel.shape[axis]):
                    yield lambda node=node, axis=axis, size=size: _replaced(
                        case, node, kernel=node.attrs.kernel.take(range(size), axis))
    if any(t.quant and t.quant.zero_point for t in case.graph.tensors.values()):
        yield lambda: _without_zeros(case)


def _values(case: Case) -> Iterator[Callable[[], Case]]:
    """Plain weights, biases, factors and inputs."""
    for node in case.graph.nodes:
        attrs = node.attrs
        if not isinstance(attrs, Weighted):
            continue
        size = len(attrs.bias)
        factors = {name: np.full(size, value, np.int32) for name, value in zip(
            ("multiplier", "pre", "post"), IDENTITY, strict=True)}
        plain = {"bias": np.zeros_like(attrs.bias), **factors}
        for change in ({"kernel": np.zeros_like(attrs.kernel)},
                       {"kernel": np.ones_like(attrs.kernel)},
                       {"kernel": np.sign(attrs.kernel)}, {"bias": plain["bias"]}, factors):
            # Ones are plainer than anything but zeros: nothing goes back and forth.
            if all(np.array_equal(getattr(attrs, name), value) for name, value in change.items()
                   ) or ("kernel" in change and (attrs.kernel == attrs.kernel.flat[0]).all()):
                continue
            yield lambda node=node, change=change: _replaced(case, node, **change)
    for value in (0, 1):
        if any((array != array.flat[0]).any() for run in case.inputs for array in run.values()):
            yield lambda value=value: case.change(inputs=tuple(
                {name: np.full_like(array, value) for name, array in run.items()}
                for run in case.inputs))


def _changed(case: Case, node: Node, attrs: Any) -> Case:
    return _with(case, rebuild(case.graph, attrs={node.name: attrs}))


def _replaced(case: Case, node: Node, **change: Any) -> Case:
    return _changed(case, node, dataclasses.replace(node.attrs, **change))


def _narrowed(case: Case, node: Node, axis: int, size: int) -> Case:
    attrs: Any = node.attrs
    window = (size, attrs.window[1]) if axis == 0 else (attrs.window[0], size)
    change: dict[str, Any] = {"window": window}
    if isinstance(attrs, MaxPool):
        change["pads"] = tuple(min(pad, window[i // 2] - 1) for i, pad in enumerate(attrs.pads))
    else:
        change["kernel"] = attrs.kernel[:, :window[0], :window[1]]
    return _replaced(case, node, **change)


def _without_zeros(case: Case) -> Case:
    changes: dict[str, Any] = {}
    for node in case.graph.nodes:
        zeros = {name: 0 for name in ("input_zero", "output_zero") if hasattr(node.attrs, name)}
        if hasattr(node.attrs, "input_zeros"):
            zeros["input_zeros"] = (0, 0)
        changes[node.name] = dataclasses.replace(node.attrs, **zeros)
    return _with(case, rebuild(case.graph, attrs=changes, zero=0))


def _with(case: Case, graph: Graph) -> Case:
    """The case with another graph: values where it begins are as they were, cut to size."""
    runs = []
    for inputs in case.inputs:
        if set(graph.inputs) <= set(inputs):
            values = inputs
        else:
            values = {**inputs, **executor.run(case.graph, inputs, keep_all=True)}
        runs.append({name: np.ascontiguousarray(values[name][tuple(
            slice(size) for size in graph.tensors[name].shape)]) for name in graph.inputs})
    return case.change(graph=graph, inputs=tuple(runs))
