"""Random stream descriptors that stay inside a memory."""

import numpy as np

from golden.drp.stream import Loop, Stream, TapAt
from golden.spec.drp.streams import ELEMENT_BYTES, Border, Format, Tap

__all__ = ["MEMORY", "descriptor_words", "random_stream"]

MEMORY = 2048  # bytes


def random_stream(rng, lanes, *, output=False, most=60):
    """A Stream whose elements are aligned and in MEMORY; an output writes no byte twice."""
    while True:
        stream = _stream(rng, output)
        if stream.vectors > most:
            continue
        y, x, offset = stream.positions(lanes)
        address, outside = stream.addresses(y, x, offset)
        size = ELEMENT_BYTES[stream.format]
        seen = address[~outside] if output else address
        if (seen < 0).any() or (seen + size > MEMORY).any() or (seen % size).any():
            continue
        if output and len(np.unique(seen)) != seen.size:
            continue
        return stream


def _stream(rng, output):
    kind = rng.choice(list(Format))
    size = ELEMENT_BYTES[kind]
    column = size * rng.choice((1, 1, 1, 3, -1))
    height, width = rng.randint(1, 6), rng.randint(1, 20)
    row = size * rng.choice((width, width * 4, 0, -width))
    fine = 1 if output else rng.choice((1, 1, 2, 3))

    def step(*choices):
        return rng.choice(choices) * (1 << 16) // fine

    if output:
        loops = (Loop(rng.randint(1, width + 2), dx=1 << 16),
                 Loop(rng.randint(1, height), dy=1 << 16))
        taps = (TapAt(),) if rng.random() < 0.8 else (TapAt(), TapAt(dbase=size * 64))
    else:
        loops = tuple(Loop(rng.choice((1, 2, 3, 5)), dy=step(0, 0, 1), dx=step(0, 1, 1, -2),
                           dbase=size * rng.choice((0, 0, 4))) for _ in range(rng.randint(0, 4)))
        taps = tuple(TapAt(rng.choice([*Tap, Tap.DATA, Tap.DATA]), rng.randint(-1, 1),
                           rng.randint(-1, 1), size * rng.choice((0, 0, 1)))
                     for _ in range(rng.choice((1, 1, 2, 3, 9))))
    return Stream(
        base=size * rng.randint(0, MEMORY // size), row_step=row, column_step=column,
        height=height, width=width, format=kind,
        y0=rng.randint(-2, 2) * 65536 + (0 if output else rng.getrandbits(16)),
        x0=rng.randint(-2, 2) * 65536 + (0 if output else rng.getrandbits(16)),
        lane_dx=0 if rng.random() < 0.4 else 65536 // fine, lane_dy=rng.choice((0, 0, 65536)),
        lane_dbase=rng.choice((0, size, size, 5 * size)), border=rng.choice(list(Border)),
        fill=rng.getrandbits(32), saturate=rng.random() < 0.5, loops=loops, taps=taps)


def descriptor_words(stream):
    """32-bit words of a descriptor, by index; taps that aren't used are left out."""
    record, *rest = stream.encode()
    words = [record >> 32 * word & 0xFFFFFFFF for word in range(10)]
    for loop in rest[:4]:
        words += [loop >> 32 * word & 0xFFFFFFFF for word in range(4)]
    for tap in rest[4:]:
        words += [tap & 0xFFFFFFFF, tap >> 32]
    return words
