"""A tile on contexts written by hand: links, histories, routes, memories, states, errors."""

from dataclasses import replace

import numpy as np
import pytest

from golden.drp.errors import TileError
from golden.drp.kernel import Kernel
from golden.drp.stream import ONE, Loop, Stream, TapAt
from golden.drp.tile import Tile
from golden.spec.drp.contexts import FIRST, LAST, element_context, input_context, output_context
from golden.spec.drp.controller import Cause, end_state, state_record
from golden.spec.drp.fabric import fabric
from golden.spec.drp.operations import Op
from golden.spec.drp.streams import Border, Format, Tap

TINY = fabric("tiny")  # 2 x 3: elements 0 1 2 / 3 4 5
OTHERS_ROW, SELF, EXTRA = 0, 3, 4
COL = 2  # the other element of the column


def build(contexts, states=({},), tables=None, **changes):
    """A kernel from [{element: fields, "in0": fields, "out0": fields}] by address."""
    shape = fabric("tiny", **changes)
    end = end_state(shape)
    elements, inputs, outputs = element_context(shape), input_context(shape), output_context(shape)
    default = {f"count{level}": 1 for level in range(4)} | {"next": end}
    return Kernel(
        fabric=shape,
        elements=tuple(tuple(elements.encode(context.get(unit, {})) for context in contexts)
                       for unit in range(shape.elements)),
        inputs=tuple(tuple(inputs.encode(context.get(f"in{unit}", {})) for context in contexts)
                     for unit in range(shape.inputs)),
        outputs=tuple(tuple(outputs.encode(context.get(f"out{unit}", {})) for context in contexts)
                      for unit in range(shape.outputs)),
        states=tuple(state_record(shape).encode(default | state) for state in states),
        tables=tables or {})


def words(count, base):
    return Stream(base=base, row_step=0, column_step=0, height=1, width=1, format=Format.W32,
                  loops=(Loop(count, dbase=4),))


def run(kernel, given=(), pushed=0, second=None, **options):
    """Pushed values of output 0, and the run."""
    lanes = kernel.fabric.lanes
    memory = np.zeros(1024, np.uint8)
    memory[:4 * len(given)] = np.array(given, np.uint32).view(np.uint8)
    inputs = [words(len(given), 0) if given else None, second]
    outputs = [words(pushed, 512) if pushed else None]
    found = Tile(kernel).run(memory, inputs, outputs, **options)
    assert lanes == 1
    return memory[512:512 + 4 * pushed].view(np.uint32).tolist(), found


# POP at stage 0, visible one step later; element 0 passes it; PUSH two steps after the POP.
COPY = {"in0": {"pop": 1}, 0: {"op": Op.PASS, "a": EXTRA},
        "out0": {"push": 1, "stage": 2, "source": 0}}


def test_prologue_and_epilogue():
    kernel = build([COPY], [{"stages": 2, "count0": 5}])
    values, found = run(kernel, [7, 8, 9, 10, 11], 5)
    assert values == [7, 8, 9, 10, 11] and found.steps == 7
    assert found.pops[0] == [0, 1, 2, 3, 4] and found.pushes[0] == [2, 3, 4, 5, 6]


def test_history_delays_a_value():
    late = COPY | {0: {"op": Op.PASS, "a": EXTRA, "row_delay": 3},
                   "out0": {"push": 1, "stage": 5, "source": 0}}
    values, _ = run(build([late], [{"stages": 5, "count0": 4}]), [1, 2, 3, 4], 4)
    assert values == [1, 2, 3, 4]


def test_stream_history():
    late = COPY | {"in0": {"pop": 1, "delay": 4},
                   "out0": {"push": 1, "stage": 6, "source": 0}}
    values, _ = run(build([late], [{"stages": 6, "count0": 3}]), [1, 2, 3], 3)
    assert values == [1, 2, 3]


def test_links_along_row_and_column_and_self():
    # 1 adds 10 to 0's row; 4 takes 1's col and adds 100; its own col, by b, comes back twice.
    contexts = [{
        "in0": {"pop": 1}, 0: {"op": Op.PASS, "a": EXTRA},
        1: {"op": Op.ADD, "a": OTHERS_ROW, "b": EXTRA, "immediate": 10},
        4: {"op": Op.ADD, "a": COL, "b": EXTRA, "immediate": 100},
        5: {"op": Op.PASS, "a": 1},
        "out0": {"push": 1, "stage": 5, "source": 5}}]
    values, _ = run(build(contexts, [{"stages": 5, "count0": 3}], outputs=1), [1, 2, 3], 3)
    assert values == [111, 112, 113]


@pytest.mark.parametrize("element, c, stage", [(3, 0, 3), (1, 1, 2)])
def test_route_hands_on_operand_c(element, c, stage):
    # Of element 0, in the same column; of the row's stream.
    contexts = [COPY | {element: {"c": c, "route": 1},
                        "out0": {"push": 1, "stage": stage, "source": element}}]
    values, _ = run(build(contexts, [{"stages": stage, "count0": 3}], outputs=1), [4, 5, 6], 3)
    assert values == [4, 5, 6]


