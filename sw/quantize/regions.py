"""Elementwise functions of one tensor, of whatever nodes they consist: SiLU, GELU, hard-swish.

Between an int8 tensor before and one after, the chip looks them up in a table of 256 entries.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from sw.frontend.onnx.operators import POINTWISE
from sw.quantize.network import Network
from sw.quantize.session import open_session

__all__ = ["Region", "find_regions", "function_of"]

_ELEMENTWISE = frozenset(("Add", "Clip", "Div", "Mul", "PRelu", "Relu", "Sub", *POINTWISE))
_CLAMPS = frozenset(("Relu", "Clip"))
_AFFINE = frozenset(("Add", "Sub", "Mul", "Div"))
Function = Callable[[NDArray], NDArray]


@dataclass(frozen=True)
class Region:
    """Nodes that give one tensor from one other, value by value.

    Parameters
    ----------
    start, end : str
    nodes : tuple of int
        In order.
    """

    start: str
    end: str
    nodes: tuple[int, ...]


def find_regions(network: Network) -> dict[str, Region]:
    """The largest regions, by their first tensor; clamps alone are none."""
    found: dict[str, Region] = {}
    inside: set[str] = set()
    for node in network.nodes:
        for name in node.output:
            if name and name not in inside and network.readers.get(name):
                region = _grow(network, name)
                if region is not None:
                    found[name] = region
                    inside |= {output for number in region.nodes
                               for output in network.nodes[number].output} - {region.end}
    return found


def _scalar(network: Network, name: str) -> bool:
    return name in network.constants and network.constants[name].size == 1


def _grow(network: Network, start: str) -> Region | None:
    shape = network.shapes.get(start)
    values, nodes, best = {start}, list[int](), None
    for at in range(network.giver.get(start, -1) + 1, len(network.nodes)):
        node = network.nodes[at]
        if not values.intersection(node.input) or node.op_type not in _ELEMENTWISE or not all(
                not name or name in values or _scalar(network, name) for name in node.input):
            continue
        output = node.output[0]
        if network.shapes.get(output) != shape or not network.is_float(output):
            continue
        values.add(output)
        nodes.append(at)
        between = values - {start, output}
        closed = all(reader in nodes for name in between for reader in network.readers[name])
        if closed and not between.intersection(network.outputs):
            best = Region(start, output, tuple(nodes))
        if output in network.outputs:
            break
    return None if best is None or _straight(network, best) else best


def _straight(network: Network, region: Region) -> bool:
    """Whether what is before takes a region over: clamps, or factors and sums without any."""
    nodes = [network.nodes[at] for at in region.nodes]
    return all(node.op_type in _CLAMPS for node in nodes) or all(
        node.op_type in _AFFINE and len(network.computed(at)) == 1
        for at, node in zip(region.nodes, nodes, strict=True))


def function_of(network: Network, region: Region) -> Function:
    """The function that a region computes, of float32 vectors."""
    nodes = [network.nodes[at] for at in region.nodes]
    names = {name for node in nodes for name in node.input if name in network.constants}
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n"])
              for name in (region.start, region.end)]
    # As scalars, constants fit vectors.
    graph = onnx.helper.make_graph(nodes, "region", values[:1], values[1:], [
        onnx.numpy_helper.from_array(network.constants[name].reshape(()), name)
        for name in sorted(names)])
    session = open_session(onnx.helper.make_model(
        graph, opset_imports=network.model.opset_import, ir_version=network.model.ir_version))

    def function(given: NDArray) -> NDArray:
        flat = np.ascontiguousarray(given, np.float32).ravel()
        return np.asarray(session.run([region.end], {region.start: flat})[0]).reshape(given.shape)

    return function
