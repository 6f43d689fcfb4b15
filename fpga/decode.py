"""A bitstream's facts: which wires its tiles join, and how their settings stand.

Every set bit is either explained by a fact that was asked for, or listed by `Decoded.unexplained`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fpga.bitstream.bitfile import read_bitfile
from fpga.bitstream.trellis import Bit, Option, Tile, TileType, Trellis

__all__ = ["Arcs", "Decoded", "Group"]


@dataclass(frozen=True)
class Arcs:
    """Multiplexers of one sink that tiles of a kind have set.

    Parameters
    ----------
    sink, source : str
        Wires, as these tiles call them.
    tiles : numpy.ndarray
        Numbers of the tiles in their group.
    option : Option
        What sets it.
    """

    sink: str
    source: str
    tiles: np.ndarray
    option: Option


class Group:
    """All tiles of a kind.

    Parameters
    ----------
    tiles : sequence of Tile
    kind : TileType
    bits : numpy.ndarray of bool
        Configuration, frames x bits.

    Members
    -------
    x, y : numpy.ndarray
        Columns and rows.
    """

    def __init__(self, tiles: Sequence[Tile], kind: TileType, bits: np.ndarray) -> None:
        self.tiles, self.kind = tiles, kind
        self.x = np.array([tile.x for tile in tiles])
        self.y = np.array([tile.y for tile in tiles])
        self._bits = np.stack([
            bits[tile.frame:tile.frame + tile.frames, tile.bit:tile.bit + tile.bits]
            for tile in tiles])
        self._known = np.zeros_like(self._bits)
        self._values: dict[str, list] = {}
        self._asked: dict[tuple[str, str], list[int]] = defaultdict(list)

    def arcs(self) -> Iterator[Arcs]:
        """What multiplexers are set to: of what fits the bits, what takes the most of them."""
        for sink, options in self.kind.muxes.items():
            best = self._best(options)
            for number, option in enumerate(options):
                tiles = np.flatnonzero(best == number)
                if len(tiles):
                    yield Arcs(sink, option.name, tiles, option)

    def value(self, tile: int, setting: str) -> str:
        """A setting's option in a tile; "" if its bits fit none."""
        values = self._values.get(setting)
        if values is None:
            options = self.kind.enums[setting]
            names = [option.name for option in options] + [""]
            values = self._values[setting] = [names[number] for number in self._best(options)]
        found = values[tile]
        self._asked[setting, found].append(tile)
        return str(found)

    def word(self, tile: int, setting: str) -> int:
        """A number's value in a tile."""
        values = self._values.get(setting)
        if values is None:
            found = np.zeros(len(self.tiles), np.int64)
            for place, option in enumerate(self.kind.words[setting]):
                found |= self._fits(option).astype(np.int64) << place
            values = self._values[setting] = found.tolist()
        self._asked[setting, ""].append(tile)
        return int(values[tile])

    def holds(self, tile: int, setting: str, name: str, but: Collection[Bit] = ()) -> bool:
        """Whether a setting is as said, whatever else its bits might mean; some of them apart."""
        self._asked[setting, name].append(tile)
        return self.fits(tile, setting, name, but)

    def fits(self, tile: int, setting: str, name: str, but: Collection[Bit] = ()) -> bool:
        """As `holds`, without having it explain bits."""
        return any(self.is_set(tile, option, but) for option in self.kind.options(setting, name))

    def is_set(self, tile: int, option: Option, but: Collection[Bit] = ()) -> bool:
        """Whether bits, some of them apart, are as an option wants them."""
        bits = self._bits[tile]
        return (all(bits[bit] for bit in option.ones if bit not in but)
                and not any(bits[bit] for bit in option.zeros if bit not in but))

    def explain(self, tiles: np.ndarray | list[int], bits: Iterable[Bit]) -> None:
        """Count bits as known in these tiles."""
        for frame, bit in bits:
            self._known[tiles, frame, bit] = True

    def unexplained(self) -> Iterator[tuple[int, list[Bit]]]:
        """Tiles with set bits that nothing explained, and these bits."""
        self._explain_settings()
        left = self._bits & ~self._known
        for tile in np.flatnonzero(left.any((1, 2))):
            yield int(tile), [(int(frame), int(bit)) for frame, bit in np.argwhere(left[tile])]

    def _explain_settings(self) -> None:
        for (setting, name), numbers in self._asked.items():
            tiles = np.unique(numbers)
            if setting in self.kind.words:
                for option in self.kind.words[setting]:
                    self.explain(tiles, option.ones + option.zeros)
            else:
                for option in self.kind.options(setting, name):
                    self.explain(tiles, option.ones)
        # What a tile has unless told otherwise, if that takes bits, it has in all.
        for setting, name in self.kind.defaults.items():
            for option in self.kind.options(setting, name):
                if option.ones:
                    self.explain(np.flatnonzero(self._fits(option)), option.ones)

    def _fits(self, option: Option) -> np.ndarray:
        found = np.ones(len(self.tiles), bool)
        for frame, bit in option.ones:
            found &= self._bits[:, frame, bit]
        for frame, bit in option.zeros:
            found &= ~self._bits[:, frame, bit]
        return found

    def _best(self, options: Sequence[Option]) -> np.ndarray:
        best = np.full(len(self.tiles), -1)
        order = sorted(range(len(options)), key=lambda number: len(options[number].ones)
                       + len(options[number].zeros))
        for number in order:
            best[self._fits(options[number])] = number
        return best


class Decoded:
    """A bitstream of a device.

    Parameters
    ----------
    path : Path
    device : Trellis

    Members
    -------
    groups : dict
        Tiles by kind.
    at : dict
        By column and row: kind and number in its group of each tile there.
    memories : dict
        Contents of block RAM by number, 2048 words of 9 bits.

    Raises
    ------
    ToolError
        If it can't be read, or is for another device.
    """

    def __init__(self, path: Path, device: Trellis) -> None:
        file = read_bitfile(path, {device.identity: device.frame_bytes})
        # The last frame comes first, and its last bit.
        bits = np.unpackbits(file.frames, axis=1)[::-1, ::-1][:, device.pad:].astype(bool)
        self.memories = file.memories
        kinds: dict[str, list[Tile]] = defaultdict(list)
        for tile in device.tiles:
            kinds[tile.kind].append(tile)
        self.groups = {kind: Group(tiles, device.kind(kind), bits)
                       for kind, tiles in kinds.items()}
        self.at: dict[tuple[int, int], list[tuple[str, int]]] = defaultdict(list)
        for kind, tiles in kinds.items():
            for number, tile in enumerate(tiles):
                self.at[tile.x, tile.y].append((kind, number))
