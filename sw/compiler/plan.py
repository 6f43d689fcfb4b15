"""Where every feature map lives and how every operator is tiled.

A feature map is *resident* (whole in the scratchpad for its lifetime) or lives in DRAM and passes
through strip buffers, two of each so that loads and stores overlap the array. All start out
resident; while some operator does not fit, the largest feature map alive there moves to DRAM.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from golden.spec.config import Config
from sw.compiler.window import HostOp, LayerTensor, WindowOp
from sw.errors import ModelError

__all__ = ["Buffer", "OpPlan", "Plan", "Tile", "plan_memory"]

_MAX_EXTENT = 4095      # 12-bit counts of the instruction set
_CHUNK_WORDS = 256      # words loaded before the first strip computes
_MAX_CHUNKS = 8


@dataclass(frozen=True)
class Tile:
    """A rectangle of an operator's output."""

    y: int
    x: int
    height: int
    width: int


@dataclass
class Buffer:
    """Scratchpad words that hold a feature map, or a strip of it of ``rows`` x ``columns``.

    ``base`` is where its channel group ``first_group`` begins; later ones follow it.
    """

    base: int
    rows: int
    columns: int
    first_group: int = 0

    @property
    def plane(self) -> int:
        """Words per channel group."""
        return self.rows * self.columns

    def group(self, number: int) -> int:
        """Where a channel group begins, or would if the buffer held it."""
        return self.base + (number - self.first_group) * self.plane


@dataclass
class OpPlan:
    """Tiling of one operator; ``strips`` has the buffers (one or two) of each DRAM operand."""

    tiles: list[Tile]
    strips: dict[str, list[Buffer]] = field(default_factory=dict)


@dataclass
class Plan:
    """``resident`` has the buffer of each resident feature map; ``ops`` follow the operators."""

    resident: dict[str, Buffer]
    ops: list[OpPlan | None]


class _Shape(NamedTuple):
    """Tiles of an operator, and the sets of strips that they take turns in."""

    rows: int
    columns: int
    copies: int


@dataclass
class _Item:
    """Something to be placed: words alive from operator ``birth`` to ``death``."""

    key: tuple[str, ...]
    words: int
    birth: int
    death: int
    base: int = -1


def plan_memory(config: Config, ops: list[WindowOp | HostOp], tensors: dict[str, LayerTensor],
                pixel_limit: list[int]) -> Plan:
    """Place and tile.

    Parameters
    ----------
    pixel_limit : list of int
        Per operator the most output pixels of one tile (a lane block larger than the weight ring
        streams, one tile of Q pixels at a time); 0 is no limit.

    Raises
    ------
    ModelError
        If not even one output pixel of some operator fits.
    """
    return _Planner(config, ops, tensors, pixel_limit).run()


