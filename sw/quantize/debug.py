"""What each layer of a quantized network loses against the float one, and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray

from sw.quantize.isolate import Isolated, isolated, named_points
from sw.quantize.network import Network
from sw.quantize.quality import ChannelRatio
from sw.quantize.ranges import FINE, Quant, quant_of
from sw.quantize.regions import find_regions, function_of
from sw.quantize.scores import SCORES, sigmoid
from sw.quantize.session import Samples, Traced

__all__ = ["Layer", "layers"]

CLIPPED = 1e-3  # share of values outside the range
FEW_CODES = 32  # cover the middle 99 % of the values
SPREAD = 16.0  # largest range of a channel over the median one
CURVED = 3.0  # decibels between before and after rounding
COARSER = 1.01  # steps of weights over what the weights need
_FULL_BIAS = 1 << 29  # of int32
Function = Callable[[NDArray], NDArray]
Ratios = tuple[ChannelRatio, ChannelRatio, ChannelRatio]
Progress = Callable[[str], None]


@dataclass
class Layer:
    """A tensor that is quantized, with the node that gives it.

    Parameters
    ----------
    name, operator, tensor : str
    total : float
        Decibels (see `ChannelRatio`) of the tensor in the quantized network; before a curved
        function, of what that makes of it.
    own : float
        Decibels if nothing before it had lost anything.
    before_rounding : float
        As ``own``, without the rounding of the tensor itself: the weights' part.
    clipped : float
        Share of the float network's values outside the range.
    codes : int
        That cover the middle 99 % of its values.
    spread : float
        Largest range of a channel over the median one.
    coarser : float
        By how much weights have coarser steps than they need, so that the bias fits int32.
    curved : bool
        Only a curved function reads it, or it is scores, which end at -8 and 8; the decibels are
        those of what that function, or a sigmoid, makes of it.
    causes : list of str
    """

    name: str
    operator: str
    tensor: str
    total: float = 0.0
    own: float = 0.0
    before_rounding: float = 0.0
    clipped: float = 0.0
    codes: int = 256
    spread: float = 1.0
    coarser: float = 1.0
    curved: bool = False
    causes: list[str] = field(default_factory=list)


class _Statistics:
    """Of one tensor's values in the float network."""

    def __init__(self, scale: float, zero: int, limits: tuple[int, int]) -> None:
        self.scale, self.zero, self.limits = scale, zero, limits
        self.outside = self.count = 0
        self.used = np.zeros(limits[1] - limits[0] + 1, np.int64)
        self.low: NDArray | None = None
        self.high: NDArray | None = None

    def add(self, values: NDArray) -> None:
        steps = np.rint(values / self.scale) + self.zero
        least, most = self.limits
        # A value less than a step beyond the end is rounded, not clipped.
        self.outside += int(((steps < least - 1) | (steps > most + 1)).sum())
        self.count += values.size
        self.used += np.bincount((np.clip(steps, least, most) - least).astype(np.int64).ravel(),
                                 minlength=self.used.size)
        axis = 1 if values.ndim > 2 else values.ndim - 1
        rest = tuple(at for at in range(values.ndim) if at != axis)
        low, high = values.min(axis=rest), values.max(axis=rest)
        self.low = low if self.low is None else np.minimum(self.low, low)
        self.high = high if self.high is None else np.maximum(self.high, high)

    @property
    def codes(self) -> int:
        share = np.cumsum(self.used) / max(self.count, 1)
        return int(np.searchsorted(share, 0.995) - np.searchsorted(share, 0.005)) + 1

    @property
    def spread(self) -> float:
        if self.low is None or self.high is None:
            return 1.0
        widths = np.maximum(self.high, 0) - np.minimum(self.low, 0)
        widths = widths[widths > 0]
        return float(widths.max() / np.median(widths)) if widths.size else 1.0


def layers(network: Network, quantized: onnx.ModelProto, samples: Samples,
           progress: Progress = lambda _: None) -> list[Layer]:
    """Every quantized tensor that nodes give, those that lose most by themselves first.

    Parameters
    ----------
    network : Network
        The float network, in the form that has been quantized.
    quantized : onnx.ModelProto
        Its tensors have the float network's names.
    samples : sequence of mapping of str to ndarray
    """
    joined = isolated(network.model, quantized, exact=True)
    points = named_points(network.model, quantized)
    constants = {item.name: onnx.numpy_helper.to_array(item)
                 for item in quantized.graph.initializer}
    statistics = {name: _statistics(quantized.graph.node[at], constants)
                  for name, at in points.items() if name in joined.given}
    dequantized = _results(quantized)
    functions = {name: function_of(network, region)
                 for name, region in find_regions(network).items() if name in statistics}
    scores = {name for name, item in statistics.items()
              if Quant(item.scale, item.zero) == quant_of(SCORES)}
    functions |= dict.fromkeys(scores, sigmoid)
    ratios = _measure(network, quantized, joined, samples, statistics,
                      {name: dequantized[points[name]] for name in statistics}, functions,
                      progress)
    coarser = _coarser(network, quantized, constants)
    found = []
    for name, statistic in statistics.items():
        node = network.nodes[network.giver[name]]
        total, own, before = (ratio.decibels for ratio in ratios[name])
        layer = Layer(node.name, node.op_type, name, total, own, before,
                      statistic.outside / max(statistic.count, 1), statistic.codes,
                      statistic.spread, coarser.get(name, 1.0), name in functions)
        found.append(layer)
    for layer in found:
        layer.causes = list(_causes(layer))
    return sorted(found, key=lambda layer: layer.own)


