"""Layer normalization of int8 rows, as three kernels that hand rows' statistics on.

Sums are exact; mean and 1 / deviation are fixed point: the result is within one step of what
floating point rounds to, for rows of up to 2**16 values.
"""

# mypy: disable-error-code="valid-type"

from dataclasses import dataclass

import numpy as np

from sw.drp.functions import (
    leading_zeros,
    maximum,
    minimum,
    multiply_high,
    rounding_shift_up,
    total,
)
from sw.drp.kernel import kernel
from sw.drp.types import In, Out, Table, i8, i32

__all__ = ["LayerNorm", "layer_norm_inverse", "layer_norm_scale", "layer_norm_sums",
           "root_table"]


@kernel
def layer_norm_sums(x: In(i8, "nx")) -> tuple[Out(i32, "n"), Out(i32, "n")]:
    """Layer norm, 1 of 3: sum and sum of squares of each row."""
    return total(x), total(x * x)


@kernel
def layer_norm_inverse(sums: In(i32, "n"), squares: In(i32, "n"), roots: Table(512),
                       pre: int = 18, pre_squares: int = 10, inverse: int = 1 << 30,
                       epsilon: int = 1) -> Out(i32, "n", channels=2):
    """Layer norm, 2 of 3: mean (22 fraction bits) and 1 / deviation (22 fraction bits)."""
    mean = multiply_high(sums << pre, inverse)  # 23 fraction bits
    square = multiply_high(squares << pre_squares, inverse)  # 15 fraction bits
    variance = ((square - multiply_high(mean, mean)) << 1) + epsilon
    variance = minimum(maximum(variance, 1), (1 << 30) - 1)
    # v = variance * 2**odd, 2**29 to 2**31: a table gives 1 / root, Newton doubles its bits.
    odd = (leading_zeros(variance) - 2) | 1
    v = variance << odd
    root = roots[v >> 22]  # 29 fraction bits
    error = (3 << 28) - (multiply_high(multiply_high(root, root), v) << 1)
    better = multiply_high(root, error)  # 27 fraction bits
    return mean >> 1, (better << 2) >> (((15 - odd) >> 1) + 7)


@kernel
def layer_norm_scale(x: In(i8, "nx"), row: In(i32, "n", channels=2), gain: In(i32, "x"),
                     bias: In(i32, "x"), shift: int = 16,
                     zero: int = 0) -> Out(i8, "nx", saturate=True):
    """Layer norm, 3 of 3: (x - mean) / deviation * gain + bias."""
    mean, inverse = row
    normal = multiply_high((x << 22) - mean, inverse) << 8  # 21 fraction bits
    return rounding_shift_up(multiply_high(normal, gain) + bias, shift) + zero


def root_table() -> np.ndarray:
    """int32(512,): 1 / root of (i + 1/2) / 512, 29 fraction bits, for i of 128 and more."""
    places = (np.maximum(np.arange(512), 128) + 0.5) / 512
    return np.minimum(np.rint((1 << 29) / np.sqrt(places)), (1 << 30) - 1).astype(np.int32)


@dataclass(frozen=True)
class LayerNorm:
    """Constants of the three kernels.

    Parameters
    ----------
    inverse : dict of int
        Scalars of ``layer_norm_inverse``.
    scale : dict of int
        Scalars of ``layer_norm_scale``.
    gain, bias : (x,) int32
    """

    inverse: dict[str, int]
    scale: dict[str, int]
    gain: np.ndarray
    bias: np.ndarray

    @classmethod
    def of(cls, gain: np.ndarray, bias: np.ndarray, *, input_scale: float, output_scale: float,
           output_zero: int = 0, epsilon: float = 1e-5) -> "LayerNorm":
        """The constants of a layer.

        Parameters
        ----------
        gain, bias : (x,) float
        input_scale, output_scale : float
            Of int8; the input's zero point makes no difference.
        output_zero : int
        epsilon : float
            Added to the variance.

        Raises
        ------
        ValueError
            For rows that are too long.
        """
        width = len(gain)
        bits = max(width - 1, 1).bit_length()
        if bits > 16:
            raise ValueError(f"layer norm of {width} values, accepted are 65536")
        factors = np.asarray(gain, np.float64) / output_scale
        offsets = np.asarray(bias, np.float64) / output_scale
        largest = np.abs(factors).max()
        shift = int(min(16, 20 - np.ceil(np.log2(max(largest, 2.0**-8)))))
        if shift < 0 or np.abs(offsets).max() * 2.0**shift >= 1 << 30:
            raise ValueError(f"layer norm with a gain of {largest:g} and a bias of "
                             f"{np.abs(offsets).max():g} output steps, accepted are 2**20 and "
                             "2**14")
        scale = 2.0**(shift + 10)
        return cls(
            {"pre": 24 - bits, "pre_squares": 16 - bits,
             "inverse": min(round(2.0**(30 + bits) / width), (1 << 31) - 1),
             "epsilon": max(1, round(epsilon / input_scale**2 * 65536))},
            {"shift": shift, "zero": output_zero},
            np.clip(np.rint(factors * scale), -(1 << 31), (1 << 31) - 1).astype(np.int32),
            np.rint(offsets * 2.0**shift).astype(np.int32))
