"""A kernel as a tile runs it: context words, states and tables, without its streams."""

from dataclasses import dataclass, field

import numpy as np

from golden.spec.drp.controller import state_record
from golden.spec.drp.fabric import Fabric

__all__ = ["Kernel"]


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """Words as ``golden.spec.drp.contexts`` and ``controller`` encode them.

    Parameters
    ----------
    fabric : Fabric
    elements, inputs, outputs : tuple of tuples of int
        Context words: [unit][address], all of one length.
    states : tuple of int
        State words.
    first : int
        The state in which the kernel begins.
    tables : dict of (words,) uint32
        Contents of memories by element, the same in all lanes; the rest is 0.
    """

    fabric: Fabric
    elements: tuple[tuple[int, ...], ...]
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]
    states: tuple[int, ...]
    first: int = 0
    tables: dict[int, np.ndarray] = field(default_factory=dict)

    def with_counts(self, state: int, counts: tuple[int, ...]) -> "Kernel":
        """A copy whose state makes other loops (counts of loops 0, 1, ...)."""
        record = state_record(self.fabric)
        values = record.decode(self.states[state])
        for level in range(4):
            values[f"count{level}"] = counts[level] if level < len(counts) else 1
        states = list(self.states)
        states[state] = record.encode(values)
        return Kernel(fabric=self.fabric, elements=self.elements, inputs=self.inputs,
                      outputs=self.outputs, states=tuple(states), first=self.first,
                      tables=self.tables)
