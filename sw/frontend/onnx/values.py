"""What flows between ONNX's nodes: constants, integers, and reals that are integers times a scale.

A real is a promise. Asked for at a quantization it appends to the graph what computes it there; so
an operator learns how its result is quantized from the QuantizeLinear behind it, with whatever
clamps, moves and pools lie between.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from golden.graph import Quant
from sw.frontend.onnx.origin import Origin
from sw.frontend.onnx.scales import FULL, WIDE, within

__all__ = ["Average", "Bounds", "Codes", "Constant", "Curve", "Foreign", "Index", "Integers",
           "Placed", "Real", "Value"]

Bounds = tuple[int, int]  # (least, most) of int8, or of a table's index


@dataclass(frozen=True, eq=False)
class Placed:
    """A tensor of the graph; ``stored`` says where its bytes lie (see ``layout``)."""

    tensor: str
    stored: np.ndarray


@dataclass(frozen=True, eq=False)
class Codes:
    """The integers behind a dequantized constant: real = scale * (values - zero).

    Parameters
    ----------
    values : ndarray of int32
        Zero points are taken off already.
    scales : ndarray of float64
        One, or one for each index of ``axis``.
    """

    values: np.ndarray
    scales: np.ndarray
    axis: int


@dataclass(frozen=True, eq=False)
class Constant:
    """A value known at import.

    Parameters
    ----------
    data : ndarray
    codes : Codes or None
        Set if it has been dequantized.
    origin : Origin or None
        Where the codes, or else the data, lie in the file; None if they are computed.
    """

    data: np.ndarray
    codes: Codes | None = None
    origin: Origin | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """ONNX's shape."""
        return self.data.shape


@dataclass(frozen=True, eq=False)
class Curve:
    """Values that are a function of one quantized tensor, each of the same place's value there.

    Parameters
    ----------
    base : Real or Index
        The tensor.
    quant : Quant
        Its own quantization.
    values : ndarray, (256,) or (512,)
        For its codes -128 to 127, or -256 to 255 of an `Index`: float32, or codes in int8 of what
        has been quantized.
    key : object
        Two curves are of one tensor where these are the same object.
    """

    base: "Real | Index"
    quant: Quant
    values: np.ndarray
    key: object


@dataclass(eq=False)
class Integers:
    """8-bit integers. In the graph all are int8: uint8 less 128.

    Parameters
    ----------
    shape : tuple of int
        ONNX's shape.
    unsigned : bool
        uint8 in ONNX.
    make : callable
        Appends what computes them, clamped to the given bounds.
    alone : bool
        Read by one node only: clamps may move in front of it.
    curve : Curve or None
        Set for functions of another tensor.
    """

    shape: tuple[int, ...]
    unsigned: bool
    make: Callable[[Bounds], Placed]
    alone: bool = False
    curve: Curve | None = None
    _made: dict[Bounds, Placed] = field(default_factory=dict)

    def place(self, bounds: Bounds = FULL) -> Placed:
        """The tensor of the graph, made once."""
        if bounds not in self._made:
            self._made[bounds] = self.make(bounds)
        return self._made[bounds]

    def pretend(self, placed: Placed) -> None:
        """Let this be the tensor, in a graph that is only to show what else is refused."""
        self._made[FULL] = placed

    @property
    def made(self) -> tuple[Placed, ...]:
        """The tensor of the graph, not clamped, if something has asked for it."""
        return tuple(placed for bounds, placed in self._made.items() if bounds == FULL)


@dataclass(frozen=True, eq=False)
class Average:
    """Each value is the mean of as many values of another tensor.

    Parameters
    ----------
    source : Real
        The other tensor, which has a quantization of its own.
    members : ndarray of int, (values, count), or None
        Positions in it, in ONNX's order; None if counts differ.
    """

    source: "Real"
    members: np.ndarray | None

    def chosen(self, rows: np.ndarray | slice) -> "Average":
        """Some of the values, in another order."""
        return Average(self.source, None if self.members is None else self.members[rows])

    def of(self, members: np.ndarray) -> "Average":
        """Means of these values, (values, count)."""
        return Average(self.source, None if self.members is None else
                       self.members[members].reshape(len(members), -1))


@dataclass(eq=False)
class Real:
    """Real numbers.

    Parameters
    ----------
    shape : tuple of int
        ONNX's shape.
    own : Quant or None
        The int8 quantization in which they need no rounding, or in which averages are kept; None
        if there is none.
    make : callable
        Appends what computes them in int8 at a quantization, clamped to the given bounds.
    floating : callable or None
        Appends what gives them as float32, in ONNX's order; None if that is by dequantizing.
    average : Average or None
        Set for averages: in their own quantization they are rounded.
    curve : Curve or None
        Set for functions of another tensor.
    ends : (float, float) or None
        Set for sums of products, which can index a table with 9 bits: between what they are
        clamped.
    """

    shape: tuple[int, ...]
    own: Quant | None
    make: Callable[[Quant, Bounds], Placed]
    floating: Callable[[], Placed] | None = None
    average: Average | None = None
    curve: Curve | None = None
    ends: tuple[float, float] | None = None
    _made: dict[tuple[Quant, Bounds], Placed] = field(default_factory=dict)

    def place(self, quant: Quant, bounds: Bounds = FULL) -> Placed:
        """The int8 tensor of the graph at a quantization, made once.

        An index of 9 bits is made anew: it stays on the chip only for the table behind it.
        """
        if within(bounds, FULL) != bounds:
            return self.make(quant, bounds)
        if (quant, bounds) not in self._made:
            self._made[quant, bounds] = self.make(quant, bounds)
        return self._made[quant, bounds]


@dataclass(eq=False)
class Index:
    """Integers of 9 bits, int16 in ONNX, that nothing but tables read.

    Parameters
    ----------
    shape : tuple of int
        ONNX's shape.
    source : Real
        Sums of products.
    quant : Quant
    """

    shape: tuple[int, ...]
    source: Real
    quant: Quant
    made: tuple[Placed, ...] = ()

    def place(self) -> Placed:
        """A tensor of the graph for one table."""
        found = self.source.place(self.quant, WIDE)
        self.made += (found,)
        return found


@dataclass(frozen=True, eq=False)
class Foreign:
    """Values of a type that only the host computes with, in ONNX's order.

    Parameters
    ----------
    shape : tuple of int
        ONNX's shape.
    dtype : str
    place : callable
        Gives the tensor of the graph.
    """

    shape: tuple[int, ...]
    dtype: str
    place: Callable[[], Placed]


Value = Constant | Foreign | Index | Integers | Real
