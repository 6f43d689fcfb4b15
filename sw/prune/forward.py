"""A network run operator by operator on many samples, so that operators can change on the way."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from golden.attributes import Softmax
from golden.executor import CHUNK, outputs_of, run
from golden.external import External
from golden.graph import Graph, Node
from sw.onnx_runtime import run_external

__all__ = ["Forward", "agreement", "distance"]

Values = dict[str, NDArray]


class Forward:
    """Values of a graph's tensors, as far as it has run.

    Parameters
    ----------
    graph : Graph
    inputs : mapping of str to ndarray
        Samples along the leading axis, each as many rows as the input has.

    Members
    -------
    values : dict of str to ndarray [samples, ...]
        By tensor; each sample has the tensor's shape. What no operator reads any more is let go.
    """

    def __init__(self, graph: Graph, inputs: Mapping[str, NDArray]) -> None:
        self.graph = graph
        self.values: Values = {name: array.reshape(-1, *graph.tensors[name].shape)
                               for name, array in inputs.items()}
        samples = len(next(iter(self.values.values())))
        for tensor in graph.constants():
            assert tensor.data is not None
            self.values[tensor.name] = np.broadcast_to(tensor.data,
                                                       (samples, *tensor.data.shape))
        self._last = {name: node.name for node in graph.nodes for name in node.inputs}

    def result(self, node: Node) -> NDArray:
        """What an operator of one output gives now."""
        return self._results(node, self.values)[node.outputs[0]]

    def step(self, node: Node) -> None:
        """Run one operator, in the form given."""
        self.values |= self._results(node, self.values)
        self._let_go(node)

    def adopt(self, node: Node, other: "Forward") -> None:
        """Take an operator's result from another run."""
        self.values |= {name: other.values[name] for name in node.outputs}
        self._let_go(node)

    def all(self) -> Values:
        """Every tensor of the graph as it is."""
        values = dict(self.values)
        for node in self.graph.nodes:
            values |= self._results(node, values)
        return values

    def outputs_with(self, changed: Node, values: Values) -> Values:
        """What comes out when one operator is another, all others' results being known."""
        new: Values = {}
        for node in self.graph.nodes:
            node = changed if node.name == changed.name else node
            if node is changed or any(name in new for name in node.inputs):
                new |= self._results(node, {**values, **new})
        return {name: new.get(name, values[name]) for name in self.ends}

    @property
    def ends(self) -> list[str]:
        """The graph's outputs, or what softmax makes them from: there errors show in full."""
        sources = {node.outputs[0]: node.inputs[0] for node in self.graph.nodes
                   if isinstance(node.attrs, Softmax)}
        return [sources.get(name, name) for name in self.graph.outputs]

    def _results(self, node: Node, values: Values) -> Values:
        shapes = {name: self.graph.tensors[name].shape for name in node.outputs}
        inputs = [values[name] for name in node.inputs]
        # Samples that can't share the leading axis run one by one.
        alone = (any(item.shape[1:2] != (1,) for item in inputs)
                 or any(shape[:1] != (1,) for shape in shapes.values())
                 or isinstance(node.attrs, External))
        step = 1 if alone else CHUNK
        parts: dict[str, list[NDArray]] = {name: [] for name in node.outputs}
        for start in range(0, len(inputs[0]), step):
            part = [item[start:start + step].reshape(-1, *item.shape[2:]) if item.ndim > 1
                    else item[start] for item in inputs]
            count = min(step, len(inputs[0]) - start)
            found = outputs_of(self.graph, node, part, count, run_external)
            for name, shape in shapes.items():
                parts[name].append(found[name].reshape(-1, *shape))
        return {name: np.concatenate(items) for name, items in parts.items()}

    def _let_go(self, node: Node) -> None:
        for name in node.inputs:
            if self._last[name] == node.name and name not in self.graph.outputs:
                self.values.pop(name, None)


def distance(wanted: Mapping[str, NDArray], found: Mapping[str, NDArray]) -> float:
    """Squared error as a share of what is wanted, about its mean: of all that is found."""
    total = 0.0
    for name, values in found.items():
        reference = wanted[name].astype(float)
        size = float(np.square(reference - reference.mean()).sum())
        total += float(np.square(values - reference).sum()) / (size or 1.0)
    return total


def agreement(graph: Graph, other: Graph, inputs: Mapping[str, NDArray]) -> float:
    """Share of the samples for which the largest value of the first output is the same one."""
    answers = []
    for network in (graph, other):
        found = run(network, dict(inputs), external=run_external)[graph.outputs[0]]
        rows = len(found) // max(graph.tensors[graph.outputs[0]].shape[0], 1)
        answers.append(found.reshape(rows, -1).argmax(axis=1))
    return float(np.mean(answers[0] == answers[1]))
