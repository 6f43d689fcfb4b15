"""Where every feature map lives and how every operator is tiled.

A feature map is *resident* (whole in the scratchpad for its lifetime) or lives in DRAM and passes
through strip buffers, two of each so that loads and stores overlap the array; those inside a chain
of operators slide through the scratchpad. All others start out resident; while some operator does
not fit, the largest feature map alive there moves to DRAM.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from golden.spec.config import Config
from sw.compiler.chain import Chain, ChainShape
from sw.compiler.cost import Cost
from sw.compiler.strips import MAX_EXTENT, Strips, StripShape
from sw.compiler.tile import Buffer, Tile
from sw.compiler.window import KernelOp, LayerTensor, Operator, WindowOp
from sw.errors import ModelError

__all__ = ["Buffer", "OpPlan", "Plan", "Slide", "Tile", "plan_memory", "plan_strips"]


@dataclass(frozen=True)
class Slide:
    """A feature map inside a chain: ``origins`` has the row at the buffer's begin of each part."""

    buffer: Buffer
    origins: tuple[int, ...]


@dataclass
class OpPlan:
    """Tiling of one operator.

    ``strips`` has the buffers (one or two) of each DRAM operand, ``slides`` those of each operand
    inside a chain.
    """

    tiles: list[Tile]
    strips: dict[str, list[Buffer]] = field(default_factory=dict)
    slides: dict[str, Slide] = field(default_factory=dict)

    @property
    def chained(self) -> bool:
        """Is it part of a chain?"""
        return bool(self.slides)


@dataclass
class Plan:
    """Where and how.

    ``resident`` has the buffer of each resident feature map; ``ops`` follow the operators;
    ``kernels`` has the first word of what each operator of the DRP takes.
    ``turns`` says, by a chain's first operator, whose next tile follows. ``cycles`` is estimated.
    """

    resident: dict[str, Buffer]
    ops: list[OpPlan | None]
    turns: dict[int, list[int]] = field(default_factory=dict)
    cycles: float = 0.0
    kernels: dict[int, int] = field(default_factory=dict)


@dataclass
class _Item:
    """Something to be placed: words alive from unit ``birth`` to ``death``."""

    key: tuple[str, ...]
    words: int
    birth: int
    death: int
    base: int = -1


class _Unit(NamedTuple):
    """Operators [first, end) that run together: one, or a chain."""

    first: int
    end: int
    chain: Chain | None


def plan_memory(config: Config, ops: list[Operator], tensors: dict[str, LayerTensor],
                costs: Sequence[Cost], chains: Sequence[Chain] = (),
                strips: Sequence[Strips | None] | None = None) -> Plan:
    """Place and tile.

    Parameters
    ----------
    costs : sequence of Cost
        Of each operator.
    chains : sequence of Chain
        Operators to run as chains, none in two of them.
    strips : sequence of (Strips or None), optional
        Those that `plan_strips` made of the same arguments: what other plans found need not be
        found again.

    Raises
    ------
    ModelError
        If not even one output pixel of some operator (one row of a chain) fits.
    """
    return _Planner(config, ops, tensors, chains,
                    strips or plan_strips(config, ops, tensors, costs)).run()


def plan_strips(config: Config, ops: list[Operator], tensors: dict[str, LayerTensor],
                costs: Sequence[Cost]) -> list[Strips | None]:
    """What finds the strips of each operator; None for the host's."""
    return [Strips(config, op, cost, tensors) if isinstance(op, WindowOp) else None
            for op, cost in zip(ops, costs, strict=True)]


