"""Channels of very different ranges, split into two tensors with a scale each.

Before a depthwise convolution, normalization may have left channels whose ranges differ a hundred
times, while the weights behind bring them to the same size. Equalization moves such factors through
a Relu, but not through a curved function. Where nodes are convolution, function, depthwise
convolution, and a convolution behind that sees all channels, the first three fall apart into two
halves without changing anything: wide channels and narrow ones, joined in front of the last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from sw.quantize.network import Network
from sw.quantize.regions import Region, find_regions

__all__ = ["Split", "find_splits", "split_network"]

LEAST_DECIBELS = 15.0  # lost by less than that a layer stays whole: two halves cost cycles
LEAST_GAIN = 6.0  # decibels
_DEVIATIONS = 6.0  # that a channel's range reaches


@dataclass(frozen=True)
class Split:
    """A layer and its halves.

    Parameters
    ----------
    node : str
        The convolution's name.
    narrow : tuple of int
        Its channels of the one half, the others are the other.
    """

    node: str
    narrow: tuple[int, ...]


@dataclass(frozen=True)
class _Chain:
    """Convolution, function, depthwise convolution, function or clamp or nothing, convolution."""

    first: int
    region: Region
    depthwise: int
    last: int


def _chain(network: Network, regions: Mapping[str, Region], at: int) -> _Chain | None:
    region = regions.get(network.nodes[at].output[0])
    if not _single(network, at, 1) or region is None or set(
            network.readers[region.start]) - set(region.nodes):
        return None
    middle = network.only_reader(region.end)
    channels = network.channels(at)
    if middle is None or not _single(network, middle, channels) or (
            network.channels(middle) != channels):
        return None
    tensor = network.nodes[middle].output[0]
    behind = regions.get(tensor)
    if behind is not None and not set(network.readers[tensor]) - set(behind.nodes):
        tensor = behind.end
    last = network.only_reader(tensor)
    if last is not None and network.nodes[last].op_type in ("Relu", "Clip"):
        last = network.only_reader(network.nodes[last].output[0])
    if last is None or not _single(network, last, 1):
        return None
    return _Chain(at, region, middle, last)


def _single(network: Network, at: int, group: int) -> bool:
    """Whether a node is a convolution of as many groups, with weights of its own."""
    found = network.weights(at)
    return (found is not None and network.nodes[at].op_type == "Conv"
            and network.attribute(at, "group", 1) == group
            and all(len(network.readers[name]) == 1 for name in (found.name, found.bias) if name))


def find_splits(network: Network, moments: Mapping[str, NDArray],
                importance: Mapping[str, NDArray]) -> list[Split]:
    """Layers in which one scale for all channels loses much, and two lose much less.

    Parameters
    ----------
    network : Network
    moments : mapping of str to ndarray
        Mean square of each channel, by tensor.
    importance : mapping of str to ndarray
        Of each channel, by tensor.
    """
    regions, found = find_regions(network), []
    for at in range(len(network.nodes)):
        chain = _chain(network, regions, at)
        end = chain.region.end if chain else ""
        if chain is None or end not in importance or network.channels(at) % 2:
            continue
        reach = _DEVIATIONS * np.sqrt(moments[end])
        order, half = np.argsort(reach, kind="stable"), len(reach) // 2
        weight = importance[end]
        whole = weight.sum() * np.square(reach.max())
        parts = sum(weight[part].sum() * np.square(reach[part].max())
                    for part in (order[:half], order[half:]))
        # Rounding to 256 codes leaves a twelfth of a step's square.
        noise = whole / 255 ** 2 / 12 / max(float((weight * moments[end]).sum()), 1e-30)
        if -10 * np.log10(noise) < LEAST_DECIBELS and 10 * np.log10(whole / parts) > LEAST_GAIN:
            found.append(Split(network.nodes[at].name, tuple(sorted(order[:half].tolist()))))
    return found


def split_network(network: Network, splits: Sequence[Split]) -> Network:
    """The same function with layers split.

    Raises
    ------
    ValueError
        If a layer isn't there, or can't be split.
    """
    for item in splits:
        numbers = {node.name: at for at, node in enumerate(network.nodes)}
        chain = _chain(network, find_regions(network), numbers.get(item.node, -1)) if (
            item.node in numbers) else None
        if chain is None:
            raise ValueError(f"no layer {item.node!r} that can be split")
        network = _split(network, chain, item.narrow)
    return network


def _split(network: Network, chain: _Chain, narrow: tuple[int, ...]) -> Network:
    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    channels = network.channels(chain.first)
    wide = tuple(at for at in range(channels) if at not in set(narrow))
    apart = (chain.first, *chain.region.nodes, chain.depthwise)
    names = {name for at in apart for name in network.nodes[at].output}
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, NDArray] = {}
    ends = []
    for suffix, part in (("_narrow", narrow), ("_wide", wide)):
        for at in apart:
            node = onnx.NodeProto()
            node.CopyFrom(network.nodes[at])
            node.name += suffix
            for position, name in enumerate(node.input):
                if name in names:
                    node.input[position] = name + suffix
                elif at in (chain.first, chain.depthwise) and position and name:
                    node.input[position] = name + suffix
                    data = network.constants[name]
                    constants[name + suffix] = np.ascontiguousarray(data[list(part)])
            node.output[0] += suffix
            for item in node.attribute:
                if item.name == "group" and at == chain.depthwise:
                    item.i = len(part)
            nodes.append(node)
        ends.append(nodes[-1].output[0])
    joined = network.nodes[chain.depthwise].output[0]
    nodes.append(onnx.helper.make_node("Concat", ends, [joined],
                                       f"{network.nodes[chain.depthwise].name}_joined", axis=1))
    kernel = network.nodes[chain.last].input[1]
    constants[kernel] = np.ascontiguousarray(network.constants[kernel][:, [*narrow, *wide]])
    result = []
    for at, node in enumerate(network.nodes):
        if at == chain.depthwise:
            result += nodes
        elif at not in apart:
            result.append(node)
    kept = [item for item in model.graph.initializer if item.name not in constants]
    kept += [onnx.numpy_helper.from_array(data, name) for name, data in constants.items()]
    del model.graph.node[:], model.graph.initializer[:], model.graph.value_info[:]
    model.graph.node.extend(result)
    read = {name for node in result for name in node.input}
    model.graph.initializer.extend(item for item in kept if item.name in read)
    return Network(onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True))
