"""Masks for a number of cycles: what `allocate` chooses, held against the compiler and the machine.

Framework-free: it takes a graph and the importance of its weights as numpy arrays. ::

    budget = Budget(graph, preset("base"))
    masks = budget.for_cycles(scores, budget.dense_cycles / 4)   # {node name: bool array}
    masks = budget.for_rates(scores, 0.8)
    pruned = budget.masked(masks)                                # a graph
"""

import dataclasses
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from golden.attributes import Weighted
from golden.graph import Graph
from golden.spec.config import Config
from golden.spec.isa import PostMode
from golden.spec.layout import BlockFormat, block_beats
from sw.compiler.lower import lower
from sw.compiler.window import WindowOp
from sw.errors import UsageError
from sw.prune.allocate import Layer, allocate, rows_kept
from sw.prune.kernels import ones, with_kernels
from sw.prune.names import check_layer
from sw.prune.pattern import EXCLUDED, Pattern, unprunable
from sw.session.estimate import estimate

__all__ = ["Budget", "Site"]

Masks = dict[str, NDArray]
Scores = Mapping[str, NDArray]
_TRIES = 10  # machine runs until the cycles asked for are met
_CLOSE = 0.005  # share of them that may stay unused


@dataclass(frozen=True, eq=False)
class Site:
    """A layer that can be pruned.

    Parameters
    ----------
    pattern : Pattern
    cost : ndarray [M + 1]
        Cycles of a block with 0 to M rows, all tiles together.
    floor : float
        Cycles of a lane block's drains, all tiles together.
    """

    pattern: Pattern
    cost: NDArray
    floor: float


class Budget:
    """Finds masks for a graph on a chip.

    Parameters
    ----------
    graph : Graph
        Its zero weights stay zero.
    config : Config
    exclude : collection of str
        Nodes that stay as they are. Depthwise and grouped convolutions always do: their blocks
        have one row, or rows that belong to different inputs, and end with their drain.

    Members
    -------
    sites : dict of str to Site
        By node, in the graph's order.
    unpruned : dict of str to str
        Why, by other node with weights.
    dense_cycles : int
        Doorbell to interrupt, every weight issued.

    Raises
    ------
    UsageError
        If there is nothing to prune.
    """

    def __init__(self, graph: Graph, config: Config, exclude: Collection[str] = ()) -> None:
        self.graph, self.config = graph, config
        weighted = {node.name: node.attrs for node in graph.nodes
                    if isinstance(node.attrs, Weighted)}
        reasons = {name: unprunable(attrs) or (EXCLUDED if name in exclude else "")
                   for name, attrs in weighted.items()}
        self.unpruned = {name: reason for name, reason in reasons.items() if reason}
        self._kernels = {name: attrs.kernel for name, attrs in weighted.items()
                         if name not in self.unpruned}
        if not self._kernels:
            raise UsageError(f"{graph.name}: no weights to prune; accepted are networks with "
                             "convolutions, not depthwise or grouped, or fully connected layers "
                             "that aren't excluded")
        self.sites = _sites(graph, config, self._kernels)
        self.dense_cycles = estimate(graph, config, None).cycles

    def masked(self, masks: Mapping[str, NDArray]) -> Graph:
        """The graph without the weights that the masks leave out."""
        return with_kernels(self.graph, {
            node.name: np.where(masks[node.name], node.attrs.kernel, 0).astype(
                node.attrs.kernel.dtype)
            for node in self.graph.nodes
            if isinstance(node.attrs, Weighted) and node.name in masks})

    def cycles(self, masks: Mapping[str, NDArray]) -> int:
        """Doorbell to interrupt with these masks, by compiler and machine."""
        return estimate(self.masked(masks), self.config, 0.0).cycles

    def all(self) -> Masks:
        """Masks that keep every weight that isn't zero."""
        return {name: kernel != 0 for name, kernel in self._kernels.items()}

    def for_cycles(self, scores: Scores, cycles: float, *, exact: bool = True) -> Masks:
        """The largest importance kept within so many cycles of the whole network.

        Returns masks of the layers that have scores, or of all where nothing need go.

        Parameters
        ----------
        scores : mapping of str to ndarray of the kernel's shape
            Importance of each weight, at least 0, comparable between layers; 0 is not kept.
            Layers without stay as they are.
        cycles : float
        exact : bool
            Meet them by the machine; if not, by the layers' own cycles alone, in milliseconds.

        Raises
        ------
        UsageError
            If they can't be reached; the text says what can.
        """
        layers = self._layers(scores)
        least = sum(layer.floor * len(layer.gains) for layer in layers)

        def model(kernels: Mapping[str, NDArray]) -> float:
            """Cycles of the layers' own."""
            return sum(layer.cycles(self.sites[layer.name].pattern.counts(kernels[layer.name]))
                       for layer in layers)

        if not exact:
            whole = model({name: np.ones(site.pattern.shape) for name, site in self.sites.items()})
            # What the layers to prune don't account for stays.
            budget = cycles - (self.dense_cycles - whole)
            return self._chosen(layers, scores, min(max(budget, least), whole))
        full = self.all()
        now = self.cycles(full)
        if now <= cycles:
            return full
        most = model(full)
        return self._search(layers, scores, cycles, least, most, now - most)

    def _search(self, layers: list[Layer], scores: Scores, cycles: float, low: float, high: float,
                fixed: float) -> Masks:
        """Bisect the layers' own cycles between low and high, guided by what the machine says."""
        best: Masks | None = None
        aim = (1 - _CLOSE / 2) * cycles
        budget = max(aim - fixed, low)
        for _ in range(_TRIES):
            masks = self._chosen(layers, scores, budget)
            found = self.cycles(masks)
            if found <= cycles:
                best, low = masks, budget
                if cycles - found <= _CLOSE * cycles:
                    break
            elif budget <= low:
                self.refuse(cycles, found)
            else:
                high = budget
            step = budget + aim - found
            budget = step if low < step < high else (low + high) / 2
        if best is None:
            best = self._chosen(layers, scores, low)
            if (found := self.cycles(best)) > cycles:
                self.refuse(cycles, found)
        return best

    def for_rates(self, scores: Scores, rates: float | Mapping[str, float]) -> Masks:
        """The largest importance kept at given rates.

        Parameters
        ----------
        scores : mapping of str to ndarray
            As for `for_cycles`.
        rates : float or mapping of str to float
            Share of weights pruned, 0 to 1: of all layers together, so that less of those that
            matter more is; or of each layer named, the others staying as they are.

        Raises
        ------
        UsageError
            For a rate out of range or a layer that isn't there or isn't pruned.
        """
        if isinstance(rates, Mapping):
            for name in rates:
                check_layer(name, [site for site in self.sites if site in scores], self.unpruned)
            groups = [({name: scores[name]}, rate) for name, rate in rates.items()]
        else:
            groups = [(dict(scores), rates)]
        masks = self.all()
        for chosen, rate in groups:
            if not 0 <= rate <= 1:  # NaN too
                raise UsageError(f"rate is {rate}, accepted are 0 (keep all weights) to 1 (keep "
                                 "none)")
            layers = [dataclasses.replace(layer, cost=np.arange(len(layer.cost), dtype=float),
                                          floor=0.0) for layer in self._layers(chosen)]
            rows = sum(int(self.sites[layer.name].pattern.counts(
                np.ones(self.sites[layer.name].pattern.shape)).sum()) for layer in layers)
            masks |= self._chosen(layers, chosen, (1 - rate) * rows)
        return masks

    def least_cycles(self, scores: Scores) -> int:
        """The fewest that pruning these layers reaches."""
        layers = self._layers(scores)
        least = sum(layer.floor * len(layer.gains) for layer in layers)
        return self.cycles(self._chosen(layers, scores, least))

    def _layers(self, scores: Scores) -> list[Layer]:
        layers = []
        for name, site in self.sites.items():
            if name in scores:
                live = np.where(self._kernels[name] != 0, scores[name], 0.0)
                layers.append(Layer(name, rows_kept(site.pattern.split(live)), site.cost,
                                    site.floor))
        return layers

    def _chosen(self, layers: list[Layer], scores: Scores, budget: float) -> Masks:
        counts = allocate(layers, budget).counts
        masks = {}
        for name, rows in counts.items():
            live = self._kernels[name] != 0
            masks[name] = live & self.sites[name].pattern.keep(
                np.where(live, scores[name], -1.0), rows)
        return masks

    def refuse(self, cycles: float, found: int) -> NoReturn:
        """Say that so many cycles can't be reached, but those found can."""
        raise UsageError(
            f"a speed-up of {self.dense_cycles / cycles:.2f} ({cycles:,.0f} of "
            f"{self.dense_cycles:,} cycles) can't be reached: what isn't pruned, drains and memory "
            f"take {found:,} cycles; accepted are speed-ups up to "
            f"{math.floor(100 * self.dense_cycles / found) / 100:.2f}")


