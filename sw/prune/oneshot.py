"""Pruning without training data: layer by layer, from a few inputs and no labels.

Each layer is fitted to what it gave in the network as it was, on what the network pruned so far
feeds it, so that errors don't pile up. Frameworks aren't needed: graphs in, graphs out. ::

    surgery = OneShot(graph, preset("base"), {"input": samples})
    counts = surgery.counts_at(0.5)             # or from Budget.for_cycles(surgery.scores(), ...)
    pruned = surgery.prune(counts)
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from golden.attributes import Conv2D, FullyConnected, Weighted
from golden.graph import Graph, Node
from golden.spec.config import Config
from golden.spec.numerics import ROUND_ONCE
from sw.errors import UsageError
from sw.prune.forward import Forward, distance
from sw.prune.pattern import Pattern, unprunable
from sw.prune.rate import rows_at
from sw.prune.surgeon import Problem, saliency
from sw.prune.unfold import chosen_rows

__all__ = ["OneShot"]

Counts = Mapping[str, NDArray]
_ROWS = 8192  # of a layer's inputs that its moments are taken from, at least
_ROWS_PER_INPUT = 3  # of them for each weight of an output, if there are so many
_TOGETHER = 4096  # weights of an output whose errors make up for each other
_DAMPING = 0.01  # added to the moments, of their mean diagonal
_PROBE = 0.15  # noise of the weights that probes a layer, of their root mean square
_PROBED = 32  # samples
# Matrices are small: a second thread makes them slower, many times so on cores that others use too.
_one_thread = threadpool_limits.wrap(limits=1, user_api="blas")


class OneShot:
    """Prunes a network on calibration inputs.

    Parameters
    ----------
    graph : Graph
        Its zero weights stay zero.
    config : Config
    inputs : mapping of str to ndarray [samples, ...]
        One array per input; the leading axis of each holds as many rows a sample as the input's.
    exclude : collection of str
        Nodes that stay as they are, as depthwise and grouped convolutions always do.
    fixed : collection of str
        Likewise; any node may be named.
    no_bias : collection of str
        Nodes whose biases can't be changed.
    seed : int
        Of the choice of rows.
    progress : callable, optional
        Told what is being done.

    Members
    -------
    patterns : dict of str to Pattern
        Of the nodes to prune, in the graph's order.
    errors : dict of str to float
        After `prune`: squared error of each layer's sums as a share of their variance.

    Raises
    ------
    UsageError
        If there is nothing to prune, or an excluded node isn't there.
    """

    def __init__(self, graph: Graph, config: Config, inputs: Mapping[str, NDArray], *,
                 exclude: Collection[str] = (), fixed: Collection[str] = (),
                 no_bias: Collection[str] = (), seed: int = 0,
                 progress: Callable[[str], None] | None = None) -> None:
        self.graph, self._config, self._inputs = graph, config, inputs
        self._no_bias, self._seed = no_bias, seed
        self._tell = progress or (lambda text: None)
        weighted = {node.name: node.attrs for node in graph.nodes
                    if isinstance(node.attrs, Weighted)}
        every = {name: Pattern.of(config, attrs) for name, attrs in weighted.items()
                 if not unprunable(attrs)}
        for name in exclude:
            if name not in weighted:
                raise UsageError(f"excluded layer {name!r}: no such layer to prune; layers are "
                                 f"{', '.join(every)}")
        self.patterns = {name: item for name, item in every.items()
                         if name not in exclude and name not in fixed}
        if not any(node.name in self.patterns and isinstance(node.attrs, Weighted)
                   and node.attrs.kernel.any() for node in graph.nodes):
            raise UsageError(f"{graph.name}: no weights to prune; accepted are networks with "
                             "convolutions, not depthwise or grouped, or fully connected layers "
                             "that aren't excluded")
        self.errors: dict[str, float] = {}

    def counts_at(self, rate: float) -> dict[str, NDArray]:
        """N of every block at one rate, as `rows_at`."""
        rows = rows_at(self._config, rate)
        return {name: np.full(pattern.blocks, rows) for name, pattern in self.patterns.items()}

    @_one_thread
    def scores(self) -> dict[str, NDArray]:
        """Importance of every weight, of the kernels' shapes and comparable between layers.

        What the network's output changes, squared and as a share of its variance, when the weight
        goes: half way, geometrically, between no other weight and all others of its output
        channel making up for it, as many go together. How much of a layer's error reaches the
        output is probed with noise on its weights.
        """
        found = {}
        walk = Forward(self.graph, self._inputs)
        probe = Forward(self.graph, {name: array[:_PROBED * self.graph.tensors[name].shape[0]]
                                     for name, array in self._inputs.items()})
        reference = probe.all()
        for node in self.graph.nodes:
            if node.name in self.patterns:
                self._tell(f"weighing {node.name}")
                attrs = node.attrs
                assert isinstance(attrs, Weighted)
                kernel, rows = _matrix(attrs), self._rows(walk.values[node.inputs[0]], attrs)
                noisy, scale = _noisy(kernel, self._seed), _scale(attrs) ** 2
                share, error = np.zeros(kernel.shape), 0.0
                for part in _parts(kernel.shape[1]):
                    moments = _moments(rows[:, part]).matrix
                    share[:, part] = saliency(kernel[:, part], moments) * scale[:, None]
                    off = noisy[:, part] - kernel[:, part].astype(float)
                    error += float(scale @ np.einsum("ij,ij->i", off @ moments, off))
                probed = dataclasses.replace(node, attrs=dataclasses.replace(
                    attrs, kernel=noisy.reshape(attrs.kernel.shape)))
                damage = distance(reference, probe.outputs_with(probed, reference))
                found[node.name] = (share * (damage / error if error else 1.0)).reshape(
                    attrs.kernel.shape)
            walk.step(node)
        return found

    @_one_thread
    def prune(self, counts: Counts) -> Graph:
        """The network with at most so many weights of each lane in every block.

        Parameters
        ----------
        counts : mapping of str to ndarray [lane blocks, blocks]
            N by node; nodes without stay as they are.
        """
        self.errors = {}
        was, now = Forward(self.graph, self._inputs), Forward(self.graph, self._inputs)
        nodes = []
        for node in self.graph.nodes:
            new = node
            if node.name in counts:
                self._tell(f"pruning {node.name}")
                source = node.inputs[0]
                new = self._fitted(node, was.values[source], now.values[source],
                                   counts[node.name])
            same = new is node and all(now.values[name] is was.values[name]
                                       for name in node.inputs)
            was.step(node)
            if same:
                now.adopt(node, was)
            else:
                now.step(new)
            nodes.append(new)
        return dataclasses.replace(self.graph, nodes=nodes)

    def _fitted(self, node: Node, before: NDArray, after: NDArray, counts: NDArray) -> Node:
        """A node with its weights pruned and fitted, and its bias."""
        attrs, pattern = node.attrs, self.patterns[node.name]
        assert isinstance(attrs, Weighted)
        kernel = _matrix(attrs)
        now = self._rows(after, attrs)
        was = now if after is before else self._rows(before, attrs)
        rows = np.repeat(counts, pattern.lanes, axis=0)[:len(kernel)]
        found, bias = np.zeros(kernel.shape), attrs.bias.astype(float)
        blocks = _blocks(pattern)
        error = power = 0.0
        corrected = node.name not in self._no_bias
        for part in _parts(kernel.shape[1]):
            own = [number for number, block in enumerate(blocks)
                   if part.start <= block.start < part.stop]
            weights = kernel[:, part].astype(np.float32)
            wanted = (was[:, part] @ weights.T).astype(float)
            moments = _moments(now[:, part], centred=corrected)
            middle = wanted.mean(axis=0) if corrected else np.zeros(len(kernel))
            target = weights.astype(float)
            if was is not now:
                # Damped towards the weights as they are, for few rows and steady inputs.
                product = (now[:, part] - moments.mean).T.astype(float) @ (wanted - middle)
                target = np.linalg.solve(moments.matrix,
                                         product + moments.damping * target.T).T
            problem = Problem(kernel[:, part], target, moments.matrix, [
                slice(blocks[number].start - part.start, blocks[number].stop - part.start)
                for number in own])
            found[:, part] = problem.solve(rows[:, own])
            if corrected:
                bias += middle - found[:, part] @ moments.mean
            error += float(_scale(attrs) ** 2 @ problem.error(found[:, part]))
            power += float(_scale(attrs) ** 2 @ (wanted - wanted.mean(axis=0)).var(axis=0)
                           * len(wanted))
        self.errors[node.name] = error / power if power else 0.0
        limits = np.iinfo(np.int32)
        return dataclasses.replace(node, attrs=dataclasses.replace(
            attrs, kernel=found.astype(attrs.kernel.dtype).reshape(attrs.kernel.shape),
            bias=np.clip(np.rint(bias), limits.min, limits.max).astype(np.int32)))

    def _rows(self, values: NDArray, attrs: Weighted) -> NDArray:
        flat = values.reshape(-1, *values.shape[2:]) if isinstance(attrs, Conv2D) else values
        depth = int(np.prod(attrs.kernel.shape[1:]))
        return chosen_rows(flat, attrs, max(_ROWS, _ROWS_PER_INPUT * depth), self._seed)


class _Moments(NamedTuple):
    """Of a layer's inputs: mean, or zeros where no free bias takes it up; damped second moments."""

    mean: NDArray
    matrix: NDArray
    damping: float


