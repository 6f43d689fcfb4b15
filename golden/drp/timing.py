"""Cycles of a tile's run: its steps, and how long streams hold it.

The steps of pops and pushes are known from the run (``Run``); what a stream asks of the
scratchpad for each vector from its descriptor. This model follows the rules at the end of
``golden.spec.drp.streams`` cycle by cycle: a request a cycle for each input while its FIFO has
room, one scratchpad read a cycle for all inputs, round robin, one write a cycle for all outputs;
with one lane, one address a cycle for all streams. Of what happens on the way only an indirect
input's counts: all others run ahead.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from golden.drp.gathered import indirect
from golden.drp.stream import Stream
from golden.drp.tile import Run
from golden.spec.drp.fabric import Fabric
from golden.spec.drp.streams import GATHER_CYCLES, PLACES, REQUESTS, Border, Tap

__all__ = ["Timing", "timing"]

_VECTORS = 4  # that an output has and hasn't merged
_BEHIND = 4  # of GATHER_CYCLES, those from the last word's read on


@dataclass(frozen=True)
class Timing:
    """What a run took.

    Parameters
    ----------
    cycles : int
        Until the last result is written.
    steps : int
        Those of the controller; the rest are stalls.
    waits_in, waits_out : int
        Cycles in which an input, or else an output, holds the tile.
    words_read, words_written : int
        Scratchpad accesses.
    """

    cycles: int
    steps: int
    waits_in: int
    waits_out: int
    words_read: int
    words_written: int


def timing(fabric: Fabric, run: Run, inputs: Sequence[Stream | None],
           outputs: Sequence[Stream | None]) -> Timing:
    """Cycles of a run that ``Tile.run`` made."""
    gathers = indirect(fabric, inputs)
    gathered = None if gathers is None else _Gathered(gathers, fabric, run.places)
    sources = [gathered if stream is not None and stream is gathers else
               _Source(stream, fabric) if stream is not None else None for stream in inputs]
    sinks = [_Sink(stream, fabric) if stream is not None else None for stream in outputs]
    pops, pushes = _by_step(run.pops, run.steps), _by_step(run.pushes, run.steps)
    shared = fabric.lanes == 1
    streams: list[_Source | _Sink | None] = [*sources, *sinks]
    cycle = step = turn = waits_in = waits_out = 0
    while step < run.steps or any(sink and sink.busy for sink in sinks):
        if gathered:
            gathered.begin(cycle)
        free = True  # the way to the scratchpad
        for sink in sinks:
            if sink is not None:
                free = sink.work(free, step == run.steps)
        # Who gets an address: room is seen a cycle after it was made.
        served = next((place for place in range(len(streams)) if (
            stream := streams[(turn + place) % len(streams)]) is not None
            and stream.wants), None) if shared else None
        there = step < run.steps and all(
            sources[number] is not None and sources[number].vectors  # type: ignore[union-attr]
            for number in pops[step])
        ends = [gathered if gathered and number == 1 else sinks[number]
                for number in (pushes[step] if there else ())]
        room = there and not any(end is None or end.full for end in ends)
        waits_in += step < run.steps and not there
        waits_out += there and not room
        if room:
            for number in pops[step]:
                sources[number].pop()  # type: ignore[union-attr]
            for end in ends:
                end.take()  # type: ignore[union-attr]
            step += 1
        if shared:
            if served is not None:
                stream = streams[(turn + served) % len(streams)]
                assert stream is not None
                stream.address()
                turn = (turn + served + 1) % len(streams)
            cycle += 1
            continue
        granted = False
        for place in range(len(sources)):
            source = sources[(turn + place) % len(sources)]
            if source is None or not source.asks:
                continue
            if not source.reads:
                source.serve()
            elif not granted:
                granted = True
                source.serve()
                turn = (turn + place + 1) % len(sources)
        cycle += 1
    return Timing(cycle, run.steps, waits_in, waits_out,
                  sum(source.total for source in sources if source),
                  sum(sink.total for sink in sinks if sink))


def _by_step(events: Sequence[list[int]], steps: int) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(steps)]
    for number, times in enumerate(events):
        for step in times:
            found[step].append(number)
    return found


class _Source:
    """An input: its requests, one at a time."""

    def __init__(self, stream: Stream, fabric: Fabric, places: np.ndarray | None = None) -> None:
        self.vectors, self._room = 0, fabric.fifo
        self._ahead = max(fabric.fifo, REQUESTS)
        # (last of its vector, reads a word)
        self._requests = _requests(stream, fabric, places)
        self._next = self.total = 0

    @property
    def asks(self) -> bool:
        """Has a request and room for its vector."""
        return self._next < len(self._requests) and self.vectors < self._room

    @property
    def wants(self) -> bool:
        """With one lane: has a request, and room for its vector or its address."""
        return self._next < len(self._requests) and self.vectors < self._ahead

    def pop(self) -> None:
        """A vector is taken."""
        self.vectors -= 1

    def address(self) -> None:
        """With one lane: the request's address, by which its vector comes."""
        self.serve()

    @property
    def reads(self) -> bool:
        """The next request needs the scratchpad."""
        return self._requests[self._next][1]

    def serve(self) -> None:
        """One request."""
        last, reads = self._requests[self._next]
        self._next += 1
        self.total += reads
        self.vectors += last


