"""Small float ONNX networks with random weights, for the quantizer's tests."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper, shape_inference

__all__ = ["FloatBuilder", "concat_network", "relu_network", "silu_network"]


class FloatBuilder:
    """Collects nodes and constants; `model` makes a checked model of them.

    Parameters
    ----------
    seed : int
    opset : int
    """

    def __init__(self, seed=0, opset=17):
        self.rng = np.random.default_rng(seed)
        self.opset = opset
        self.nodes, self.constants, self.inputs = [], [], []

    def input(self, name, shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def constant(self, data, name=None):
        name = name or f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(data), name))
        return name

    def node(self, operator, *inputs, **attributes):
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name],
                                           f"{operator.lower()}{len(self.nodes)}", **attributes))
        return name

    def weights(self, *shape, spread=1.0):
        """He's weights; with ``spread`` the outputs' ranges differ."""
        fan = np.prod(shape[1:])
        data = self.rng.standard_normal(shape) * np.sqrt(2 / fan)
        data *= spread ** self.rng.uniform(-1, 1, (shape[0], *(1,) * (len(shape) - 1)))
        return self.constant(data.astype(np.float32))

    def conv(self, data, channels, inputs, *, size=1, spread=1.0, **attributes):
        groups = attributes.get("group", 1)
        kernel = self.weights(channels, inputs // groups, size, size, spread=spread)
        bias = self.constant((self.rng.standard_normal(channels) * 0.1).astype(np.float32))
        return self.node("Conv", data, kernel, bias, pads=[size // 2] * 4, **attributes)

    def silu(self, data):
        return self.node("Mul", data, self.node("Sigmoid", data))

    def model(self, *outputs):
        graph = helper.make_graph(self.nodes, "float", self.inputs, [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            self.constants)
        return shape_inference.infer_shapes(helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8))


def relu_network(seed=0, opset=17, spread=1.0, shape=(1, 3, 12, 10)):
    """A classifier: convolution, depthwise, pointwise, a sum, an average, a product, softmax."""
    build = FloatBuilder(seed, opset)
    data = build.node("Relu", build.conv(build.input("x", shape), 8, 3, size=3, spread=spread))
    deep = build.node("Relu", build.conv(data, 8, 8, size=3, group=8, spread=spread))
    deep = build.conv(deep, 8, 8)
    data = build.node("Relu", build.node("Add", data, deep))
    data = build.node("Flatten", build.node("GlobalAveragePool", data))
    data = build.node("Gemm", data, build.weights(4, 8), build.constant(np.zeros(4, np.float32)),
                      transB=1)
    return build.model(build.node("Softmax", data, axis=1))


def silu_network(seed=0):
    """Two convolutions with SiLU, and a third that ends."""
    build = FloatBuilder(seed)
    data = build.silu(build.conv(build.input("x", (1, 3, 8, 8)), 8, 3, size=3))
    data = build.silu(build.conv(data, 8, 8))
    return build.model(build.conv(data, 4, 8))


def concat_network(seed=0):
    """Two branches, one of them ten times the other, joined before a third convolution."""
    build = FloatBuilder(seed)
    source = build.input("x", (1, 3, 8, 8))
    large = build.conv(build.node("Mul", source, build.constant(np.float32(10))), 4, 3)
    small = build.conv(source, 4, 3)
    joined = build.node("Concat", large, small, axis=1)
    return build.model(build.conv(joined, 4, 8))

