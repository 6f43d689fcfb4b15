"""Where feature maps lie and how operators are tiled: nothing alive twice in one place."""

import numpy as np
import pytest

from golden.attributes import AveragePool, Clamp, Conv2D, DepthwiseConv2D, MaxPool
from golden.graph import Graph, Node, Quant, Tensor
from golden.spec.config import preset
from golden.spec.isa import MAC
from golden.spec.layout import BlockFormat, block_beats, parameter_item_beats
from golden.spec.numerics import IDENTITY
from sw.compiler.cost import Cost, op_cost
from sw.compiler.lower import lower
from sw.compiler.pack import pack_op
from sw.compiler.plan import plan_memory
from sw.compiler.split import split_wide
from sw.compiler.taps import sparse_taps
from sw.compiler.window import LayerTensor, Post, WindowOp
from sw.errors import ModelError
from sw.session import open_model
from tb.lib.quick import quick
from tb.lib.random_graphs import KINDS, RandomGraph

TINY = preset("tiny")
CONFIGS = [TINY, TINY.replace(bank_words=16), TINY.replace(bank_words=32, banks=8),
           preset("base", bank_words=16, banks=16), preset("base")]


def network(shape, *layers):
    """A chain of attributes on one input."""
    graph = Graph("chain")
    name = graph.add(Tensor("in", shape, "int8", Quant(0.1, 0))).name
    graph.inputs = (name,)
    for number, attrs in enumerate(layers):
        shape = attrs.shape(shape)
        output = graph.add(Tensor(f"t{number}", shape, "int8", Quant(0.1, 0))).name
        graph.nodes.append(Node(f"n{number}", (name,), (output,), attrs))
        name = output
    graph.outputs = (name,)
    graph.validate()
    return graph


def clamp():
    return Clamp(input_zero=0, scale=IDENTITY, output_zero=0)


def copy():
    """A layer of its own: a table would join the one before."""
    return MaxPool(window=(1, 1))


def channels(count):
    multiplier, pre, post = (np.full(count, value, np.int32) for value in IDENTITY)
    return {"bias": np.zeros(count, np.int32), "multiplier": multiplier, "pre": pre, "post": post,
            "input_zero": 0, "output_zero": 0}


def conv(inputs, outputs, window=1, stride=1):
    kernel = np.ones((outputs, window, window, inputs), np.int8)
    return Conv2D(kernel=kernel, window=(window, window), stride=(stride, stride),
                  **channels(outputs))


def planned(graph, config, limit=0):
    lowered = lower(graph, config)
    return lowered, plan_memory(config, lowered.ops, lowered.tensors,
                                [Cost(tile=100, pixels=limit)] * len(lowered.ops))


def regions(config, lowered, plan):
    """(key, first word, end, first operator, last operator) of everything in the scratchpad."""
    life = {}
    for index, op in enumerate(lowered.ops):
        if isinstance(op, WindowOp):
            for name in op.operands:
                life.setdefault(name, [index, index])[1] = index
    found = []
    for name, buffer in plan.resident.items():
        tensor = lowered.tensors[name]
        assert (buffer.rows, buffer.columns) == (tensor.height, tensor.width)
        size = buffer.plane * tensor.groups(config.group)
        found.append((name, buffer.base, buffer.base + size, *life[name]))
    for index, (op, item) in enumerate(zip(lowered.ops, plan.ops, strict=True)):
        if item is None:
            continue
        assert set(item.strips) == set(op.operands) - set(plan.resident)
        for name, buffers in item.strips.items():
            first, end = op.groups(name)
            for copy, buffer in enumerate(buffers):
                assert buffer.first_group == first and buffer.group(first) == buffer.base
                found.append((f"{name} strip {copy}", buffer.base, buffer.group(end), index, index))
    return found


def check_plan(config, lowered, plan, where=""):
    found = regions(config, lowered, plan)
    for number, (name, first, end, birth, death) in enumerate(found):
        assert 0 <= first < end <= config.words, f"{where}: {name} at {first} to {end}"
        for other, begin, stop, born, dead in found[:number]:
            apart = end <= begin or stop <= first or death < born or dead < birth
            assert apart, f"{where}: {name} at {first} to {end}, {other} at {begin} to {stop}"
    for op, item in zip(lowered.ops, plan.ops, strict=True):
        if item is not None:
            check_tiles(config, lowered, plan, op, item, where)


