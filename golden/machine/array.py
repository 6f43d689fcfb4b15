"""Timing of the array: windows walked, words fetched, rows issued."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from golden.machine.fetch_costs import FetchCosts
from golden.machine.kernel import Signal
from golden.machine.post_timing import PostTiming
from golden.machine.timing import Timing, slots
from golden.machine.weight_store import LaneBlock, WeightStore
from golden.spec.config import Config

__all__ = ["Array", "Span"]


@dataclass
class Span:
    """Cycles of the array, up to one with a tile's row.

    Members
    -------
    begin, end : int
        Cycles [begin, end).
    rows, weights, drain : int
        Those of them with a row; that waited for one or for an entry; that waited for the drain.
        All others waited for words.
    """

    begin: int
    end: int
    rows: int = 0
    weights: int = 0
    drain: int = 0


class Array:
    """Walker, fetcher and issuer: in which cycles a tile's entries and rows go through them.

    Parameters
    ----------
    config, timing, store, post
        What it works on.

    Members
    -------
    full, take : int
        When the walker has the next tile's windows, and when the fetcher takes them.
    waits : int
        From when it waits for weights, if it waits; before that for words.
    starved : (int, int)
        Cycles [begin, end) before that in which it waited for weights, too: for an entry.
    """

    def __init__(self, config: Config, timing: Timing, store: WeightStore,
                 post: PostTiming) -> None:
        self._timing, self._store, self._post = timing, store, post
        self._columns, places = config.columns, slots(config)
        # From when the places of the last entries are free: some cycles after their first use.
        self._left = deque([0] * places, maxlen=places)
        self._after = max(config.columns - 2 - timing.fetch_word, 0) + timing.issue + 1
        self._begun = self._entry = 0  # when the last entry's words were asked for, it was taken
        self._free = 0  # from when the next entry's words can be asked for
        self._last = -1  # the last row, or what stood for one
        self._entries = [0] * timing.ring_ahead  # when the last entries and rows were taken
        self._rows = [0] * timing.ring_ahead
        self.full = self.take = self.waits = 0
        self.starved = (0, 0)

    @property
    def released(self) -> int:
        """From when no words wait in front of the columns."""
        return self._left[-1]

    def start(self, time: int) -> None:
        """The walker gets an instruction in a cycle."""
        self._walk(max(time + 2, self.take))

    def step(self) -> None:
        """The walker goes on to the instruction's next tile."""
        self._walk(self.take)

    def _walk(self, time: int) -> None:
        self.full = time + self._columns
        self.take = max(self.full, self._entry)

    def ahead(self, costs: Sequence[Sequence[int]]) -> tuple[int, int] | None:
        """When the walker has the last of further tiles, and when the fetcher takes it.

        That is while the first tile waits for the rows of its last entry, whose place stays taken.

        Parameters
        ----------
        costs : list of list of int
            Cycles to fetch the words of each tile's entries.

        Gives None if there are not places for all entries before the last tile's.
        """
        full, take, entry, begun, free = self.full, self.take, self._entry, self._begun, self._free
        left = iter([*self._left][1:])
        for index, tile in enumerate(costs):
            full = take + self._columns
            take = max(full, entry)
            for cost in tile if index < len(costs) - 1 else ():
                if (place := next(left, None)) is None:
                    return None
                entry = max(place, take + 1, begun + 1)
                entry = free + 1 if begun + 1 < entry <= free else entry
                begun = max(entry, free)
                free = begun + cost
        return full, take

    def first(self, lane: LaneBlock, costs: FetchCosts, offered: int, keep: bool,
              note: Callable[[Span], None],
              late: Callable[[], None]) -> Generator[int | Signal, None, int]:
        """The first tile of a lane block, whose entries and rows may still be on their way.

        Parameters
        ----------
        offered : int
            When the weight store got the instruction's command.
        keep : bool
            Nothing is freed: this tile is not the last one, or the weights stay.
        note : callable
            Told of the cycles up to the tile's last row, whenever it waits and at its end.
        late : callable
            Called if rows are still to come when all entries are there: `ahead` is known then.

        Gives the cycle of the tile's last row.
        """
        timing, left = self._timing, self._left
        entries, rows = list(self._entries), list(self._rows)
        begun, free, plan, number = self._begun, self._free, offered + timing.plan, 0
        span = Span(self._last + 1, self._last + 1)
        read = (0, 0)  # entries and rows freed
        for index in range(lane.size):
            # It starves when nothing that was fetched is left.
            starves = max(left[-1], self.take + 1, span.end)
            while len(lane.entries) <= index:
                self.waits, self.starved = starves, (0, 0)
                span, read = self._told(span, note), self._free_read(
                    lane, read, entries, rows, keep)
                yield self._store.changed
            fields = lane.items[index].fields
            n, final = fields["n"], index == lane.size - 1
            there = max(lane.entries[index] + timing.ring, plan)
            starved = max(there - starves, 0)
            at = max(begun + 1, self.take + 1, left[0], there)
            # None is taken in further cycles of the one before, but the next one.
            entries.append(free + 1 if begun + 1 < at <= free else at)
            begun = max(entries[-1], free)
            free = begun + costs.first(fields)
            use = time = max(free + timing.fetch_word, span.end - 1) + 1
            if final:
                self._begun, self._free, self._entry = begun, free, entries[-1]
                if len(lane.rows) < number + n:
                    late()
            for row in range(n):
                while len(lane.rows) <= number:
                    self.waits, self.starved = time, (there - starved, there)
                    span, read = self._told(span, note), self._free_read(
                        lane, read, entries, rows, keep)
                    yield self._store.changed
                at = max(time, lane.rows[number] + timing.ring, plan)
                span.weights, starved = span.weights + starved + at - time, 0
                rows.append(at)
                if row == 0:
                    use = at
                number, time, span.rows, span.end = number + 1, at + 1, span.rows + 1, at + 1
            if not n:
                span.weights, span.drain, span.end = span.weights + starved, span.drain + 1, use + 1
            if final:
                end = self._post.end(span.end - 1)
                span.drain, span.end = span.drain + end + 1 - span.end, end + 1
                if n:
                    rows[-1] = end
                if n <= 1:
                    use = end
            left.append(use + self._after)
        self._entries, self._rows = entries[-timing.ring_ahead:], rows[-timing.ring_ahead:]
        self._free_read(lane, read, entries, rows, keep)
        self._last = span.end - 1
        note(span)
        return self._last

    def _told(self, span: Span, note: Callable[[Span], None]) -> Span:
        """Tell of a span before a wait; gives the next one."""
        if span.end == span.begin:
            return span
        note(span)
        return Span(span.end, span.end)

    def again(self, costs: Sequence[int], sizes: Sequence[int], keep: bool) -> Span:
        """A later tile of a lane block.

        Parameters
        ----------
        costs, sizes : list of int
            Cycles to fetch the words of each entry, and its rows.
        keep : bool
            As of `first`.
        """
        left, word, after = self._left, self._timing.fetch_word + 1, self._after
        begin, last = self._last + 1, self._last
        entry, use = 0, 0
        entries: list[int] = []
        uses: list[int] = []
        begun, free, there = self._begun, self._free, self.take + 1
        for cost, n in zip(costs, sizes, strict=True):
            entry = left[0] if left[0] > there else there
            if entry <= begun:
                entry = begun + 1
            elif begun + 1 < entry <= free:
                entry = free + 1
            begun = entry if entry > free else free
            free = begun + cost
            use = free + word if free + word > last else last + 1
            last = use + n - 1 if n else use
            left.append(use + after)
            entries.append(entry)
            uses.append(use)
        end = self._post.end(last)
        if n <= 1:
            left[-1] = end + after
        self._read(entries, uses, sizes, end, keep)
        self._begun, self._free, self._entry, self._last = begun, free, entry, end
        rows = sum(sizes)
        return Span(begin, end + 1, rows, 0, sizes.count(0) + end - last)

    def _free_read(self, lane: LaneBlock, freed: tuple[int, int], entries: list[int],
                   rows: list[int], keep: bool) -> tuple[int, int]:
        """Free what is known to be read, beyond entries and rows freed already; gives those."""
        if keep:
            return freed
        # One is read when it has come, and one a little before it has been taken.
        again = self._timing.ring_again
        read = [[max(came + 1, before + again) for came, before in
                 zip(times[done:], taken[done:], strict=False)]
                for times, taken, done in ((lane.entries, entries, freed[0]),
                                           (lane.rows, rows, freed[1]))]
        self._store.entries.free(read[0])
        self._store.rows.free(read[1])
        if read[0] or read[1]:
            self._store.changed.fire()
        return freed[0] + len(read[0]), freed[1] + len(read[1])

    def _read(self, entries: list[int], uses: list[int], sizes: Sequence[int],
              end: int, keep: bool) -> None:
        """Free entries and rows, some of which were read before they were taken."""
        ahead = self._timing.ring_ahead
        if keep:  # only the last ones matter
            places, count = len(sizes), 0
            while places and count < ahead:
                places, count = places - 1, count + sizes[places - 1]
            uses, sizes = uses[places:], sizes[places:]
        rows = [use + row for use, n in zip(uses, sizes, strict=True) for row in range(n)]
        if sizes[-1]:
            rows[-1] = end
        entries, rows = self._entries + entries, self._rows + rows
        if not keep:
            again = self._timing.ring_again
            self._store.entries.free([taken + again for taken in entries[:-ahead]])
            self._store.rows.free([taken + again for taken in rows[:-ahead]])
            self._store.changed.fire()
        self._entries, self._rows = entries[-ahead:], rows[-ahead:]
