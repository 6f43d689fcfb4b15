"""Bounds by hand, mappings of known graphs, random graphs through the whole mapper."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from golden.drp.arithmetic import evaluate
from golden.drp.stream import Loop, Stream, TapAt
from golden.drp.tile import Tile
from golden.spec.drp.fabric import fabric
from golden.spec.drp.operations import OPERATIONS, Kind, Op
from golden.spec.drp.streams import Format
from sw.drp.bounds import Bounds, bounds
from sw.drp.cache import Cache
from sw.drp.graph import Edge, Graph, Node, Role
from sw.drp.mapper.emit import emit
from sw.drp.mapper.search import MapError, search

BASE, BOARD, GRID3, TINY = (fabric(name) for name in ("base", "board", "grid3", "tiny"))


class Builder:
    """Graphs in few words; operands are node numbers or Edges, None the immediate."""

    def __init__(self):
        self.nodes = []

    def add(self, node):
        self.nodes.append(node)
        return len(self.nodes) - 1

    def op(self, op, *operands, immediate=0, **fields):
        edges = tuple(Edge(item) if isinstance(item, int) else item for item in operands)
        return self.add(Node(role=Role.OPERATION, op=op, operands=edges,
                             immediate=immediate & 0xFFFFFFFF, **fields))

    def pop(self, port=0, dbase=0):
        return self.add(Node(role=Role.POP, port=port, tap=TapAt(dbase=dbase)))

    def push(self, value, port=0):
        return self.add(Node(role=Role.PUSH, port=port, operands=(Edge(value),)))

    def graph(self, tables=()):
        return Graph(tuple(self.nodes), tables)


def convolution(reads=3):
    """3 x 3 with constant weights; ``reads`` rows are popped, neighbours come from history."""
    build = Builder()
    rows = [build.pop(dbase=4 * row) for row in range(reads)]
    total = None
    for number in range(9):
        edge = Edge(rows[number // 3], 2 - number % 3)
        product = build.op(Op.MUL, edge, None, immediate=number - 4)
        total = product if total is None else build.op(Op.ADD, total, product)
    build.push(total)
    return build.graph()


def convolution_with_loads():
    """The same with loads and addresses as nodes: a pointer that steps, nine offsets, nine
    loads."""
    build = Builder()
    pointer = build.op(Op.ADD, Edge(0, 1), None, immediate=1)
    total = None
    for number in range(9):
        place = pointer if number == 0 else build.op(
            Op.ADD, pointer, None, immediate=16 * (number // 3) + number % 3)
        loaded = build.op(Op.LOOKUP, place, None, table=0)
        product = build.op(Op.MUL, loaded, None, immediate=number - 4)
        total = product if total is None else build.op(Op.ADD, total, product)
    build.push(total)
    return build.graph((256,))


def chain(count, op, **fields):
    build = Builder()
    value = build.pop()
    for _ in range(count):
        value = build.op(op, value, None, immediate=1, **fields)
    build.push(value)
    return build.graph()


def recurrence():
    """A product around a cycle of distance 2: 3 + 1 steps in 2 iterations."""
    build = Builder()
    x = build.pop()
    product = build.op(Op.MUL, Edge(2, 2), x)
    total = build.op(Op.ADD, product, x)
    build.push(total)
    return build.graph()


def streams():
    """Seven values of one array, five of another, four input streams."""
    build = Builder()
    values = [build.pop(0) for _ in range(7)] + [build.pop(1) for _ in range(5)]
    total = values[0]
    for value in values[1:]:
        total = build.op(Op.ADD, total, value)
    build.push(total)
    return build.graph()


@pytest.mark.parametrize(("graph", "shape", "traffic", "wanted"), [
    # 17 operations, 9 elements: 2. No cycle.
    (convolution(), GRID3, (), Bounds(2, 1, 1)),
    # 9 multiplications on 4 multipliers: 3.
    (convolution(), BASE, (), Bounds(3, 1, 1)),
    # 35 operations on 9 elements: 4; 9 loads on 3 memories: 3. The pointer steps in 1.
    (convolution_with_loads(), GRID3, (), Bounds(4, 1, 1)),
    # 7 shifts on 2 shifters: 4. 15 steps of latency would fit 16 passes.
    (chain(7, Op.SLL), TINY, (), Bounds(4, 1, 1)),
    # (3 + 1) steps around distance 2: 2.
    (recurrence(), BASE, (), Bounds(1, 2, 1)),
    # 7 and 5 vectors on 4 streams of an array each: ceil(7/3) + ceil(5/3) = 5 > 4 streams at 3,
    # 2 + 2 at 4.
    (streams(), BASE, (), Bounds(4, 1, 1)),
    # 40 bytes an iteration through a port of 16: 3.
    (chain(2, Op.ADD), BASE, ([Fraction(24), Fraction(16)], [Fraction(3)]), Bounds(1, 1, 3)),
    # 40 additions in a row, pop before and push after: 41 steps, 16 passes: 3 (as 40 / 16).
    (chain(40, Op.ADD), BASE, (), Bounds(3, 1, 1))])
def test_bounds_by_hand(graph, shape, traffic, wanted):
    assert bounds(graph, shape, *traffic) == wanted


@pytest.mark.parametrize(("graph", "shape", "text"), [
    (chain(1, Op.LANE), BOARD, "1 operations need a mover, the fabric has none"),
    (Graph((), (1024,)), BASE, "a table of 1024 words, a memory holds 512"),
    (Graph((), (512,) * 5), BASE, "tables of 2560 words, the fabric's memories hold 2048"),
    (Graph(tuple(Node(role=Role.POP, port=port) for port in range(5))), BASE,
     "5 arrays to pop, the fabric has 4 such streams")])
def test_no_bound_without_the_resource(graph, shape, text):
    with pytest.raises(ValueError, match=text):
        bounds(graph, shape)


def simulate(mapping, data, count, tables=()):
    """Values pushed to port 0 in ``count`` iterations; POP n of an iteration takes
    data[iteration, n] (nodes in order)."""
    pops = [n for n, node in enumerate(mapping.graph.nodes) if node.role is Role.POP]
    memory = np.zeros(8192, np.uint8)
    memory[:4 * data.size] = np.ascontiguousarray(data, np.uint32).view(np.uint8).ravel()
    inputs, outputs = [None] * mapping.fabric.inputs, [None] * mapping.fabric.outputs
    for unit in range(mapping.fabric.inputs):
        mine = sorted((mapping.times[n] % mapping.ii, 4 * place) for place, n in enumerate(pops)
                      if mapping.units[n] == unit)
        if mine:
            inputs[unit] = Stream(
                base=0, row_step=0, column_step=0, height=1, width=1, format=Format.W32,
                loops=(Loop(count, dbase=4 * len(pops)),),
                taps=tuple(TapAt(dbase=place) for _, place in mine))
    for n, node in enumerate(mapping.graph.nodes):
        if node.role is Role.PUSH:
            outputs[mapping.units[n]] = Stream(
                base=4096, row_step=0, column_step=0, height=1, width=1, format=Format.W32,
                loops=(Loop(count, dbase=4),))
    image = emit(mapping, tables).with_counts(0, (count,))
    Tile(image).run(memory, inputs, outputs)
    return memory[4096:4096 + 4 * count].view(np.uint32)


def interpret(graph, data, count):
    """Pushed values by iterating over the graph itself; before the first iteration all is 0."""
    order, history, found = graph.order(), [], []
    pops = [n for n, node in enumerate(graph.nodes) if node.role is Role.POP]
    for turn in range(count):
        values = {}
        for n in order:
            node = graph.nodes[n]

            def read(edge, values=values, turn=turn):
                if edge.distance == 0:
                    return values[edge.source]
                return history[turn - edge.distance][edge.source] if turn >= edge.distance else 0

            if node.role is Role.POP:
                values[n] = int(data[turn, pops.index(n)])
                continue
            operands = [node.immediate if edge is None else read(edge) for edge in node.operands]
            if node.role is Role.PUSH:
                found.append(operands[0])
                continue
            words = [np.array([word], np.uint32) for word in [*operands, 0, 0, 0][:3]]
            values[n] = int(evaluate(node.op, *words, node.subword)[0])
        history.append(values)
    return found


@pytest.mark.parametrize(("graph", "shape", "ii"), [
    (convolution(), GRID3, 2), (convolution(), BASE, 3)])
def test_convolution_at_its_bound(graph, shape, ii):
    mapping = search(graph, shape, bounds(graph, shape).ii)
    assert mapping.ii == ii
    data = np.random.default_rng(3).integers(0, 255, (12, 3))
    assert simulate(mapping, data, 12)[2:].tolist() == interpret(graph, data, 12)[2:]


@pytest.mark.slow
def test_convolution_with_loads_at_its_bound():
    """As CGRA papers have it: 35 operations on 36 sites."""
    mapping = search(convolution_with_loads(), GRID3, 4)
    assert mapping.ii == 4


STATELESS = [op for op, row in OPERATIONS.items()
             if row.kind is not Kind.MEMORY and op not in (Op.NOP, Op.LANE, Op.SELECT)]


@st.composite
def graphs(draw):
    """Up to 12 operations; operands are earlier nodes, of up to 2 iterations ago."""
    build = Builder()
    for _ in range(draw(st.integers(1, 3))):
        build.pop()
    for _ in range(draw(st.integers(1, 12))):
        def value():
            return Edge(draw(st.integers(0, len(build.nodes) - 1)),
                        draw(st.sampled_from([0, 0, 0, 1, 2])))

        op = draw(st.sampled_from([*STATELESS, *[Op.ADD, Op.SUB, Op.SELECT] * 3]))
        need = OPERATIONS[op].operands
        operands = [value() if name in need else None for name in "abc"[:max(len(need), 1)]]
        if op is Op.PASS_B:
            operands = [None, value()]
        elif need == "ab" and draw(st.booleans()):
            operands[1] = None
        build.op(op, *operands, immediate=draw(st.integers(0, 2**32 - 1)))
    build.push(len(build.nodes) - 1)
    return build.graph()


@settings(max_examples=15, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.too_slow])
@given(graph=graphs(), name=st.sampled_from(["tiny", "board"]))
def test_random_graphs(graph, name):
    shape = fabric(name)
    if sum(node.role is Role.POP for node in graph.nodes) > 2 and name == "tiny":
        shape = BOARD
    mapping = search(graph, shape, bounds(graph, shape).ii)
    data = np.random.default_rng(1).integers(0, 2**32, (9, 3), np.uint64)
    pops = sum(node.role is Role.POP for node in graph.nodes)
    data = data[:, :pops].astype(np.uint32)
    # What reaches before the first iteration isn't defined; it is gone after all distances.
    reach = sum(max((edge.distance for _, edge in node.edges()), default=0)
                for node in graph.nodes)
    count = reach + 9
    data = np.resize(data, (count, pops))
    found = simulate(mapping, data, count)[reach:]
    assert found.tolist() == interpret(graph, data, count)[reach:]


def test_mapping_is_repeatable_and_cached(tmp_path):
    graph = convolution()
    first, second = search(graph, GRID3, 2), search(graph, GRID3, 2)
    assert first == second
    cache = Cache(tmp_path / "new")
    assert cache.load(graph, GRID3, 1, 2) == (None, 0.0)
    cache.store(graph, GRID3, 1, 2, first, 1.5)
    assert cache.load(graph, GRID3, 1, 2) == (first, 1.5)
    assert cache.load(graph, GRID3, 2, 2)[0] is None and cache.load(graph, BASE, 1, 2)[0] is None
    other = graph.replace({4: Node(role=Role.OPERATION, op=Op.MUL, immediate=77,
                                   operands=graph.nodes[4].operands)})
    found, _ = cache.load(other, GRID3, 1, 2)
    assert found is not None and found.graph.nodes[4].immediate == 77


def test_what_cannot_be_mapped_says_so():
    with pytest.raises(MapError, match="103 nodes; accepted are 100: write several kernels"):
        search(chain(101, Op.ADD), BASE, 1)
    with pytest.raises(MapError, match="no mapping of 3 nodes on tiny with an interval of 2 to 1"):
        search(chain(1, Op.ADD), TINY, 2, most=1)
