"""Chains: what slides is where it is read, nothing is computed too late, and bytes stay equal."""

import itertools

import numpy as np
import pytest

from golden.graph import Concat, DepthwiseConv2D
from golden.spec.config import preset
from golden.spec.isa import Opcode, decode
from golden.spec.program import ChipStep
from sw.compiler import compile_graph, fuse
from sw.compiler.chain import Chain, inner_tensors
from sw.compiler.cost import Cost, latency, op_cost
from sw.compiler.lower import lower
from sw.compiler.pack import pack_op
from sw.compiler.plan import plan_memory
from sw.engines.machine import MachineTransport
from sw.errors import ModelError
from sw.report.figures import intervals
from tb.lib.compare import check_graph, run_from_clean_memory
from tb.lib.graph_builder import Builder
from tb.lib.quick import quick
from tb.lib.random_chains import RandomChain, force_chains

TINY = preset("tiny")
SMALL = preset("base", bank_words=128)  # 1024 words of 16 channels


def block(shape=(1, 20, 6, 8), expanded=40, stride=1, adds=True):
    """Expansion, depthwise convolution, projection, addition of the input."""
    built = Builder(shape)
    wide = built.conv("t0", expanded)
    middle = built.depthwise(wide, (3, 3), pads=(1, 1, 1, 1), stride=(stride, stride))
    narrow = built.conv(middle, shape[3])
    return built.finish(built.sum(narrow, "t0") if adds else narrow)


def prepared(graph, config):
    """(lowered, costs)."""
    lowered = lower(graph, config)
    return lowered, [op_cost(config, op, pack_op(config, op, dense=False, single_tile=False))
                     for op in lowered.ops]


def whole_chain(graph, config):
    lowered, costs = prepared(graph, config)
    inner = inner_tensors(lowered.ops, lowered.tensors, costs, config.group, 0, len(lowered.ops))
    assert inner is not None
    return Chain(config, 0, lowered.ops, costs, lowered.tensors, inner)


def walk(chain, shape):
    """Write and read every row of every group where the shape says it lies."""
    group = chain.config.group
    memory = {name: {} for name in shape.sliding}
    made = [set() for _ in chain.ops]
    for number, tile in shape.steps:
        op = chain.ops[number]
        assert (tile.x, tile.width) == (0, op.width) and tile.height > 0
        for name, window in [(op.sources[0], (op.stride_y, op.pad_top, op.kernel_height)),
                             (op.residual, (1, 0, 1))]:
            if name not in shape.sliding:
                continue
            tensor, slide = chain.tensors[name], shape.sliding[name]
            rows = {y * window[0] - window[1] + dy for y in range(tile.y, tile.y + tile.height)
                    for dy in range(window[2])} & set(range(tensor.height))
            for row, channel in itertools.product(rows, range(tensor.groups(group))):
                at = channel * slide.pitch + row - slide.origins[tile.part]
                assert memory[name].get(at) == (tile.part, row, channel), (number, tile, name, row)
        made[number] |= set(range(tile.y, tile.y + tile.height))
        if op.output in shape.sliding:
            tensor, slide = chain.tensors[op.output], shape.sliding[op.output]
            for channel in range(tensor.groups(group)):
                for row in range(tile.y, tile.y + tile.height):
                    at = channel * slide.pitch + row - slide.origins[tile.part]
                    assert 0 <= at and (at + 1) * tensor.width <= slide.words
                    memory[op.output][at] = (tile.part, row, channel)
    assert made[-1] == set(range(chain.ops[-1].height))


def test_every_row_is_where_it_is_read():
    """Of random chains, any number of rows a step and any number of parts."""
    walked = 0
    for seed in range(30):
        drawn = RandomChain(seed, TINY.lanes)
        lowered, costs = prepared(drawn.graph, TINY)
        for first, end in itertools.combinations(range(len(lowered.ops) + 1), 2):
            inner = inner_tensors(lowered.ops, lowered.tensors, costs, TINY.group, first, end)
            if end - first < 2 or inner is None:
                continue
            chain = Chain(TINY, first, lowered.ops[first:end], costs[first:end], lowered.tensors,
                          inner)
            height = chain.ops[-1].height
            for rows, behind, parts in itertools.product((1, 2, 3, height), (0, 1),
                                                         (1, 2, height)):
                walk(chain, chain._shape(rows, behind, parts, set(), set()))
                walked += 1
    assert walked > 500


