"""Small quantized ONNX networks, node by node."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["OnnxBuilder"]


class OnnxBuilder:
    """Builds one model; every method that adds something gives its name.

    Parameters
    ----------
    opset : int
    """

    def __init__(self, opset: int = 17) -> None:
        self.opset = opset
        self.nodes, self.constants, self.inputs, self.outputs = [], [], [], []
        self.domains = set()

    def input(self, shape, dtype=TensorProto.FLOAT, name="x"):
        """An input of the network."""
        self.inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def constant(self, values, dtype=None):
        """An initializer."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, op, *inputs, domain="", outputs=1, **attributes):
        """A node; its output's name."""
        names = [f"{op.lower()}{len(self.nodes)}" + ("" if at == 0 else f"_{at}")
                 for at in range(outputs)]
        self.domains.add(domain)
        self.nodes.append(helper.make_node(op, [name or "" for name in inputs], names,
                                           name=names[0], domain=domain, **attributes))
        return names[0]

    def parameters(self, scale, zero, dtype):
        """Names of a scale and a zero point."""
        return self.constant(np.float32(scale)), self.constant(zero, dtype)

    def quantize(self, name, scale, zero=0, dtype=np.int8):
        """QuantizeLinear."""
        return self.node("QuantizeLinear", name, *self.parameters(scale, zero, dtype))

    def pair(self, name, scale, zero=0, dtype=np.int8):
        """QuantizeLinear and DequantizeLinear."""
        scale, zero = self.parameters(scale, zero, dtype)
        codes = self.node("QuantizeLinear", name, scale, zero)
        return self.node("DequantizeLinear", codes, scale, zero)

    def weights(self, values, scales, axis=0, zero=0):
        """Dequantized integers."""
        values, scales = np.asarray(values), np.asarray(scales, np.float32)
        zeros = np.full(scales.shape, zero, values.dtype)
        extra = {"axis": axis} if scales.ndim else {}
        return self.node("DequantizeLinear", self.constant(values), self.constant(scales),
                         self.constant(zeros), **extra)

    def output(self, name, dtype=TensorProto.FLOAT, rank=4):
        """An output of the network."""
        self.outputs.append(helper.make_tensor_value_info(name, dtype, [None] * rank))

    def model(self):
        """The model."""
        graph = helper.make_graph(self.nodes, "test", self.inputs, self.outputs, self.constants)
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(domain, 1) for domain in sorted(self.domains - {""})]
        return helper.make_model(graph, opset_imports=opsets,
                                 ir_version=8 if self.opset < 21 else 10)

    def save(self, path):
        """Write the model; the path."""
        onnx.save(self.model(), path)
        return path
