"""Kernel images: how contexts, states, tables and streams lie in memory, ready to be loaded.

An image is a sequence of sections. Each begins with a ``SECTION`` header in one 16-byte word;
its ``count`` items follow, item by item little-endian, each padded to whole 16-byte words.
Sections may come in any order; what a section doesn't mention keeps its contents, so several
kernels share the memories (their ``first`` differ).
"""

import enum

from golden.spec.drp.contexts import element_context, input_context, output_context
from golden.spec.drp.controller import state_record
from golden.spec.drp.fabric import Fabric
from golden.spec.drp.operations import OPERATIONS
from golden.spec.drp.streams import LOOP, STREAM, TAP, TAPS, Border, Format, Tap
from golden.spec.fields import Field, Record

__all__ = ["ITEM_ALIGN", "SECTION", "Space", "item_bytes", "tables"]

ITEM_ALIGN = 16


class Space(enum.IntEnum):
    """What a section fills.

    ``ELEMENT``, ``INPUT``, ``OUTPUT``: context words of unit ``unit``. ``STATE``: states.
    ``TABLE``: 32-bit words of the memory of element ``unit``, four to an item, the same in all
    lanes; ``first`` and ``count`` count items. ``INPUT_STREAM``, ``OUTPUT_STREAM``: the
    descriptor of stream ``unit``: STREAM, LOOP x 4 and its TAPs; ``count`` are 16-byte words.
    ``USED``: no items; bit k of ``first`` says whether kernels use stream k, outputs after inputs.
    """

    ELEMENT = 0
    INPUT = 1
    OUTPUT = 2
    STATE = 3
    TABLE = 4
    INPUT_STREAM = 5
    OUTPUT_STREAM = 6
    USED = 7


SECTION = Record("SECTION", (
    Field("space", 8, "Space"),
    Field("unit", 8, "element or stream"),
    Field("first", 16, "first item"),
    Field("count", 16, "items"),
), 128)


def item_bytes(fabric: Fabric, space: Space) -> int:
    """Bytes of an item, padding included."""
    bits = {
        Space.ELEMENT: element_context(fabric).bits, Space.INPUT: input_context(fabric).bits,
        Space.OUTPUT: output_context(fabric).bits, Space.STATE: state_record(fabric).bits,
    }.get(space, 8 * ITEM_ALIGN)
    return -(-bits // (8 * ITEM_ALIGN)) * ITEM_ALIGN


def tables(fabric: Fabric) -> tuple[object, ...]:
    """What programs for a fabric depend on, for digests."""
    return (ITEM_ALIGN, SECTION, tuple(Space), element_context(fabric), input_context(fabric),
            output_context(fabric), state_record(fabric), STREAM, LOOP, TAP, TAPS, tuple(Format),
            tuple(Border), tuple(Tap), tuple(
                (int(item.op), item.operands, item.kind.value, item.latency, item.subwords)
                for item in OPERATIONS.values()))