def check_tiles(config, lowered, plan, op, item, where):
    covered = np.zeros((op.height, op.width), int)
    for tile in item.tiles:
        covered[tile.y:tile.y + tile.height, tile.x:tile.x + tile.width] += 1
        for name, buffers in item.strips.items():
            if name not in op.sources:
                need = tile.height, tile.width
            else:
                tensor = lowered.tensors[name]
                need = [len(set(range(size)) & set(range(start * stride - pad, (
                            start + count - 1) * stride - pad + kernel)))
                        for size, start, count, stride, pad, kernel in (
                            (tensor.height, tile.y, tile.height, op.stride_y, op.pad_top,
                             op.kernel_height),
                            (tensor.width, tile.x, tile.width, op.stride_x, op.pad_left,
                             op.kernel_width))]
            assert all(b.rows >= need[0] and b.columns >= need[1] for b in buffers), (where, name)
    assert (covered == 1).all(), where
    shared = {(b.rows, b.columns) for name in op.sources
              for b in (item.strips.get(name) or [plan.resident[name]])}
    assert len(op.sources) == 1 or len(shared) == 1, (where, shared)
    copies = {len(buffers) for buffers in item.strips.values()}
    assert len(copies) <= 1 and copies <= ({1} if len(item.tiles) == 1 else {1, 2}), where


def needed(lowered, op, rows, columns, names):
    return sum(op.words(lowered.tensors[name], rows, columns) for name in names)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: f"{c.name}-{c.words}")
@pytest.mark.parametrize("seeds", quick(1, range(3), range(3, 12)), ids=str)
def test_random_graphs(config, kind, seeds):
    for seed in seeds:
        graph = RandomGraph(seed, kind, config.lanes, 200, 40).graph
        lowered = lower(graph, config)
        limits = [[0, config.columns, 7][(seed + index) % 3] for index in range(len(lowered.ops))]
        try:
            plan = plan_memory(config, lowered.ops, lowered.tensors,
                               [Cost(pixels=limit) for limit in limits])
        except ModelError as error:
            assert "not even one output pixel fits" in str(error)
            assert any(needed(lowered, op, 1, 1, op.operands) > config.words
                       for op in lowered.ops if isinstance(op, WindowOp)), (seed, error)
            continue
        check_plan(config, lowered, plan, f"seed {seed} {kind} {config.name}")
        for limit, item in zip(limits, plan.ops, strict=True):
            assert not limit or item is None or max(
                tile.height * tile.width for tile in item.tiles) <= limit, seed


@pytest.mark.parametrize("name", ["resnet8", "dscnn", "vww", "autoencoder"])
@pytest.mark.parametrize("config", [TINY, preset("base"), preset("base", bank_words=128)],
                         ids=lambda c: f"{c.name}-{c.words}")
def test_networks(name, config):
    lowered, plan = planned(open_model(name).graph, config)
    check_plan(config, lowered, plan, name)
    if config.words >= 8192:
        assert all(not item.strips for item in plan.ops if item), "base needs no strips here"


def test_all_resident_where_all_fits():
    """Buffers are given again when their feature map is dead."""
    graph = network((1, 10, 10, 4), *[clamp() for _ in range(6)])
    lowered, plan = planned(graph, TINY)
    assert set(plan.resident) == set(lowered.tensors)
    assert {buffer.base for buffer in plan.resident.values()} == {0, 100}
    assert not any(item.strips for item in plan.ops)
    assert all(len(item.tiles) == 1 for item in plan.ops[1:-1])  # those load or store
    check_plan(TINY, lowered, plan)


def test_the_largest_is_evicted():
    """What is too large passes through strips, what is small stays."""
    graph = network((1, 8, 8, 4), conv(4, 64, stride=1), conv(64, 4), copy())
    lowered, plan = planned(graph, TINY)
    assert set(plan.resident) == {"in", "t1", "t2"}  # 64, 64 and 64 words; t0 has 1024
    assert list(plan.ops[0].strips) == ["t0"] and list(plan.ops[1].strips) == ["t0"]
    check_plan(TINY, lowered, plan)


