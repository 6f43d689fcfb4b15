"""From ONNX's scales to the chip's integers.

ONNX Runtime computes in float32 and rounds once, halves to even. The chip's nearest form rounds
the exact product with a 31-bit factor once, halves up (``ROUND_ONCE``): the two differ, by 1, only
where a value lies within float32's error of a half. Additions round twice, the first time with
20 more bits than the result; they differ as rarely.
"""

import numpy as np

from golden.graph import Quant, Scale
from golden.spec.numerics import ROUND_ONCE, quantize_multiplier

__all__ = ["FULL", "WIDE", "code", "scale_of", "scales_of", "within"]

FULL = (-128, 127)
WIDE = (-256, 255)  # of a table's index of 9 bits


def scale_of(real: float) -> Scale:
    """A factor that rounds once; without a shift there is only one rounding anyway."""
    multiplier, pre, post = quantize_multiplier(real)
    return multiplier, pre, post + ROUND_ONCE if post else 0


def scales_of(reals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(multiplier, pre, post) of a factor per channel, int32."""
    table = np.array([scale_of(float(real)) for real in reals], np.int32).reshape(-1, 3)
    multiplier, pre, post = table.T.copy()
    return multiplier, pre, post


def code(real: float, quant: Quant, bounds: tuple[int, int] = FULL) -> int:
    """QuantizeLinear of one number, within bounds."""
    with np.errstate(over="ignore"):  # limits that are none: the largest float
        steps = np.rint(np.float32(real) / np.float32(quant.scale))
    return int(np.clip(steps + quant.zero_point, *bounds))


def within(inner: tuple[int, int], outer: tuple[int, int]) -> tuple[int, int]:
    """Bounds that do what clamping to ``inner`` and then to ``outer`` does."""
    least, most = (min(max(value, outer[0]), outer[1]) for value in inner)
    return least, most
