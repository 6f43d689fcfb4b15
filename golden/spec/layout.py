"""Byte orders: tensors, scratchpad words, the weight stream, lookup tables, log records.

Tensors
-------
A *word* is the M channels of one group of one pixel. On chip a tensor is **planar by channel
group**: word address = base + (group * height + y) * width + x; channels beyond the tensor's are
unspecified bytes that no weight refers to. Model inputs and outputs in DRAM are the model's own
bytes (NHWC, unpadded). Word address w lies in bank ``w % banks``, row ``w // banks``.

Weight stream
-------------
A mac instruction's weights are a stream of beats of M bytes, lane block after lane block. A lane
block is one PARAMETERS item followed by its BLOCK items. An item is a header (padded to whole
beats, its upper bits carry the first row's indices), then its payload:

* PARAMETERS: L x (bias int32, multiplier int32), then L x (pre uint8, post uint8): 10 beats.
  Its header tells how many entries and weight rows follow for this lane block.
* BLOCK: N rows of L weights. DENSE: N value beats, lane l of row r has index r. DIAGONAL: N value
  beats, lane l has index l. PAIRS: the index of row 0 is in the header; before rows 1, 1+k,
  1+2k ... comes a beat with the indices of k = 8 // index_bits rows; each row is a value beat.
  A DENSE one may announce ``more`` BLOCKs that are like it but for their offset, each ``step``
  words beyond the one before; they follow without headers.

A BLOCK with N = 0 has no rows; a lane block without weights has exactly one such BLOCK, so that
its bias still drains. Each BLOCK is an *entry* of the group list: (offset, dy, dx, N).

Log record
----------
A LOG instruction writes 16 little-endian 32-bit words: its tag, then the counters in the order
of ``registers.COUNTERS``.

Tables
------
512 little-endian int32. Of the requantized value q, 9 bits, PostMode.TABLE takes entry q mod 512,
and of that the low 8 bits as the output: what stays between two limits needs the entries between
them only. PostMode.ADD adds entry q mod 256 to entry 256 + b of the residual byte b.
"""

import enum

from golden.spec.config import Config
from golden.spec.fields import Field, Record

__all__ = [
    "BLOCK_HEADER", "HEADER_BITS", "LOG_BYTES", "PARAMETER_BEATS", "PARAMETER_HEADER",
    "PARAMETER_LANE", "SHIFT_LANE", "TABLES", "TABLE_ENTRIES", "BlockFormat", "ItemKind",
    "block_beats", "header_beats", "index_rows_per_beat", "parameter_item_beats",
]


class ItemKind(enum.IntEnum):
    """Kinds of items in a weight stream; 0 is illegal so that empty memory stops the chip."""

    PARAMETERS = 1
    BLOCK = 2


class BlockFormat(enum.IntEnum):
    """How a block's rows are stored in DRAM; in the weight ring all are pairs."""

    DENSE = 0
    PAIRS = 1
    DIAGONAL = 2


HEADER_BITS = 64
PARAMETER_HEADER = Record("PARAMETER_HEADER", (
    Field("kind", 2, "ItemKind.PARAMETERS"),
    Field("reserved", 6, "zero"),
    Field("entries", 20, "BLOCK items of this lane block, at least 1"),
    Field("rows", 24, "weight rows of this lane block"),
), HEADER_BITS)
BLOCK_HEADER = Record("BLOCK_HEADER", (
    Field("kind", 2, "ItemKind.BLOCK"),
    Field("format", 2, "BlockFormat"),
    Field("more", 4, "BLOCKs alike that follow without headers; only of DENSE with rows"),
    Field("n", 8, "rows N, 0 to M"),
    Field("dy", 8, "input row relative to the window's first"),
    Field("dx", 8, "input column relative to the window's first"),
    Field("offset", 16, "words from the window's first position to this group's word"),
    Field("step", 16, "words from each of them to the next, modulo 2**16"),
), HEADER_BITS)
PARAMETER_LANE = Record("PARAMETER_LANE", (
    Field("bias", 32, "added to the accumulator", signed=True),
    Field("multiplier", 32, "requantization multiplier, below 2**31"),
), 64)
SHIFT_LANE = Record("SHIFT_LANE", (
    Field("pre", 8, "left shift before the multiplier, 0 to 31"),
    Field("post", 8, "rounding right shift after it, 0 to 31; numerics.ROUND_ONCE may be added"),
), 16)
PARAMETER_BEATS = 10
TABLE_ENTRIES = 512
LOG_BYTES = 64
TABLES = (HEADER_BITS, PARAMETER_HEADER, BLOCK_HEADER, PARAMETER_LANE, SHIFT_LANE,
          PARAMETER_BEATS, TABLE_ENTRIES, LOG_BYTES, tuple(ItemKind), tuple(BlockFormat))


def header_beats(config: Config) -> int:
    """Beats of an item's header with the first row's indices."""
    bits = HEADER_BITS + config.lanes * config.index_bits
    return -(-bits // (8 * config.group))


def index_rows_per_beat(config: Config) -> int:
    """k: rows whose indices share a beat in format PAIRS."""
    return 8 // config.index_bits


def block_beats(config: Config, block_format: BlockFormat, n: int) -> int:
    """Beats of a whole BLOCK item."""
    beats = header_beats(config) + n
    if block_format == BlockFormat.PAIRS and n > 1:
        beats += -(-(n - 1) // index_rows_per_beat(config))
    return beats


def parameter_item_beats(config: Config) -> int:
    """Beats of a whole PARAMETERS item."""
    return header_beats(config) + PARAMETER_BEATS
