"""ONNX's own test cases of operators, made quantized networks where they are float ones."""

import importlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.case import node as cases

__all__ = ["Case", "node_cases"]

NEWEST = 23  # opset of which ONNX Runtime 1.20 and later have all that cases here use
# Operators whose other inputs are computed too; of the rest the first one is.
COMPUTED = {"Add", "Concat", "Mul", "Sub", "Div"}
WEIGHTED = {"Conv": 0, "Gemm": None, "MatMul": None, "ConvTranspose": None}  # axis of scales


class Case:
    """One case.

    Parameters
    ----------
    case : TestCase
        ONNX's; of one node.

    Members
    -------
    name : str
    model : ModelProto
        Quantized, with all inputs but the data constant.
    inputs, outputs : dict of str to ndarray
        Data, and what the case expects for it; of a float case without the quantization.
    exact : bool
        The case itself is of integers.
    """

    def __init__(self, case) -> None:
        self.name = case.name
        (node,) = case.model.graph.node
        (given, expected), *_ = case.data_sets
        found = [self._array(value) for value in given]
        self._graph = onnx.GraphProto(name=case.name)
        self._count = 0
        names = [name for name in node.input if name]
        data = [at for at, name in enumerate(names) if at == 0 or (
            node.op_type in COMPUTED and found[at].dtype == np.float32)]
        self.inputs = {names[at]: found[at] for at in data}
        self.exact = "Linear" in node.op_type or found[0].dtype != np.float32
        inner = onnx.NodeProto()
        inner.CopyFrom(node)
        for at, (name, values) in enumerate(zip(names, found, strict=True)):
            position = list(node.input).index(name)
            if at in data:
                inner.input[position] = self._entered(name, values)
            elif at == 1 and node.op_type in WEIGHTED and values.dtype == np.float32:
                inner.input[position] = self._weights(values, WEIGHTED[node.op_type])
            else:
                self._graph.initializer.append(numpy_helper.from_array(values, name))
        before, self.outputs = len(self._graph.node), {}
        for number, (name, value) in enumerate(zip(node.output, expected, strict=True)):
            self.outputs[self._left(inner, number, name, self._array(value))] = self._array(value)
        self._graph.node.insert(before, inner)  # with the names it has got
        opsets = [item for item in case.model.opset_import if item.domain]
        version = max(item.version for item in case.model.opset_import if not item.domain)
        version = min(max(version, 13), NEWEST)
        self.model = helper.make_model(self._graph, ir_version=10, opset_imports=[
            helper.make_opsetid("", version), *opsets])

    @staticmethod
    def _array(value):
        return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)

    def _new(self, name):
        self._count += 1
        return f"{name}.{self._count}"

    def _constant(self, values):
        name = self._new("constant")
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def _pair(self, name, values, output):
        """Symmetric int8 and back."""
        scale = self._constant(np.float32(max(np.abs(values).max(initial=0), 1e-3) / 127))
        zero, codes = self._constant(np.int8(0)), self._new(name)
        self._graph.node.append(helper.make_node("QuantizeLinear", [name, scale, zero], [codes]))
        self._graph.node.append(helper.make_node("DequantizeLinear", [codes, scale, zero],
                                                 [output]))
        return output

    def _entered(self, name, values):
        self._graph.input.append(helper.make_tensor_value_info(
            name, helper.np_dtype_to_tensor_dtype(values.dtype), values.shape))
        return name if self.exact else self._pair(name, values, self._new(name))

    def _weights(self, values, axis):
        other = tuple(at for at in range(values.ndim) if at != axis)
        most = np.abs(values).max(axis=None if axis is None else other, keepdims=True)
        scales = (np.maximum(most, 1e-3) / 127).astype(np.float32)
        codes = np.rint(values / scales).astype(np.int8)
        name = self._new("weights")
        parameters = [self._constant(item if axis is not None else item.reshape(()))
                      for item in ((scales.ravel(), np.zeros(scales.size, np.int8)))]
        self._graph.node.append(helper.make_node(
            "DequantizeLinear", [self._constant(codes), *parameters], [name],
            **({} if axis is None else {"axis": axis})))
        return name

    def _left(self, node, number, name, values):
        """The output's name; integers that are no quantized network's get a scale of 1."""
        output, kind = name, values.dtype
        if kind == np.float32 and not self.exact:
            node.output[number] = self._new(name)
            self._pair(node.output[number], values, output)
        elif kind in (np.int8, np.uint8) and "Linear" not in node.op_type:
            node.output[number] = self._new(name)
            self._graph.node.append(helper.make_node("DequantizeLinear", [
                node.output[number], self._constant(np.float32(1)), self._constant(kind.type(0))],
                [output]))
            kind = np.dtype(np.float32)
        self._graph.output.append(helper.make_tensor_value_info(
            output, helper.np_dtype_to_tensor_dtype(kind), [None] * values.ndim))
        return output


def node_cases(modules):
    """Cases of these modules of ``onnx.backend.test.case.node``, by name.

    ``collect_testcases`` computes those of all operators, which takes minutes.
    """
    for module in modules:
        importlib.import_module(f"{cases.__name__}.{module}")
    return {case.name: case for case in cases._NodeTestCases if len(case.model.graph.node) == 1
            and not case.name.endswith("_expanded")}
