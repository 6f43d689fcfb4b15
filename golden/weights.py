"""The weight stream of golden.spec.layout: packing it and reading it back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.spec.config import Config
from golden.spec.fields import Record
from golden.spec.layout import (
    BLOCK_HEADER,
    PARAMETER_BEATS,
    PARAMETER_HEADER,
    PARAMETER_LANE,
    SHIFT_LANE,
    BlockFormat,
    ItemKind,
    header_beats,
    index_rows_per_beat,
    parameter_item_beats,
)

__all__ = [
    "Block", "LaneBlock", "WeightStreamError", "block_from_dense", "pack", "read_item",
    "unpack",
]

_HEADER_BYTES = BLOCK_HEADER.bytes
_OFFSETS = 1 << BLOCK_HEADER.field("offset").bits


class WeightStreamError(ValueError):
    """Bytes that are no weight stream; the text names the beat and what is wrong."""


@dataclass(frozen=True, eq=False)
class Block:
    """One entry of a group list with its weight rows.

    Parameters
    ----------
    offset : int
        Words from the window's first position to this group's word, modulo 2**16.
    dy, dx : int
        Input row and column relative to the window's first.
    values : ndarray [N, L] int8
    indices : ndarray [N, L] int
        Channel within the group, 0 to M - 1.
    """

    offset: int
    dy: int
    dx: int
    values: NDArray
    indices: NDArray

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, Block)
                and (self.offset, self.dy, self.dx) == (other.offset, other.dy, other.dx)
                and np.array_equal(self.values, other.values)
                and np.array_equal(self.indices, other.indices))


@dataclass(frozen=True, eq=False)
class LaneBlock:
    """L output channels: bias, requantization and the blocks that add up to them.

    Parameters
    ----------
    bias : ndarray [L] int32
    multiplier : ndarray [L] int
        0 to 2**31 - 1.
    pre, post : ndarray [L] int
        Left shift before and rounding right shift after the multiplier, 0 to 31.
    blocks : list of Block
    """

    bias: NDArray
    multiplier: NDArray
    pre: NDArray
    post: NDArray
    blocks: list[Block]

    def __eq__(self, other: object) -> bool:
        return (isinstance(other, LaneBlock) and self.blocks == other.blocks
                and all(np.array_equal(getattr(self, name), getattr(other, name))
                        for name in ("bias", "multiplier", "pre", "post")))


def block_from_dense(matrix: NDArray) -> tuple[NDArray, NDArray]:
    """Values and indices [N, L] of a dense block, N being the most nonzeros of any lane.

    Rows follow the channels where that costs no row (format DENSE), a diagonal gives one row
    (format DIAGONAL); otherwise each lane's nonzeros come in channel order, then zeros.

    Parameters
    ----------
    matrix : ndarray [M, L] int8
        Weight of each channel of the group in each lane.
    """
    matrix = np.asarray(matrix, np.int8)
    channels, lanes = matrix.shape
    used = matrix != 0
    n = int(used.sum(axis=0).max(initial=0))
    if not used[n:].any():
        return matrix[:n].copy(), np.repeat(np.arange(n)[:, None], lanes, axis=1)
    # Stable: nonzeros first, each part in channel order.
    indices = np.argsort(~used, axis=0, kind="stable")[:n]
    values = np.take_along_axis(matrix, indices, axis=0)
    return values, np.where(values != 0, indices, np.arange(lanes) % channels)


def pack(config: Config, lane_blocks: Sequence[LaneBlock]) -> bytes:
    """The weight stream of lane blocks, each block in its smallest format, in runs where it can.

    A lane block without blocks gets the one empty BLOCK that the format demands.

    Raises
    ------
    ValueError
        For a shape or value that the stream can't hold.
    """
    lanes, header, k = config.lanes, header_beats(config), index_rows_per_beat(config)
    nothing = Block(0, 0, 0, np.zeros((0, lanes), np.int8), np.zeros((0, lanes), np.int64))
    lists = [item.blocks or [nothing] for item in lane_blocks]
    blocks = [block for item in lists for block in item]
    if not blocks:
        return b""
    for block in blocks:
        if block.values.shape != block.indices.shape or block.values.shape[1:] != (lanes,):
            raise ValueError(f"a block has values {block.values.shape} and indices "
                             f"{block.indices.shape}, accepted is (N, {lanes}) for both")
    n = np.array([len(block.values) for block in blocks])
    _check("block rows", n, 0, config.group)
    values = np.concatenate([block.values for block in blocks])
    indices = np.concatenate([block.indices for block in blocks])
    _check("weight value", values, -128, 127)
    values = values.astype(np.int8)
    _check("weight index", indices, 0, config.group - 1)

    # Where everything lies: items in order, a PARAMETERS item before each lane block's blocks.
    of_row = np.repeat(np.arange(len(n)), n)
    row = np.arange(len(values)) - (np.cumsum(n) - n)[of_row]
    formats = _formats(indices, of_row, row, len(n))
    pairs = formats == BlockFormat.PAIRS
    entries = np.array([len(item) for item in lists])
    of_block = np.repeat(np.arange(len(lists)), entries)
    place = {name: np.array([getattr(block, name) for block in blocks])
             for name in ("dy", "dx", "offset")}
    more, step, leads = _runs(formats, of_block, n, place)
    own = header * leads  # beats of the header
    beats = own + n + np.where(pairs, -(-np.maximum(n - 1, 0) // k), 0)
    start = np.cumsum(beats) - beats + (of_block + 1) * parameter_item_beats(config)
    first = start[np.cumsum(entries) - entries] - parameter_item_beats(config)
    out = np.zeros((int(start[-1] + beats[-1]), config.group), np.uint8)

    rows = np.bincount(of_block, weights=n, minlength=len(lists)).astype(np.int64)
    heads = _encode(PARAMETER_HEADER, kind=ItemKind.PARAMETERS, entries=entries, rows=rows)
    _put(out, first, header, heads)
    lane = [_encode(PARAMETER_LANE, bias=_lanes(lane_blocks, "bias", lanes),
                    multiplier=_lanes(lane_blocks, "multiplier", lanes)),
            _encode(SHIFT_LANE, pre=_lanes(lane_blocks, "pre", lanes),
                    post=_lanes(lane_blocks, "post", lanes))]
    _put(out, first + header, PARAMETER_BEATS,
         np.concatenate([item.reshape(len(lists), -1) for item in lane], axis=1))

    bits = _index_bytes(config, indices)
    heads = np.zeros((len(n), header * config.group), np.uint8)
    heads[:, :_HEADER_BYTES] = _encode(BLOCK_HEADER, kind=ItemKind.BLOCK, format=formats, n=n,
                                       more=more, step=step, **place)
    paired = pairs[of_row]
    here = paired & (row == 0)
    heads[of_row[here], _HEADER_BYTES:_HEADER_BYTES + bits.shape[1]] = bits[here]
    _put(out, start[leads], header, heads[leads])
    payload = (start + own)[of_row] + row
    out[payload + np.where(paired & (row > 0), (row - 1) // k + 1, 0)] = values.view(np.uint8)
    here = paired & (row > 0)
    beat = (start[of_row] + header + 1 + (row - 1) // k * (k + 1))[here]
    byte = ((row[here] - 1) % k * bits.shape[1])[:, None] + np.arange(bits.shape[1])
    out[beat[:, None], byte] = bits[here]
    return out.tobytes()


def _runs(formats: NDArray, of_block: NDArray, n: NDArray, place: dict[str, NDArray]
          ) -> tuple[NDArray, NDArray, NDArray]:
    """(more, step, leads) of each block: BLOCKs without headers after it, whether it has one."""
    most = BLOCK_HEADER.field("more").range[1]
    alike = (formats[1:] == BlockFormat.DENSE) & (n[1:] > 0)
    for values in (formats, of_block, n, place["dy"], place["dx"]):
        alike &= values[1:] == values[:-1]
    steps = np.diff(place["offset"]) % (1 << BLOCK_HEADER.field("step").bits)
    more, step = np.zeros(len(n), np.int64), np.zeros(len(n), np.int64)
    leads = np.ones(len(n), bool)
    lead = 0
    for block in np.flatnonzero(alike).tolist():  # it and the next one
        if leads[block]:
            lead = block
        if more[lead] == most or (more[lead] and steps[block] != step[lead]):
            continue
        more[lead] += 1
        step[lead] = steps[block]
        leads[block + 1] = False
    return more, step, leads


def unpack(config: Config, raw: bytes) -> list[LaneBlock]:
    """The lane blocks of a weight stream.

    Raises
    ------
    WeightStreamError
        If the bytes are no whole weight stream.
    """
    if len(raw) % config.group:
        raise WeightStreamError(f"{len(raw)} bytes are no whole beats of {config.group}")
    beats = np.frombuffer(raw, np.uint8).reshape(-1, config.group)
    found, position = [], 0
    while position < len(beats):
        fields, payload, position = _take(config, beats, position)
        if fields["kind"] != ItemKind.PARAMETERS:
            raise WeightStreamError(f"beat {position}: a BLOCK where PARAMETERS must come")
        blocks, block = [], None
        for _ in range(fields["entries"]):
            block, rows, position = _take(config, beats, position, block)
            if block["kind"] != ItemKind.BLOCK:
                raise WeightStreamError(f"beat {position}: fewer BLOCKs than announced")
            blocks.append(Block(block["offset"], block["dy"], block["dx"], *rows))
        if block and block["more"]:
            raise WeightStreamError(f"beat {position}: {block['more']} BLOCKs more than the "
                                    f"{fields['entries']} announced")
        if sum(len(block.values) for block in blocks) != fields["rows"]:
            raise WeightStreamError(f"beat {position}: rows differ from the {fields['rows']} "
                                    "announced")
        bias, multiplier, pre, post = payload
        found.append(LaneBlock(bias, multiplier, pre, post, blocks))
    return found


def _take(config: Config, beats: NDArray, position: int, before: dict[str, int] | None = None
          ) -> tuple[dict[str, int], tuple[NDArray, ...], int]:
    item = read_item(config, beats, position, before)
    if item is None:
        raise WeightStreamError(f"beat {position}: the stream ends within an item")
    return item


def read_item(config: Config, beats: NDArray, position: int,
              before: dict[str, int] | None = None
              ) -> tuple[dict[str, int], tuple[NDArray, ...], int] | None:
    """One item of a stream, or None if its beats are not all there yet.

    Parameters
    ----------
    beats : ndarray [beats, M] uint8
    position : int
        The item's first beat.
    before : dict or None
        Fields of the item before; where it announces more BLOCKs, this one has no header.

    Returns
    -------
    fields : dict
        Of its header, or those that it would have.
    payload : tuple of ndarray
        PARAMETERS: bias, multiplier, pre, post [L]; BLOCK: values [N, L] int8, indices [N, L].
    next : int
        The beat after the item.

    Raises
    ------
    WeightStreamError
        For an illegal header.
    """
    if before and before.get("more"):
        end = position + before["n"]
        if end > len(beats):
            return None
        fields = before | {"more": before["more"] - 1,
                           "offset": (before["offset"] + before["step"]) % _OFFSETS}
        row = np.broadcast_to(np.arange(before["n"])[:, None], (before["n"], config.lanes))
        return fields, (beats[position:end].view(np.int8), row), end
    header = header_beats(config)
    payload = position + header
    if payload > len(beats):
        return None
    head = beats[position:payload].reshape(-1)
    word = int.from_bytes(head[:_HEADER_BYTES].tobytes(), "little")
    fields = PARAMETER_HEADER.decode(word)
    if fields["kind"] == ItemKind.PARAMETERS:
        end = payload + PARAMETER_BEATS
        if fields["entries"] == 0:
            raise WeightStreamError(f"beat {position}: a lane block needs an entry")
        return None if end > len(beats) else (fields, _parameters(beats[payload:end]), end)
    fields = BLOCK_HEADER.decode(word)
    if fields["kind"] != ItemKind.BLOCK:
        raise WeightStreamError(f"beat {position}: item kind {fields['kind']}, accepted are "
                                f"{', '.join(str(int(kind)) for kind in ItemKind)}")
    if fields["format"] not in tuple(BlockFormat):
        raise WeightStreamError(f"beat {position}: block format {fields['format']}")
    n = fields["n"]
    if n > config.group:
        raise WeightStreamError(f"beat {position}: {n} rows, accepted are 0 to {config.group}")
    if fields["more"] and (fields["format"] != BlockFormat.DENSE or not n):
        raise WeightStreamError(f"beat {position}: more BLOCKs after one of {n} rows in format "
                                f"{fields['format']}, accepted is DENSE with rows")
    row, k = np.arange(n), index_rows_per_beat(config)
    if fields["format"] != BlockFormat.PAIRS:
        source = row[:, None] if fields["format"] == BlockFormat.DENSE else np.arange(config.lanes)
        end = payload + n
        indices = np.broadcast_to(source, (n, config.lanes))
        where = payload + row
    else:
        end = payload + n + -(-max(n - 1, 0) // k)
        where = payload + row + np.where(row > 0, (row - 1) // k + 1, 0)
    if end > len(beats):
        return None
    if fields["format"] == BlockFormat.PAIRS:
        size = config.lanes * config.index_bits // 8
        parts = [head[None, _HEADER_BYTES:_HEADER_BYTES + size]]
        if n > 1:
            parts.append(beats[payload + 1:end:k + 1, :k * size].reshape(-1, size))
        bits = np.unpackbits(np.concatenate(parts)[:n], axis=1, bitorder="little")
        indices = bits.reshape(n, config.lanes, config.index_bits) @ (
            1 << np.arange(config.index_bits))
    return fields, (beats[where].view(np.int8), indices), end


def _parameters(beats: NDArray) -> tuple[NDArray, ...]:
    raw = beats.reshape(-1)
    split = len(raw) * PARAMETER_LANE.bytes // (PARAMETER_LANE.bytes + SHIFT_LANE.bytes)
    lane = raw[:split].view("<i4").reshape(-1, 2)
    shift = raw[split:].reshape(-1, 2).astype(np.int64)
    return lane[:, 0].copy(), lane[:, 1].astype(np.int64) & 0xFFFFFFFF, shift[:, 0], shift[:, 1]


def _formats(indices: NDArray, of_row: NDArray, row: NDArray, blocks: int) -> NDArray:
    def all_rows(good: NDArray) -> NDArray:
        return np.bincount(of_row, weights=~good, minlength=blocks) == 0

    dense = all_rows((indices == row[:, None]).all(axis=1))
    diagonal = all_rows((indices == np.arange(indices.shape[1])).all(axis=1))
    return np.select([dense, diagonal], [int(BlockFormat.DENSE), int(BlockFormat.DIAGONAL)],
                     int(BlockFormat.PAIRS))


def _index_bytes(config: Config, indices: NDArray) -> NDArray:
    """Indices [R, L] as bit strings [R, L x index_bits / 8], lane 0 at bit 0."""
    bits = (indices[:, :, None].astype(np.uint8) >> np.arange(config.index_bits, dtype=np.uint8))
    return np.packbits((bits & 1).reshape(len(indices), config.lanes * config.index_bits),
                       axis=1, bitorder="little")


def _lanes(lane_blocks: Sequence[LaneBlock], name: str, lanes: int) -> NDArray:
    rows = [np.asarray(getattr(item, name)) for item in lane_blocks]
    for row in rows:
        if row.shape != (lanes,):
            raise ValueError(f"{name} of a lane block has shape {row.shape}, accepted is "
                             f"({lanes},)")
    return np.stack(rows)


def _encode(record: Record, **values: NDArray | int) -> NDArray:
    """Record.encode for arrays: bytes [..., record.bytes] of fields of one shape."""
    word: NDArray = np.zeros((), np.uint64)
    for low, field in _offsets(record, values):
        value = np.asarray(values[field.name], np.int64)
        _check(f"{record.name}.{field.name}", value, *field.range)
        part = value & ((1 << field.bits) - 1)
        word = word | (part.astype(np.uint64) << np.uint64(low))
    return word[..., None].astype("<u8").view(np.uint8)[..., :record.bytes]


def _offsets(record: Record, values: dict) -> Iterator:
    return ((low, field) for low, field in record.offsets() if field.name in values)


def _put(out: NDArray, start: NDArray, beats: int, data: NDArray) -> None:
    """Write data [items, bytes] at beats ``start``; bytes beyond the data stay zero."""
    whole = np.zeros((len(start), beats * out.shape[1]), np.uint8)
    whole[:, :data.shape[1]] = data
    out[start[:, None] + np.arange(beats)] = whole.reshape(len(start), beats, -1)


def _check(name: str, values: NDArray, least: int, most: int) -> None:
    values = np.asarray(values)
    if values.size and not (values.min() >= least and values.max() <= most):
        bad = values[(values < least) | (values > most)].flat[0]
        raise ValueError(f"{name} is {bad}, accepted are {least} to {most}")