def test_sliding_needs_fewer_words():
    """One row of one group more for each row, and with more parts fewer of them."""
    chain = whole_chain(block().graph, TINY)
    # 20 x 6 x 10 groups: 1200 words each, if they lay there whole.
    whole = chain._shape(1, 0, 1, set(), set())
    assert [item.pitch for item in whole.sliding.values()] == [3, 1]
    assert [item.words for item in whole.sliding.values()] == [6 * (9 * 3 + 20), 6 * (9 + 20)]
    parted = chain._shape(1, 0, 4, set(), set())
    assert [item.words for item in parted.sliding.values()] == [6 * (9 * 3 + 7), 6 * (9 + 5)]
    assert [len(item.origins) for item in parted.sliding.values()] == [4, 4]
    assert parted.sliding[chain.ops[0].output].origins == (0, 4, 9, 14)
    assert parted.words < whole.words and parted.cycles > whole.cycles


def test_steps_behind_hide_the_latency():
    config = preset("base")
    chain = whole_chain(block((1, 20, 32, 32), 96).graph, config)
    turns, behind = (chain._shape(2, late, 1, set(), set()) for late in (0, 1))
    assert behind.words > turns.words
    assert turns.cycles - behind.cycles > 15 * latency(config)
    rows = [[(n, tile.y, tile.height) for n, tile in shape.steps[:6]] for shape in (turns, behind)]
    assert rows[0] == [(0, 0, 3), (1, 0, 2), (2, 0, 2), (0, 3, 2), (1, 2, 2), (2, 2, 2)]
    assert rows[1] == [(0, 0, 3), (0, 3, 2), (1, 0, 2), (0, 5, 2), (1, 2, 2), (2, 0, 2)]


def test_best_fits_and_is_monotonic():
    """More room never makes it slower; below the least there is none."""
    chain = whole_chain(block().graph, TINY)
    least, before = chain.least(set()), float("inf")
    assert chain.best(least - 1, set(), set()) is None
    for free in range(least, 1400, 50):
        shape = chain.best(free, set(), set())
        assert shape.words <= free and shape.cycles <= before
        before = shape.cycles


@pytest.mark.parametrize(("what", "graph"), [
    ("read later", lambda: [built := Builder((1, 9, 4, 8)), first := built.conv("t0", 8),
                            second := built.conv(first, 8), third := built.conv(second, 8),
                            built.finish(third, first)][-1]),
    ("two sources", lambda: [built := Builder((1, 9, 4, 8)), first := built.conv("t0", 8),
                             second := built.add(Concat(axis=3), first, "t0"),
                             built.finish(built.conv(second, 8))][-1]),
])
def test_no_chain(what, graph):
    lowered, costs = prepared(graph().graph, TINY)
    assert inner_tensors(lowered.ops, lowered.tensors, costs, TINY.group, 0, 3) is None, what


def test_no_chain_of_streamed_weights():
    lowered, costs = prepared(block().graph, TINY)
    costs[1] = Cost(pixels=TINY.columns)
    assert inner_tensors(lowered.ops, lowered.tensors, costs, TINY.group, 0, 3) is None
    assert inner_tensors(lowered.ops, lowered.tensors, costs, TINY.group, 0, 1) == set()


def test_a_chain_that_does_not_fit_is_refused():
    lowered, costs = prepared(block((1, 20, 100, 8)).graph, TINY)
    inner = inner_tensors(lowered.ops, lowered.tensors, costs, TINY.group, 0, 3)
    chain = Chain(TINY, 0, lowered.ops, costs, lowered.tensors, inner)
    with pytest.raises(ModelError, match="not even one row of a chain fits the scratchpad of 512"):
        plan_memory(TINY, lowered.ops, lowered.tensors, costs, [chain])
    program = compile_graph(block((1, 20, 100, 8)).graph, TINY)
    assert sum(row["ideal_cycles"] for row in program.layers)


