"""What kernels' parameters are: streams in and out, tables, and their element types."""

from dataclasses import dataclass

import numpy as np

from golden.spec.drp.operations import Subword
from golden.spec.drp.streams import Format

__all__ = ["TYPES", "Gather", "In", "Memory", "Out", "Table", "Type", "i16", "i16x2", "i32", "i8",
           "i8x2", "i8x4", "u16", "u16x2", "u8", "u8x2", "u8x4"]


@dataclass(frozen=True)
class Type:
    """Elements of a stream.

    Parameters
    ----------
    name : str
    format : Format
        In memory.
    memory : str
        numpy type of an array's elements.
    arithmetic : str
        numpy type in which a kernel computes with them.
    parts : int
        Elements in one 32-bit value: neighbours along an array's last axis.
    """

    name: str
    format: Format
    memory: str
    arithmetic: str
    parts: int = 1

    @property
    def bytes(self) -> int:
        """Bytes of one value in memory."""
        return np.dtype(self.memory).itemsize * self.parts

    @property
    def subword(self) -> Subword:
        """How the fabric splits values."""
        return {1: Subword.X1, 2: Subword.X2, 4: Subword.X4}[self.parts]


u8 = Type("u8", Format.U8, "uint8", "int32")
i8 = Type("i8", Format.I8, "int8", "int32")
u16 = Type("u16", Format.U16, "uint16", "int32")
i16 = Type("i16", Format.I16, "int16", "int32")
i32 = Type("i32", Format.W32, "int32", "int32")
u8x4 = Type("u8x4", Format.W32, "uint8", "uint8", 4)
i8x4 = Type("i8x4", Format.W32, "int8", "int8", 4)
u16x2 = Type("u16x2", Format.W32, "uint16", "uint16", 2)
i16x2 = Type("i16x2", Format.W32, "int16", "int16", 2)
u8x2 = Type("u8x2", Format.U8X2, "uint8", "int16", 2)
i8x2 = Type("i8x2", Format.I8X2, "int8", "int16", 2)
TYPES = (u8, i8, u16, i16, i32, u8x4, i8x4, u16x2, i16x2, u8x2, i8x2)


@dataclass(frozen=True)
class In:
    """An input stream.

    Parameters
    ----------
    type : Type
    axes : str
        A letter for each axis of the array. Letters the kernel's result lacks are reduced: the
        kernel must fold over them. Windows reach along y and x.
    channels : int
        With more than 1, a last axis of that many: ``p[dy, dx, channel]``.
    border : str
        ``replicate`` or ``constant`` (then ``fill``), for positions outside.
    fill : int
    step : int or "free"
        Rows and columns from one result to the next; ``free``: 16.16 fixed point, given with the
        arrays.
    """

    type: Type
    axes: str = "yx"
    channels: int = 1
    border: str = "replicate"
    fill: int = 0
    step: int | str = 1

    @property
    def packs_x(self) -> bool:
        """Whether one value holds neighbours along x."""
        return self.type.parts > 1 and self.axes[-1:] == "x"


@dataclass(frozen=True)
class Out:
    """An output stream.

    Parameters
    ----------
    type : Type
    axes : str
        A letter for each axis.
    channels : int
        With more than 1, a last axis of that many; the kernel returns a tuple.
    saturate : bool
        Values are limited to the type's range, else their low bits are kept.
    lanes : str
        The axis along which SIMD lanes lie, instead of the last one.
    """

    type: Type
    axes: str = "yx"
    channels: int = 1
    saturate: bool = False
    lanes: str = ""


@dataclass(frozen=True)
class Table:
    """A table of int32, read as ``table[index]``; the index is taken modulo its words.

    Parameters
    ----------
    words : int
        A power of two.
    """

    words: int


@dataclass(frozen=True)
class Memory:
    """Words that a kernel adds to, ``memory.add(index, amount)``, and returns as its result.

    All are 0 first. The result has one axis, with a letter of its own.

    Parameters
    ----------
    words : int
        A power of two, int32.
    """

    words: int


@dataclass(frozen=True)
class Gather:
    """A picture (axes yx) read at positions from data, ``p.at(row, column)``; see ``In``.

    Its axes are not the kernel's; the kernel has one result.
    """

    type: Type
    border: str = "replicate"
    fill: int = 0