class _Gathered(_Source):
    """The indirect input: its positions wait, are looked up, and come back."""

    def __init__(self, stream: Stream, fabric: Fabric, places: np.ndarray) -> None:
        super().__init__(stream, fabric, places)
        self._shared, self._cycle, self._known = fabric.lanes == 1, 0, 0
        self._away = 0  # vectors asked for and not taken
        # Cycles of positions that wait; from which on requests, or vectors, are there.
        self._waiting: deque[int] = deque()
        self._asked: deque[int] = deque()
        self._coming: deque[int] = deque()
        self.full = False

    def begin(self, cycle: int) -> None:
        """A cycle: what arrives in it."""
        self._cycle, self.full = cycle, len(self._waiting) == PLACES
        while self._coming and self._coming[0] <= cycle:
            self._coming.popleft()
            self.vectors += 1
        while self._asked and self._asked[0] <= cycle:
            self._asked.popleft()
            self._known += 1
        if not self._shared and self.wants:
            self._ask()
            self._asked.append(cycle + GATHER_CYCLES - _BEHIND - 1)

    def take(self) -> None:
        """A position."""
        self._waiting.append(self._cycle)

    def _ask(self) -> None:
        self._waiting.popleft()
        self._away += 1

    @property
    def wants(self) -> bool:
        """Has a position, and room for its vector."""
        return bool(self._waiting) and self._waiting[0] < self._cycle and self._away < self._ahead

    @property
    def asks(self) -> bool:
        """Has a request."""
        return self._known > 0

    def address(self) -> None:
        """With one lane: the request's address, a cycle after it was this stream's turn. (Not
        after one that comes as the last one is looked up; that cycle isn't counted out here.)"""
        self._ask()
        self.total += self._requests[self._next][1]
        self._next += 1
        self._coming.append(self._cycle + GATHER_CYCLES + 1)

    def serve(self) -> None:
        """One request."""
        last, reads = self._requests[self._next]
        self._next += 1
        self.total += reads
        self._known -= last
        if last:
            self._coming.append(self._cycle + _BEHIND)

    def pop(self) -> None:
        """A vector is taken."""
        self.vectors -= 1
        self._away -= 1


def _requests(stream: Stream, fabric: Fabric,
              places: np.ndarray | None) -> list[tuple[bool, bool]]:
    lanes, word = fabric.lanes, fabric.word_bytes
    y, x, offset = stream.positions(lanes, places)
    address, outside = stream.addresses(y, x, offset)
    data = np.resize([tap.what is Tap.DATA for tap in stream.taps], len(y))
    # Word of each lane; -1 for what needs no memory.
    words = address // word
    words[~data.astype(bool)] = -1
    if stream.border is Border.CONSTANT:
        words[outside] = -1
    found, held = [], -1
    for vector in words.tolist():
        groups = _grouped(vector)
        for place, number in enumerate(groups):
            reads = number not in (-1, held)
            held = number if reads else held
            found.append((place == len(groups) - 1, reads))
    return found


def _grouped(vector: list[int]) -> list[int]:
    """Words of lanes that are served together; -1 for what needs no memory."""
    groups: list[int] = []
    for number in vector:
        if not groups or (number >= 0 and groups[-1] not in (-1, number)):
            groups.append(number)
        elif groups[-1] == -1:
            groups[-1] = number
    return groups


class _Sink:
    """An output: words completed by each vector, written one a cycle."""

    def __init__(self, stream: Stream, fabric: Fabric) -> None:
        y, x, offset = stream.positions(fabric.lanes)
        address, outside = stream.addresses(y, x, offset)
        words = np.where(outside, -1, address // fabric.word_bytes)
        self._groups = [_grouped(vector) for vector in words.tolist()]
        self._next = self._done = self.total = 0  # vectors taken, and merged
        self._place = 0  # in the groups of the vector at hand
        self._open = -1
        # Vectors whose addresses are known, and which may be: with one lane that takes cycles.
        self._shared = fabric.lanes == 1
        self._known, self._ahead = 0, max(fabric.fifo, REQUESTS)

    @property
    def wants(self) -> bool:
        """With one lane: has a vector whose address isn't known, and room for that."""
        return self._known < min(len(self._groups), self._next + self._ahead)

    def address(self) -> None:
        """With one lane: a vector's address."""
        self._known += 1

    @property
    def full(self) -> bool:
        """Takes no vector now."""
        return self._next - self._done >= _VECTORS or (
            self._shared and self._known <= self._next)

    @property
    def busy(self) -> bool:
        """Something is not written."""
        return self._done < self._next or self._open >= 0

    def take(self) -> None:
        """One vector."""
        self._next += 1

    def work(self, free: bool, last: bool) -> bool:
        """A cycle: lanes in one word are merged, the word before is written. Gives whether the
        way to the scratchpad is still free.

        Parameters
        ----------
        free : bool
            It is before.
        last : bool
            No vector will follow.
        """
        if self._done == self._next:
            if self._open < 0 or not last or not free:
                return free
            self._write(-1)
            return False
        groups = self._groups[self._done]
        word = groups[self._place]
        writes = word >= 0 and self._open not in (-1, word)
        if writes and not free:
            return free
        if writes:
            self._write(word)
        elif word >= 0:
            self._open = word
        self._place += 1
        if self._place == len(groups):
            self._place, self._done = 0, self._done + 1
        return free and not writes

    def _write(self, word: int) -> None:
        self._open = word
        self.total += 1
