"""Where ECP5 devices have logic, block RAM and multipliers, as nextpnr counts columns and rows."""

from dataclasses import dataclass

from sw.errors import ToolError

__all__ = ["Geometry", "Site", "geometry"]

Site = tuple[int, int, int]  # column, row, number that the site's name ends with

# A group of embedded blocks is nine columns wide; offsets of its sites from the first column.
_GROUP = 9
_MEMORIES = (0, 2, 4, 6)  # EBR0 to EBR3
_MULTIPLIERS = (0, 1, 4, 5)  # which are also the numbers


@dataclass(frozen=True)
class Geometry:
    """One device.

    Parameters
    ----------
    columns : range
        Those of logic tiles.
    rows : range
        From the first row of logic tiles to the last.
    memory_rows, multiplier_rows : tuple of int
        Rows between them that hold block RAM, or multipliers, and no logic.
    groups : tuple of int
        First columns of the groups of embedded blocks in these rows.
    """

    columns: range
    rows: range
    memory_rows: tuple[int, ...]
    multiplier_rows: tuple[int, ...]
    groups: tuple[int, ...]

    @property
    def logic_rows(self) -> list[int]:
        """Rows of logic tiles."""
        return [row for row in self.rows if row not in self.memory_rows + self.multiplier_rows]

    @property
    def memories(self) -> list[Site]:
        """Sites of block RAM."""
        return [(first + offset, row, number) for row in self.memory_rows for first in self.groups
                for number, offset in enumerate(_MEMORIES)]

    @property
    def multipliers(self) -> list[tuple[Site, ...]]:
        """Sites of multipliers, in fours that share wires of their controls."""
        return [tuple((first + offset, row, offset) for offset in _MULTIPLIERS)
                for row in self.multiplier_rows for first in self.groups]


def _groups(left: int, middle: int, right: int) -> tuple[int, ...]:
    """So many left of the clock's column, from ``middle`` so many right of it."""
    return tuple(range(4, 4 + left * _GROUP, _GROUP)) + tuple(
        range(middle, middle + right * _GROUP, _GROUP))


_DEVICES = {
    "lfe5u_25f": Geometry(range(2, 71), range(2, 49), (25, 37), (13,), _groups(3, 33, 4)),
    "lfe5u_45f": Geometry(range(2, 89), range(2, 70), (10, 34, 58), (22, 46), _groups(4, 42, 5)),
    "lfe5u_85f": Geometry(range(2, 125), range(2, 94), (22, 46, 70, 82), (10, 34, 58),
                          _groups(7, 69, 6)),
}


def geometry(device: str) -> Geometry:
    """That of a device, by nextpnr's name for it.

    Raises
    ------
    ToolError
        For one that isn't known.
    """
    if device not in _DEVICES:
        raise ToolError(f"no geometry of device {device!r}; known are {', '.join(_DEVICES)}")
    return _DEVICES[device]
