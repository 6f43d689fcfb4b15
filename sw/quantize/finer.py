"""Which tables get an index of 9 bits in place of 8, so that less is lost before the function.

The chip rounds a product to such an index for nothing, if only the table reads it. But a table of
512 entries takes as long to load as two others, and can't be part of an addition.
"""

from collections.abc import Mapping

import numpy as np

from sw.quantize.histogram import Histogram
from sw.quantize.network import Network
from sw.quantize.placement import Placement
from sw.quantize.ranges import FINE, Function, Quant, chosen_range, loss_behind, quant_of
from sw.quantize.regions import Region

__all__ = ["LEAST_OPSET", "fine_quants", "may_be_fine"]

# ONNX's own QuantizeLinear knows int16 from here on.
LEAST_OPSET = 21
# Squared error by rounding before the function, in parts of that by rounding its result.
_LEAST_LOSS = 1.0


def may_be_fine(network: Network, placement: Placement) -> list[Region]:
    """Functions of products that nothing else reads, whose results don't go into a sum alone."""
    opset = next(item.version for item in network.model.opset_import
                 if item.domain in ("", "ai.onnx"))
    return [region for region in placement.regions.values()
            if opset >= LEAST_OPSET and _own_product(network, placement, region)
            and not _part_of_a_sum(network, region)]


def _own_product(network: Network, placement: Placement, region: Region) -> bool:
    at = placement.products.get(region.start)
    return (at is not None and network.nodes[at].op_type != "ConvTranspose"
            and region.start not in network.outputs
            and set(network.readers[region.start]) <= set(region.nodes))


def _part_of_a_sum(network: Network, region: Region) -> bool:
    """The addition's own tables have 8 bits; otherwise it would take a pass of its own."""
    reader = network.only_reader(region.end)
    return reader is not None and network.nodes[reader].op_type in ("Add", "Sub") and (
        len(network.computed(reader)) == 2)


def fine_quants(network: Network, placement: Placement, histograms: Mapping[str, Histogram],
                functions: Mapping[str, Function], quants: Mapping[str, Quant],
                method: str) -> dict[str, Quant]:
    """Quantizations in 9 bits by tensor, of those where 8 lose much.

    Parameters
    ----------
    network : Network
    placement : Placement
    histograms : mapping of str to Histogram
    functions : mapping of str to callable
        By the tensor that they read.
    quants : mapping of str to Quant
        In 8 bits, of every point.
    method : str
        How ranges are chosen.
    """
    found = {}
    for region in may_be_fine(network, placement):
        name = region.start
        histogram, function = histograms[name], functions[name]
        rounding = np.square(quants[region.end].scale) / 12
        if loss_behind(histogram, function, quants[name]) > _LEAST_LOSS * rounding:
            found[name] = quant_of(chosen_range(histogram, method, function, FINE), FINE)
    return found
