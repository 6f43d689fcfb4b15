"""A float network and its quantization as one ONNX model: QuantizeLinear, DequantizeLinear."""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.helper import make_node
from onnx.numpy_helper import from_array

from sw.quantize.network import Network
from sw.quantize.placement import Placement
from sw.quantize.ranges import Quant
from sw.quantize.weights import Codes

__all__ = ["CLIPPED", "written"]

CLIPPED = "_clipped"  # behind the name of a tensor before more than 8 bits


class _Writer:
    """Writes one model."""

    def __init__(self, network: Network, placement: Placement, quants: Mapping[str, Quant],
                 codes: Mapping[int, Codes]) -> None:
        self.network, self.placement, self.quants = network, placement, quants
        self.codes = codes
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray] = {}
        self.points = set(placement.points)

    def run(self) -> onnx.ModelProto:
        network, model = self.network, onnx.ModelProto()
        for name in network.inputs:
            if name in self.points:
                self.point(name, name)
        for at, node in enumerate(network.nodes):
            self.nodes.append(self.node(at))
            for name in node.output:
                if name in self.points:
                    self.given(name)
        model.CopyFrom(network.model)
        del model.graph.node[:], model.graph.value_info[:]
        model.graph.node.extend(self.nodes)
        read = {name for node in self.nodes for name in node.input}
        kept = [item for item in model.graph.initializer if item.name in read]
        kept += [from_array(data, name) for name, data in self.constants.items()]
        del model.graph.initializer[:]
        model.graph.initializer.extend(kept)
        names = {item.name for item in model.graph.input if item.name in network.inputs}
        inputs = [item for item in model.graph.input if item.name in names]
        del model.graph.input[:]
        model.graph.input.extend(inputs)
        model.producer_name, model.producer_version = "sentei", ""
        return model

    def node(self, at: int) -> onnx.NodeProto:
        """A node between quantized tensors, or as it is."""
        node = onnx.NodeProto()
        node.CopyFrom(self.network.nodes[at])
        quantized = at in self.placement.quantized
        for position, name in enumerate(node.input):
            node.input[position] = self.reading(name, quantized)
        if at in self.codes:
            self.weights(node, self.codes[at])
        for position, name in enumerate(node.output):
            node.output[position] = self.giving(name)
        return node

    def giving(self, name: str) -> str:
        """What a node's output is called."""
        asked = name in self.network.outputs and name in self.placement.own
        return f"{name}_float" if asked else name

    def reading(self, name: str, quantized: bool) -> str:
        """What a node reads in place of a tensor."""
        if name not in self.points or not (quantized or name in self.placement.own):
            return name
        return name if self.giving(name) != name else f"{name}_dequantized"

    def given(self, name: str) -> None:
        """Quantize a point that has been computed; outputs keep their names behind that."""
        tensor = self.giving(name)
        self.point(tensor, name, name if tensor != name else "")

    def point(self, tensor: str, point: str, result: str = "") -> None:
        quant = self.quants[point]
        scale, zero = f"{point}_scale", f"{point}_zero_point"
        self.constants[scale] = np.array(quant.scale, np.float32)
        self.constants[zero] = np.array(quant.zero, np.int8 if quant.bits == 8 else np.int16)
        codes = f"{tensor}_quantized"
        result = result or f"{tensor}_dequantized"
        source = tensor if quant.bits == 8 else self.clipped(tensor, quant)
        self.nodes.append(make_node("QuantizeLinear", [source, scale, zero], [codes],
                                    f"{tensor}_QuantizeLinear"))
        self.nodes.append(make_node("DequantizeLinear", [codes, scale, zero], [result],
                                    f"{tensor}_DequantizeLinear"))

    def clipped(self, tensor: str, quant: Quant) -> str:
        """The tensor between the reals of the first and the last code: int16 has more of them."""
        ends = [f"{tensor}_least", f"{tensor}_most"]
        self.constants |= {name: np.array(np.float32(quant.scale) * np.float32(end - quant.zero))
                           for name, end in zip(ends, quant.ends, strict=True)}
        self.nodes.append(make_node("Clip", [tensor, *ends], [tensor + CLIPPED], f"{tensor}_Clip"))
        return tensor + CLIPPED

    def weights(self, node: onnx.NodeProto, codes: Codes) -> None:
        """Constants of a node with weights."""
        name = node.output[0]
        self.constant(f"{name}_weight", codes.kernel, codes.scales, codes.axis)
        node.input[1] = f"{name}_weight_dequantized"
        if codes.bias is not None:
            self.constant(f"{name}_bias", codes.bias, codes.bias_scales, 0)
            if len(node.input) < 3:
                node.input.append("")
            node.input[2] = f"{name}_bias_dequantized"

    def constant(self, name: str, codes: NDArray, scales: NDArray, axis: int) -> None:
        given = [f"{name}_quantized", f"{name}_scale", f"{name}_zero_point"]
        self.constants |= dict(zip(given, (codes, scales, np.zeros(len(scales), codes.dtype)),
                                   strict=True))
        self.nodes.append(make_node("DequantizeLinear", given, [f"{name}_dequantized"],
                                    f"{name}_DequantizeLinear", axis=axis))


def written(network: Network, placement: Placement, quants: Mapping[str, Quant],
            codes: Mapping[int, Codes]) -> onnx.ModelProto:
    """The quantized model.

    Parameters
    ----------
    network : Network
    placement : Placement
    quants : mapping of str to Quant
        Of every point.
    codes : mapping of int to Codes
        Of every quantized node with weights.
    """
    return _Writer(network, placement, quants, codes).run()
