"""Outputs that a sigmoid follows: what tells one answer from the other is near 0."""

from collections.abc import Set

import numpy as np
from numpy.typing import NDArray

from sw.quantize.network import Network
from sw.quantize.placement import Placement
from sw.quantize.ranges import Range

__all__ = ["SCORES", "score_points", "sigmoid"]

# Beyond, a sigmoid is 0 or 1 to less than half a step of 1/1000. Nearly all values of a detector's
# scores lie far below, and what is found is too rare to count in a histogram.
SCORES = Range(-8.0, 8.0)
_MOVING = frozenset(("Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Slice",
                     "Split", "Concat", "DepthToSpace", "SpaceToDepth", "Gather"))


def sigmoid(values: NDArray) -> NDArray:
    """What scores are judged behind."""
    return np.asarray((1 + np.tanh(values / 2)) / 2)


def score_points(network: Network, placement: Placement, outputs: Set[str]) -> set[str]:
    """Points with which the chip's part ends and that only sigmoids read, where they are moved to.

    Parameters
    ----------
    network : Network
    placement : Placement
    outputs : set of str
        Outputs of the network that a sigmoid follows outside of it.
    """
    def read_by_sigmoids(tensor: str) -> bool:
        if tensor in network.outputs and tensor not in outputs:
            return False
        readers = [network.nodes[at] for at in network.readers.get(tensor, ())]
        return bool(readers or tensor in outputs) and all(
            node.op_type == "Sigmoid" or (node.op_type in _MOVING
                                          and all(map(read_by_sigmoids, node.output)))
            for node in readers)

    return {name for name in placement.ends(network) if read_by_sigmoids(name)}
