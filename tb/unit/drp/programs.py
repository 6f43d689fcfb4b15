"""Random kernels for a tile, and what golden.drp makes of them."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from golden.drp import tile as golden
from golden.drp.errors import TileError
from golden.drp.kernel import Kernel
from golden.drp.stream import Loop, Stream
from golden.spec.drp.contexts import element_context, input_context, output_context
from golden.spec.drp.controller import FLAG_DELAY, end_state, state_record
from golden.spec.drp.operations import OPERATIONS, Kind, Op
from golden.spec.drp.streams import Format
from tb.unit.drp.words import words

__all__ = ["Expected", "program"]

VECTORS = 2000  # of each stream, more than any kernel takes
MOST_LANES = 8  # of a fabric
STEPS = (40, 160)


class _Traced(golden.Tile):
    """Also says what was taken and given, whatever is left; unspecified values are random."""

    def __init__(self, kernel, rng):
        super().__init__(kernel)
        self._rng = rng

    def _unspecified(self):
        return self._rng.integers(0, 1 << 32, self._lanes, np.uint32)

    def _execute(self, issue, registers, iterations):
        if issue.replace and not iterations.holds(issue.stage, 0):
            return self._unspecified()  # it may be replaced or not
        return super()._execute(issue, registers, iterations)

    def _finish(self, memory, outputs, waiting, taken, given, gathered):
        del memory, outputs, waiting, gathered
        self.taken, self.given = [len(steps) for steps in taken], given


@dataclass
class Expected:
    """What a kernel does: ``outputs`` are vectors, None in lanes where nothing is specified."""

    kernel: Kernel
    steps: int
    vectors: list  # of each input
    taken: list  # how many of them
    outputs: list


def program(fabric, rng, **chances):
    """A random kernel that ends within STEPS, and what it does; ``rng`` is a random.Random."""
    while True:
        kernel = _without_collisions(_kernel(fabric, rng, **chances))
        found = _expected(kernel, rng) if kernel else None
        if found:
            return found


def _expected(kernel, rng):
    """Lanes that hold the same differ only in what isn't specified: one run is several."""
    fabric = kernel.fabric
    copies = MOST_LANES if fabric.lanes == 1 else 1
    wide = dataclasses.replace(kernel, fabric=dataclasses.replace(
        fabric, lanes=fabric.lanes * copies))
    memory = np.random.default_rng(rng.getrandbits(32)).integers(
        0, 256, VECTORS * 4 * fabric.lanes, np.uint8)
    stream = Stream(base=0, row_step=0, column_step=4 * fabric.lanes, height=1, width=VECTORS,
                    format=Format.W32, lane_dbase=4 if copies == 1 else 0,
                    loops=(Loop(VECTORS, dx=1 << 16),))
    inputs, outputs = [stream] * fabric.inputs, [stream] * fabric.outputs
    runs = []
    for _ in range(2 if copies > 1 else 2 * MOST_LANES):
        tile = _Traced(wide, np.random.default_rng(rng.getrandbits(32)))
        try:
            run = tile.run(memory, inputs, outputs, STEPS[1])
        except TileError:
            return None
        runs.append((run.steps, run.pops, run.pushes, tile))
        if run.steps < STEPS[0] or runs[-1][:3] != runs[0][:3]:
            return None
    steps, _, _, tile = runs[0]
    outputs = []
    for output in range(fabric.outputs):
        values = np.array([run[3].given[output] for run in runs], np.uint32)
        values = values.reshape(len(runs), -1, copies, fabric.lanes).swapaxes(1, 2)
        values = values.reshape(len(runs) * copies, -1, fabric.lanes)
        same = (values == values[0]).all(axis=0)
        outputs.append([[int(value) if fixed else None for value, fixed in zip(*pair, strict=True)]
                        for pair in zip(values[0], same, strict=True)])
    vectors = stream.read(memory, fabric.lanes).tolist()
    return Expected(kernel, steps, [vectors] * fabric.inputs, tile.taken, outputs)


