"""Chains: operators that take turns, strip by strip; what passes between them stays on chip.

A feature map inside a chain lies in a *sliding* buffer. Its channel groups are only as many rows
apart as are needed at once: row y of a group takes the place of row y - pitch of the next group,
which is not needed any more. So while rows follow one another the buffer grows by one row of
one group each, not of all groups, and every address is that of an ordinary buffer with that pitch.
Where it would grow beyond what is free, the chain ends a *part* and begins the next one at the
buffers' beginnings; rows that both parts need are computed twice.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from golden.spec.config import Config
from sw.compiler.cost import Cost, Traffic, latency, table_load, transfer
from sw.compiler.tile import Tile
from sw.compiler.window import LayerTensor, Operator, WindowOp

__all__ = ["Chain", "ChainShape", "Sliding", "inner_tensors"]

_ROWS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32)  # of the last output, a step


@dataclass(frozen=True)
class Sliding:
    """A sliding buffer.

    ``pitch`` is the rows from a channel group to the next one; ``origins`` has the row that it
    begins with in each part.
    """

    pitch: int
    words: int
    origins: tuple[int, ...]


@dataclass(frozen=True)
class ChainShape:
    """How a chain runs.

    Members
    -------
    steps : list of (int, Tile)
        Number of the operator in the chain, and the rows of its output that are made.
    sliding : dict of str to Sliding
        Buffers of the feature maps inside.
    rows : list of int
        Of each operator, the most output rows of a step.
    words : int
        Scratchpad words of everything, strips of other feature maps included, two of each.
    cycles : float
        Estimated.
    """

    steps: list[tuple[int, Tile]]
    sliding: dict[str, Sliding]
    rows: list[int]
    words: int
    cycles: float


def inner_tensors(ops: Sequence[Operator], tensors: dict[str, LayerTensor],
                  costs: Sequence[Cost], group: int, first: int, end: int) -> set[str] | None:
    """Feature maps that only the operators [first, end) touch; None if these can't be a chain.

    All but the last one must write such a feature map, whole and alone; each reads one source.
    """
    inner = set()
    for index in range(first, end):
        op = ops[index]
        if not isinstance(op, WindowOp) or costs[index].pixels or len(op.sources) > 1:
            return None
        if op.gate and any(op.gate.tensor in other.writes for other in ops[first:index]):
            return None
        tensor = tensors[op.output]
        if (op.height, op.width, len(op.blocks)) != (tensor.height, tensor.width,
                                                     tensor.groups(group)):
            return None
        if index + 1 < end:
            users = [number for number, other in enumerate(ops)
                     if op.output in (*other.reads, *other.writes)]
            if tensor.bytes_in_dram or users[0] < index or not index < users[-1] < end:
                return None
            inner.add(op.output)
    return inner


@dataclass(frozen=True)
class _Need:
    """The rows of a feature map of ``height`` rows that an operator of the chain reads."""

    user: int
    height: int
    stride: int = 1
    pad: int = 0
    kernel: int = 1

    def first(self, row: int) -> int:
        """The first one for output rows from ``row`` on."""
        return min(max(row * self.stride - self.pad, 0), self.height)

    def end(self, row: int) -> int:
        """The end of those for output rows before ``row``."""
        return min(max((row - 1) * self.stride - self.pad + self.kernel, 0), self.height)


@dataclass(frozen=True)
class Chain:
    """Operators [first, first + len(ops)) as one.

    Parameters
    ----------
    inner : set of str
        Feature maps that only these operators touch.
    """

    config: Config
    first: int
    ops: list[WindowOp]
    costs: list[Cost]
    tensors: dict[str, LayerTensor]
    inner: set[str]
    _known: dict[tuple[object, ...], ChainShape] = field(default_factory=dict, compare=False)
    _needs: list[list[_Need]] = field(default_factory=list, compare=False)
    _reads: list[list[tuple[int, _Need]]] = field(default_factory=list, compare=False)

    def __post_init__(self) -> None:
        writer = {op.output: number for number, op in enumerate(self.ops)}
        self._needs.extend([] for _ in self.ops)
        self._reads.extend([] for _ in self.ops)
        for number, op in enumerate(self.ops):
            reads = [(name, (op.stride_y, op.pad_top, op.kernel_height)) for name in op.sources]
            reads += [(op.residual, (1, 0, 1))] if op.residual else []
            for name, window in reads:
                if name in self.inner:
                    need = _Need(number, self.tensors[name].height, *window)
                    self._needs[writer[name]].append(need)
                    self._reads[number].append((writer[name], need))

    def outer(self) -> list[str]:
        """Feature maps that others touch too, each once."""
        return list(dict.fromkeys(name for op in self.ops for name in op.operands
                                  if name not in self.inner))

    def least(self, resident: set[str]) -> int:
        """Scratchpad words of the smallest shape."""
        return self._shape(1, 0, self.ops[-1].height, resident, set()).words

    def best(self, free: int, resident: set[str], streamed: set[str]) -> ChainShape | None:
        """The fastest shape within ``free`` words, if there is any.

        Parameters
        ----------
        resident : set of str
            Feature maps that lie whole in the scratchpad.
        streamed : set of str
            Those of them that are loaded or stored while the chain runs.
        """
        best: list[ChainShape] = []
        for rows in _ROWS:
            # Operators in turn on the same rows, or each a step behind the one before.
            found = [shape for behind in (0, 1)
                     if (shape := self._fitting(rows, behind, free, resident, streamed))]
            if not found or rows > self.ops[-1].height:
                break
            best = [min(best + found, key=lambda shape: shape.cycles)]
        return best[0] if best else None

    def _fitting(self, rows: int, behind: int, free: int, resident: set[str],
                 streamed: set[str]) -> ChainShape | None:
        """The shape with the fewest parts that fits."""
        most = -(-self.ops[-1].height // rows)
        parts = 1
        while True:
            shape = self._shape(rows, behind, parts, resident, streamed)
            if shape.words <= free:
                return shape
            if parts == most:
                return None
            # Only the rows that a buffer slides by become fewer with more parts.
            slides = sum(self.tensors[name].width * self.tensors[name].height
                         for name in self.inner) // parts
            rest = free - shape.words + slides
            parts = min(max(parts + 1, -(-slides * parts // rest)) if rest > 0 else most, most)

    def _shape(self, rows: int, behind: int, parts: int, resident: set[str],
               streamed: set[str]) -> ChainShape:
        key = (rows, behind, parts, *(name in resident for name in self.outer()),
               *(name in streamed for name in self.outer()))
        if key not in self._known:
            self._known[key] = self._made(rows, behind, parts, resident, streamed)
        return self._known[key]

    def _made(self, rows: int, behind: int, parts: int, resident: set[str],
              streamed: set[str]) -> ChainShape:
        count, height = len(self.ops), self.ops[-1].height
        steps: list[tuple[int, Tile]] = []
        origins: list[list[int]] = [[] for _ in range(count)]
        pitches, extents = [0] * count, [0] * count
        steps_each = math.ceil(math.ceil(height / rows) / parts)
        for part, top in enumerate(range(0, height, steps_each * rows)):
            starts = self._back(top, _Need.first, min)
            mine = [(number, Tile(begin, 0, end - begin, self.ops[number].width, part))
                    for number, begin, end in self._turns(
                        starts, top, min(top + steps_each * rows, height), rows, behind)]
            self._measure(mine, starts, pitches, extents)
            for number, start in enumerate(starts):
                origins[number].append(start)
            steps += mine
        most = [max(tile.height for number, tile in steps if number == wanted)
                for wanted in range(count)]
        sliding = {}
        for number, op in enumerate(self.ops):
            if op.output in self.inner:
                tensor = self.tensors[op.output]
                words = tensor.width * ((tensor.groups(self.config.group) - 1) * pitches[number]
                                        + extents[number])
                sliding[op.output] = Sliding(pitches[number], words, tuple(origins[number]))
        words = sum(item.words for item in sliding.values()) + 2 * sum(
            op.words(self.tensors[name], most[number], op.width)
            for number, op in enumerate(self.ops)
            for name in op.operands if name not in self.inner | resident)
        return ChainShape(steps, sliding, most, words, self._cycles(steps, resident, streamed))

    def _back(self, last, rows_of, choose) -> list[int]:  # type: ignore[no-untyped-def]
        """From a row of the last output to one of each operator's."""
        found = [last] * len(self.ops)
        for number in range(len(self.ops) - 2, -1, -1):
            found[number] = choose(rows_of(need, found[need.user]) for need in self._needs[number])
        return found

    def _turns(self, starts: list[int], top: int, bottom: int, rows: int,
               behind: int) -> Iterator[tuple[int, int, int]]:
        """(operator, first row, end) of each step of a part, in order."""
        ends = [self._back(min(end, bottom), _Need.end, max)
                for end in range(top + rows, bottom + rows, rows)]
        done = list(starts)
        for turn in range(len(ends) + behind * (len(self.ops) - 1)):
            for number in range(len(self.ops)):
                step = turn - behind * number
                if 0 <= step < len(ends) and ends[step][number] > done[number]:
                    yield number, done[number], ends[step][number]
                    done[number] = ends[step][number]

    def _measure(self, steps: list[tuple[int, Tile]], starts: list[int], pitches: list[int],
                 extents: list[int]) -> None:
        """Enlarge pitches and extents to what a part's steps need."""
        needed = [self.tensors[op.output].height for op in self.ops]  # first row, by later steps
        for number, tile in reversed(steps):
            end = tile.y + tile.height
            pitches[number] = max(pitches[number], end - min(needed[number], tile.y))
            extents[number] = max(extents[number], end - starts[number])
            for writer, need in self._reads[number]:
                needed[writer] = min(needed[writer], need.first(tile.y))

    def _cycles(self, steps: list[tuple[int, Tile]], resident: set[str],
                streamed: set[str]) -> float:
        """The array's cycles or the memory's, whichever are more."""
        config, traffic, delay = self.config, Traffic(self.config), latency(self.config)
        for name in streamed & resident:
            tensor = self.tensors[name]
            traffic.load(transfer(config, tensor, tensor.height, tensor.width,
                                  tensor.groups(config.group)))
        traffic.mac(len(steps))
        # When rows of each operator's output are there, as (end, cycle) of its last steps.
        ready: list[deque[tuple[int, float]]] = [deque(maxlen=3) for _ in self.ops]
        now, part, table = 0.0, -1, -1
        for number, tile in steps:
            op, end = self.ops[number], tile.y + tile.height
            if tile.part != part:
                part = tile.part
                for rows in ready:
                    rows.clear()
            for writer, need in self._reads[number]:
                wanted = need.end(end)
                # None where it reads padding only.
                now = max(now, next((at for row, at in ready[writer] if row >= wanted), 0.0))
            if op.post.table is not None and table != number:
                # Loaded when nothing reads the one before any more.
                now, table = now + table_load(config, op), number
            now += -(-tile.height * tile.width // config.columns) * self.costs[number].tile
            ready[number].append((end, now + delay))
            traffic.load(self.costs[number].weights)
            for name in op.operands:
                if name not in self.inner | resident:
                    tensor = self.tensors[name]
                    first, last = op.groups(name)
                    cycles = transfer(config, tensor, *op.extent(tensor, tile.height, tile.width),
                                      last - first)
                    (traffic.store if name == op.output else traffic.load)(cycles)
        return max(now, traffic.cycles)
