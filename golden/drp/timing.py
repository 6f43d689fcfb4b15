"""Cycles of a tile's run: its steps, and how long streams hold it.

The steps of pops and pushes are known from the run (``Run``); what a stream asks of the
scratchpad for each vector from its descriptor. This model follows the rules at the end of
``golden.spec.drp.streams`` cycle by cycle: a request a cycle for each input while its FIFO has
room, one scratchpad read a cycle for all inputs, round robin, one write a cycle for all outputs;
with one lane, one address a cycle for all streams.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from golden.drp.stream import Stream
from golden.drp.tile import Run
from golden.spec.drp.fabric import Fabric
from golden.spec.drp.streams import Border, Tap

__all__ = ["Timing", "timing"]

_REQUESTS = 16  # addresses that a stream may have under way with one lane
_VECTORS = 4  # that an output has and hasn't merged


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
    sources = [_Source(stream, fabric, run.places) if stream is not None else None
               for stream in inputs]
    indirect = [item for item in sources if item is not None and item.indirect]
    sinks = [_Sink(stream, fabric, silent=bool(indirect) and number == 1)
             if stream is not None else None for number, stream in enumerate(outputs)]
    pops, pushes = _by_step(run.pops, run.steps), _by_step(run.pushes, run.steps)
    shared = fabric.lanes == 1
    streams: list[_Source | _Sink | None] = [*sources, *sinks]
    cycle = step = turn = waits_in = waits_out = 0
    while step < run.steps or any(sink and sink.busy for sink in sinks):
        free = True  # the way to the scratchpad
        for sink in sinks:
            if sink is not None:
                free = sink.work(free, step == run.steps)
        there = step < run.steps and all(
            sources[number] is not None and sources[number].vectors  # type: ignore[union-attr]
            for number in pops[step])
        room = there and all(
            sinks[number] is not None and not sinks[number].full  # type: ignore[union-attr]
            for number in pushes[step])
        waits_in += step < run.steps and not there
        waits_out += there and not room
        if room:
            for number in pops[step]:
                sources[number].vectors -= 1  # type: ignore[union-attr]
            for number in pushes[step]:
                sinks[number].take()  # type: ignore[union-attr]
                if number == 1:
                    for waiting in indirect:
                        waiting.known += waiting.taps
            step += 1
        if shared:
            for place in range(len(streams)):
                stream = streams[(turn + place) % len(streams)]
                if stream is not None and stream.wants:
                    stream.address()
                    turn = (turn + place + 1) % len(streams)
                    break
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

    def __init__(self, stream: Stream, fabric: Fabric, places: np.ndarray) -> None:
        self.vectors, self._room = 0, fabric.fifo
        self._ahead = max(fabric.fifo, _REQUESTS)
        self.indirect, self.taps = stream.indirect, len(stream.taps)
        # (last of its vector, reads a word)
        self._requests = _requests(stream, fabric, places)
        self._next = self.total = 0
        # Vectors whose positions are known.
        self.known = 0 if stream.indirect else len(self._requests)

    @property
    def asks(self) -> bool:
        """Has a request and room for its vector."""
        return (self._next < len(self._requests) and self.vectors < self._room
                and self.known > 0)

    @property
    def wants(self) -> bool:
        """With one lane: has a request, and room for its vector or its address."""
        return (self._next < len(self._requests) and self.vectors < self._ahead
                and self.known > 0)

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
        self.known -= last


def _requests(stream: Stream, fabric: Fabric, places: np.ndarray) -> list[tuple[bool, bool]]:
    lanes, word = fabric.lanes, fabric.word_bytes
    y, x, offset = (stream.indirect_positions(places) if stream.indirect
                    else stream.positions(lanes))
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
    """An output: words completed by each vector, written one a cycle; none if silent."""

    def __init__(self, stream: Stream, fabric: Fabric, *, silent: bool) -> None:
        y, x, offset = stream.positions(fabric.lanes)
        address, outside = stream.addresses(y, x, offset)
        outside = outside | silent
        words = np.where(outside, -1, address // fabric.word_bytes)
        self._groups = [_grouped(vector) for vector in words.tolist()]
        self._next = self._done = self.total = 0  # vectors taken, and merged
        self._place = 0  # in the groups of the vector at hand
        self._open = -1
        # Vectors whose addresses are known, and which may be: with one lane that takes cycles.
        self._shared = fabric.lanes == 1
        self._known, self._ahead = 0, max(fabric.fifo, _REQUESTS)

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
