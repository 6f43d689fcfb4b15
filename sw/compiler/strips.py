"""Strips of one operator: how much of it runs at once where its feature maps pass through."""

from collections.abc import Callable, Set
from dataclasses import dataclass, field
from itertools import product

from golden.spec.config import Config
from sw.compiler.cost import Cost, Traffic, latency, transfer
from sw.compiler.tile import Tile
from sw.compiler.window import LayerTensor, WindowOp

__all__ = ["MAX_EXTENT", "StripShape", "Strips"]

MAX_EXTENT = 4095      # 12-bit counts of the instruction set


@dataclass(frozen=True)
class StripShape:
    """Tiles of an operator, and the sets of strips that they take turns in."""

    rows: int
    columns: int
    copies: int
    cycles: float

    def tiles(self, op: WindowOp) -> list[Tile]:
        """The tiles, in order."""
        return [Tile(y, x, min(self.rows, op.height - y), min(self.columns, op.width - x))
                for y in range(0, op.height, self.rows) for x in range(0, op.width, self.columns)]


@dataclass(frozen=True)
class Strips:
    """Finds the strips of one operator, and keeps what it found."""

    config: Config
    op: WindowOp
    cost: Cost
    tensors: dict[str, LayerTensor]
    _known: dict[tuple[object, ...], StripShape] = field(default_factory=dict, compare=False)
    _spent: dict[tuple[object, ...], float] = field(default_factory=dict, compare=False)

    def words(self, rows: int, columns: int, resident: Set[str]) -> int:
        """Words of one set of strips."""
        return sum(self.op.words(self.tensors[name], rows, columns) for name in self.op.operands
                   if name not in resident)

    def best(self, free: int, resident: Set[str], streamed: Set[str]) -> StripShape:
        """The fastest strips within ``free`` words, two of each if that is possible.

        Parameters
        ----------
        resident : set of str
            Feature maps that lie whole in the scratchpad.
        streamed : set of str
            Operands that cross to or from DRAM, be they resident or not.
        """
        resident = resident & set(self.op.operands)
        key = (free, frozenset(resident), frozenset(streamed))
        if key not in self._known:
            self._known[key] = self._found(free, resident, streamed)
        return self._known[key]

    def _found(self, free: int, resident: Set[str], streamed: Set[str]) -> StripShape:
        op = self.op
        rows, columns = min(op.height, MAX_EXTENT), min(op.width, MAX_EXTENT)
        if self.cost.pixels:
            columns = min(columns, self.cost.pixels)
            rows = min(rows, max(self.cost.pixels // columns, 1))
        most = 2 if self.words(1, 1, resident) * 2 <= free else 1

        def copies(r: int, c: int) -> int:
            return 1 if (r, c) == (op.height, op.width) else most

        def fits(r: int, c: int) -> bool:
            return (self.words(r, c, resident) * copies(r, c) <= free and MAX_EXTENT >= max(
                (max(op.extent(self.tensors[name], r, c)) for name in op.operands
                 if name not in resident), default=0))

        rows = _largest(rows, lambda r: fits(r, columns))
        if not fits(rows, columns):
            columns = _largest(columns, lambda c: fits(rows, c))

        def shape(r: int) -> StripShape:
            used = copies(r, columns)
            key = (r, columns, used, frozenset(resident), frozenset(streamed))
            if key not in self._spent:
                self._spent[key] = self._cycles((r, columns), used, resident, streamed)
            return StripShape(r, columns, used, self._spent[key])

        if not streamed or self.cost.pixels:
            return shape(rows)
        return min((shape(r) for r in range(rows, 0, -1)), key=lambda item: item.cycles)

    def _cycles(self, size: tuple[int, int], copies: int, resident: Set[str],
                streamed: Set[str]) -> float:
        """Estimated: the array's cycles or the memory's, and what can't overlap."""
        heights, widths = (_parts(whole, part) for whole, part in zip(
            (self.op.height, self.op.width), size, strict=True))
        count = sum(heights.values()) * sum(widths.values())
        strips = not resident >= set(self.op.operands)
        total, cycles = Traffic(self.config), 0.0
        total.load(self.cost.weights, 1 if self.cost.stays else count)
        total.mac(count)
        moved = {}
        for height, width in product(heights, widths):
            times = heights[height] * widths[width]
            array = float(-(-height * width // self.config.columns) * self.cost.tile)
            if strips:
                mine = self._moved(height, width, resident, streamed - resident)
                # A buffer is free again, or full, some time after its last word.
                load, store = (part + latency(self.config) if part else 0.0
                               for part in (mine.loading, mine.storing))
                array = array + load + store if copies == 1 and count > 1 else \
                    max(array, load, store)
            cycles += times * array
            moved[height, width] = self._moved(height, width, resident, streamed)
            total.add(moved[height, width], times)
        first, *_, last = [*moved.values()] * 2
        return first.loading + max(cycles, total.cycles - first.loading - last.storing) \
            + last.storing

    def _moved(self, rows: int, columns: int, resident: Set[str], names: Set[str]) -> Traffic:
        """A tile's strips of some feature maps, loaded and stored."""
        traffic, op = Traffic(self.config), self.op
        for name in (name for name in op.operands if name in names):
            tensor = self.tensors[name]
            first, end = op.groups(name)
            height, width = op.extent(tensor, rows, columns)
            if name in resident and name in op.sources:  # what two tiles share comes once
                height = min(rows * op.stride_y, height)
            cycles = transfer(self.config, tensor, height, width, end - first)
            # Parts of rows lie apart: an instruction for each channel group.
            apart = width < tensor.width and not (tensor.bytes_in_dram or tensor.gather)
            count = end - first if apart else 1
            if name == op.output:
                traffic.store(cycles / count, count)
            if name in op.reads:
                traffic.load(cycles / count, count)
        return traffic


def _parts(whole: int, part: int) -> dict[int, int]:
    """How many parts there are of each size: whole ones first, then what is left."""
    sizes = {part: whole // part, whole % part: 1}
    return {size: count for size, count in sizes.items() if size and count}


def _largest(most: int, good: Callable[[int], bool]) -> int:
    """Largest value from 1 to most that is good (1 if none), good being monotonic."""
    low, high = 1, most
    if good(most):
        return most
    while low < high:
        middle = (low + high + 1) // 2
        if good(middle):
            low = middle
        else:
            high = middle - 1
    return low
