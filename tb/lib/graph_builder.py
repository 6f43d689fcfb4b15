"""Small graphs written down node by node, with random weights and inputs."""

import numpy as np

from golden.attributes import (
    Add,
    Clamp,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Softmax,
)
from golden.graph import Graph, Node, Quant, Tensor
from golden.spec.numerics import quantize_multiplier
from sw.frontend.scales import softmax_parameters

__all__ = ["Builder"]

_HALF = quantize_multiplier(0.5)


class Builder:
    """A graph node by node; tensors are named in order."""

    def __init__(self, *shapes):
        self.rng = np.random.default_rng(1)
        self.graph = Graph("built")
        self.graph.inputs = tuple(self.tensor(shape) for shape in shapes)

    def tensor(self, shape, dtype="int8"):
        name = f"t{len(self.graph.tensors)}"
        return self.graph.add(Tensor(name, shape, dtype, Quant(0.1, 0))).name

    def add(self, attrs, *inputs):
        output = self.tensor(attrs.shape(*(self.graph.tensors[name].shape for name in inputs)),
                             attrs.types()[1])
        self.graph.nodes.append(Node(f"n{len(self.graph.nodes)}", inputs, (output,), attrs))
        return output

    def finish(self, *outputs):
        self.graph.outputs = outputs
        self.graph.validate()
        self.inputs = {name: self.rng.integers(-128, 128, self.graph.tensors[name].shape)
                       .astype(np.int8) for name in self.graph.inputs}
        return self

    def weighted(self, channels):
        multiplier, pre, post = (np.full(channels, value, np.int32)
                                 for value in quantize_multiplier(0.01))
        return {"bias": self.rng.integers(-500, 500, channels).astype(np.int32),
                "multiplier": multiplier, "pre": pre, "post": post, "input_zero": 3,
                "output_zero": -5}

    def conv(self, name, outputs, window=1, pad=0, stride=1):
        depth = self.graph.tensors[name].shape[3]
        kernel = self.rng.integers(-127, 128, (outputs, window, window, depth)).astype(np.int8)
        return self.add(Conv2D(kernel=kernel, window=(window, window), pads=(pad,) * 4,
                               stride=(stride, stride), **self.weighted(outputs)), name)

    def depthwise(self, name, window, **attributes):
        channels = self.graph.tensors[name].shape[3]
        kernel = self.rng.integers(-127, 128, (1, *window, channels)).astype(np.int8)
        return self.add(DepthwiseConv2D(kernel=kernel, window=window, **attributes,
                                        **self.weighted(channels)), name)

    def fc(self, name, depth, outputs):
        kernel = self.rng.integers(-127, 128, (outputs, depth)).astype(np.int8)
        return self.add(FullyConnected(kernel=kernel, **self.weighted(outputs)), name)

    def sum(self, *names):
        return self.add(Add(input_zeros=(3, -7), input_scales=(_HALF, _HALF), output_zero=4,
                            output_scale=quantize_multiplier(0.7 / (1 << 19))), *names)

    def softmax(self, name):
        multiplier, pre, least = softmax_parameters(0.1, 1.0)
        return self.add(Softmax(multiplier=multiplier, pre=pre, least_difference=least), name)

    def clamp(self, name):
        return self.add(Clamp(input_zero=9, scale=quantize_multiplier(0.8), output_zero=-3), name)