def _without_collisions(kernel):
    """The kernel with NOP in place of operations that retire with another one.

    As branches may go either way, pairs of contexts that follow each other anywhere count.
    """
    fabric, record = kernel.fabric, element_context(kernel.fabric)
    elements = [list(words_) for words_ in kernel.elements]
    states = [state_record(fabric).decode(word) for word in kernel.states]
    after = {}  # by address, those of the next step
    first = {number: {state["base"]} for number, state in enumerate(states)}
    first[end_state(fabric)] = set()
    for state in states:
        last = state["base"] + state["ii"]
        for address in range(state["base"], last):
            after.setdefault(address, set()).add(address + 1)
        after.setdefault(last, set()).update(
            {state["base"]}, first[state["next"]], first[state["again"]],
            first[state["other"]] if state["branch"] else ())

    def latency(element, address):
        op = Op(record.decode(elements[element][address])["op"])
        return None if op is Op.NOP else OPERATIONS[op].latency

    for element in range(fabric.elements):
        for address in after:
            mine, reach = latency(element, address), {address}
            for distance in range(1, mine or 1):
                reach = {following for place in reach for following in after[place]}
                for place in reach:
                    if latency(element, place) == mine - distance:
                        elements[element][place] = record.encode(
                            {**record.decode(elements[element][place]), "op": Op.NOP})
    return Kernel(fabric=fabric, elements=tuple(map(tuple, elements)), inputs=kernel.inputs,
                  outputs=kernel.outputs, states=kernel.states, tables=kernel.tables)


def _kernel(fabric, rng, *, conditions=0.3, routes=0.2, effects=0.2, branches=0.4):
    """Its first state fills all histories; later almost every step of an element has a result."""
    states = _states(fabric, rng, branches)
    used = max(state["base"] + state["ii"] for state in states) + 1
    record = element_context(fabric)
    elements = []
    for element in range(fabric.elements):
        kinds = [kind for kind in Kind if element in fabric.places(kind)]
        kind = rng.choice([*kinds, kinds[-1]])
        elements.append([record.encode(
            {"op": Op.PASS_B, "b": fabric.sources - 1, "immediate": rng.getrandbits(32)}
            if address < fabric.history else
            _element(fabric, rng, kind, conditions, routes, effects)) for address in range(used)])

    def staged(address, chance):
        return {} if address < fabric.history or rng.random() >= chance else {
            "stage": rng.randrange(4), "when": rng.choice((0, rng.randrange(9)))}

    inputs = [[input_context(fabric).encode({
        "pop": 1, "delay": rng.choice((0, 0, 1, 3, fabric.history - 1)),
        **staged(address, conditions / 8)}) for address in range(used)]
        for _ in range(fabric.inputs)]
    outputs = [[output_context(fabric).encode({
        "push": rng.random() < 0.7,
        "source": rng.randrange(len(fabric.seen_by_output(output))),
        **staged(address, conditions)}) for address in range(used)]
        for output in range(fabric.outputs)]
    return Kernel(fabric=fabric, elements=tuple(map(tuple, elements)),
                  inputs=tuple(map(tuple, inputs)), outputs=tuple(map(tuple, outputs)),
                  states=tuple(state_record(fabric).encode(state) for state in states),
                  tables={element: words(rng, fabric.table_words)
                          for element in fabric.memories})


def _states(fabric, rng, branches):
    number, base = rng.randint(1, min(4, fabric.states - 1)), fabric.history
    states = [{"base": 0, "ii": base - 1, "stages": 0, "again": 0,
               **{f"count{level}": 1 for level in range(4)}}]
    for place in range(1, number + 1):
        ii = rng.choice((1, 1, 2, 3, 4, 7))
        if base + ii > fabric.contexts:
            break
        states.append({
            "base": base, "ii": ii - 1, "stages": rng.randrange(5),
            "flag": rng.randrange(fabric.elements), "repeats": rng.choice((0, 0, 1, 2)),
            "again": rng.randint(1, place),
            **{f"count{level}": rng.choice((1, 1, 2, 3, 5)) for level in range(4)}})
        base += ii
    for place, state in enumerate(states):
        later = [*range(place + 1, len(states)), end_state(fabric)]
        state["next"], state["other"] = later[0], rng.choice(later)
        steps = (state["ii"] + 1) * (state["stages"] + math.prod(
            state[f"count{level}"] for level in range(4)))
        state["branch"] = int(place > 0 and steps > FLAG_DELAY and rng.random() < branches)
    return states


def _element(fabric, rng, kind, conditions, routes, effects):
    operations = [item for item in OPERATIONS.values() if item.kind is kind
                  and item.op is not Op.NOP]
    operation = rng.choice(operations)
    if operation.effect and rng.random() > effects:
        operation = OPERATIONS[Op.LOOKUP]
    delays = (0, 0, 0, 1, 2, fabric.history - 1, rng.randrange(fabric.history))
    return {
        "immediate": int(words(rng, 1)[0]),
        "op": Op.NOP if rng.random() < 0.02 else operation.op,
        "subword": rng.choice(operation.subwords),
        **{name: rng.randrange(fabric.sources) for name in "ab"},
        "c": rng.randrange(fabric.thirds), "route": rng.random() < routes,
        "row_delay": rng.choice(delays), "col_delay": rng.choice(delays),
        "stage": rng.randrange(4), "when": rng.randrange(9) if rng.random() < conditions else 0}
