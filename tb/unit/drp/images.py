"""Kernel images in words of ITEM_ALIGN bytes."""

from golden.spec.drp.image import ITEM_ALIGN
from sw.drp import image as encoder

__all__ = ["image", "streams_image"]


def image(kernel):
    """Contexts, states and tables of a kernel, all from address 0 on."""
    return _words(encoder.contexts_image(kernel, 0) + encoder.states_image(kernel, 0, 0)
                  + encoder.tables_image(kernel))


def streams_image(fabric, inputs, outputs):
    """Descriptors; None for a stream that isn't used."""
    return _words(encoder.streams_image(fabric, inputs, outputs))


def _words(raw):
    return [int.from_bytes(raw[at:at + ITEM_ALIGN], "little")
            for at in range(0, len(raw), ITEM_ALIGN)]