def _matrix(attrs: Weighted) -> NDArray:
    """The kernel as [O, K]."""
    assert isinstance(attrs, Conv2D | FullyConnected)
    return attrs.kernel.reshape(len(attrs.kernel), -1)


def _blocks(pattern: Pattern) -> list[slice]:
    """The pattern's blocks of K, in its order."""
    inputs = int(np.prod(pattern.shape[1:]))
    return [slice(start, min(start + pattern.group, row + pattern.width))
            for row in range(0, inputs, pattern.width)
            for start in range(row, row + pattern.width, pattern.group)]


def _parts(inputs: int) -> list[slice]:
    """K in parts that are fitted on their own: a very deep layer's moments would fill the memory.

    _TOGETHER is a multiple of every M, so that blocks of one row of groups stay whole.
    """
    return [slice(start, min(start + _TOGETHER, inputs))
            for start in range(0, inputs, _TOGETHER)]


def _scale(attrs: Weighted) -> NDArray:
    """Output steps of one step of the sums, by channel."""
    shift = attrs.pre - (attrs.post & (ROUND_ONCE - 1)) - 31.0
    return np.asarray(attrs.multiplier * 2.0 ** shift)


def _moments(rows: NDArray, centred: bool = True) -> _Moments:
    mean = rows.mean(axis=0) if centred else np.zeros(rows.shape[1], np.float32)
    off = rows - mean
    matrix = (off.T @ off).astype(float)
    damping = _DAMPING * float(np.diag(matrix).mean()) or 1.0
    return _Moments(mean, matrix + damping * np.eye(len(matrix)), damping)


def _noisy(kernel: NDArray, seed: int) -> NDArray:
    """The weights, those that aren't 0, with noise."""
    rng = np.random.default_rng(seed)
    size = _PROBE * np.sqrt(np.square(kernel, dtype=float).mean(axis=1, keepdims=True))
    noisy = np.rint(kernel + (kernel != 0) * size * rng.standard_normal(kernel.shape))
    least, most = (-127, 127) if kernel.dtype == np.int8 else (kernel.min(), kernel.max())
    return np.clip(noisy, least, most).astype(kernel.dtype)
