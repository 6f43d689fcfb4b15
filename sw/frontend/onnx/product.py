"""Sums of products awaiting their quantization: what Conv, Gemm and MatMul give."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from golden.attributes import Weighted
from golden.graph import Quant
from golden.transposed import TransposedConv2D
from sw.frontend.onnx.origin import Bias, Origin, Slots
from sw.frontend.onnx.scales import FULL, scales_of, within
from sw.frontend.onnx.values import Bounds, Placed, Real
from sw.frontend.onnx.view import View

__all__ = ["Geometry", "Product", "product"]

LARGEST_BIAS = 1 << 30  # leaves the sums of products as much of int32
FINE = 1 << 8  # steps of a channel without weights in one of the output


@dataclass(frozen=True, eq=False)
class Geometry:
    """Which operator the graph gets.

    Parameters
    ----------
    kind : type of Weighted
    settings : dict
        Its attributes beyond those of every weighted operator.
    finish : callable
        Kernel of ONNX's shape, (outputs, ...), to the graph's.
    source : callable
        Appends what brings the input, int8 at its own quantization, into order.
    stored : ndarray
        Order of the output's bytes.
    """

    kind: type[Weighted]
    settings: dict[str, Any]
    finish: Callable[[np.ndarray], np.ndarray]
    source: Callable[[], Placed]
    stored: np.ndarray


@dataclass(eq=False)
class Product(Real):
    """Reals that are sums of products; scaled and shifted for free by channel.

    Parameters
    ----------
    view : View
        The node.
    geometry : Geometry
    input : Quant
        Of the input.
    kernel : ndarray of int
        (outputs, ...), in ONNX's order.
    scales : ndarray of float64, (outputs,)
        Real value of one step of each channel's weights.
    bias : Bias
    origin : Origin or None
        Of the weights.
    signs : ndarray of int, of a shape that broadcasts to the weights
        Those of factors, which the weights have taken over.
    """

    view: View = field(kw_only=True)
    geometry: Geometry = field(kw_only=True)
    input: Quant = field(kw_only=True)
    kernel: np.ndarray = field(kw_only=True)
    scales: np.ndarray = field(kw_only=True)
    bias: Bias = field(kw_only=True)
    origin: Origin | None = field(kw_only=True)
    signs: np.ndarray = field(default_factory=lambda: np.array(1))

    def affine(self, factor: np.ndarray, offset: Bias) -> "Product":
        """factor * x + offset, channel by channel."""
        sign = np.where(factor < 0, -1, 1).reshape(-1, *(1,) * (self.kernel.ndim - 1))
        return product(replace(
            self, kernel=self.kernel * sign, scales=self.scales * np.abs(factor),
            bias=self.bias.affine(factor, offset), signs=self.signs * sign, _made={}))

    def append(self, quant: Quant, bounds: Bounds) -> Placed:
        """Append the operator for an output at a quantization."""
        unit = self.input.scale * self.scales
        kernel = self.kernel.astype(np.float64)
        dead = (unit == 0) | ~kernel.any(axis=tuple(range(1, kernel.ndim)))
        unit = np.where(dead, quant.scale / FINE, unit)
        # A channel whose bias is beyond int32 gets coarser weights: beside it nobody sees them.
        excess = np.maximum(np.abs(self.bias.values) / unit / LARGEST_BIAS, 1)
        coarser = 2.0 ** np.ceil(np.log2(excess))
        shape = (-1, *(1,) * (kernel.ndim - 1))
        kernel = np.rint(np.where(dead, 0, 1 / coarser).reshape(shape) * kernel)
        if kernel.max(initial=0) > 127:  # -128 with its sign turned
            raise self.view.fail("weights of -128 with a negative factor behind them; accepted "
                                 "are -127 to 127 there")
        unit = unit * coarser
        try:
            multiplier, pre, post = scales_of(unit / quant.scale)
        except ValueError as error:
            raise self.view.fail(str(error)) from None
        attrs = self.geometry.kind(
            kernel=np.ascontiguousarray(self.geometry.finish(kernel.astype(np.int8))),
            bias=np.rint(self.bias.values / unit).astype(np.int32), multiplier=multiplier, pre=pre,
            post=post, input_zero=self.input.zero_point, output_zero=quant.zero_point,
            least=bounds[0], most=bounds[1],
            output_type="int8" if bounds == within(bounds, FULL) else "int16",
            **self.geometry.settings)
        placed = self.view.emit(attrs, [self.geometry.source()], self.geometry.stored, quant)
        whole = (coarser == 1).all()
        self.view.build.slots[self.view.build.graph.nodes[-1].name] = Slots(
            self.view.label, self.origin if whole else None, self.signs, self.geometry.finish,
            self.bias if whole else Bias(self.bias.values), unit, quant.scale)
        return placed


def product(found: Product) -> Product:
    """The same, whose promise is its own."""
    found.make = found.append
    # Those of a stride's phases are put in order by a copy, in 8 bits.
    if found.geometry.kind is not TransposedConv2D:
        found.ends = -math.inf, math.inf
    return found
