"""Kernels as instructions: what must be loaded, and what runs them."""

from dataclasses import dataclass

import numpy as np

from golden.drp.kernel import Kernel
from golden.spec.config import Config
from golden.spec.drp.controller import state_record
from golden.spec.isa import RELEASED, Opcode, Target
from golden.spec.registers import Region
from sw.drp.compiler import Compiled
from sw.drp.image import contexts_image, states_image, streams_image, table_image
from sw.drp.launch import Launch
from sw.instructions.constants import Constants
from sw.instructions.sync import Instruction, Span

__all__ = ["Launcher", "Prepared", "memories_of", "steps_of"]

# Cycles that a kernel may wait for memory before it counts as stuck.
_PATIENCE = 1 << 16


@dataclass(frozen=True)
class Prepared:
    """A kernel that the tile holds.

    Parameters
    ----------
    first : int
        Its first state.
    steps : int
        Those it takes.
    needs, changes : list of Span
        Where it lies, memories that it reads included; those that it writes.
    """

    first: int
    steps: int
    needs: list[Span]
    changes: list[Span]


@dataclass
class _Place:
    """Where something lies in a memory of the tile."""

    first: int
    count: int


class _Ring:
    """A memory of the tile, filled from its beginning again and again.

    Parameters
    ----------
    size : int
    """

    def __init__(self, size: int) -> None:
        self._size, self._next = size, 0
        self._held: dict[object, _Place] = {}

    def reserve(self, count: int) -> bool:
        """Whether there is room for so much; if so, it will lie behind all that is held."""
        if count > self._size:
            return False
        if self._next + count > self._size:
            self._next = 0
            self._held.clear()
        return True

    def find(self, key: object, count: int) -> tuple[_Place, bool]:
        """(where it lies, whether it must be loaded first)."""
        if key in self._held:
            return self._held[key], False
        if self._next + count > self._size:
            self._next = 0
        place = _Place(self._next, count)
        self._held = {other: held for other, held in self._held.items()
                      if held.first + held.count <= place.first
                      or held.first >= place.first + count}
        self._held[key] = place
        self._next += count
        return place, True


class Launcher:
    """Emits what runs kernels, in order; what the tile still holds isn't loaded again.

    Parameters
    ----------
    config : Config
        With a DRP.
    constants : Constants
        Where images go.
    """

    def __init__(self, config: Config, constants: Constants) -> None:
        assert config.fabric
        self._fabric, self._constants = config.fabric, constants
        self._contexts = _Ring(config.fabric.contexts)
        self._states = _Ring(config.fabric.states)
        self._tables: dict[int, bytes] = {}  # by element
        self._images: dict[bytes, int] = {}
        self._runs = 0

    def begin(self) -> None:
        """A program begins: its semaphores are at 0, memories keep what they have."""
        self._runs = 0

    @property
    def spaces(self) -> dict[str, int]:
        """Sizes of the spaces its instructions name."""
        return {"contexts": self._fabric.contexts, "states": self._fabric.states,
                "memories": self._fabric.elements}

    def reserve(self, contexts: int, states: int) -> bool:
        """Whether so much can be prepared, one kernel after the other, and all stays until it has
        run; if so it will."""
        return self._contexts.reserve(contexts) and self._states.reserve(states)

    def prepare(self, tag: int, compiled: Compiled, launch: Launch,
                tables: tuple[np.ndarray, ...]) -> tuple["Prepared", list[Instruction]]:
        """A kernel for a run, and the LOADs of what is missing of it.

        Parameters
        ----------
        tag : int
            Of its layer.
        compiled : Compiled
        launch : Launch
        tables : tuple of (words,) int32
        """
        kernel = compiled.image(*tables).with_counts(launch.state, launch.counts)
        found: list[Instruction] = []
        contexts, missing = self._contexts.find(
            (kernel.elements, kernel.inputs, kernel.outputs), len(kernel.elements[0]))
        mine: Span = ("contexts", contexts.first, contexts.first + contexts.count)
        if missing:
            found.append(self._load(tag, contexts_image(kernel, contexts.first), [mine]))
        states, missing = self._states.find((kernel.states, contexts.first), len(kernel.states))
        steps: Span = ("states", states.first, states.first + states.count)
        if missing:
            found.append(self._load(tag, states_image(kernel, states.first, contexts.first),
                                    [steps]))
        for element, words in kernel.tables.items():
            raw = table_image(self._fabric, element, words)
            if raw != self._tables.get(element):
                found.append(self._load(tag, raw, [("memories", element, element + 1)]))
                self._tables[element] = raw
        memories: list[Span] = [("memories", element, element + 1)
                                for element in sorted(memories_of(compiled))]
        if writes := bool(compiled.kernel.memories):
            self._tables.clear()
        return Prepared(states.first, steps_of(kernel), [mine, steps, *memories],
                        memories if writes else []), found

    def run(self, tag: int, prepared: "Prepared", launch: Launch, reads: list[Span],
            writes: list[Span]) -> list[Instruction]:
        """Load the streams of a kernel, and run it; nothing else was prepared in its place.

        Parameters
        ----------
        tag : int
            Of its layer.
        prepared : Prepared
        launch : Launch
        reads, writes : list of Span
            Words of the scratchpad.
        """
        streams = self._load(tag, streams_image(self._fabric, launch.inputs, launch.outputs), [])
        if self._runs:
            streams.wait = 1 << RELEASED
        self._runs += 1
        return [streams, Instruction(
            Opcode.DRP, {"tag": tag, "first": prepared.first, "release": 1 << RELEASED,
                         "limit": prepared.steps + _PATIENCE},
            [*prepared.needs, *reads], [*prepared.changes, *writes], after=[streams])]

    def constant(self, raw: bytes) -> int:
        """Where bytes lie among the program's constants; equal ones lie there once."""
        if raw not in self._images:
            self._images[raw] = self._constants.add(raw)
        return self._images[raw]

    def _load(self, tag: int, raw: bytes, writes: list[Span]) -> Instruction:
        return Instruction(Opcode.LOAD, {
            "tag": tag, "target": Target.DRP, "region": Region.CONSTANTS,
            "address": self.constant(raw), "run_bytes": len(raw), "runs": 1}, [], writes)


def memories_of(compiled: Compiled) -> set[int]:
    """Elements whose memories a kernel uses."""
    return {element for state in compiled.states for element, _ in state.tables}


def steps_of(kernel: Kernel) -> int:
    """Steps of a kernel whose states follow one another."""
    record, steps = state_record(kernel.fabric), 0
    for word in kernel.states:
        state = record.decode(word)
        trips = int(np.prod([state[f"count{level}"] for level in range(4)]))
        steps += (trips + state["stages"]) * (state["ii"] + 1) * (state["repeats"] + 1)
    return steps
