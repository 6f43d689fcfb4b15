"""Passes of an operator, cut so that the next operator begins while this one drains.

What an operator writes is ready when it has left post-processing, some 60 cycles after its last
weight row; for so long the array would wait between two operators. So an operator ends with a
pass over its last rows alone, and the next one begins with a pass that needs none of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from golden.machine.timing import Timing
from golden.spec.config import Config
from golden.spec.isa import PostMode
from sw.compiler.plan import Tile
from sw.compiler.window import WindowOp

__all__ = ["Pass", "Ready", "cut_passes"]

_MOST_BLOCKS = 8  # lane blocks whose weights are kept for a second pass


@dataclass(frozen=True)
class Pass:
    """One MAC instruction: lane blocks [first, end) over a rectangle of the output.

    ``keep``: the weights stay for the pass that follows.
    """

    tile: Tile
    first: int
    end: int
    keep: bool = False


@dataclass(frozen=True)
class Ready:
    """What of a feature map is there well before its operator ends.

    Channel groups below ``groups``, and the rows below ``rows`` of all groups.
    """

    tensor: str
    groups: int
    rows: int


@dataclass(frozen=True)
class _Cut:
    """Lane blocks [first, end) pass over ``rows`` rows of the tile, then over the others."""

    first: int
    end: int
    rows: int


def cut_passes(config: Config, op: WindowOp, tile: Tile, weight_rows: list[int],
               stays: Callable[[int, int], bool], *, ready: Ready | None, ends: bool,
               keep: bool) -> tuple[list[Pass], Ready | None]:
    """Passes over one tile, and what of the output is ready early.

    Parameters
    ----------
    weight_rows : list of int
        Weight rows of each lane block.
    stays : callable
        Whether the lane blocks [first, end) fit in the weight store at once.
    ready : Ready or None
        What is ready early of the operator before, if this is its successor's first tile.
    ends : bool
        This is the operator's last tile.
    keep : bool
        The weights of all lane blocks stay for the next tile.
    """
    cuts = _Cuts(config, op, tile, weight_rows, stays)
    blocks = len(weight_rows)
    last = cuts.last(1, blocks) if ends else None
    first = None
    if ready and keep:
        first = cuts.first(ready, blocks, blocks)
    elif ready:
        first = cuts.first(ready, 1, last.first if last else blocks)
        if last and not first:
            # Too few lane blocks for a cut each: all of them take part in both.
            first, whole = cuts.first(ready, blocks, blocks), cuts.last(blocks, blocks)
            if first and whole and first.rows < whole.rows:
                last = whole
            else:
                first = None
    passes = list(_passes(tile, blocks, first, last, keep))
    if not last:
        return passes, None
    return passes, Ready(op.output, op.first_block + last.first, op.out_y + tile.y + last.rows)


def _passes(tile: Tile, blocks: int, first: _Cut | None, last: _Cut | None,
            keep: bool) -> Iterator[Pass]:
    """The passes of a tile's cuts, in order."""
    def part(top: int, bottom: int) -> Tile:
        return Tile(tile.y + top, tile.x, bottom - top, tile.width)

    if first and last and first.end > last.first:
        yield Pass(part(0, first.rows), 0, blocks, keep=True)
        yield Pass(part(first.rows, last.rows), 0, blocks, keep=True)
        yield Pass(part(last.rows, tile.height), 0, blocks)
        return
    begin, end = first.end if first else 0, last.first if last else blocks
    if first:
        cut = first.rows < tile.height
        yield Pass(part(0, first.rows), 0, begin, keep=cut or keep)
        if cut:
            yield Pass(part(first.rows, tile.height), 0, begin, keep)
    if begin < end:
        yield Pass(tile, begin, end, keep)
    if last:
        yield Pass(part(0, last.rows), end, blocks, keep=True)
        yield Pass(part(last.rows, tile.height), end, blocks)


class _Cuts:
    """Finds the cuts that leave the array idle for the fewest cycles."""

    def __init__(self, config: Config, op: WindowOp, tile: Tile, weight_rows: list[int],
                 stays: Callable[[int, int], bool]) -> None:
        timing, adds = Timing(), op.post.mode == PostMode.ADD
        vectors = config.drain_cycles * (2 if adds else 1)
        self._config, self._op, self._tile, self._stays = config, op, tile, stays
        self._costs = [max(rows, vectors) for rows in weight_rows]  # of Q pixels
        # From an operator's last weight row to the first one that needs its result.
        self._latency = (timing.drain + vectors + timing.post + adds * timing.post_add
                         + timing.semaphore + timing.mac_start + config.columns)

    def last(self, least: int, most: int) -> _Cut | None:
        """The best cut through ``least`` to ``most`` lane blocks at the end."""
        blocks, height = len(self._costs), self._tile.height
        found = [(self._idle(height - rows, blocks - count, blocks), count, -rows)
                 for count in range(least, min(most, _MOST_BLOCKS) + 1)
                 if self._stays(blocks - count, blocks) for rows in self._heights(height)]
        idle, count, rows = min(found, default=(self._latency, 0, 0))
        return _Cut(blocks - count, blocks, -rows) if idle < self._latency else None

    def first(self, ready: Ready, least: int, most: int) -> _Cut | None:
        """The best cut through ``least`` to ``most`` lane blocks at the beginning."""
        if ready.tensor not in self._op.reads:
            return None
        rows = self._heights(self._rows(ready) + 1)
        found = [(self._latency, 0, 0)]
        for count in range(least, min(most, _MOST_BLOCKS) + 1):
            if self._op.groups(ready.tensor, 0, count)[1] <= ready.groups:
                found.append((self._idle(self._tile.height, 0, count), count, self._tile.height))
            elif self._stays(0, count):
                found += [(self._idle(r, 0, count), count, r) for r in rows]
            if not min(found)[0]:
                break
        idle, count, height = min(found)
        return _Cut(0, count, height) if idle < self._latency else None

    def _idle(self, rows: int, first: int, end: int) -> int:
        """Cycles the array waits in spite of a pass over that much."""
        cycles = self._tiles(rows) * sum(self._costs[first:end])
        return max(self._latency - cycles, 0)

    def _tiles(self, rows: int) -> int:
        return -(-rows * self._tile.width // self._config.columns)

    def _heights(self, end: int) -> list[int]:
        """Rows below ``end`` after which a cut takes no more tiles of Q pixels."""
        height = self._tile.height
        return [rows for rows in range(1, min(end, height))
                if self._tiles(rows) + self._tiles(height - rows) == self._tiles(height)]

    def _rows(self, ready: Ready) -> int:
        """Rows of the tile that read only what is ready."""
        op, least = self._op, self._tile.height
        if ready.tensor in op.sources:
            least = min(least, (ready.rows - op.kernel_height + op.pad_top) // op.stride_y + 1
                        - self._tile.y)
        if ready.tensor == op.residual:
            least = min(least, ready.rows - op.out_y - self._tile.y)
        return least
