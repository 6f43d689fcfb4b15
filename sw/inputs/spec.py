"""Inputs and outputs of a network: their type, and what their bytes mean."""

from dataclasses import dataclass

import numpy as np

from sw.errors import InputError

__all__ = ["TensorSpec"]


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a network.

    Parameters
    ----------
    name : str
    shape : tuple of int
        Batch included.
    dtype : numpy dtype
        int8, uint8, int32 or float32.
    scale : float
        Real value of one step; 0 where the input isn't quantized.
    zero_point : int
        Quantized value of real 0.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    scale: float = 0.0
    zero_point: int = 0

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}{list(self.shape)}"

    def quantize(self, real: np.ndarray, *, truncate: bool = False) -> np.ndarray:
        """Real values as the input's type, clipped to its range.

        Parameters
        ----------
        real : float array
        truncate : bool
            Drop the fraction (towards zero) as the benchmarks' sound front ends do, instead of
            rounding it (halves away from zero) as TensorFlow Lite does.
        """
        if np.issubdtype(self.dtype, np.floating) or not self.scale:
            return real.astype(self.dtype)
        steps = real.astype(np.float32) / np.float32(self.scale)
        if truncate:
            steps = np.trunc(steps + np.float32(self.zero_point))
        else:
            steps = np.trunc(steps + np.copysign(np.float32(0.5), steps)) + self.zero_point
        limits = np.iinfo(self.dtype)
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)

    def dequantize(self, values: np.ndarray) -> np.ndarray:
        """The real numbers that stored values mean."""
        real = values.astype(np.float64)
        return (real - self.zero_point) * self.scale if self.scale else real

    def shaped(self, values: np.ndarray, origin: str) -> np.ndarray:
        """Values in the input's shape; dimensions of size 1 may be missing or added.

        Raises
        ------
        InputError
            Naming the origin and both shapes.
        """
        if [n for n in values.shape if n != 1] != [n for n in self.shape if n != 1]:
            raise InputError(f"{origin}: {values.dtype}{list(values.shape)}, accepted for input "
                             f"{self.name} is {self.dtype}{list(self.shape)}")
        return values.reshape(self.shape)
