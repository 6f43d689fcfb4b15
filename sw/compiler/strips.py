"""Strips of one operator: how much of it runs at once where its feature maps pass through."""

from collections import Counter
from collections.abc import Callable, Set
from dataclasses import dataclass

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
    """Finds the strips of operators."""

    config: Config
    tensors: dict[str, LayerTensor]

    def words(self, op: WindowOp, rows: int, columns: int, resident: Set[str]) -> int:
        """Words of one set of strips."""
        return sum(op.words(self.tensors[name], rows, columns) for name in op.operands
                   if name not in resident)

    def best(self, op: WindowOp, cost: Cost, free: int, resident: Set[str],
             streamed: Set[str]) -> StripShape:
        """The fastest strips within ``free`` words, two of each if that is possible.

        Parameters
        ----------
        streamed : set of str
            Operands that cross to or from DRAM, be they resident or not.
        """
        rows, columns = min(op.height, MAX_EXTENT), min(op.width, MAX_EXTENT)
        if cost.pixels:
            columns = min(columns, cost.pixels)
            rows = min(rows, max(cost.pixels // columns, 1))
        most = 2 if self.words(op, 1, 1, resident) * 2 <= free else 1

        def copies(r: int, c: int) -> int:
            return 1 if (r, c) == (op.height, op.width) else most

        def fits(r: int, c: int) -> bool:
            return (self.words(op, r, c, resident) * copies(r, c) <= free and MAX_EXTENT >= max(
                (max(op.extent(self.tensors[name], r, c)) for name in op.operands
                 if name not in resident), default=0))

        rows = _largest(rows, lambda r: fits(r, columns))
        if not fits(rows, columns):
            columns = _largest(columns, lambda c: fits(rows, c))

        def shape(r: int) -> StripShape:
            used = copies(r, columns)
            return StripShape(r, columns, used, self._cycles(
                op, cost, (r, columns), used, resident, streamed))

        if not streamed or cost.pixels:
            return shape(rows)
        return min((shape(r) for r in range(rows, 0, -1)), key=lambda item: item.cycles)

    def _cycles(self, op: WindowOp, cost: Cost, size: tuple[int, int], copies: int,
                resident: Set[str], streamed: Set[str]) -> float:
        """Estimated: the array's cycles or the memory's, and what can't overlap."""
        tiles = StripShape(*size, copies, 0).tiles(op)
        strips = not resident >= set(op.operands)
        total, cycles = Traffic(self.config), 0.0
        total.load(cost.weights, 1 if cost.stays else len(tiles))
        total.mac(len(tiles))
        for (height, width), count in Counter((tile.height, tile.width) for tile in tiles).items():
            array = float(-(-height * width // self.config.columns) * cost.tile)
            if strips:
                mine = self._moved(op, height, width, resident, streamed - resident)
                # A buffer is free again, or full, some time after its last word.
                load, store = (part + latency(self.config) if part else 0.0
                               for part in (mine.loading, mine.storing))
                array = array + load + store if copies == 1 and len(tiles) > 1 else \
                    max(array, load, store)
            cycles += count * array
            total.add(self._moved(op, height, width, resident, streamed), count)
        first, last = (self._moved(op, tile.height, tile.width, resident, streamed)
                       for tile in (tiles[0], tiles[-1]))
        return first.loading + max(cycles, total.cycles - first.loading - last.storing) \
            + last.storing

    def _moved(self, op: WindowOp, rows: int, columns: int, resident: Set[str],
               names: Set[str]) -> Traffic:
        """A tile's strips of some feature maps, loaded and stored."""
        traffic = Traffic(self.config)
        for name in names:
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