class _Planner:
    def __init__(self, config: Config, ops: list[WindowOp | HostOp],
                 tensors: dict[str, LayerTensor], pixel_limit: list[int]) -> None:
        self.config, self.ops, self.tensors = config, ops, tensors
        self.pixel_limit = pixel_limit
        self.life: dict[str, tuple[int, int]] = {}
        for index, op in enumerate(ops):
            if isinstance(op, WindowOp):
                for name in op.operands:
                    self.life[name] = (self.life.get(name, (index, index))[0], index)
        self.resident = set(self.life)
        self.budget = [config.words] * len(ops)

    def words(self, name: str) -> int:
        tensor = self.tensors[name]
        return tensor.height * tensor.width * tensor.groups(self.config.group)

    def live(self, index: int) -> list[str]:
        return [name for name in self.resident
                if self.life[name][0] <= index <= self.life[name][1]]

    def run(self) -> Plan:
        while True:
            self._same_home()
            if not self._fits():
                continue
            shapes = [self._shape(index) for index in range(len(self.ops))]
            plan = self._place(shapes)
            if plan is not None:
                return plan

    def _same_home(self) -> None:
        """Sources that share entries of a group list must share their geometry."""
        for op in self.ops:
            if isinstance(op, WindowOp) and len(op.sources) > 1:
                if any(name not in self.resident for name in op.sources):
                    self.resident -= set(op.sources)

    def _fits(self) -> bool:
        """Evict from the first operator whose smallest tile does not fit; False if it did."""
        for index, op in enumerate(self.ops):
            if not isinstance(op, WindowOp):
                continue
            live = self.live(index)
            free = min(self.budget[index],
                       self.config.words - sum(self.words(name) for name in live))
            if free < self._strip_words(op, 1, 1) or self._extent_too_large(op, live):
                self._evict(index, live, op)
                return False
        return True

    def _extent_too_large(self, op: WindowOp, live: list[str]) -> bool:
        return any(max(self.tensors[name].width, self.tensors[name].height) > _MAX_EXTENT
                   for name in op.operands if name in live)

    def _evict(self, index: int, live: list[str], op: WindowOp) -> None:
        if not live:
            raise ModelError(
                f"{op.name}: not even one output pixel fits the scratchpad of "
                f"{self.config.words} words, it needs {self._strip_words(op, 1, 1)}; accepted is "
                "a larger bank_words")
        self._discard(max(live, key=lambda n: (n not in op.operands, self.words(n), n)))

    def _discard(self, name: str) -> None:
        self.resident.discard(name)
        self.budget = [self.config.words] * len(self.ops)  # there are other strips now

    def _strip_words(self, op: WindowOp, rows: int, columns: int) -> int:
        """Words of one set of strips."""
        return sum(op.words(self.tensors[name], rows, columns) for name in op.operands
                   if name not in self.resident)

    def _shape(self, index: int) -> _Shape | None:
        """The largest tiles that fit, twice if that is possible."""
        op = self.ops[index]
        if not isinstance(op, WindowOp):
            return None
        rows, columns = min(op.height, _MAX_EXTENT), min(op.width, _MAX_EXTENT)
        limit = self.pixel_limit[index]
        if limit:
            columns = min(columns, limit)
            rows = min(rows, max(limit // columns, 1))
        free = min(self.budget[index],
                   self.config.words - sum(self.words(name) for name in self.live(index)))
        most = 2 if self._strip_words(op, 1, 1) * 2 <= free else 1

        def fits(r: int, c: int) -> bool:
            copies = 1 if (r, c) == (op.height, op.width) else most
            return (self._strip_words(op, r, c) * copies <= free and _MAX_EXTENT >= max(
                (max(op.extent(self.tensors[name], r, c)) for name in op.operands
                 if name not in self.resident), default=0))

        rows = _largest(rows, lambda r: fits(r, columns))
        if not fits(rows, columns):
            columns = _largest(columns, lambda c: fits(rows, c))
        streamed = [name for name in op.operands if self._streams(index, name)]
        if streamed and not limit:
            words = max(self.words(name) for name in streamed)
            chunks = max(1, min(_MAX_CHUNKS, words // _CHUNK_WORDS))
            chunk = _largest(min(rows, -(-op.height // chunks)), lambda r: fits(r, columns))
            if fits(chunk, columns):
                rows = chunk
        return _Shape(rows, columns, 1 if (rows, columns) == (op.height, op.width) else most)

    def _streams(self, index: int, name: str) -> bool:
        """Does this tensor cross to or from DRAM while this operator runs?"""
        tensor = self.tensors[name]
        begins = tensor.bytes_in_dram or tensor.gather is not None
        return name not in self.resident or (begins and self.life[name][0] == index)

    def _place(self, shapes: list[_Shape | None]) -> Plan | None:
        """First fit, largest first; on failure shrink or evict and return None."""
        items = [_Item((name,), self.words(name), *self.life[name]) for name in self.resident]
        plans: list[OpPlan | None] = []
        for index, (op, shape) in enumerate(zip(self.ops, shapes, strict=True)):
            if not isinstance(op, WindowOp) or shape is None:
                plans.append(None)
                continue
            plans.append(OpPlan(_tiles(op, shape.rows, shape.columns)))
            words = self._strip_words(op, shape.rows, shape.columns)
            if words:
                items += [_Item(("strip", str(index), str(copy)), words, index, index)
                          for copy in range(shape.copies)]
        placed: list[_Item] = []
        for item in sorted(items, key=lambda i: (-i.words, i.birth, i.key)):
            item.base = _first_fit(item, placed, self.config.words)
            if item.base < 0:
                self._make_room(item)
                return None
            placed.append(item)
        resident = {}
        for item in placed:
            op, shape = self.ops[item.birth], shapes[item.birth]
            if len(item.key) == 3:
                plan = plans[item.birth]
                assert isinstance(op, WindowOp) and plan is not None and shape is not None
                base = item.base
                for name in op.operands:
                    if name not in self.resident:
                        tensor = self.tensors[name]
                        plan.strips.setdefault(name, []).append(Buffer(
                            base, *op.extent(tensor, shape.rows, shape.columns),
                            op.groups(name)[0]))
                        base += op.words(tensor, shape.rows, shape.columns)
            else:
                tensor = self.tensors[item.key[0]]
                resident[item.key[0]] = Buffer(item.base, tensor.height, tensor.width)
        return Plan(resident, plans)

    def _make_room(self, item: _Item) -> None:
        """Fragmentation: a strip tries smaller tiles, then the largest neighbour goes."""
        index = item.birth
        op = self.ops[index]
        if len(item.key) == 3 and isinstance(op, WindowOp):
            least = self._strip_words(op, 1, 1)
            if self.budget[index] > least:
                smaller = min(self.budget[index], 2 * item.words) * 3 // 4
                self.budget[index] = max(smaller, least)
                return
        # There is one: alone, a feature map fits, and so do the smallest strips.
        self._discard(max((name for name in self.resident if self.life[name][0] <= item.death
                           and self.life[name][1] >= item.birth),
                          key=lambda n: (self.words(n), n)))


def _largest(most: int, good) -> int:  # type: ignore[no-untyped-def]
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


def _tiles(op: WindowOp, rows: int, columns: int) -> list[Tile]:
    return [Tile(y, x, min(rows, op.height - y), min(columns, op.width - x))
            for y in range(0, op.height, rows) for x in range(0, op.width, columns)]


def _first_fit(item: _Item, placed: list[_Item], words: int) -> int:
    """Lowest base that is free over the item's lifetime, or -1."""
    base = 0
    for other in sorted((p for p in placed if p.birth <= item.death and p.death >= item.birth),
                        key=lambda p: p.base):
        if other.base - base >= item.words:
            break
        base = max(base, other.base + other.words)
    return base if base + item.words <= words else -1
