"""Random networks of many operators: branches, views, host operators, several outputs."""

import math

import numpy as np

from golden.attributes import FullyConnected, GraphError, Reshape, Softmax
from sw.frontend.scales import softmax_parameters
from tb.lib.random_graphs import RandomGraph

__all__ = ["RandomNetwork"]


class RandomNetwork(RandomGraph):
    """Draws operators onto feature maps that are there already, the later ones more often.

    Parameters
    ----------
    seed : int
    lanes : int
        L = M of the chip it is for.
    pixels, channels : int
        Upper limits of inputs and kernels.
    operators : int
        Most of them.
    """

    def __init__(self, seed: int, lanes: int, pixels: int = 40, channels: int = 12,
                 operators: int = 8):
        self.operators = operators
        super().__init__(seed, "chain", lanes, pixels, channels)
        graph = self.graph
        graph.name = f"network{seed}"
        used = {name for node in graph.nodes for name in node.inputs}
        outputs = [node.outputs[0] for node in graph.nodes if node.outputs[0] not in used]
        inner = [node.outputs[0] for node in graph.nodes if node.outputs[0] in used]
        if inner and self.integer(0, 3) == 0:
            outputs.insert(0, inner[self.integer(0, len(inner) - 1)])
        graph.outputs = tuple(outputs)
        graph.inputs = tuple(name for name in graph.inputs if name in used)
        for name in set(self.inputs) - set(graph.inputs):
            del self.inputs[name], graph.tensors[name]
        graph.validate()

    def _chain(self, name: str) -> str:
        there, wanted = [name], self.integer(3, self.operators)
        kinds = ("conv", "depthwise", "max", "average", "mean", "clamp", "concat", "pad", "add",
                 "add", "fc", "reshape", "softmax", "lookup", "take", "blocks", "transposed")
        while len(self.graph.nodes) < wanted:
            name = there[max(self.integer(0, len(there) - 1), self.integer(0, len(there) - 1))]
            kind = str(self.rng.choice(kinds))
            nested = len(self.graph.tensors[name].shape) == 4
            if not nested and kind not in ("clamp", "add", "fc", "lookup", "reshape",
                                            "softmax"):
                continue
            if kind == "add":
                shape = self.graph.tensors[name].shape
                same = [other for other in there if self.graph.tensors[other].shape == shape]
                other = same[self.integer(0, len(same) - 1)]
                there.append(self._add(name, None if other == name and nested else other))
            else:
                try:
                    there.append(getattr(self, f"_{kind}")(name))
                except GraphError:  # a shape that this operator doesn't take
                    continue
        return there[-1]

    def window(self, name: str, dilate: bool = True) -> dict[str, tuple[int, ...]]:
        """As for one layer; half of them keep the size, so that additions find partners."""
        drawn = super().window(name, dilate)
        if self.integer(0, 1):
            drawn |= {"window": (3, 3), "dilation": (1, 1), "pads": (1, 1, 1, 1),
                      "stride": (1, 1)}
        return drawn

    def _fc(self, name: str) -> str:
        shape = self.graph.tensors[name].shape
        depth = [shape[-1], math.prod(shape), math.prod(shape[-2:])][self.integer(0, 2)]
        outputs, zero = self.integer(1, self.channels), self.zero()
        kernel = self.weights((outputs, 1, 1, depth)).reshape(outputs, depth)
        return self.node(FullyConnected(
            kernel=kernel, input_zero=self.quant_zero(name), output_zero=zero,
            keep_dims=depth == shape[-1] and bool(self.integer(0, 1)),
            **self.scales(outputs, depth), **self.clamps()), name, zero=zero)

    def _reshape(self, name: str) -> str:
        shape = self.graph.tensors[name].shape
        size, depth = math.prod(shape), shape[-1]
        divisors = [n for n in range(1, min(size, 30) + 1) if size % n == 0]
        drawn = divisors[self.integer(0, len(divisors) - 1)]
        shapes = [(1, size), (1, size // depth, depth), (1, 1, size // depth, depth),
                  (1, size // depth, 1, depth), (1, size // drawn, 1, drawn),
                  (size // drawn, drawn), (1, 1, drawn, size // drawn)]
        to = tuple(int(n) for n in shapes[self.integer(0, len(shapes) - 1)])
        return self.node(Reshape(to=to), name, zero=self.quant_zero(name))

    def _softmax(self, name: str) -> str:
        multiplier, pre, least = softmax_parameters(0.1, 1.0)
        return self.node(Softmax(multiplier=multiplier, pre=pre, least_difference=least), name,
                         zero=-128)

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        """Sometimes with many equal values."""
        drawn = super().values(shape)
        return drawn if self.integer(0, 3) else np.clip(drawn, -100, -90)
