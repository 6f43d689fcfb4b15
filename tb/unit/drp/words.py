"""Operands for benches of the DRP: random words with many edges among them."""

import numpy as np

__all__ = ["words"]

EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0x80000001,
         0xFFFFFFFE, 0xFFFFFFFF, 0x7F7F7F7F, 0x80808080, 0x80007FFF, 0x00FF00FF, 0x40000000,
         0xC0000000)


def words(rng, count):
    """(count,) uint32 array; a third of it edges."""
    return np.array([rng.choice(EDGES) if rng.random() < 0.35 else rng.getrandbits(32)
                     for _ in range(count)], np.uint32)
