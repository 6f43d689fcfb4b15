"""Bias correction: the mean error of each channel, taken off its bias."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from sw.quantize.isolate import OWN, isolated
from sw.quantize.network import Network
from sw.quantize.placement import Placement
from sw.quantize.ranges import Quant
from sw.quantize.session import Samples, Traced
from sw.quantize.weights import Codes
from sw.quantize.writer import written

__all__ = ["corrected_biases"]


def corrected_biases(network: Network, placement: Placement, quants: Mapping[str, Quant],
                     codes: Mapping[int, Codes], samples: Samples,
                     progress: Callable[[str], None] = lambda _: None) -> dict[int, NDArray]:
    """Biases with which no channel's sums are off on average.

    Each node is fed with the float network's tensors, quantized, so that one pass over the samples
    corrects all of them.

    Returns
    -------
    dict of int to ndarray of float64
        By node with weights, those that can have a bias.
    """
    nodes = {network.nodes[at].output[0]: at for at in codes
             if (found := network.weights(at)) is not None and found.takes_bias}
    names = [name for tensor in nodes for name in (tensor, tensor + OWN)]
    sizes = {name: network.size(name.removesuffix(OWN)) for name in names}
    joined = isolated(network.model, written(network, placement, quants, codes))
    traced = Traced(joined.model, names, sizes)
    sums: dict[str, NDArray] = {}
    for number, sample in enumerate(samples):
        progress(f"bias correction, sample {number + 1} of {len(samples)}")
        for name, values in traced.run(sample):
            axis = 1 if network.nodes[nodes[name.removesuffix(OWN)]].op_type != "Gemm" else -1
            mean = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1).mean(
                axis=1, dtype=np.float64)
            sums[name] = sums.get(name, 0) + mean / len(samples)
    return {at: network.bias(at) + sums[tensor] - sums[tensor + OWN]
            for tensor, at in nodes.items()}