def test_who_only_passes_through_goes_first():
    """A feature map that this operator doesn't touch goes before one that it does."""
    graph = network((1, 11, 11, 8), copy(), conv(8, 4), copy())
    graph.outputs = ("t2", "t0")
    lowered = lower(graph, TINY)
    late = WindowOp("late", "Add", ["t2"], "t3", 11, 11, 1, 1, 0, 0, lowered.ops[2].blocks,
                    lowered.ops[2].post, 0, residual="in")
    lowered.tensors["t3"] = LayerTensor("t3", 11, 11, 4, 0.1, 0)
    lowered.ops.append(late)
    plan = plan_memory(TINY, lowered.ops, lowered.tensors, [Cost()] * 4)
    assert set(plan.resident) == set(lowered.tensors) - {"in"}
    assert list(plan.ops[0].strips) == list(plan.ops[3].strips) == ["in"]
    check_plan(TINY, lowered, plan)


def test_strips_take_turns():
    """Two of each where two fit, so that loads and stores overlap the array; one fills it."""
    graph = network((1, 30, 30, 4), MaxPool(window=(3, 3), stride=(1, 1)))
    _, plan = planned(graph, TINY)
    (item,) = plan.ops
    assert len(item.tiles) > 1
    assert {name: len(buffers) for name, buffers in item.strips.items()} == {"in": 2, "t0": 2}
    # 16 x 16 of input and a word of output: once in 512 words, not twice.
    graph = network((1, 32, 32, 4), AveragePool(window=(16, 16), stride=(16, 16)))
    lowered, plan = planned(graph, TINY)
    (item,) = plan.ops
    assert len(item.tiles) == 4 and {len(b) for b in item.strips.values()} == {1}
    check_plan(TINY, lowered, plan)


def test_pixel_limit():
    """Tiles of what streams its weights have no more pixels than columns."""
    lowered, plan = planned(network((1, 9, 7, 4), conv(4, 4)), TINY, limit=TINY.columns)
    (item,) = plan.ops
    assert {(tile.height, tile.width) for tile in item.tiles} == {(1, 3), (1, 1)}
    check_plan(TINY, lowered, plan)


def test_loads_come_in_pieces():
    """The array begins before a large input is there, be it gathered or not."""
    for kernel in (conv(3, 8, window=3, stride=2), conv(3, 8, window=7)):
        lowered, plan = planned(network((1, 96, 96, 3), kernel), preset("base", bank_words=4096))
        (op,) = lowered.ops
        assert (lowered.tensors[op.sources[0]].gather is not None) == (op.kernel_width == 1)
        assert len(plan.ops[0].tiles) >= 4 and set(op.sources) <= set(plan.resident)


def test_refusal():
    """A convolution needs all channels of one window at once."""
    with pytest.raises(ModelError) as caught:
        planned(network((1, 6, 6, 84), clamp(), conv(84, 4, window=5)), TINY)
    assert str(caught.value) == (
        "n1: not even one output pixel fits the scratchpad of 512 words, it needs "
        f"{5 * 5 * 21 + 1}; accepted is a larger bank_words")


