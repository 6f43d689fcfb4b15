"""Semaphores from footprints: who must wait for whom, found by what instructions touch."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from golden.spec.isa import OPCODE_UNIT, SEMAPHORE_BITS, Opcode, Unit, encode, semaphore

__all__ = ["Instruction", "Span", "synchronize"]

# (space, first, end): words of "sp", the one "table", bytes of a DRAM region by its name; of the
# DRP "contexts", "states" and its "memories" as one.
Span = tuple[str, int, int]
# Beyond program order, as many posts more as fit into queues may be waiting.
_MOST_OUTSTANDING = (1 << SEMAPHORE_BITS) - 1 - 40
_UNITS = (Unit.LOAD, Unit.MAC, Unit.STORE, Unit.DRP)
_ON_CHIP = ("sp", "table", "contexts", "states", "memories")
_OVERLAPS = (Unit.MAC, Unit.DRP)  # an instruction with the one before


@dataclass
class Instruction:
    """An instruction with what it reads and writes; ``after`` names further ones it needs."""

    opcode: Opcode
    fields: dict[str, int]
    reads: list[Span] = field(default_factory=list)
    writes: list[Span] = field(default_factory=list)
    after: list["Instruction"] = field(default_factory=list)
    wait: int = 0
    post: int = 0

    @property
    def unit(self) -> Unit:
        """The unit that runs it."""
        return OPCODE_UNIT[self.opcode]

    def encode(self) -> bytes:
        """Its 64 bytes."""
        return encode(self.opcode, **{**self.fields, "wait": self.wait, "post": self.post})


class _Trace:
    """For every word of a space: the last instruction of each unit that read or wrote it."""

    def __init__(self, size: int, grain: int) -> None:
        self.grain = grain
        shape = (len(_UNITS), -(-size // grain) + 1)
        self.read = np.full(shape, -1, dtype=np.int32)
        self.write = np.full(shape, -1, dtype=np.int32)

    def window(self, first: int, end: int) -> slice:
        return slice(first // self.grain, -(-end // self.grain))


def synchronize(instructions: list[Instruction], sizes: dict[str, int], grain: int = 16) -> None:
    """Set ``wait`` and ``post`` so that every conflict is ordered.

    One counting semaphore per ordered pair of units. Each unit runs in order, so a consumer only
    needs the latest producer of each unit, and a producer already waited for covers all before
    it: the waits that remain pair up one to one with posts, both in program order. Where more
    posts could pile up than a semaphore counts, consumers wait for later producers instead.

    Parameters
    ----------
    instructions : list of Instruction
        Program order; every conflict's earlier side comes first, so the program can't deadlock.
    sizes : dict
        Size of each space named by the spans.
    grain : int
        Bytes of a DRAM region tracked together.
    """
    edges = _edges(instructions, sizes, grain)
    for pair, needed in edges.items():
        if _outstanding(needed) > _MOST_OUTSTANDING:
            needed = _coarsened(needed)
        bit = 1 << semaphore(*pair)
        for producer, consumer in needed:
            instructions[producer].post |= bit
            instructions[consumer].wait |= bit


def _outstanding(needed: list[tuple[int, int]]) -> int:
    """Most posts that can be waiting for their consumers at once, in program order."""
    most, first = 0, 0
    for last, (producer, _) in enumerate(needed):
        while needed[first][1] <= producer:
            first += 1
        most = max(most, last - first + 1)
    return most


def _coarsened(needed: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Each consumer waits for the last producer before it, which covers the ones in between."""
    result: list[tuple[int, int]] = []
    last = 0
    for index, (producer, consumer) in enumerate(needed):
        if result and producer <= result[-1][0]:
            continue
        last = max(last, index)
        while last + 1 < len(needed) and needed[last + 1][0] < consumer:
            last += 1
        result.append((needed[last][0], consumer))
    return result


def _edges(instructions: list[Instruction], sizes: dict[str, int],
           grain: int) -> dict[tuple[Unit, Unit], list[tuple[int, int]]]:
    """(producer, consumer) of every wait, per pair of units, both increasing."""
    traces = {name: _Trace(size, 1 if name in _ON_CHIP else grain)
              for name, size in sizes.items()}
    edges: dict[tuple[Unit, Unit], list[tuple[int, int]]] = {}
    number = {id(item): index for index, item in enumerate(instructions)}
    for index, item in enumerate(instructions):
        if item.unit not in _UNITS:
            continue
        for producer, latest in _needs(item, traces, number).items():
            known = edges.setdefault((producer, item.unit), [])
            if not known or latest > known[-1][0]:
                known.append((latest, index))
        row = _UNITS.index(item.unit)
        for spans, name in ((item.reads, "read"), (item.writes, "write")):
            for space, first, end in spans:
                assert 0 <= first <= end <= sizes[space], f"{space} {first} to {end}"
                trace = traces[space]
                getattr(trace, name)[row, trace.window(first, end)] = index
    return edges


def _needs(item: Instruction, traces: dict[str, _Trace],
           number: dict[int, int]) -> dict[Unit, int]:
    """Latest conflicting instruction of each unit that ordering does not already cover."""
    latest: dict[Unit, int] = {}

    def note(tables: Iterable[np.ndarray], window: slice, same_unit: bool) -> None:
        for table in tables:
            for row, unit in enumerate(_UNITS):
                if unit == item.unit and not same_unit:
                    continue
                found = int(table[row, window].max(initial=-1))
                if found >= 0:
                    latest[unit] = max(latest.get(unit, -1), found)

    for space, first, end in item.reads:
        trace = traces[space]
        # Others run one instruction after the other and need not wait for themselves.
        note((trace.write,), trace.window(first, end), item.unit in _OVERLAPS)
    for space, first, end in item.writes:
        trace = traces[space]
        note((trace.write, trace.read), trace.window(first, end), False)
        # The DRP's outputs don't keep an order among each other.
        note((trace.write,), trace.window(first, end), item.unit == Unit.DRP)
    for other in item.after:
        if other.unit != item.unit:
            latest[other.unit] = max(latest.get(other.unit, -1), number[id(other)])
    return latest