def _statistics(node: onnx.NodeProto, constants: Mapping[str, NDArray]) -> _Statistics:
    scale = float(constants[node.input[1]].ravel()[0])
    zero = constants[node.input[2]].ravel()[0] if len(node.input) > 2 else np.uint8(0)
    limits = np.iinfo(zero.dtype)
    ends = (int(limits.min), int(limits.max)) if zero.dtype != np.int16 else Quant(
        scale, int(zero), FINE).ends
    return _Statistics(scale, int(zero), ends)


def _results(quantized: onnx.ModelProto) -> dict[int, str]:
    """What DequantizeLinear gives behind each QuantizeLinear, by that one's number."""
    by_codes = {node.input[0]: node.output[0] for node in quantized.graph.node
                if node.op_type == "DequantizeLinear"}
    return {at: by_codes.get(node.output[0], "") for at, node in enumerate(quantized.graph.node)
            if node.op_type == "QuantizeLinear"}


def _measure(network: Network, quantized: onnx.ModelProto, joined: Isolated, samples: Samples,
             statistics: Mapping[str, _Statistics], results: Mapping[str, str],
             functions: Mapping[str, Function], progress: Progress) -> dict[str, Ratios]:
    """(in the network, by itself, that before rounding) by tensor."""
    ratios: dict[str, Ratios] = {name: (ChannelRatio(), ChannelRatio(), ChannelRatio())
                                 for name in statistics}
    names = [text for name in statistics
             for text in (name, joined.rounded[name], joined.given[name])]
    sizes = {text: network.size(name) for name in statistics
             for text in (name, joined.rounded[name], joined.given[name], results[name])}
    alone, whole = Traced(joined.model, names, sizes), Traced(quantized, [*results.values()], sizes)
    which = {text: (name, kind) for name in statistics for kind, text in (
        (0, results[name]), (1, joined.rounded[name]), (2, joined.given[name]))}
    for number, sample in enumerate(samples):
        progress(f"sample {number + 1} of {len(samples)}")
        wanted: dict[str, NDArray] = {}
        waiting: list[tuple[str, NDArray]] = []
        for text, values in alone.run(sample):
            if text in statistics:
                wanted[text] = values
                statistics[text].add(values)
            else:
                waiting.append((text, values))
        for text, values in (*waiting, *whole.run(sample)):
            name, kind = which[text]
            function = functions.get(name, _same)
            ratios[name][kind].add(function(wanted[name]), function(values))
    return ratios


def _same(values: NDArray) -> NDArray:
    return values


def _coarser(network: Network, quantized: onnx.ModelProto,
             constants: Mapping[str, NDArray]) -> dict[str, float]:
    """By how much the steps of weights are coarser than needed, by the point they lead to."""
    makers = {node.output[0]: node for node in quantized.graph.node}
    found = {}
    for at, node in enumerate(network.nodes):
        other = makers.get(node.output[0], makers.get(f"{node.output[0]}_float"))
        if other is None or not network.weights(at) or len(other.input) < 3:
            continue
        makes = [makers[name] for name in other.input[1:3] if name in makers]
        if len(makes) < 2 or any(item.input[0] not in constants for item in makes):
            continue
        kernel, bias = (constants[item.input[0]].astype(np.int64) for item in makes)
        axis = next((item.i for item in makes[0].attribute if item.name == "axis"), 1)
        rows = np.abs(np.moveaxis(kernel, axis, 0)).reshape(kernel.shape[axis], -1).max(axis=1)
        full = (np.abs(bias).reshape(-1, len(rows)).max(axis=0) > _FULL_BIAS) & (rows > 0)
        if full.any():
            found[_point(network, node.output[0])] = float(127 / rows[full].min())
    return found


def _point(network: Network, tensor: str) -> str:
    """The tensor behind clamps."""
    while (reader := network.only_reader(tensor)) is not None and (
            network.nodes[reader].op_type in ("Relu", "Clip")):
        tensor = network.nodes[reader].output[0]
    return tensor


def _causes(layer: Layer) -> list[str]:
    """The likely reasons, in words."""
    found = []
    if layer.clipped > CLIPPED and not layer.curved:
        found.append(f"clipped range: {layer.clipped:.2%} of the values are outside")
    if layer.codes < FEW_CODES:
        found.append(f"coarse step: {layer.codes} codes for the middle 99 % of the values")
    if layer.spread > SPREAD:
        found.append(f"channel spread: the widest channel has {layer.spread:.0f} times the range "
                     "of the median one")
    if layer.coarser > COARSER:
        found.append(f"bias overflow: weights {layer.coarser:.1f} times coarser for it")
    if layer.curved and layer.own < layer.before_rounding - CURVED:
        found.append("curved activation: rounding before it costs "
                     f"{layer.before_rounding - layer.own:.1f} dB behind it")
    return found