def test_the_smallest_that_fits():
    """Strips of one pixel, once; with one word more the lane blocks part."""
    graph = network((1, 6, 6, 40), clamp(), conv(40, 24, window=5))
    words = 5 * 5 * 10 + 6  # 256
    lowered, plan = planned(graph, TINY.replace(bank_words=words // 4))
    check_plan(TINY, lowered, plan)
    assert len(plan.ops[1].tiles) == 4 and {len(b) for b in plan.ops[1].strips.values()} == {1}
    graph = network((1, 6, 6, 40), clamp(), conv(40, 28, window=5))
    lowered, plan = planned(graph, TINY.replace(bank_words=words // 4))
    check_plan(TINY, lowered, plan)
    assert [op.groups("t1") for op in lowered.ops[1:]] == [(0, 6), (6, 7)]


def wide(config, attrs, shape):
    lowered = lower(network(shape, attrs), config)
    plan = plan_memory(config, lowered.ops, lowered.tensors, [Cost()] * len(lowered.ops))
    check_plan(config, lowered, plan)
    return lowered, plan


@pytest.mark.parametrize("kind", ["average", "max", "depthwise"])
def test_wide_windows_are_split(kind):
    """Lane blocks of a window with too many channels become operators of their own."""
    kernel = np.ones((1, 25, 5, 62), np.int8)
    attrs = {"average": AveragePool(window=(25, 5)), "max": MaxPool(window=(25, 5)),
             "depthwise": DepthwiseConv2D(kernel=kernel, window=(25, 5), **channels(62))}[kind]
    lowered, _ = wide(TINY, attrs, (1, 25, 5, 62))
    # Of 16 channel groups of 125 words, three fit the 512 words, but only one fits twice.
    assert [op.groups("in") for op in lowered.ops] == [(n, n + 2) for n in range(0, 16, 2)]
    assert [op.groups("t0") for op in lowered.ops] == [(n, n + 2) for n in range(0, 16, 2)]
    assert [op.layer for op in lowered.ops] == list(range(8))
    assert sum(len(op.post.bias) for op in lowered.ops) == 62
    assert sum(op.macs for op in lowered.ops) == (62 * 125 if kind == "depthwise" else 0)


def test_split_once_where_twice_is_too_much():
    lowered, _ = wide(TINY.replace(bank_words=32), MaxPool(window=(10, 10)), (1, 10, 10, 12))
    assert [op.groups("in") for op in lowered.ops] == [(0, 1), (1, 2), (2, 3)]


def test_split_keeps_the_sources_it_reads():
    """Parts of a concatenation read the tensors of their channels only."""
    config = TINY.replace(bank_words=16)
    tensors = {name: LayerTensor(name, 1, 1, count, 0.1, 0)
               for name, count in (("a", 100), ("b", 100), ("out", 200))}
    blocks = sparse_taps(config, np.ones((200, 1, 1, 1), np.int8), np.repeat([0, 1], 100),
                         np.tile(np.arange(100), 2))
    post = Post(*(np.arange(200) for _ in range(4)), 0, -128, 127)
    op = WindowOp("op", "Concat", ["a", "b"], "out", 1, 1, 1, 1, 0, 0, blocks, post, 0)
    parts = split_wide(config, op, tensors)
    assert [part.sources for part in parts] == [["a"], ["a", "b"], ["b"], ["b"]]
    assert [part.first_block for part in parts] == [0, 16, 32, 48]
    assert parts[1].groups("a") == (16, 25) and parts[1].groups("b") == (0, 7)
    assert np.concatenate([part.post.bias for part in parts]).tolist() == list(range(200))


def test_more_lane_blocks_than_an_instruction_counts():
    most = next(field for field in MAC.fields if field.name == "blocks").range[1]
    count = 4 * (most + 1)
    config = TINY.replace(bank_words=4096)
    tensors = {name: LayerTensor(name, 1, 1, count, 0.1, 0) for name in ("in", "out")}
    blocks = sparse_taps(config, np.ones((count, 1, 1, 1), np.int8), np.zeros(count, int),
                         np.arange(count))
    post = Post(*(np.zeros(count, int) for _ in range(4)), 0, -128, 127)
    op = WindowOp("op", "Clamp", ["in"], "out", 1, 1, 1, 1, 0, 0, blocks, post, 0)
    assert [len(part.blocks) for part in split_wide(config, op, tensors)] == [most, 1]


def test_strips_fill_the_columns():
    """Strips of 14 columns have 4 rows (7 x 8 pixels), not 2 (3.5 x 8) or 3, if 4 fit."""
    config = preset("base", bank_words=512)
    lowered = lower(network((1, 14, 14, 16), conv(16, 400), conv(400, 16)), config)
    costs = [Cost(tile=400, weights=100), Cost(tile=400, weights=100)]
    plan = plan_memory(config, lowered.ops, lowered.tensors, costs)
    assert list(plan.ops[0].strips) == ["t0"]
    assert [tile.height for tile in plan.ops[0].tiles] == [4, 4, 4, 2]
    check_plan(config, lowered, plan)


def test_cost_of_an_operator():
    """Cycles of Q pixels and of the stream, as the layouts say."""
    config = preset("base")
    lowered = lower(network((1, 8, 8, 32), conv(32, 48), conv(48, 48, window=3)), config)
    first, second = (op_cost(config, op, pack_op(config, op, dense=False, single_tile=False))
                     for op in lowered.ops)
    # 3 lane blocks of 2 dense blocks; then of 9 x 3.
    assert (first.tile, second.tile) == (3 * 2 * 16, 3 * 27 * 16)
    assert (first.stays, second.stays, second.pixels) == (True, True, 0)
    assert first.weights == 3 * (parameter_item_beats(config) + 2 * block_beats(
        config, BlockFormat.DENSE, 16))
    small = config.replace(weight_rows=256)
    streamed = op_cost(small, lowered.ops[1], pack_op(small, lowered.ops[1], dense=False,
                                                      single_tile=False))
    assert (streamed.stays, streamed.pixels) == (False, 8)
