"""Where multipliers and memories lie on an LFE5U-85F, by preset.

The device has three rows of 13 groups of four multipliers and four rows of as many groups of four
block RAMs. Lanes that are drained together (a *place*: lanes p and p + 8) share a group of
multipliers in each row, and with it a strip from bottom to top: their weights, then of every
column both multipliers, and between these the scratchpad's bytes p and p + 8, requantizer p and its
table. Columns follow each other upwards, two to a row; with a DRP there are four, and it has the
top of the device.
"""

from collections.abc import Iterator

from fpga.sites import Sites

__all__ = ["SITES"]

_MULTIPLIER_ROWS, _MEMORY_ROWS = (58, 34, 10), (82, 70, 46, 22)
_PLACES = (0, 2, 3, 5, 7, 9, 10, 12)  # groups of the places, spread over the device
_BETWEEN = (1, 4, 8, 11)  # groups left
_TABLES = ((1, 0), (1, 1), (3, 3), (5, 0), (7, 3), (9, 0), (11, 0), (11, 1))  # (group, block)
_SLICES = (0, 2, 4, 6, 8, 10, 12)  # groups of the blocks of a scratchpad word, 18 bits each
# Row of the words in front of each pair of columns, and (group, block) of a column's four blocks.
_WORDS = (
    (1, (((1, 0), (4, 0), (8, 0), (11, 0)), ((1, 1), (4, 1), (8, 1), (11, 1)))),
    (2, (((1, 2), (5, 1), (9, 1), (11, 2)), ((1, 3), (5, 2), (9, 2), (11, 3)))),
    (3, (((1, 0), (5, 0), (9, 0), (11, 0)), ((1, 1), (5, 1), (9, 1), (11, 1)))),
    (3, (((1, 2), (5, 2), (9, 2), (11, 2)), ((1, 3), (5, 3), (9, 3), (11, 3)))))
_DRAINED = ((3, 0), (3, 1), (3, 2), (5, 3), (7, 0), (7, 1), (7, 2), (9, 3))


def _multipliers(columns: int) -> tuple[str, ...]:
    """Of the lanes of up to seven columns."""
    lanes: dict[tuple[int, int], str] = {}
    for pair, row in enumerate(_MULTIPLIER_ROWS):
        for place, group in enumerate(_PLACES):
            sites = _group(row, group)
            for column in range(2):
                for part in range(2):
                    lanes[2 * pair + column, place + 8 * part] = sites[2 * column + part]
    for number, group in enumerate(_BETWEEN):
        sites = _group(_MULTIPLIER_ROWS[-1], group)
        for right in range(2):
            for part in range(2):
                lanes[6, 2 * number + right + 8 * part] = sites[2 * right + part]
    return tuple(lanes[key] for key in sorted(lanes) if key[0] < columns)


def _requantizers() -> tuple[str, ...]:
    """Of eight lanes of post-processing."""
    return tuple(site for group in _BETWEEN for row in _MULTIPLIER_ROWS[1::-1]
                 for site in _group(row, group))


def _group(row: int, group: int) -> list[str]:
    """A group's four multipliers."""
    return [f"X{_column(group) + right}/Y{row}/MULT18_{number}"
            for right, number in ((0, 0), (1, 1), (4, 4), (5, 5))]


def _memory(row: int, group: int, block: int) -> str:
    return f"X{_column(group) + 2 * block}/Y{_MEMORY_ROWS[row]}/EBR{block}"


def _column(group: int) -> int:
    return 4 + 9 * group + 2 * (group >= 7)  # clocks run through the middle


def _scratchpad(banks: int, lowest: int, rest: dict[int, tuple[int, int]]
                ) -> Iterator[tuple[str, str]]:
    """Banks of 128 bits, four to a row from ``lowest`` upwards, their last two bits ``rest``."""
    for bank in range(banks):
        name, row = f"scratchpad.unit.bank_{bank}.ram.0", lowest - bank // 4
        for number, group in enumerate(_SLICES):
            yield f"{name}.{number}", _memory(row, group, bank % 4)
        if bank // 4 in rest:
            yield f"{name}.{len(_SLICES)}", _memory(*rest[bank // 4], bank % 4)


def _weights() -> Iterator[tuple[str, str]]:
    """Rows of 16 values, eight bits each, then 16 indices of four bits; four bits to a block."""
    for lane in range(16):
        part, place = divmod(lane, 8)
        for half in range(2):
            yield (f"rows.items.ram_{2 * lane + half}.0.0",
                   _memory(1, _PLACES[place], 2 * part + half))
        yield f"rows.items.ram_{32 + lane}.0.0", _memory(0, _PLACES[place], part)


def _tables() -> Iterator[tuple[str, str]]:
    """One for each lane of post-processing."""
    for lane, (group, block) in enumerate(_TABLES):
        yield f"tables.ram_{lane}.0.0", _memory(2, group, block)


def _words(columns: int) -> Iterator[tuple[str, str]]:
    """In front of columns, 36 bits to a block."""
    for column in range(columns):
        row, places = _WORDS[column // 2]
        for number, (group, block) in enumerate(places[column % 2]):
            yield f"column_{column}.words.0.{number}", _memory(row, group, block)


def _drained() -> Iterator[tuple[str, str]]:
    """Vectors that wait for post-processing, a lane to a block."""
    for lane, (group, block) in enumerate(_DRAINED):
        yield f"drain.queue.ram.0.{lane}", _memory(2, group, block)


SITES = {
    "ulx3s_85f": Sites(
        multipliers={".mac.": _multipliers(7), ".post.": _requantizers()},
        memories=dict((*_scratchpad(8, 3, {0: (3, 3), 1: (3, 7)}), *_weights(), *_tables(),
                       *_words(8), *_drained()))),
    "ulx3s_85f_drp": Sites(
        multipliers={".mac.": _multipliers(4), ".post.": _requantizers()},
        memories=dict((*_scratchpad(4, 2, {}), *_tables(), *_words(4), *_drained()))),
}
