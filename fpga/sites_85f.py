"""Where multipliers, memories and the array's multiplexers lie on an LFE5U-85F, by preset.

The device has three rows of 13 groups of four multipliers and four rows of as many groups of four
block RAMs. Lanes that are drained together (a *place*: lanes p and p + 8) share a group of
multipliers in each row, and with it a strip from top to bottom: of every column both multipliers,
and between these their weights, the scratchpad's bytes p and p + 8, requantizer p and its table.
Columns follow each other downwards, two to a row; with a DRP there are four, and it has the
bottom of the device.

In the middle, left and right, each column has its words and the multiplexers that pick bytes of
them, so that not all of a word crosses the device, but what is picked.
"""

from collections.abc import Iterator

from fpga.geometry import geometry
from fpga.placement import MEMORY, MULTIPLIER, bel
from fpga.sites import Sites

__all__ = ["SITES"]

_DEVICE = geometry("lfe5u_85f")
_PLACES = (0, 2, 3, 5, 7, 9, 10, 12)  # groups of the places, spread over the device
_BETWEEN = (1, 4, 8, 11)  # groups left
_SLICES = (1, 2, 3, 4, 9, 10, 11)  # groups of the blocks of a scratchpad word, 18 bits each
_REST = 12  # group of its last two bits
_BLOCK_BITS = 18
_CROSSBAR = 47  # first row of its multiplexers
_TABLES = ((0, 1), (0, 4), (1, 7), (0, 11))  # row and group of two lanes' tables and queues
_MOVED = {5: 6}  # of places' groups, where words lie
_WORDS = (5, 8)  # groups of the words of a pair's columns, a pair to a row
_LEFT, _TOPS = (44, 76), (11, 35, 59, 71)  # first tiles of their multiplexers


def _multipliers(columns: int) -> tuple[str, ...]:
    """Of the lanes of up to seven columns."""
    lanes: dict[tuple[int, int], str] = {}
    for pair, row in enumerate(_DEVICE.multiplier_rows):
        for place, group in enumerate(_PLACES):
            sites = _group(row, group)
            for column in range(2):
                for part in range(2):
                    lanes[2 * pair + column, place + 8 * part] = sites[2 * column + part]
    for number, group in enumerate(_BETWEEN):
        sites = _group(_DEVICE.multiplier_rows[-1], group)
        for right in range(2):
            for part in range(2):
                lanes[6, 2 * number + right + 8 * part] = sites[2 * right + part]
    return tuple(lanes[key] for key in sorted(lanes) if key[0] < columns)


def _requantizers() -> tuple[str, ...]:
    """Of eight lanes of post-processing."""
    return tuple(site for group in _BETWEEN for row in _DEVICE.multiplier_rows[1::-1]
                 for site in _group(row, group))


def _group(row: int, group: int) -> list[str]:
    """A group's four multipliers."""
    first = _DEVICE.groups[group]
    return [bel(MULTIPLIER, *site) for sites in _DEVICE.multipliers for site in sites
            if sites[0][:2] == (first, row)]


def _memory(row: int, group: int, block: int) -> str:
    at = (row * len(_DEVICE.groups) + group) * 4 + block
    return bel(MEMORY, *_DEVICE.memories[at])


def _scratchpad(banks: int) -> Iterator[tuple[str, str]]:
    """Banks of 128 bits, four to a row from the second one."""
    for bank in range(banks):
        name, row = f"scratchpad.unit.bank_{bank}.ram.0", 1 + bank // 4
        for number, group in enumerate((*_SLICES, _REST)):
            yield f"{name}.{number}", _memory(row, group, bank % 4)


def _weights() -> Iterator[tuple[str, str]]:
    """Rows of 16 values, eight bits each, four bits to a block."""
    for lane in range(16):
        part, place = divmod(lane, 8)
        for half in range(2):
            group = _PLACES[place]
            yield (f"rows.items.ram_{2 * lane + half}.0.0",
                   _memory(0, _MOVED.get(group, group), 2 * part + half))


def _lanes() -> Iterator[tuple[str, str]]:
    """Of post-processing: a table for each, and vectors that wait for it, a lane to a block."""
    for lane in range(8):
        row, group = _TABLES[lane // 2]
        yield f"tables.ram_{lane}.0.0", _memory(row, group, lane % 2)
        yield f"drain.queue.ram.0.{lane}", _memory(row, group, 2 + lane % 2)


def _words(columns: int) -> Iterator[tuple[str, str]]:
    """In front of columns, 36 bits to a block."""
    for column in range(columns):
        for number in range(4):
            yield (f"column_{column}.words.0.{number}",
                   _memory(column // 2, _WORDS[column % 2], number))


def _picks(columns: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Multiplexers of the lanes: those of one bit, which share their inputs, in 4 x 4 tiles."""
    for column in range(columns):
        left, top = _LEFT[column % 2], _TOPS[column // 2]
        for lane in range(16):
            yield f"column_{column}.wide16x8_{lane}", tuple(
                f"X{left + 4 * (bit % 4) + lane % 4}/Y{top + 4 * (bit // 4) + lane // 4}/SLICEDCBA"
                for bit in range(8))


def _crossbar() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Multiplexers of 8 banks: all columns' of one bit in 2 x 2 tiles, below that bit's blocks."""
    for column in range(8):
        for half in range(2):
            yield f"fetcher.wide8x64_{column}_{half}", tuple(
                _crossing(column, *divmod(64 * half + bit, _BLOCK_BITS)) for bit in range(64))


def _crossing(column: int, block: int, bit: int) -> str:
    x = _DEVICE.groups[(*_SLICES, _REST)[block]] + 2 * (bit % 4) + column % 2
    return f"X{x}/Y{_CROSSBAR + 2 * (bit // 4) + column // 2 % 2}/SLICE{('DC', 'BA')[column // 4]}"


SITES = {
    "ulx3s_85f": Sites(
        multipliers={".mac.": _multipliers(7), ".post.": _requantizers()},
        memories=dict((*_scratchpad(8), *_weights(), *_lanes(), *_words(8))),
        multiplexers=dict((*_picks(8), *_crossbar()))),
    "ulx3s_85f_drp": Sites(
        multipliers={".mac.": _multipliers(4), ".post.": _requantizers()},
        memories=dict((*_scratchpad(4), *_lanes(), *_words(4))),
        multiplexers=dict(_picks(4))),
}