def test_reduction_begins_with_the_immediate_and_ends_with_last():
    contexts = [{"in0": {"pop": 1},
                 0: {"op": Op.PASS, "a": EXTRA},
                 1: {"op": Op.ADD, "a": OTHERS_ROW, "b": SELF, "immediate": 1000, "stage": 2,
                     "when": FIRST}}]
    contexts[0]["out0"] = {"push": 1, "stage": 3, "when": LAST, "source": 1}
    kernel = build(contexts, [{"stages": 3, "count0": 3, "count1": 2}])
    values, _ = run(kernel, [1, 2, 3, 10, 20, 30], 2)
    assert values == [1006, 1060]


@pytest.mark.parametrize(("op", "latency"), [(Op.ADD, 1), (Op.SLL, 2), (Op.MUL, 3)])
def test_latency(op, latency):
    # Element 0 multiplies and adds, 1 shifts; steps 0 to 7 make one pass.
    place = 1 if op is Op.SLL else 0
    contexts = [{} for _ in range(8)]
    contexts[0]["in0"] = {"pop": 1}
    contexts[1][place] = {"op": op, "a": EXTRA, "b": EXTRA, "immediate": 3}
    contexts[1 + latency]["out0"] = {"push": 1, "source": place}
    values, _ = run(build(contexts, [{"ii": 7}]), [5], 1)
    assert values == [{Op.ADD: 8, Op.SLL: 40, Op.MUL: 15}[op]]
    early = [dict(context) for context in contexts]
    early[latency]["out0"] = early[1 + latency].pop("out0")
    values, _ = run(build(early, [{"ii": 7}]), [5], 1)
    assert values != [{Op.ADD: 8, Op.SLL: 40, Op.MUL: 15}[op]]


def test_memory_writes_are_seen_a_step_later():
    # Element 0 makes zeros; element 2: memory[0] += 5, and a step later a look-up.
    zero = {0: {"op": Op.AND, "a": SELF, "b": EXTRA}}
    add = {2: {"op": Op.ADD_TO, "a": OTHERS_ROW, "b": EXTRA, "immediate": 5}}
    look = {2: {"op": Op.LOOKUP, "a": OTHERS_ROW, "b": EXTRA}}
    contexts = [zero, zero | add, zero | look, zero,
                zero | {"out0": {"push": 1, "source": 2}}]
    values, _ = run(build(contexts, [{"ii": 4, "count0": 3}],
                          tables={2: np.array([7], np.uint32)}), [], 3)
    assert values == [12, 17, 22]


def test_states_repeat_and_follow_each_other():
    # State 0 pops once and twice again, state 1 pops 2; context 0 copies.
    states = [{"stages": 2, "count0": 1, "again": 0, "repeats": 2, "next": 1},
              {"stages": 2, "count0": 2}]
    values, found = run(build([COPY], states), [1, 2, 3, 4, 5], 5)
    assert values == [1, 2, 3, 4, 5] and found.steps == 3 * 3 + 4


@pytest.mark.parametrize(("data", "rounds"), [([0, 0, 1], 3), ([1], 1)])
def test_branch_on_data(data, rounds):
    # A pass of 5 steps: pop, compare with 1, its row is the flag two steps before the last.
    contexts = [{"in0": {"pop": 1}}, {0: {"op": Op.EQ, "a": EXTRA, "b": EXTRA, "immediate": 1}},
                {}, {}, {}]
    contexts[2][0] = {"op": Op.NOP}
    states = [{"ii": 4, "branch": 1, "flag": 0, "other": end_state(TINY), "next": 0}]
    _, found = run(build(contexts, states), data)
    assert found.steps == 5 * rounds


@pytest.mark.parametrize(("contexts", "states", "given", "pushed", "cause"), [
    ([{1: {"op": Op.MUL}}], [{}], [], 0, Cause.ILLEGAL),
    ([{1: {"op": 63}}], [{}], [], 0, Cause.ILLEGAL),
    ([{0: {"op": Op.MUL, "subword": 1}}], [{}], [], 0, Cause.ILLEGAL),
    ([{0: {"op": Op.ADD, "when": 9}}], [{}], [], 0, Cause.ILLEGAL),
    ([{}], [{"base": 3}], [], 0, Cause.STATE),
    ([{}], [{"next": 4}], [], 0, Cause.STATE),
    ([COPY], [{"stages": 2, "count0": 3}], [1, 2], 3, Cause.STREAM),
    ([COPY], [{"stages": 2, "count0": 3}], [1, 2, 3], 2, Cause.STREAM),
    ([COPY], [{"stages": 2, "count0": 2}], [1, 2, 3], 2, Cause.STREAM),
    ([COPY], [{"stages": 2, "count0": 2}], [1, 2], 3, Cause.STREAM),
    ([{}], [{"next": 0}], [], 0, Cause.WATCHDOG)])