def _sites(graph: Graph, config: Config, kernels: Mapping[str, NDArray]) -> dict[str, Site]:
    """Costs as the compiler's operators have them, its foldings and additions included."""
    ops = [op for op in lower(ones(graph), config).ops if isinstance(op, WindowOp)]
    sites = {}
    for node in graph.nodes:
        if node.name not in kernels:
            continue
        assert isinstance(node.attrs, Weighted)
        pattern = Pattern.of(config, node.attrs)
        rows = floor = most = 0
        for op in (op for op in ops if op.name == node.name):
            tiles = -(-op.height * op.width // config.columns)
            most = max(most, tiles)
            passes = 2 if op.post.mode == PostMode.ADD else 1
            floor += tiles * len(op.blocks) * config.drain_cycles * passes
            rows += tiles * sum(int((taps.weights != 0).sum(axis=1).max(axis=-1, initial=0).sum())
                                for taps in op.blocks)
        per_row = rows / int(pattern.counts(np.ones(pattern.shape)).sum())
        cost = np.maximum(per_row * np.arange(config.group + 1), _stream(config, most == 1))
        sites[node.name] = Site(pattern, cost, floor / pattern.blocks[0])
    return sites


def _stream(config: Config, single: bool) -> NDArray:
    """Cycles in which a block's beats pass the memory's port, by its rows."""
    beats = np.array([block_beats(config, BlockFormat.PAIRS, n) if n else 0
                      for n in range(config.group + 1)], float)
    beats[-1] = config.group  # runs of dense blocks share a header
    if single:
        beats = np.minimum(beats, config.group)
    return beats * config.group / min(config.dram_bytes, config.group)
