"""What a tile holds besides a kernel's run: contexts, states, memories, stream descriptors."""

from collections.abc import Iterator

import numpy as np

from golden.drp.errors import TileError
from golden.drp.kernel import Kernel
from golden.drp.stream import Stream
from golden.spec.drp.contexts import LOOPS
from golden.spec.drp.controller import Cause
from golden.spec.drp.fabric import Fabric
from golden.spec.drp.image import ITEM_ALIGN, SECTION, Space, item_bytes
from golden.spec.drp.streams import LOOP, STREAM, TAP, TAPS

__all__ = ["Contents", "Section", "sections"]

_WORD = 4  # bytes of a memory's word


class Section:
    """One section of an image.

    Members
    -------
    space : Space
    unit, first : int
    items : list of int
    """

    def __init__(self, space: Space, unit: int, first: int, items: list[int]) -> None:
        self.space, self.unit, self.first, self.items = space, unit, first, items


def sections(fabric: Fabric, raw: bytes) -> Iterator[Section]:
    """The sections of an image.

    Raises
    ------
    TileError
        ILLEGAL for a space that there isn't.
    ValueError
        For an image that ends within a section.
    """
    at = 0
    while at < len(raw):
        header = SECTION.decode(int.from_bytes(raw[at:at + ITEM_ALIGN], "little"))
        if header["space"] not in tuple(Space):
            raise TileError(Cause.ILLEGAL, f"an image's section at byte {at} is for space "
                                           f"{header['space']}")
        space = Space(header["space"])
        size, at = item_bytes(fabric, space), at + ITEM_ALIGN
        end = at + header["count"] * size
        if end > len(raw):
            raise ValueError(f"an image ends within a section of {space.name}")
        yield Section(space, header["unit"], header["first"], [
            int.from_bytes(raw[place:place + size], "little") for place in range(at, end, size)])
        at = end


class Contents:
    """Contexts, states and memories as images leave them; they keep what nothing overwrites.

    Parameters
    ----------
    fabric : Fabric

    Members
    -------
    memories : dict of (words, lanes) uint32
        By element.
    """

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._words = {
            Space.ELEMENT: [[0] * fabric.contexts for _ in range(fabric.elements)],
            Space.INPUT: [[0] * fabric.contexts for _ in range(fabric.inputs)],
            Space.OUTPUT: [[0] * fabric.contexts for _ in range(fabric.outputs)],
            Space.STATE: [[0] * fabric.states]}
        self.memories = {element: np.zeros((fabric.table_words, fabric.lanes), np.uint32)
                         for element in fabric.memories}
        self._streams: list[Stream | None] = [None] * (fabric.inputs + fabric.outputs)
        self._used = 0

    @property
    def inputs(self) -> list[Stream | None]:
        """Streams of the next kernel's inputs."""
        return self._enabled()[:self._fabric.inputs]

    @property
    def outputs(self) -> list[Stream | None]:
        """Streams of its outputs."""
        return self._enabled()[self._fabric.inputs:]

    def _enabled(self) -> list[Stream | None]:
        return [stream if self._used >> number & 1 else None
                for number, stream in enumerate(self._streams)]

    def has(self, section: Section) -> bool:
        """Whether there are the section's unit and addresses."""
        fabric, space = self._fabric, section.space
        if space is Space.USED:
            return True
        if space is Space.TABLE:
            return section.unit in self.memories and (
                section.first + len(section.items)) * (ITEM_ALIGN // _WORD) <= fabric.table_words
        if space in self._words:
            units = self._words[space]
            return section.unit < len(units) and (
                section.first + len(section.items) <= len(units[0]))
        return section.unit < (fabric.inputs if space is Space.INPUT_STREAM else fabric.outputs)

    def load(self, section: Section) -> None:
        """Put a section where it belongs; units and addresses that there aren't are ignored."""
        space, unit = section.space, section.unit
        if space is Space.TABLE:
            if unit in self.memories:
                raw = b"".join(item.to_bytes(ITEM_ALIGN, "little") for item in section.items)
                first = section.first * (ITEM_ALIGN // _WORD)
                words = np.frombuffer(raw, "<u4")[:max(self._fabric.table_words - first, 0)]
                self.memories[unit][first:first + len(words)] = words[:, None]
        elif space in self._words:
            units = self._words[space]
            if unit < len(units):
                for address, item in enumerate(section.items, section.first):
                    if address < len(units[unit]):
                        units[unit][address] = item
        elif space is Space.USED:
            self._used = section.first
        else:
            unit += self._fabric.inputs if space is Space.OUTPUT_STREAM else 0
            if unit < len(self._streams) and section.items:
                self._streams[unit] = _stream(section.items)

    def kernel(self, first: int) -> Kernel:
        """What begins in a state; its tables are ``memories``."""
        elements, inputs, outputs, states = (
            tuple(tuple(unit) for unit in self._words[space])
            for space in (Space.ELEMENT, Space.INPUT, Space.OUTPUT, Space.STATE))
        return Kernel(fabric=self._fabric, elements=elements, inputs=inputs, outputs=outputs,
                      states=states[0], first=first)


def _stream(items: list[int]) -> Stream:
    """The stream of a descriptor's words."""
    item, words, at = 0, [], 0
    for place, word in enumerate(items):
        item |= word << 8 * ITEM_ALIGN * place
    for bits in (STREAM.bits, *[LOOP.bits] * LOOPS, *[TAP.bits] * TAPS):
        words.append(item >> at & (1 << bits) - 1)
        at += bits
    return Stream.decode(words)
