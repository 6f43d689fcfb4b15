"""Where multipliers and memories of preset ulx3s_85f lie on an LFE5U-85F.

The device has three rows of 13 groups of four multipliers and four rows of as many groups of four
block RAMs. Lanes that are drained together (a *place*: lanes p and p + 8) share a group of
multipliers in each row, and with it a strip from bottom to top: their weights, then of every
column both multipliers, and between these the scratchpad's bytes p and p + 8, requantizer p and its
table. Columns follow each other upwards, two to a row.
"""

from collections.abc import Iterator

__all__ = ["memories", "multipliers"]

_MULTIPLIER_ROWS, _MEMORY_ROWS = (58, 34, 10), (82, 70, 46, 22)
_PLACES = (0, 2, 3, 5, 7, 9, 10, 12)  # groups of the places, spread over the device
_BETWEEN = (1, 4, 8, 11)  # groups left
_TABLES = ((1, 0), (1, 1), (3, 3), (5, 0), (7, 3), (9, 0), (11, 0), (11, 1))  # (group, block)
_SLICES = (0, 2, 4, 6, 8, 10, 12)  # groups of the blocks of a scratchpad word, 18 bits each


def multipliers() -> tuple[str, ...]:
    """Those of seven columns of 16 lanes, then those of eight lanes of post-processing."""
    lanes: dict[tuple[int, int], str] = {}
    for pair, row in enumerate(_MULTIPLIER_ROWS):
        for place, group in enumerate(_PLACES):
            sites = _multipliers(row, group)
            for column in range(2):
                for part in range(2):
                    lanes[2 * pair + column, place + 8 * part] = sites[2 * column + part]
    for number, group in enumerate(_BETWEEN):
        sites = _multipliers(_MULTIPLIER_ROWS[-1], group)
        for right in range(2):
            for part in range(2):
                lanes[6, 2 * number + right + 8 * part] = sites[2 * right + part]
    return (*(lanes[key] for key in sorted(lanes)),
            *(site for group in _BETWEEN for row in _MULTIPLIER_ROWS[1::-1]
              for site in _multipliers(row, group)))


def memories() -> dict[str, str]:
    """By name, see `fpga.sites`."""
    return dict((*_scratchpad(), *_weights(), *_tables()))


def _multipliers(row: int, group: int) -> list[str]:
    """A group's four."""
    return [f"X{_column(group) + right}/Y{row}/MULT18_{number}"
            for right, number in ((0, 0), (1, 1), (4, 4), (5, 5))]


def _memory(row: int, group: int, block: int) -> str:
    return f"X{_column(group) + 2 * block}/Y{row}/EBR{block}"


def _column(group: int) -> int:
    return 4 + 9 * group + 2 * (group >= 7)  # clocks run through the middle


def _scratchpad() -> Iterator[tuple[str, str]]:
    """Eight banks of 128 bits."""
    for bank in range(8):
        name = f"scratchpad.unit.bank_{bank}.ram.0"
        for number, group in enumerate(_SLICES):
            yield f"{name}.{number}", _memory(_MEMORY_ROWS[3 - bank // 4], group, bank % 4)
        # The last two bits.
        yield f"{name}.{len(_SLICES)}", _memory(_MEMORY_ROWS[3], (9, 11)[bank // 4], bank % 4)


def _weights() -> Iterator[tuple[str, str]]:
    """Rows of 16 values, eight bits each, then 16 indices of four bits; four bits to a block."""
    for lane in range(16):
        part, place = divmod(lane, 8)
        for half in range(2):
            yield (f"rows.items.ram_{2 * lane + half}.0.0",
                   _memory(_MEMORY_ROWS[1], _PLACES[place], 2 * part + half))
        yield f"rows.items.ram_{32 + lane}.0.0", _memory(_MEMORY_ROWS[0], _PLACES[place], part)


def _tables() -> Iterator[tuple[str, str]]:
    """One for each lane of post-processing."""
    for lane, (group, block) in enumerate(_TABLES):
        yield f"tables.ram_{lane}.0.0", _memory(_MEMORY_ROWS[2], group, block)