def traffic(config, graph, inputs, chain=True):
    """(result, bytes read and written, program) on the machine."""
    program = compile_graph(graph, config, chain=chain)
    assert bool(program.info["chains"]) == chain
    result, _ = run_from_clean_memory(MachineTransport(config, memory_bytes=1 << 22), program,
                                      inputs)
    return result, sum(result.counters[name] for name in ("beats_read", "beats_written")
                       ) * config.group, program


@pytest.mark.parametrize(("stride", "adds"), [(1, True), (1, False), (2, False)])
def test_chains_save_traffic_and_cycles(stride, adds):
    built = block((1, 40, 12, 24), 96, stride, adds)
    result, moved, program = traffic(SMALL, built.graph, built.inputs)
    apart, most, _ = traffic(SMALL, built.graph, built.inputs, chain=False)
    assert result.cycles < 0.95 * apart.cycles
    assert moved < 0.9 * most
    for name in built.graph.outputs:
        assert np.array_equal(result.outputs[name], apart.outputs[name])
    # The records of long steps add up to the run.
    spans = intervals(result)
    assert len(spans) > len(program.layers) and spans[-1].end == result.cycles


def test_no_chain_where_all_is_resident():
    built = block()
    program = compile_graph(built.graph, preset("base"))
    (step,) = [step for step in program.steps if isinstance(step, ChipStep)]
    raw = program.constants[step.offset:step.offset + step.bytes]
    logs = [decode(raw[at:at + 64])[0] for at in range(0, len(raw), 64)].count(Opcode.LOG)
    assert logs == len(program.layers)


@pytest.mark.parametrize("stride", [1, 2])
def test_estimates_are_near_the_machine(stride, monkeypatch):
    """Chains are chosen by them."""
    kept = []
    made = fuse.plan_memory
    monkeypatch.setattr(fuse, "plan_memory", lambda *a: kept.append(made(*a)) or kept[-1])
    built = block((1, 56, 14, 32), 192, stride, False)
    result, *_ = traffic(SMALL, built.graph, built.inputs)
    assert len(kept) > 1
    assert min(plan.cycles for plan in kept) == pytest.approx(result.cycles, rel=0.04)


CONFIGS = [TINY, TINY.replace(bank_words=64, weight_rows=24), SMALL.replace(bank_words=64),
           preset("tiny", lanes=8, columns=5, drain=4, banks=2)]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.name}-{c.lanes}-{c.words}")
@pytest.mark.parametrize("seeds", quick(1, range(2), range(2, 8)), ids=str)
def test_random_chains(config, seeds, monkeypatch):
    """Golden = machine, its race detector on."""
    chained = 0
    for seed in seeds:
        planned = force_chains(monkeypatch, seed)
        drawn = RandomChain(seed, config.lanes, channels=10 * config.lanes)
        try:
            check_graph(config, drawn, MachineTransport(config, memory_bytes=1 << 22), None,
                        dense=seed % 4 == 3)
        except ModelError as error:
            assert "not even one output pixel" in str(error), seed
            continue
        chained += sum(bool(plan.turns) for plan in planned)
    assert chained >= len(seeds) // 2, chained


def test_tables_take_turns(monkeypatch):
    """Two additions in one chain need two tables, one after the other."""
    force_chains(monkeypatch, 3)
    built = Builder((1, 24, 8, 8))
    name = "t0"
    for _ in range(2):
        name = built.sum(built.conv(built.conv(name, 32), 8), name)
    built.finish(built.conv(built.clamp(built.conv(name, 48)), 8))
    check_graph(TINY, built, MachineTransport(TINY, memory_bytes=1 << 22), None)


def test_rows_of_padding_only(monkeypatch):
    """An operator whose last rows read nothing but padding waits for nobody."""
    force_chains(monkeypatch, 0)
    built = Builder((1, 12, 8, 40))
    wide = built.conv("t0", 60)
    kernel = np.ones((1, 2, 1, 60), np.int8)
    tail = built.add(DepthwiseConv2D(kernel=kernel, window=(2, 1), pads=(3, 4, 0, 0),
                                     **built.weighted(60)), wide)
    built.finish(built.conv(tail, 8))
    check_graph(TINY, built, MachineTransport(TINY, memory_bytes=1 << 22), None)