class _Planner:
    def __init__(self, config: Config, ops: list[Operator],
                 tensors: dict[str, LayerTensor], chains: Sequence[Chain],
                 strips: Sequence[Strips | None]) -> None:
        self.config, self.ops, self.tensors, self.strips = config, ops, tensors, strips
        self.units: list[_Unit] = []
        starts = {chain.first: chain for chain in chains}
        while (first := self.units[-1].end if self.units else 0) < len(ops):
            chain = starts.get(first)
            self.units.append(_Unit(first, first + (len(chain.ops) if chain else 1), chain))
        self.operands = [self._operands(unit) for unit in self.units]
        self.life: dict[str, tuple[int, int]] = {}
        for index, names in enumerate(self.operands):
            for name in names:
                self.life[name] = (self.life.get(name, (index, index))[0], index)
        self.words = {name: tensors[name].height * tensors[name].width
                      * tensors[name].groups(config.group) for name in self.life}
        self.resident = {name for name in self.life if not tensors[name].values}
        self.taken = [0] * len(self.units)  # words of the feature maps resident there
        for name in self.resident:
            birth, death = self.life[name]
            for index in range(birth, death + 1):
                self.taken[index] += self.words[name]
        self.budget = [config.words] * len(self.units)
        # Kernels beside the array take turns in one area, which the others must leave them.
        self.beside = {index: op.recipe.words(config) for index, unit in enumerate(self.units)
                       if isinstance(op := ops[unit.first], KernelOp) and op.beside}
        for later in range(min(self.beside, default=len(self.units)) + 1, len(self.units)):
            self.taken[later] += max(self.beside.values())

    def _operands(self, unit: _Unit) -> list[str]:
        """Feature maps that a unit shares with others."""
        if unit.chain:
            return unit.chain.outer()
        op = self.ops[unit.first]
        return op.operands if isinstance(op, WindowOp) else []

    def live(self, index: int) -> list[str]:
        return [name for name in self.resident
                if self.life[name][0] <= index <= self.life[name][1]]

    def free(self, index: int) -> int:
        """Words that a unit may take besides the feature maps resident there."""
        return min(self.budget[index],
                   self.config.words - self.taken[index])

    def run(self) -> Plan:
        while True:
            self._same_home()
            if not self._fits():
                continue
            shapes = [self._shape(index) for index in range(len(self.units))]
            plan = self._place(shapes)
            if plan is not None:
                return plan

    def _same_home(self) -> None:
        """Sources that share entries of a group list must share their geometry."""
        together = [set(op.sources) for op in self.ops
                    if isinstance(op, WindowOp) and len(op.sources) > 1]
        while parted := [both for sources in together
                         if (both := self.resident & sources) and both != sources]:
            for name in parted[0]:  # which may part others
                self._remove(name)

    def _least(self, index: int) -> int:
        """Words of a unit's smallest strips."""
        unit = self.units[index]
        if unit.chain:
            return unit.chain.least(self.resident)
        op = self.ops[unit.first]
        if index in self.beside:
            return max(self.beside.values()) if index == min(self.beside) else 0
        if isinstance(op, KernelOp):
            return op.recipe.words(self.config)
        strips = self.strips[unit.first]
        return strips.words(1, 1, self.resident) if strips else 0

    def _fits(self) -> bool:
        """Evict from the first unit whose smallest strips do not fit; False if it did."""
        for index in range(len(self.units)):
            if not self.operands[index] and not self._least(index):
                continue
            if self.free(index) < self._least(index) or self._extent_too_large(index):
                self._evict(index)
                return False
        return True

    def _extent_too_large(self, index: int) -> bool:
        return any(max(self.tensors[name].width, self.tensors[name].height) > MAX_EXTENT
                   for name in self.operands[index] if name in self.resident)

    def _evict(self, index: int) -> None:
        live, operands = self.live(index), self.operands[index]
        if not live:
            unit = self.units[index]
            what = "not even one row of a chain fits" if unit.chain else \
                "its arrays don't fit" if isinstance(self.ops[unit.first], KernelOp) else \
                "not even one output pixel fits"
            raise ModelError(
                f"{self.ops[unit.first].name}: {what} the scratchpad of {self.config.words} "
                f"words, it needs {self._least(index)}; accepted is a larger bank_words")
        self._discard(max(live, key=lambda n: (n not in operands, self.words[n], n)))

    def _discard(self, name: str) -> None:
        self._remove(name)
        self.budget = [self.config.words] * len(self.units)  # there are other strips now

    def _remove(self, name: str) -> None:
        """A feature map goes to DRAM."""
        self.resident.remove(name)
        birth, death = self.life[name]
        for index in range(birth, death + 1):
            self.taken[index] -= self.words[name]

    def _shape(self, index: int) -> StripShape | ChainShape | None:
        """The fastest shape that fits."""
        unit = self.units[index]
        streamed = {name for name in self.operands[index] if self._streams(index, name)}
        if unit.chain:
            return unit.chain.best(self.free(index), self.resident, streamed)
        strips = self.strips[unit.first]
        return strips.best(self.free(index), self.resident, streamed) if strips else None

    def _streams(self, index: int, name: str) -> bool:
        """Does this tensor cross to or from DRAM while this unit runs?"""
        tensor = self.tensors[name]
        begins = tensor.bytes_in_dram or tensor.gather is not None
        return name not in self.resident or (begins and self.life[name][0] == index)

    def _place(self, shapes: list[StripShape | ChainShape | None]) -> Plan | None:
        """First fit, largest first; on failure shrink or evict and return None."""
        items = [_Item((name,), self.words[name], *self.life[name]) for name in self.resident]
        for index, shape in enumerate(shapes):
            last = len(shapes) - 1 if index in self.beside else index
            items += [_Item((str(index), *key), words, index, last)
                      for key, words in self._areas(index, shape) if words]
        placed: dict[tuple[str, ...], _Item] = {}
        for item in sorted(items, key=lambda i: (-i.words, i.birth, i.key)):
            item.base = _first_fit(item, placed.values(), self.config.words)
            if item.base < 0:
                self._make_room(item)
                return None
            placed[item.key] = item
        plan = Plan({name: Buffer(placed[name,].base, self.tensors[name].height,
                                  self.tensors[name].width) for name in sorted(self.resident)},
                    [None] * len(self.ops))
        bases: list[dict[tuple[str, ...], int]] = [{} for _ in shapes]
        for key, item in placed.items():
            if len(key) > 1:
                bases[int(key[0])][key[1:]] = item.base
        for index, (unit, shape) in enumerate(zip(self.units, shapes, strict=True)):
            self._fill(plan, unit, shape,
                       bases[min(self.beside) if index in self.beside else index])
        return plan

    def _areas(self, index: int, shape: StripShape | ChainShape | None,
               ) -> list[tuple[tuple[str, ...], int]]:
        """Keys and words of everything that a unit needs for itself."""
        unit = self.units[index]
        if isinstance(shape, StripShape):
            strips = self.strips[unit.first]
            assert strips
            words = strips.words(shape.rows, shape.columns, self.resident)
            return [((str(copy),), words) for copy in range(shape.copies)]
        areas: list[tuple[tuple[str, ...], int]] = []
        if isinstance(self.ops[unit.first], KernelOp):
            return [(("kernels",), self._least(index))]
        if shape and unit.chain:
            areas += [((name,), item.words) for name, item in shape.sliding.items()]
            for number, op in enumerate(unit.chain.ops):
                areas += [((str(number), name, str(copy)),
                           op.words(self.tensors[name], shape.rows[number], op.width))
                          for name in self._passing(op) for copy in range(2)]
        return areas

    def _passing(self, op: WindowOp) -> list[str]:
        """Operands that pass through strips."""
        return [name for name in op.operands if name in self.life and name not in self.resident]

    def _fill(self, plan: Plan, unit: _Unit, shape: StripShape | ChainShape | None,
              bases: dict[tuple[str, ...], int]) -> None:
        """Put a unit into the plan."""
        if isinstance(self.ops[unit.first], KernelOp):
            plan.kernels[unit.first] = bases["kernels",]
        if shape is None:
            return
        plan.cycles += shape.cycles
        if isinstance(shape, StripShape):
            op = self.ops[unit.first]
            assert isinstance(op, WindowOp)
            item = OpPlan(shape.tiles(op))
            for copy in range(shape.copies if bases else 0):
                base = bases[str(copy),]
                for name in self._passing(op):
                    tensor = self.tensors[name]
                    item.strips.setdefault(name, []).append(Buffer(
                        base, *op.extent(tensor, shape.rows, shape.columns), op.groups(name)[0]))
                    base += op.words(tensor, shape.rows, shape.columns)
            plan.ops[unit.first] = item
            return
        assert unit.chain
        plan.turns[unit.first] = [unit.first + number for number, _ in shape.steps]
        slides = {name: Slide(Buffer(bases[name,], item.pitch, self.tensors[name].width),
                              item.origins) for name, item in shape.sliding.items()}
        for number, op in enumerate(unit.chain.ops):
            item = OpPlan([tile for which, tile in shape.steps if which == number])
            item.slides = {name: slides[name] for name in op.operands if name in slides}
            for name in self._passing(op):
                extent = op.extent(self.tensors[name], shape.rows[number], op.width)
                item.strips[name] = [
                    Buffer(bases[str(number), name, str(copy)], *extent, op.groups(name)[0])
                    for copy in range(2)]
            plan.ops[unit.first + number] = item

    def _make_room(self, item: _Item) -> None:
        """Fragmentation: a unit tries smaller strips, then the largest neighbour goes."""
        index = item.birth
        if len(item.key) > 1:
            least = self._least(index)
            if self.budget[index] > least:
                shape = self._shape(index)
                taken = shape.words if isinstance(shape, ChainShape) else 2 * item.words
                self.budget[index] = max(min(self.budget[index], taken) * 3 // 4, least)
                return
        # There is one: alone, a feature map fits, and so do the smallest strips.
        self._discard(max((name for name in self.resident if self.life[name][0] <= item.death
                           and self.life[name][1] >= item.birth),
                          key=lambda n: (self.words[n], n)))


def _first_fit(item: _Item, placed: Iterable[_Item], words: int) -> int:
    """Lowest base that is free over the item's lifetime, or -1."""
    base = 0
    for other in sorted((p for p in placed if p.birth <= item.death and p.death >= item.birth),
                        key=lambda p: p.base):
        if other.base - base >= item.words:
            break
        base = max(base, other.base + other.words)
    return base if base + item.words <= words else -1
