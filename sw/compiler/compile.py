"""The compiler's passes in order, and the program they make."""

import dataclasses
import time
from collections.abc import Callable, Iterable

from golden.graph import Graph
from golden.spec.config import Config
from golden.spec.isa import Opcode
from golden.spec.layout import LOG_BYTES
from golden.spec.program import Binding, ChipStep, HostStep, Program
from golden.spec.registers import Region
from sw.compiler.beside import Beside, with_kernels
from sw.compiler.borders import borders
from sw.compiler.drop import drop_channels, share_of_work
from sw.compiler.emit import Emitter
from sw.compiler.fuse import plan_chains
from sw.compiler.gate import pack_gate, places
from sw.compiler.lower import lower
from sw.compiler.lowering import Lowered
from sw.compiler.pack import PackedOp, pack_op
from sw.compiler.permute import permute_channels
from sw.compiler.plan import OpPlan, Plan
from sw.compiler.transfer import Home
from sw.compiler.window import HostOp, KernelOp, WindowOp
from sw.drp.launcher import Launcher
from sw.drp.recipe import Ready, Recipe
from sw.drp.recorder import Recorder
from sw.drp.streamed import Streamed
from sw.errors import ModelError
from sw.instructions.constants import Constants
from sw.instructions.sync import Instruction, synchronize

__all__ = ["compile_graph"]

_ALIGN = 64
_AHEAD = 3000  # cycles of the array while which kernels are loaded


def compile_graph(graph: Graph, config: Config, *, dense: bool = False, chain: bool = True,
                  kernels: Recorder | None = None,
                  progress: Callable[[str], None] | None = None) -> Program:
    """Compile a network for one chip.

    Parameters
    ----------
    graph : Graph
    config : Config
    dense : bool
        Issue zero weights too: every block is packed at the N of the channels that exist.
    chain : bool
        Let operators take turns strip by strip where that saves cycles. ``info["chains"]`` of the
        program lists the tags of those that do.
    kernels : Recorder, optional
        Further work for the DRP, beside the network: their inputs and outputs follow its own.
    progress : callable or None
        Told the name of each pass as it begins.

    Raises
    ------
    ModelError
        If an operator is beyond the chip and the host's operators.
    InputError
        If a kernel of ``kernels`` can't be done.
    """
    started = time.perf_counter()

    def tell(text: str) -> None:
        if progress:
            progress(text)

    left: dict[str, float] = {}
    if not dense:
        tell("dropping channels without effect")
        whole, graph = graph, drop_channels(graph, config)
        left = share_of_work(whole, graph)
        tell("ordering channels")
        graph = permute_channels(graph, config)
    tell("lowering")
    lowered = lower(graph, config, dense=dense)
    if kernels:
        graph = with_kernels(graph, lowered, config, kernels)
    for op in lowered.ops:
        if isinstance(op, WindowOp):
            op.macs = round(op.macs / left.get(op.name, 1.0))
    tell("packing weights")
    packed = [None if not isinstance(op, WindowOp) else pack_gate(config, op) if op.gate else
              pack_op(config, op, dense=dense, single_tile=op.height * op.width <= config.columns)
              for op in lowered.ops]
    tell("planning memory")
    plan = _planned(config, lowered, packed, chain)
    tell("emitting instructions")
    program = _Assembly(graph, config, lowered, packed, plan).program()
    program.info |= {
        "dense": dense, "compile_seconds": time.perf_counter() - started,
        "chains": [sorted({lowered.ops[turn].layer for turn in turns})
                   for turns in plan.turns.values()],
        "saved": [_kept_bytes(plan, lowered, turns) for turns in plan.turns.values()]}
    return program


def _planned(config: Config, lowered: Lowered, packed: list[PackedOp | None],
             chain: bool) -> Plan:
    """The plan; kernels that would run beside the array wait where there is no room for them."""
    beside = [op for op in lowered.ops if isinstance(op, KernelOp) and op.beside]
    try:
        return plan_chains(config, lowered.ops, lowered.tensors, packed, chain)
    except ModelError:
        if not beside:
            raise
    for op in beside:
        op.beside = False
    return plan_chains(config, lowered.ops, lowered.tensors, packed, chain)


def _kept_bytes(plan: Plan, lowered: Lowered, turns: Iterable[int]) -> int:
    """What a chain doesn't write and read: the feature maps between its operators."""
    inner = {name for turn in set(turns) if (item := plan.ops[turn]) for name in item.slides}
    return sum(2 * lowered.tensors[name].height * lowered.tensors[name].width
               * lowered.tensors[name].channels for name in inner)