def test_errors(contexts, states, given, pushed, cause):
    with pytest.raises(TileError) as caught:
        run(build(contexts, states), given, pushed, max_steps=100)
    assert caught.value.cause is cause


# Positions from input 0 go through elements 0 and 3 to output 1; what is there comes from input 1
# and goes through elements 4 and 1.
PLACED = {"in0": {"pop": 1}, 0: {"op": Op.PASS, "a": EXTRA}, 3: {"op": Op.PASS, "a": COL},
          "out1": {"push": 1, "stage": 3}, "in1": {"pop": 1, "stage": 4},
          4: {"op": Op.PASS, "a": EXTRA}, 1: {"op": Op.PASS, "a": COL},
          "out0": {"push": 1, "stage": 7, "source": 1}}
PICTURE = Stream(base=256, row_step=4, column_step=1, height=2, width=3, format=Format.U8,
                 border=Border.CONSTANT, fill=99, indirect=True)


def gather(places, stream, count=None, **changes):
    """What output 0 is given for positions (row, column)."""
    memory = np.zeros(1024, np.uint8)
    memory[256:264] = [10, 11, 12, 13, 20, 21, 22, 23]
    words_ = [(row & 0xFFFF) << 16 | column & 0xFFFF for row, column in places]
    memory[:4 * len(words_)] = np.array(words_, np.uint32).view(np.uint8)
    count = len(words_) if count is None else count
    kernel = build([PLACED | changes], [{"stages": 7, "count0": len(words_)}])
    Tile(kernel).run(memory, [words(len(words_), 0), stream], [words(len(words_), 512)])
    return memory[512:512 + 4 * len(words_)].view(np.uint32).tolist()


def test_indirect_stream():
    """What lies at positions that are pushed comes back: a position instead of its tap's."""
    places = [(0, 2), (1, 0), (1, 1), (2, 0), (0, -1)]
    made = replace(PICTURE, loops=(Loop(5),), taps=(TapAt(dy=1, dx=7),))
    assert gather(places, made) == [12, 20, 21, 99, 99]
    made = replace(made, border=Border.REPLICATE, x0=ONE, lane_dx=7)
    assert gather(places, made) == [12, 21, 22, 21, 10]
    made = replace(PICTURE, loops=(Loop(2), Loop(2, dy=ONE)), taps=(TapAt(),), base=257)
    assert gather(places[:4], made) == [13, 21, 99, 99]
    made = replace(PICTURE, loops=(Loop(2),), taps=(TapAt(), TapAt(Tap.ROW, dy=3)))
    assert gather([(1, 2), (-7, 5), (0, 0), (8, 0)], made) == [22, -7 % 2**32, 10, 8]
    assert len(PICTURE.places(1, indirect=True)) == 6


@pytest.mark.parametrize("changes, count, vectors, cause", [
    ({}, 40, 40, Cause.NONE),
    ({}, 3, 2, Cause.STREAM), ({}, 3, 4, Cause.STREAM),
    ({"in1": {"pop": 0}}, 3, 3, Cause.STREAM), ({"in1": {"pop": 0}}, 32, 99, Cause.STREAM),
    ({"in1": {"pop": 0}}, 33, 99, Cause.WATCHDOG), ({"in1": {"pop": 0}}, 17, 1, Cause.STREAM),
    ({"in1": {"pop": 0}}, 18, 1, Cause.WATCHDOG),
    ({"in1": {"pop": 1, "stage": 3}}, 3, 3, Cause.WATCHDOG),
    ({"out1": {"push": 0}}, 3, 3, Cause.WATCHDOG)])
def test_positions_pushed_and_taken(changes, count, vectors, cause):
    """As many are pushed, and taken later, as there are vectors; so many may be under way."""
    made = replace(PICTURE, loops=(Loop(vectors),))
    if cause is Cause.NONE:
        assert gather([(0, 1)] * count, made, **changes) == [11] * count
        return
    with pytest.raises(TileError) as caught:
        gather([(0, 1)] * count, made, **changes)
    assert caught.value.cause is cause
    assert caught.value.stream == (1 if cause is Cause.STREAM else 0)


def test_output_of_positions_is_no_stream():
    made = replace(PICTURE, loops=(Loop(1),))
    kernel = build([PLACED], [{"stages": 7}])
    memory = np.zeros(1024, np.uint8)
    with pytest.raises(TileError) as caught:
        Tile(kernel).run(memory, [words(1, 0), made], [words(1, 512), words(1, 600)])
    assert (caught.value.cause, caught.value.stream) == (Cause.STREAM, 3)
    with pytest.raises(TileError) as caught:  # only the last input may be indirect
        Tile(build([PLACED | {"in1": {}, "out1": {}}])).run(memory, [made, None], [words(1, 512)])
    assert caught.value.cause is Cause.STREAM
