"""Kernel images, as golden.spec.drp.image describes them, in words of ITEM_ALIGN bytes."""

from golden.spec.drp.image import ITEM_ALIGN, SECTION, Space, item_bytes
from golden.spec.drp.streams import LOOP, STREAM, TAP

__all__ = ["image", "section", "streams_image"]


def section(fabric, space, unit, items, first=0):
    """A section of integers."""
    found = [SECTION.encode({"space": space, "unit": unit, "first": first, "count": len(items)})]
    for item in items:
        for word in range(item_bytes(fabric, space) // ITEM_ALIGN):
            found.append(item >> 8 * ITEM_ALIGN * word & (1 << 8 * ITEM_ALIGN) - 1)
    return found


def image(kernel):
    """Contexts, states and tables of a kernel."""
    fabric, found = kernel.fabric, []
    for space, units in ((Space.ELEMENT, kernel.elements), (Space.INPUT, kernel.inputs),
                         (Space.OUTPUT, kernel.outputs), (Space.STATE, [kernel.states])):
        for unit, items in enumerate(units):
            found += section(fabric, space, unit, items)
    for unit, table in kernel.tables.items():
        values = table.tolist()
        found += section(fabric, Space.TABLE, unit, [
            sum(value << 32 * part for part, value in enumerate(values[at:at + 4]))
            for at in range(0, len(values), 4)])
    return found


def streams_image(fabric, inputs, outputs):
    """Descriptors; None for a stream that isn't used."""
    found = []
    for space, streams in ((Space.INPUT_STREAM, inputs), (Space.OUTPUT_STREAM, outputs)):
        for unit, stream in enumerate(streams):
            item = 0
            if stream:
                words = stream.encode()
                bits = [STREAM.bits, *[LOOP.bits] * 4, *[TAP.bits] * (len(words) - 5)]
                for word, place in zip(words, range(len(words)), strict=True):
                    item |= word << sum(bits[:place])
            found += section(fabric, space, unit, [item])
    return found
