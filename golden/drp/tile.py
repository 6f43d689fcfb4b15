"""A tile executing contexts step by step, exactly as ``golden.spec.drp`` describes it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from golden.drp.arithmetic import evaluate
from golden.drp.errors import TileError
from golden.drp.gathered import Gathered, indirect
from golden.drp.iteration import Iteration
from golden.drp.kernel import Kernel
from golden.drp.stream import Stream
from golden.spec.drp.contexts import (
    LAST,
    LOOPS,
    element_context,
    input_context,
    output_context,
)
from golden.spec.drp.controller import FLAG_DELAY, Cause, end_state, state_record
from golden.spec.drp.operations import OPERATIONS, Kind, Op, Subword

__all__ = ["Run", "Tile"]

# What an idle element shows: nothing may depend on it.
POISON = 0xDEADBEEF
MAX_STEPS = 1 << 26


@dataclass(frozen=True)
class Run:
    """What a run did.

    Parameters
    ----------
    steps : int
        Steps of the controller, stalls left out.
    pops : tuple of lists of int
        By input stream: the step of each pop.
    pushes : tuple of lists of int
        By output stream: the step of each push.
    places : (vectors, lanes) uint32
        Positions of the indirect input, if there is one.
    """

    steps: int
    pops: tuple[list[int], ...]
    pushes: tuple[list[int], ...]
    places: np.ndarray = field(default_factory=lambda: np.zeros((0, 1), np.uint32))


@dataclass(frozen=True)
class _Issue:
    """One operation of a context, its operands as indices into the registers."""

    element: int
    op: Op
    subword: Subword
    immediate: int
    latency: int
    a: int
    b: int | None  # None: the immediate
    c: int
    stage: int
    when: int
    replace: bool


@dataclass(frozen=True)
class _Plan:
    """One context address, decoded."""

    issues: list[_Issue]
    views: list[tuple[int, int, int]]  # (register, unit of history, delay)
    routes: list[tuple[int, int]]  # (register, register it takes)
    pops: list[tuple[int, int, int]]  # (stream, stage, when)
    pushes: list[tuple[int, int, int, int]]  # (stream, register, stage, when)


class Tile:
    """One tile.

    Registers have numbers: ``row`` of element e is e, ``col`` is E + e, input stream r's is
    2 E + r, and 2 E + inputs always holds 0. Histories: elements, then input streams.

    Parameters
    ----------
    kernel : Kernel
    memories : dict of (words, lanes) uint32, optional
        Memories by element, used as they are; without, they begin with the kernel's tables.
    """

    def __init__(self, kernel: Kernel, memories: dict[int, np.ndarray] | None = None) -> None:
        self._kernel, self._fabric = kernel, kernel.fabric
        fabric = self._fabric
        self._plans: dict[int, _Plan] = {}
        self._visited: set[int] = set()
        self._lanes = fabric.lanes
        self._memories = {} if memories is None else memories
        for element in fabric.memories if memories is None else ():
            table = np.zeros((fabric.table_words, self._lanes), np.uint32)
            given = kernel.tables.get(element, np.zeros(0, np.uint32))
            table[:len(given)] = given[:, None]
            self._memories[element] = table

    @property
    def touched(self) -> tuple[set[int], set[int], set[int], set[int]]:
        """What has been used: contexts, states, elements whose memory was read, or written."""
        elements = [[issue.element for plan in self._plans.values() for issue in plan.issues
                     if OPERATIONS[issue.op].kind is Kind.MEMORY
                     and OPERATIONS[issue.op].effect is effect] for effect in (False, True)]
        return set(self._plans), self._visited, set(elements[0]), set(elements[1])

    def run(self, memory: np.ndarray, inputs: Sequence[Stream | None],
            outputs: Sequence[Stream | None], max_steps: int = MAX_STEPS) -> Run:
        """Run the kernel once.

        Parameters
        ----------
        memory : (bytes,) uint8
            The scratchpad; outputs are written to it.
        inputs, outputs : sequence of Stream or None
            Streams by number; None for those not used.
        max_steps : int
            The watchdog.

        Raises
        ------
        TileError
        """
        fabric = self._fabric
        gathers = indirect(fabric, inputs)
        gathered = None if gathers is None else Gathered(fabric, gathers, memory)
        waiting = [self._vectors(number, None if stream is gathers else stream, memory)
                   for number, stream in enumerate(inputs)]
        waiting += [np.zeros((0, self._lanes), np.uint32)] * (fabric.inputs - len(waiting))
        taken: list[list[int]] = [[] for _ in range(fabric.inputs)]
        given: list[list[np.ndarray]] = [[] for _ in range(fabric.outputs)]
        given_at: list[list[int]] = [[] for _ in range(fabric.outputs)]
        limits = [stream.vectors if stream else 0 for stream in outputs]
        limits += [0] * (fabric.outputs - len(limits))
        units = fabric.elements + fabric.inputs
        registers = [self._unspecified() for _ in range(2 * fabric.elements + fabric.inputs)]
        registers.append(np.zeros(self._lanes, np.uint32))
        history = [[self._unspecified() for _ in range(fabric.history)] for _ in range(units)]
        retiring: dict[int, list[tuple[int, np.ndarray]]] = {}
        step = 0
        for address, iterations in self._walk(registers, max_steps):
            plan = self._plan(address)
            pointer = step % fabric.history
            for unit in range(units):
                history[unit][pointer] = self._unspecified()
            for issue in plan.issues:
                result = self._execute(issue, registers, iterations)
                if issue.latency == 1:
                    history[issue.element][pointer] = result
                else:
                    retiring.setdefault(step + issue.latency - 1, []).append(
                        (issue.element, result))
            for element, result in retiring.pop(step, ()):
                history[element][pointer] = result
            for stream, stage, when in plan.pops:
                if iterations.holds(stage, when):
                    if gathered and stream == fabric.gather:
                        vector = gathered.pop(step)
                    elif len(taken[stream]) == len(waiting[stream]):
                        raise TileError(Cause.STREAM, f"input {stream} has no vector "
                                                      f"{len(taken[stream])}", stream)
                    else:
                        vector = waiting[stream][len(taken[stream])]
                    history[fabric.elements + stream][pointer] = vector
                    taken[stream].append(step)
            for stream, register, stage, when in plan.pushes:
                if iterations.holds(stage, when):
                    given_at[stream].append(step)
                    if gathered and stream == 1:
                        gathered.push(registers[register], step)
                        continue
                    if len(given[stream]) == limits[stream]:
                        raise TileError(Cause.STREAM, f"output {stream} takes "
                                        f"{limits[stream]} vectors only", fabric.inputs + stream)
                    given[stream].append(registers[register])
            routed = [(register, registers[source]) for register, source in plan.routes]
            for register, unit, delay in plan.views:
                registers[register] = history[unit][(pointer - delay) % fabric.history]
            for register, value in routed:
                registers[register] = value
            step += 1
        self._finish(memory, outputs, waiting, taken, given, gathered)
        places = np.array(gathered.pushed if gathered else [], np.uint32)
        return Run(step, tuple(taken), tuple(given_at), places.reshape(-1, self._lanes))

    def _vectors(self, number: int, stream: Stream | None, memory: np.ndarray) -> np.ndarray:
        if stream is None:
            return np.zeros((0, self._lanes), np.uint32)
        try:
            return stream.read(memory, self._lanes)
        except TileError as error:
            error.stream = number
            raise

    def _finish(self, memory: np.ndarray, outputs: Sequence[Stream | None],
                waiting: list[np.ndarray], taken: list[list[int]],
                given: list[list[np.ndarray]], gathered: Gathered | None) -> None:
        if gathered:
            gathered.finish()
        for number, vectors in enumerate(waiting):
            if gathered and number == self._fabric.gather:
                continue
            if len(vectors) != len(taken[number]):
                raise TileError(Cause.STREAM, f"input {number} has {len(vectors)} vectors, "
                                              f"{len(taken[number])} were taken", number)
        for number, stream in enumerate(outputs):
            if stream is None:
                continue
            place = self._fabric.inputs + number
            if len(given[number]) != stream.vectors:
                raise TileError(Cause.STREAM, f"output {number} takes {stream.vectors} vectors, "
                                              f"{len(given[number])} were given", place)
            if given[number]:
                try:
                    stream.write(memory, np.array(given[number], np.uint32))
                except TileError as error:
                    error.stream = place
                    raise

    def _walk(self, registers: list[np.ndarray],
              max_steps: int) -> Iterator[tuple[int, Iteration]]:
        """(context address, iteration) of every step."""
        fabric = self._fabric
        record, end = state_record(fabric), end_state(fabric)
        number, steps = self._kernel.first, 0
        left: dict[int, int] = {}
        while number != end:
            if number >= len(self._kernel.states):
                raise TileError(Cause.STATE, f"state {number}, the kernel has "
                                             f"{len(self._kernel.states)}")
            self._visited.add(number)
            state = record.decode(self._kernel.states[number])
            counts = [state[f"count{level}"] for level in range(LOOPS)]
            trips = int(np.prod(counts))
            if not trips:
                raise TileError(Cause.STATE, f"state {number} has loops of {counts} iterations, "
                                             "accepted are 1 or more")
            last = (trips + state["stages"]) * (state["ii"] + 1) - 1
            flag, at = 0, 0
            for turn in range(trips + state["stages"]):
                iteration = Iteration(turn, trips, counts)
                for slot in range(state["ii"] + 1):
                    if steps == max_steps:
                        raise TileError(Cause.WATCHDOG, f"no end after {max_steps} steps")
                    if at == last - FLAG_DELAY:
                        flag = int(registers[state["flag"]][0]) & 1
                    yield state["base"] + slot, iteration
                    steps, at = steps + 1, at + 1
            if state["branch"] and flag:
                number = state["other"]
            elif left.get(number, 0) < state["repeats"]:
                left[number] = left.get(number, 0) + 1
                number = state["again"]
            else:
                left[number] = 0
                number = state["next"]

    def _unspecified(self) -> np.ndarray:
        """A value that nothing may depend on."""
        return np.full(self._lanes, POISON, np.uint32)

    def _plan(self, address: int) -> _Plan:
        """The decoded context at an address."""
        if address not in self._plans:
            if address >= len(self._kernel.elements[0]):
                raise TileError(Cause.STATE, f"context {address}, the kernel has "
                                             f"{len(self._kernel.elements[0])}")
            self._plans[address] = self._decode(address)
        return self._plans[address]

    def _decode(self, address: int) -> _Plan:
        fabric, kernel = self._fabric, self._kernel
        plan = _Plan([], [], [], [], [])
        elements = fabric.elements
        record = element_context(fabric)
        for element, words in enumerate(kernel.elements):
            word = record.decode(words[address])
            c = self._third(element, word["c"])
            plan.views.append((elements + element, element, word["col_delay"]))
            if word["route"]:
                plan.routes.append((element, c))
            else:
                plan.views.append((element, element, word["row_delay"]))
            if word["op"] != Op.NOP:
                plan.issues.append(self._issue(element, word, c))
        record = input_context(fabric)
        for stream, words in enumerate(kernel.inputs):
            word = record.decode(words[address])
            plan.views.append((2 * elements + stream, elements + stream, word["delay"]))
            if word["pop"]:
                plan.pops.append((stream, word["stage"], self._when(word["when"])))
        record = output_context(fabric)
        for stream, words in enumerate(kernel.outputs):
            word = record.decode(words[address])
            if word["push"]:
                plan.pushes.append((stream, fabric.seen_by_output(stream)[word["source"]],
                                    word["stage"], self._when(word["when"])))
        return plan

    def _when(self, code: int) -> int:
        if code >= LAST + LOOPS:
            raise TileError(Cause.ILLEGAL, f"condition {code}")
        return code

    def _issue(self, element: int, word: dict[str, int], c: int) -> _Issue:
        fabric = self._fabric
        try:
            operation, subword = OPERATIONS[Op(word["op"])], Subword(word["subword"])
        except ValueError:
            raise TileError(Cause.ILLEGAL, f"element {element}: operation {word['op']}, sub-word "
                                           f"{word['subword']}") from None
        if element not in fabric.places(operation.kind):
            raise TileError(Cause.ILLEGAL, f"element {element} has no {operation.kind.value} "
                                           f"for {operation.op.name}")
        if subword not in operation.subwords:
            raise TileError(Cause.ILLEGAL, f"element {element}: {operation.op.name} on "
                                           f"{subword.name}")
        b = None if word["b"] == fabric.sources - 1 else self._source(element, word["b"], "b")
        when = self._when(word["when"])
        return _Issue(element, operation.op, subword, word["immediate"], operation.latency,
                      self._source(element, word["a"], "a"), b, c, word["stage"], when,
                      bool(when) and not operation.effect)

    def _third(self, element: int, code: int) -> int:
        """Register of a select code of operand c."""
        fabric = self._fabric
        row, column = fabric.place(element)
        if code < fabric.rows - 1:
            return fabric.elements + (code + (code >= row)) * fabric.columns + column
        return 2 * fabric.elements + (row if row < fabric.inputs else fabric.inputs)

    def _source(self, element: int, code: int, operand: str) -> int:
        """Register of a select code of operand a or b."""
        fabric = self._fabric
        row, column = fabric.place(element)
        if code < fabric.columns - 1:
            return row * fabric.columns + code + (code >= column)
        code -= fabric.columns - 1
        if code < fabric.rows - 1:
            return fabric.elements + (code + (code >= row)) * fabric.columns + column
        if code == fabric.rows - 1:
            return element if operand == "a" else fabric.elements + element
        return 2 * fabric.elements + (row if row < fabric.inputs else fabric.inputs)

    def _execute(self, issue: _Issue, registers: list[np.ndarray],
                 iteration: Iteration) -> np.ndarray:
        a, c = registers[issue.a], registers[issue.c]
        fixed = np.full(self._lanes, issue.immediate, np.uint32)
        b = fixed if issue.b is None else registers[issue.b]
        if issue.replace and iteration.holds(issue.stage, issue.when):
            b = fixed
        if issue.op in _MEMORY:
            acts = iteration.holds(issue.stage, issue.when)
            found = _MEMORY[issue.op](self._memories[issue.element], a, b, acts)
            return self._unspecified() if found is None else found
        return evaluate(issue.op, a, b, c, issue.subword, issue.immediate)


def _lookup(table: np.ndarray, a: np.ndarray, b: np.ndarray, acts: bool) -> np.ndarray:
    del acts
    return table[(a + b) % len(table), np.arange(len(a))]


def _store(table: np.ndarray, a: np.ndarray, b: np.ndarray, acts: bool) -> None:
    if acts:
        table[a % len(table), np.arange(len(a))] = b


def _add_to(table: np.ndarray, a: np.ndarray, b: np.ndarray, acts: bool) -> None:
    if acts:
        table[a % len(table), np.arange(len(a))] += b


_MEMORY: dict[Op, Callable[[np.ndarray, np.ndarray, np.ndarray, bool], np.ndarray | None]] = {
    Op.LOOKUP: _lookup, Op.STORE: _store, Op.ADD_TO: _add_to,
}
