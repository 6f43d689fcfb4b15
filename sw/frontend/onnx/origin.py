"""Where weights and biases lie in the file, so that others can be written in their places."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

__all__ = ["Bias", "Origin", "Place", "Slots", "Weights"]

Move = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Origin:
    """Where the numbers of a constant lie: stored = (number + zeros) * scales.

    Parameters
    ----------
    name : str
        Of the initializer, or of what a node Constant gives.
    positions : ndarray of int
        In it, of the constant's shape.
    zeros, scales : ndarray
        Of that shape.
    """

    name: str
    positions: np.ndarray
    zeros: np.ndarray
    scales: np.ndarray

    @classmethod
    def of(cls, name: str, shape: tuple[int, ...]) -> "Origin":
        """Of a constant as it is in the file."""
        return cls(name, np.arange(np.prod(shape, dtype=int), dtype=np.int32).reshape(shape),
                   np.broadcast_to(np.int64(0), shape), np.broadcast_to(1.0, shape))

    def moved(self, move: Move) -> "Origin":
        """Of the constant transposed, indexed or reshaped."""
        return replace(self, positions=move(self.positions), zeros=move(self.zeros),
                       scales=move(self.scales))

    def raised(self, zeros: np.ndarray) -> "Origin":
        """Of the numbers less zero points that broadcast."""
        return replace(self, zeros=self.zeros + zeros) if zeros.any() else self

    def quantized(self, scales: np.ndarray, zeros: np.ndarray) -> "Origin":
        """Of the integers that QuantizeLinear makes of the reals that lie there."""
        shape = self.positions.shape
        return replace(self, zeros=np.broadcast_to(-zeros, shape),
                       scales=np.broadcast_to(scales.astype(np.float64), shape))

    def stored(self, numbers: np.ndarray) -> np.ndarray:
        """What the file holds for these numbers, float64."""
        return (numbers + self.zeros) * self.scales


@dataclass(frozen=True, eq=False)
class Weights:
    """Integer weights.

    Parameters
    ----------
    values : ndarray of int, (outputs, ...)
        Less their zero points.
    scales : ndarray of float64, (outputs,)
    origin : Origin or None
        None if the file doesn't hold each at a place of its own.
    """

    values: np.ndarray
    scales: np.ndarray
    origin: Origin | None

    @property
    def turned(self) -> "Weights":
        """Two axes exchanged; the scales are those of the new first one."""
        return Weights(self.values.T, self.scales, self.origin and self.origin.moved(np.transpose))


@dataclass(frozen=True, eq=False)
class Place:
    """Numbers of the file that are added to a product, channel by channel.

    Parameters
    ----------
    origin : Origin
        Of shape (outputs,).
    reals : ndarray of float64, (outputs,)
        What they are.
    steps : ndarray of float64, (outputs,), or None
        Real value of one step, where the file has integers; not 0.
    gain : ndarray of float64, (outputs,)
        Of each in the product's bias.
    """

    origin: Origin
    reals: np.ndarray
    steps: np.ndarray | None
    gain: np.ndarray

    def stored(self, change: np.ndarray) -> np.ndarray:
        """What the file holds, as near as it can, for a bias changed by that much."""
        reals = self.reals + np.divide(change, self.gain, out=np.zeros_like(change),
                                       where=self.gain != 0)
        return self.origin.stored(reals if self.steps is None else np.rint(reals / self.steps))

    @property
    def spacing(self) -> np.ndarray:
        """Between biases that the file can hold."""
        return np.abs(self.gain * (np.spacing(self.reals.astype(np.float32))
                                   if self.steps is None else self.steps))


@dataclass(frozen=True, eq=False)
class Bias:
    """What is added to a product.

    Parameters
    ----------
    values : ndarray of float64, (outputs,)
    place : Place or None
        None if there is nothing in the file that could hold others.
    """

    values: np.ndarray
    place: Place | None = None

    def affine(self, factor: np.ndarray, offset: "Bias") -> "Bias":
        """factor * bias + offset."""
        place = offset.place if self.place is None else replace(
            self.place, gain=self.place.gain * factor)
        return Bias(self.values * factor + offset.values, place)


@dataclass(frozen=True, eq=False)
class Slots:
    """Places of the weights and biases of a node of the graph.

    Parameters
    ----------
    label : str
        ONNX's node, for messages.
    origin : Origin or None
        Of the weights, in the order of the graph's kernel.
    signs : ndarray of int, of a shape that broadcasts to ONNX's weights
        The graph's weights are the file's times these.
    finish : callable
        From ONNX's order to the graph's.
    bias : Bias
    unit : ndarray of float64, (outputs,)
        Real value of one step of the graph's biases.
    step : float
        Real value of one step of the output.
    """

    label: str
    origin: Origin | None
    signs: np.ndarray
    finish: Move
    bias: Bias
    unit: np.ndarray
    step: float
