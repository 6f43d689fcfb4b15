"""Kernel images: the bytes that fill a tile's memories, as ``golden.spec.drp.image`` lays them."""

from collections.abc import Sequence

import numpy as np

from golden.drp.kernel import Kernel
from golden.drp.stream import Stream
from golden.spec.drp.contexts import LOOPS
from golden.spec.drp.controller import end_state, state_record
from golden.spec.drp.fabric import Fabric
from golden.spec.drp.image import ITEM_ALIGN, SECTION, Space, item_bytes
from golden.spec.drp.streams import LOOP, STREAM, TAP

__all__ = ["contexts_image", "states_image", "streams_image", "table_image",
           "tables_image"]


def _section(fabric: Fabric, space: Space, unit: int, items: Sequence[int],
             first: int = 0) -> bytes:
    header = SECTION.encode({"space": space, "unit": unit, "first": first, "count": len(items)})
    size = item_bytes(fabric, space)
    return b"".join([header.to_bytes(ITEM_ALIGN, "little"),
                     *(item.to_bytes(size, "little") for item in items)])


def contexts_image(kernel: Kernel, first: int) -> bytes:
    """A kernel's contexts, from address ``first`` on."""
    return b"".join(
        _section(kernel.fabric, space, unit, items, first)
        for space, units in ((Space.ELEMENT, kernel.elements), (Space.INPUT, kernel.inputs),
                             (Space.OUTPUT, kernel.outputs))
        for unit, items in enumerate(units))


def states_image(kernel: Kernel, first: int, contexts: int) -> bytes:
    """A kernel's states, from number ``first`` on, of contexts that begin at ``contexts``."""
    record, end, moved = state_record(kernel.fabric), end_state(kernel.fabric), []
    for word in kernel.states:
        values = record.decode(word)
        values["base"] += contexts
        for name in ("next", "again", "other"):
            values[name] += first if values[name] != end else 0
        moved.append(record.encode(values))
    return _section(kernel.fabric, Space.STATE, 0, moved, first)


def tables_image(kernel: Kernel) -> bytes:
    """Contents of a kernel's memories."""
    return b"".join(table_image(kernel.fabric, element, words)
                    for element, words in kernel.tables.items())


def table_image(fabric: Fabric, element: int, words: np.ndarray) -> bytes:
    """Contents of the memory of an element, from its first word on."""
    return _section(fabric, Space.TABLE, element, _quads(words))


def _quads(words: np.ndarray) -> list[int]:
    raw = np.ascontiguousarray(words, "<u4").tobytes()
    raw += bytes(-len(raw) % ITEM_ALIGN)
    return [int.from_bytes(raw[at:at + ITEM_ALIGN], "little")
            for at in range(0, len(raw), ITEM_ALIGN)]


def streams_image(fabric: Fabric, inputs: Sequence[Stream | None],
                  outputs: Sequence[Stream | None]) -> bytes:
    """Descriptors, and which streams are used; None for one that isn't."""
    used, found = 0, []
    for space, streams, first in ((Space.INPUT_STREAM, inputs, 0),
                                  (Space.OUTPUT_STREAM, outputs, fabric.inputs)):
        for unit, stream in enumerate(streams):
            if stream is not None:
                used |= 1 << first + unit
                found.append(_section(fabric, space, unit, _descriptor(stream)))
    return b"".join([_section(fabric, Space.USED, 0, [], used), *found])


def _descriptor(stream: Stream) -> list[int]:
    """The descriptor in words of ITEM_ALIGN bytes."""
    words, item, at = stream.encode(), 0, 0
    for word, bits in zip(words, [STREAM.bits, *[LOOP.bits] * LOOPS,
                                  *[TAP.bits] * (len(words) - 1 - LOOPS)], strict=True):
        item |= word << at
        at += bits
    size = 8 * ITEM_ALIGN
    return [item >> low & (1 << size) - 1 for low in range(0, at, size)]