class _Assembly:
    def __init__(self, graph: Graph, config: Config, lowered: Lowered,
                 packed: list[PackedOp | None], plan: Plan) -> None:
        self.graph, self.config, self.lowered = graph, config, lowered
        self.packed, self.plan = packed, plan
        self.sizes = dict.fromkeys((Region.INPUT, Region.OUTPUT, Region.WORK), 0)
        self.homes: dict[str, Home] = {}
        self._assign_homes()
        self.constants = Constants()
        self.emitter = Emitter(config, lowered.tensors, self.homes, plan.resident, self.constants,
                               loaded_rows=self._not_produced())
        self._place_values()
        self.launcher = Launcher(config, self.constants) if config.fabric else None
        self.ideal = [self._ideal(item, tiling) if item and tiling else 0
                      for item, tiling in zip(packed, plan.ops, strict=True)]
        self.steps: list[ChipStep | HostStep] = []
        self.ready: dict[int, Ready] = {}  # kernels that are loaded, by operator
        self.beside = Beside()

    def program(self) -> Program:
        """Emit everything."""
        layers, crossing = [], borders(self.lowered)
        for index, op in enumerate(self.lowered.ops):
            if isinstance(op, HostOp):
                self._catch_up(0)
                self._end_step()
                self.steps.append(HostStep(
                    op.operator, op.name, op.attrs, [self._binding(n) for n in op.sources],
                    [self._binding(n) for n in op.writes], op.blobs))
                border = crossing[op.name]
                layers.append({"tag": op.layer, "name": op.name, "operator": op.operator,
                               "unit": "host", "macs": 0, "macs_skipped": 0, "ideal_cycles": 0,
                               "why": op.why, "host_macs": op.macs,
                               "parts": [list(part) for part in op.parts],
                               "bytes_from_chip": border.from_chip,
                               "bytes_to_chip": border.to_chip, "between": border.between})
                continue
            if isinstance(op, KernelOp):
                layers.append(self._kernels(index, op))
                continue
            member = self._member(index)
            layers.append(self._row(*member))
            if index in self.plan.turns:
                turns = [turn - index for turn in self.plan.turns[index]]
                self.emitter.chain([self._member(index + number)
                                    for number in range(max(turns) + 1)], turns)
            elif not member[2].chained:
                self.emitter.operator(*member)
            self._load_ahead(index)
            self._catch_up(self._work(index + 1))
        self._catch_up(0)
        self._end_step()
        return Program(
            network=self.graph.name, config=dataclasses.asdict(self.config),
            digest=self.config.digest(), constants=bytes(self.constants.data),
            regions={**self.sizes, Region.LOG: self.emitter.log_records * LOG_BYTES},
            inputs=[self._binding(name) for name in self.graph.inputs],
            outputs=[self._binding(name) for name in self.graph.outputs],
            steps=self.steps, layers=layers)

    def _member(self, index: int) -> tuple[WindowOp, PackedOp, OpPlan]:
        """An operator of the chip with its weights and tiles."""
        op, packed, plan = self.lowered.ops[index], self.packed[index], self.plan.ops[index]
        assert isinstance(op, WindowOp) and packed is not None and plan is not None
        return op, packed, plan

    def _load_ahead(self, index: int) -> None:
        """Some cycles before an operator of the DRP: what it needs, if nothing replaces it."""
        ops = self.lowered.ops
        kernels = [(place, op) for place, op in enumerate(ops) if isinstance(op, KernelOp)]
        recipes = [(place, op.recipe) for place, op in kernels if isinstance(op.recipe, Recipe)]
        if not self.launcher or len(recipes) != 1 or self.ready:
            return
        ((place, recipe),) = recipes
        if self._work(index + 2, place) > _AHEAD:
            return
        if (place < index or not recipe.together()
                or any(isinstance(op, HostOp) for op in ops[index:place])):
            return
        # Of others whose strips may come in between; their states differ in the counts of loops.
        others = [state for _, op in kernels if isinstance(op.recipe, Streamed)
                  for state in op.recipe.compiled.states]
        if not self.launcher.reserve(recipe.contexts() + sum(state.ii for state in others),
                                     recipe.states() + 4 * len(others)):
            return
        loads, self.ready[place] = recipe.prepare(
            self.config, self.launcher, ops[place].layer, self.plan.kernels[place])
        self.emitter.append(loads)

    def _work(self, first: int, end: int | None = None) -> int:
        """Cycles of the array in operators [first, end)."""
        return sum(self.ideal[first:end])

    def _catch_up(self, left: int) -> None:
        """Emit of the kernels that run beside the array as much as belongs before the last
        ``left`` cycles of its work."""
        for layer, part, last in self.beside.due(left):
            self.emitter.append(part)
            if last:
                self.emitter.log(layer)

    def _kernels(self, index: int, op: KernelOp) -> dict[str, object]:
        """Emit an operator of the DRP; its row for reports."""
        homes = {name: (home.region, home.offset) for name in (*op.sources, *op.writes)
                 for home in [self.homes[self.lowered.root.get(name, name)]]}
        assert self.launcher
        row: dict[str, object] = {
            "tag": op.layer, "name": op.name, "operator": op.operator, "unit": "drp", "macs": 0,
            "macs_skipped": 0, "ideal_cycles": 0, "kernels": op.recipe.names, "beside": False}
        word = self.plan.kernels[index]
        if op.beside and isinstance(op.recipe, Streamed) and (work := self._work(index)):
            self.beside.add(op.layer, op.recipe.parts(
                self.config, self.launcher, op.layer, word, homes),
                op.recipe.steps(self.config), work)
            return {**row, "beside": True}
        if ready := self.ready.pop(index, None):
            self.emitter.append(ready(homes))
        else:
            self.emitter.append(op.recipe.emit(self.config, self.launcher, op.layer, word, homes))
        self.emitter.log(op.layer)
        return row

    def _end_step(self) -> None:
        instructions = self.emitter.flush()
        if not instructions:
            return
        spaces = {}
        if self.launcher:
            spaces = self.launcher.spaces
            self.launcher.begin()
        synchronize(instructions, {"sp": self.config.words, "table": 1, **spaces,
                                   Region.CONSTANTS.name: self.values_end,
                                   **{region.name: size for region, size in self.sizes.items()}})
        instructions.append(Instruction(Opcode.END, {}))
        raw = b"".join(self._encoded(item) for item in instructions)
        self.steps.append(ChipStep(self.constants.add(raw), len(raw)))

    def _encoded(self, item: Instruction) -> bytes:
        """The instruction's bytes; a tensor beyond its fields is the model's fault."""
        try:
            return item.encode()
        except ValueError as error:
            op = self.lowered.ops[item.fields["tag"]]
            raise ModelError(f"node {op.name!r} ({op.operator}): its tensors are beyond the "
                             f"instruction set: {error}") from error

    def _assign_homes(self) -> None:
        tensors = self.lowered.tensors
        inner = {name for item in self.plan.ops if item for name in item.slides}
        for name, tensor in tensors.items():
            if tensor.alias is not None or name in inner or tensor.values:
                continue
            if name in self.graph.inputs:
                region = Region.INPUT
            elif any(self.lowered.root.get(n, n) == name for n in self.graph.outputs):
                region = Region.OUTPUT
            else:
                region = Region.WORK
            if tensor.bytes_in_dram:
                self.homes[name] = Home(region, self._reserve(region, tensor.bytes), False)
            elif name not in self.plan.resident:
                words = tensor.height * tensor.width * tensor.groups(self.config.group)
                self.homes[name] = Home(
                    region, self._reserve(region, words * self.config.group), True)
        for name, tensor in tensors.items():
            if tensor.alias is not None:
                self.homes[name] = self.homes[self.lowered.root.get(tensor.alias, tensor.alias)]

    def _place_values(self) -> None:
        """Weight streams whose values are computed come first; those are stored there."""
        for index, op in enumerate(self.lowered.ops):
            if isinstance(op, WindowOp) and op.gate:
                offset, _ = self.emitter.stream(*self._member(index))
                at = places(self.config, op.gate)
                self.homes[op.gate.tensor] = Home(Region.CONSTANTS, offset, True, at.stride,
                                                  at.copies)
        self.values_end = len(self.constants.data)

    def _reserve(self, region: Region, size: int) -> int:
        offset = self.sizes[region]
        self.sizes[region] = offset + -(-size // _ALIGN) * _ALIGN
        return offset

    def _not_produced(self) -> dict[str, int]:
        """Rows present of every feature map that begins in DRAM."""
        produced = {op.output for op in self.lowered.ops if isinstance(op, WindowOp)}
        return {name: 0 for name in self.lowered.tensors if name not in produced}

    def _binding(self, name: str) -> Binding:
        tensor = self.graph.tensors[name]
        home = self.homes[self.lowered.root.get(name, name)]
        quant = tensor.quant
        return Binding(name, home.region, home.offset, tensor.shape, tensor.dtype,
                       quant.scale if quant else 1.0, quant.zero_point if quant else 0)

    def _row(self, op: WindowOp, packed: PackedOp, plan: OpPlan) -> dict[str, object]:
        """What reports need to know of a layer before it runs."""
        pixels = op.height * op.width
        issued = sum(block.real for block in packed.blocks) * pixels
        again = sum(block.again for block in packed.blocks) * pixels
        return {"tag": op.layer, "name": op.name, "operator": op.operator, "unit": "mac",
                "macs": op.macs, "macs_skipped": max(op.macs - issued, 0), "macs_again": again,
                "ideal_cycles": self._ideal(packed, plan)}

    def _ideal(self, packed: PackedOp, plan: OpPlan) -> int:
        """Cycles of the array alone."""
        tiles = sum(-(-tile.height * tile.width // self.config.columns) for tile in plan.tiles)
        return tiles * sum(max(rows, self.config.drain_cycles) for rows in packed.rows)
