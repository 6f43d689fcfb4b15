"""Functions of one tensor, value by value: the chip looks them up in a table of all its codes, 256
or 512.

Whatever float operators lie between a DequantizeLinear and a QuantizeLinear: as long as all that
is computed comes from one quantized tensor, value by value, the whole is a table, even by way of
other QuantizeLinear/DequantizeLinear pairs. ONNX's reference evaluator computes it, at import.
"""

import math
from collections.abc import Callable

import numpy as np

from golden.edges import QuantizeLinear
from golden.graph import Quant
from golden.lookup import Lookup
from golden.ops.edges import quantize_linear
from sw.frontend.onnx.folding import fold
from sw.frontend.onnx.values import Bounds, Constant, Curve, Index, Placed, Real, Value
from sw.frontend.onnx.view import View

__all__ = ["curve_at", "curve_codes", "curved", "microsoft", "negated", "pointwise", "tabulated"]

CODES = np.arange(-128, 128)
ACCEPTED = ("accepted are functions of one quantized tensor, constants of one value with it")


def curve_at(real: Real) -> Curve | None:
    """A real as a function of a quantized tensor, at least of itself."""
    if real.curve is not None or real.own is None:
        return real.curve
    values = (CODES - real.own.zero_point).astype(np.float32) * np.float32(real.own.scale)
    return Curve(real, real.own, values, real)


def curve_codes(values: np.ndarray, quant: Quant, bounds: Bounds) -> np.ndarray:
    """What QuantizeLinear makes of reals; of NaN the least code, as ONNX Runtime."""
    return quantize_linear(np.where(np.isnan(values), -np.inf, values), QuantizeLinear(
        scale=quant.scale, zero=quant.zero_point, least=bounds[0], most=bounds[1]))


def curved(view: View, shape: tuple[int, ...], curve: Curve) -> Real:
    """The reals that a curve means."""
    def make(quant: Quant, bounds: Bounds) -> Placed:
        table = curve_codes(curve.values, quant, bounds)
        if isinstance(curve.base, Index):
            base = curve.base.place()
            if view.build.graph.tensors[base.tensor].dtype == "int8":  # clipped so far
                table = table[CODES + len(table) // 2]
        else:
            base = view.kept(curve.base, curve.quant)
        return view.emit(Lookup(table=table), [base], base.stored, quant)

    return Real(shape, None, make, curve=curve)


def negated(view: View, source: Real, own: Quant) -> tuple[Real, Quant]:
    """(the real turned around 0, its own quantization), exact."""
    quant = Quant(own.scale, -1 - own.zero_point)
    curve = Curve(source, own, (own.zero_point - CODES).astype(np.float32) * np.float32(own.scale),
                  source)
    found = curved(view, source.shape, curve)
    return Real(source.shape, quant, found.make), quant


def _operands(view: View) -> tuple[list[Constant | Curve | None], str]:
    """(inputs, or none of them; why they are no function of one tensor)."""
    found: list[Constant | Curve | None] = []
    key, shapes = None, set()
    for position in range(len(view.node.input)):
        value = view.value(position) if view.has(position) else None
        if value is None or (isinstance(value, Constant) and value.data.size == 1):
            found.append(value)
            continue
        curve = curve_at(value) if isinstance(value, Real) else None
        if curve is None:
            if isinstance(value, Constant):
                return [], f"{view.what(position)} is a constant of shape {list(value.shape)}"
            return [], f"{view.what(position)} is float and not quantized" if isinstance(
                value, Real) else f"{view.what(position)} is quantized already"
        if key not in (None, (id(curve.key), curve.quant)):
            return [], "its inputs are computed from different tensors"
        key = id(curve.key), curve.quant
        shapes.add(value.shape)
        found.append(curve)
    if len(shapes) != 1:
        return [], f"inputs have shapes {sorted(shapes)}"
    return found, ""


def tabulated(view: View) -> Value | str:
    """What a node gives if that is a function of one tensor; otherwise why it isn't."""
    operands, why = _operands(view)
    if why:
        return why
    (curve, *_) = (item for item in operands if isinstance(item, Curve))
    given = [Constant(item.values) if isinstance(item, Curve) else item for item in operands]
    (found,) = fold(view, given, view.opsets)
    return _finished(view, curve, found.data)


def _finished(view: View, curve: Curve, values: np.ndarray) -> Value:
    values = values.ravel()
    if values.shape != curve.values.shape or values.dtype != np.float32:
        raise view.fail(f"gives {values.dtype}{list(values.shape)} for {curve.values.size} values; "
                        f"{ACCEPTED}")
    shape = next(view.value(at).shape for at in range(len(view.node.input))
                 if view.has(at) and isinstance(view.value(at), Real))
    return curved(view, shape, Curve(curve.base, curve.quant, values, curve.key))


def pointwise(view: View) -> Value:
    """Anything that takes one value at a time, constants with it.

    Functions of one quantized tensor, constants of one value with it; also chains of them, by
    way of QuantizeLinear too. Evaluated for all codes at import.

    Runs on the chip: a table behind the operator before it or within the addition behind it,
    else a copy with a table.
    """
    found = tabulated(view)
    if isinstance(found, str):
        raise view.fail(f"{found}; {ACCEPTED}")
    return found


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)), np.float32)


def _erf(x: np.ndarray) -> np.ndarray:
    return np.array([math.erf(float(value)) for value in x], np.float32)


_MICROSOFT: dict[str, Callable[[View, np.ndarray], np.ndarray]] = {
    "Gelu": lambda view, x: np.float32(0.5) * x * (1 + _erf(x * np.float32(math.sqrt(0.5)))),
    "QuickGelu": lambda view, x: x * _sigmoid(np.float32(view.attribute("alpha", 1.702)) * x),
}


def microsoft(view: View) -> Value:
    """com.microsoft.Gelu and QuickGelu.

    As Sigmoid.

    Runs on the chip, as Sigmoid.
    """
    operands, why = _operands(view)
    if why or len(operands) != 1 or not isinstance(operands[0], Curve):
        raise view.fail(f"{why or 'has several inputs'}; {ACCEPTED}")
    curve = operands[0]
    return _finished(view, curve, _MICROSOFT[view.op](view, curve.values))
