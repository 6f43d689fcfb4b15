"""Stream descriptors: which bytes of the scratchpad a stream reads or writes.

A stream makes a sequence of vectors, one value per lane. Its nest of ``LOOPS`` loops (loop 0
innermost) counts iterations; in each iteration it makes one vector per tap, in order. With loop
indices i_k, lane l and tap t the position is, in signed 16.16 fixed point and modulo 2**32,

    y = y0 + sum of i_k * dy_k + l * lane_dy + t.dy * 2**16        x likewise
    offset = sum of i_k * dbase_k + l * lane_dbase + t.dbase       in bytes

Row = floor y, column = floor x. What the value is depends on the tap:

* ``DATA``: the element at byte base + offset + row * row_step + column * column_step. An input
  limits row to [0, height - 1] and column to [0, width - 1] first (border ``REPLICATE``), or
  takes ``fill`` where one is outside (``CONSTANT``; nothing is read). An output writes nothing
  where one is outside, whatever ``border`` says;
* ``FRACTION_Y``, ``FRACTION_X``: the 16 fraction bits of y or x, unsigned;
* ``ROW``, ``COLUMN``: row or column, signed, unlimited.

The last four read no memory; outputs have ``DATA`` taps only. Elements must be aligned to their
size (so none crosses a word) and lie inside the scratchpad, else the stream is an ``ADDRESS``
error. Bytes are little-endian. Inputs are widened to 32 bits as their format says, ``fill`` is the
widened value; outputs keep the low bits, or the nearest value of the format if ``saturate``
(U8X2 and I8X2: of each signed half).

The last input may be *indirect* if there is an output 1 (``Fabric.gather``; other inputs ignore
the bit). Each of its vectors then has, in place of its tap's dy and dx, a position that the kernel
has pushed to output 1: in the high half a signed row, in the low half a signed column, of each
lane. Output 1 is no stream of such a kernel and must have no descriptor. As many positions as
vectors, else it is a ``STREAM`` error of the input. What is to be taken before its position is
pushed, or pushed when ``PLACES`` positions wait and as many vectors as may be are under way,
comes never (``WATCHDOG``).

Cycles. An input makes one request a cycle while its FIFO has room: lanes from the first one not
served are served together as long as their elements lie in one word (filled lanes and taps
without memory lie in any); that word is read from the scratchpad unless it is the one the stream
read last. The inputs of a tile share one scratchpad read a cycle, round robin. An output merges
what it is given into a word, lanes in one word in a cycle, and writes it when the next byte lies
elsewhere or at the end, one write a cycle for all outputs, partial words by byte strobes; four
vectors may wait for it. In a tile of one lane all streams
share what makes addresses: one of them gets its next vector's a cycle, round robin, inputs up to
``REQUESTS`` vectors ahead, outputs likewise. What an indirect input makes of a position can be
taken ``GATHER_CYCLES`` after it was pushed (at most two more in a tile of one lane), later by a
cycle for each word more that it is read from and for each turn of others that it waits for;
``REQUESTS`` vectors of it (or the FIFO's, if that is more) may be under way. Reads and writes of
one kernel are not ordered: a kernel must not read what it writes.
"""

import enum

from golden.spec.drp.contexts import LOOPS
from golden.spec.fields import Field, Record

__all__ = ["ELEMENT_BYTES", "GATHER_CYCLES", "LOOP", "PLACES", "REQUESTS", "STREAM", "TAP", "TAPS",
           "Border", "Format", "Tap"]

TAPS = 16
REQUESTS = 16
PLACES = 16
GATHER_CYCLES = 13


class Format(enum.IntEnum):
    """Elements in memory, and how they widen to 32 bits."""

    I8 = 0
    U8 = 1
    I16 = 2
    U16 = 3
    W32 = 4  # 32 bits as they are: int32, 2 x 16 or 4 x 8
    I8X2 = 5  # two bytes, the first in the low half, each widened to 16 bits
    U8X2 = 6


ELEMENT_BYTES = {Format.I8: 1, Format.U8: 1, Format.I16: 2, Format.U16: 2, Format.W32: 4,
                 Format.I8X2: 2, Format.U8X2: 2}


class Border(enum.IntEnum):
    """What an input takes for positions outside."""

    REPLICATE = 0
    CONSTANT = 1


class Tap(enum.IntEnum):
    """What a tap delivers."""

    DATA = 0
    FRACTION_Y = 1
    FRACTION_X = 2
    ROW = 3
    COLUMN = 4


STREAM = Record("STREAM", (
    Field("base", 24, "byte address in the scratchpad"),
    Field("row_step", 24, "bytes from row to row", signed=True),
    Field("column_step", 24, "bytes from column to column", signed=True),
    Field("height", 16, "rows"),
    Field("width", 16, "columns"),
    Field("y0", 32, "first position, 16.16", signed=True),
    Field("x0", 32, "first position, 16.16", signed=True),
    Field("lane_dy", 32, "from lane to lane, 16.16", signed=True),
    Field("lane_dx", 32, "from lane to lane, 16.16", signed=True),
    Field("lane_dbase", 24, "from lane to lane, bytes", signed=True),
    Field("format", 3, "Format"),
    Field("border", 1, "Border"),
    Field("saturate", 1, "outputs: limit to the format's range"),
    Field("indirect", 1, "the last input: positions come from output 1"),
    Field("taps", 4, "taps - 1"),
    Field("fill", 32, "value outside, border CONSTANT"),
), 320)

# Follows STREAM LOOPS times, loop 0 first. Steps are from where the inner loops ended to where
# they begin again: d_k less (count_j - 1) * d_j of all j < k. So a position is one sum.
LOOP = Record("LOOP", (
    Field("count", 16, "iterations, 1 or more"),
    Field("dy", 32, "step, 16.16", signed=True),
    Field("dx", 32, "step, 16.16", signed=True),
    Field("dbase", 24, "step, bytes", signed=True),
), 128)

# Follows the loops, ``taps`` times.
TAP = Record("TAP", (
    Field("what", 3, "Tap"),
    Field("dy", 8, "rows", signed=True),
    Field("dx", 8, "columns", signed=True),
    Field("dbase", 16, "bytes", signed=True),
), 64)

assert LOOPS == 4  # a stream counts as a controller state does
