"""Finds accesses to scratchpad, tables and DRAM whose order no semaphore fixes.

The check doesn't depend on timing: an access is accused unless the semaphores *prove* that it
comes after the one before, so a program without races means the same at any speed. It takes the
k-th wait for a semaphore to get the k-th post, which holds where one unit posts and one waits.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from golden.machine.instruction import Instruction
from golden.spec.config import Config
from golden.spec.drp.image import Space
from golden.spec.isa import SEMAPHORES, Unit
from golden.spec.layout import TABLE_ENTRIES

__all__ = ["Races"]

_TAKEN = len(Unit)


class _Dram(NamedTuple):
    """Runs of ``size`` bytes at sorted addresses ``start`` that one instruction touches."""

    number: int
    writes: bool
    start: NDArray
    size: int

    def first_common(self, other: "_Dram") -> int | None:
        """Address of a byte that both touch."""
        # Of the other's runs that begin before one's end, the last one reaches furthest.
        last = np.searchsorted(other.start, self.start + self.size) - 1
        begin = other.start[np.maximum(last, 0)]
        common = (last >= 0) & (begin + other.size > self.start)
        return int(max(self.start[common][0], begin[common][0])) if common.any() else None


class Races:
    """Vector clocks of the units, and who touched each word last.

    Parameters
    ----------
    config : Config

    Addresses are scratchpad words; table entry i is address ``words + i``; then come the DRP's
    contexts, states and memories (see `tile`).
    """

    def __init__(self, config: Config) -> None:
        fabric = config.fabric
        self._places = [("word", config.words), ("table entry", TABLE_ENTRIES)]
        if fabric:
            self._places += [("context", fabric.contexts), ("state", fabric.states),
                             ("memory of element", fabric.elements)]
        size = sum(count for _, count in self._places)
        self._described = -1  # last LOAD of stream descriptors
        self._writer: NDArray = np.zeros(size, np.int64)
        self._written: NDArray = np.full(size, -1)
        self._read: NDArray = np.full((len(Unit), size), -1)
        # What each unit knows: instructions below these are complete, by the unit that ran them;
        # last, DRPs below this have been taken.
        self._knows: NDArray = np.zeros((len(Unit), len(Unit) + 1), np.int64)
        self._started: dict[int, NDArray] = {}
        self._dram: dict[Unit, list[_Dram]] = {unit: [] for unit in Unit}
        self._tokens: list[deque[NDArray]] = [deque() for _ in range(SEMAPHORES)]

    def take(self, instruction: Instruction) -> None:
        """An instruction's semaphores have been taken."""
        clock = self._knows[instruction.unit]
        for token in self._named(instruction.fields["wait"]):
            if token:
                np.maximum(clock, token.popleft(), out=clock)
        if instruction.unit not in (Unit.MAC, Unit.DRP):
            clock[instruction.unit] = instruction.index  # one after the other
        if instruction.unit == Unit.DRP:
            clock[_TAKEN] = instruction.index + 1
        self._started[instruction.index] = clock.copy()

    def release(self, instruction: Instruction, mask: int) -> None:
        """An instruction posts semaphores before its effects are complete."""
        for token in self._named(mask):
            token.append(self._started[instruction.index].copy())

    def retire(self, instruction: Instruction) -> None:
        """An instruction's effects are complete."""
        clock = self._started.pop(instruction.index, self._knows[instruction.unit]).copy()
        clock[instruction.unit] = max(clock[instruction.unit], instruction.index + 1)
        for token in self._named(instruction.fields["post"]):
            token.append(clock)

    def synchronize(self, instruction: Instruction) -> None:
        """SYNC: everything before it is complete, and all units know."""
        self._knows[:] = instruction.index

    def tile(self, space: Space, places: NDArray) -> NDArray:
        """Addresses of places of the DRP: contexts, states, or elements with their memories."""
        names = {Space.STATE: "state", Space.TABLE: "memory of element"}
        before = 0
        for name, count in self._places:
            if name == names.get(space, "context"):
                return before + places[places < count]
            before += count
        return places[:0]

    def describe(self, instruction: Instruction, last: int) -> None:
        """A LOAD replaces stream descriptors, which the DRP of index ``last`` has used (-1: none).
        """
        clock = self._started[instruction.index]
        instruction.need(last < max(clock[_TAKEN], clock[Unit.DRP]),
                         f"loads stream descriptors, and nothing tells it that instruction {last} "
                         "has its own")
        self._described = instruction.index

    def described(self, instruction: Instruction) -> None:
        """A DRP uses the descriptors that were loaded last."""
        instruction.need(self._described < self._started[instruction.index][Unit.LOAD],
                         f"uses stream descriptors of instruction {self._described}, with nothing "
                         "that orders them")

    def access(self, instruction: Instruction, reads: NDArray, writes: NDArray) -> None:
        """Check and note the addresses that an instruction touches.

        Raises
        ------
        UndefinedError
            Naming both instructions and the address.
        """
        unit, clock = instruction.unit, self._started[instruction.index]
        known = clock[self._writer[reads]]
        self._accuse(instruction, "reads", reads, "written", self._written[reads],
                     self._written[reads] >= known)
        # A unit writes in order, but for the DRP, whose outputs know no order among each other.
        other = (self._writer[writes] != unit) | (unit == Unit.DRP)
        self._accuse(instruction, "writes", writes, "written", self._written[writes],
                     other & (self._written[writes] >= clock[self._writer[writes]]))
        for reader in Unit:
            if reader != unit:
                self._accuse(instruction, "writes", writes, "read", self._read[reader][writes],
                             self._read[reader][writes] >= clock[reader])
        self._read[unit][reads] = instruction.index
        self._writer[writes] = unit
        self._written[writes] = instruction.index

    def access_dram(self, instruction: Instruction, runs: NDArray, size: int) -> None:
        """Check and note the bytes of DRAM that an instruction moves.

        Parameters
        ----------
        runs : ndarray [runs] int64
            Byte addresses.
        size : int
            Bytes of each run.
        """
        unit, clock = instruction.unit, self._started[instruction.index]
        mine = _Dram(instruction.index, unit == Unit.STORE, np.sort(runs), size)
        for other in Unit:
            for theirs in reversed(self._dram[other]):
                if other == unit or theirs.number < clock[other]:
                    break
                if not (mine.writes or theirs.writes):
                    continue
                at = mine.first_common(theirs)
                instruction.need(at is None, f"moves DRAM byte {at or 0:#x}, as instruction "
                                 f"{theirs.number}, with nothing that orders them")
        self._dram[unit].append(mine)

    def _named(self, mask: int) -> list[deque[NDArray]]:
        return [self._tokens[i] for i in range(SEMAPHORES) if mask >> i & 1]

    def _accuse(self, instruction: Instruction, does: str, addresses: NDArray, what: str,
                others: NDArray, guilty: NDArray) -> None:
        guilty = guilty & (others >= 0)
        if guilty.any():
            at = int(addresses[guilty].flat[0])
            instruction.need(False, f"{does} {self._place(at)}, {what} by instruction "
                             f"{int(others[guilty].flat[0])}, with nothing that orders them")

    def _place(self, address: int) -> str:
        """An address in words."""
        for name, count in self._places:
            if address < count:
                return f"{name} {address}"
            address -= count
        raise AssertionError(address)
