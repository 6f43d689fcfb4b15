"""Kernels that follow one another on arrays in the scratchpad: an operator of a network."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from golden.spec.config import Config
from golden.spec.registers import Region
from sw.drp.compiler import Compiled
from sw.drp.domain import Domain, Grid
from sw.drp.graph import Role
from sw.drp.launcher import Launcher, memories_of
from sw.drp.strips import room
from sw.drp.transfer import copy_in, copy_out
from sw.instructions.sync import Instruction, Span

__all__ = ["Held", "Homes", "Ready", "Recipe", "Stage"]

Homes = Mapping[str, tuple[Region, int]]
Ready = Callable[[Homes], list[Instruction]]


@dataclass(frozen=True)
class Held:
    """An array in the scratchpad: its bytes as they are in DRAM.

    Parameters
    ----------
    shape : tuple of int
    dtype : str
    """

    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def words(self, config: Config) -> int:
        """Words of scratchpad it takes."""
        assert config.fabric
        return room(self.size, config.fabric) // config.group


@dataclass(frozen=True)
class Stage:
    """One kernel: arrays by name, in the order of its streams and results.

    Parameters
    ----------
    compiled : Compiled
    inputs, outputs : tuple of str
    tables : tuple of (words,) int32
    sizes, grids
        As the kernel's.
    """

    compiled: Compiled
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tables: tuple[np.ndarray, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    grids: Mapping[str, Grid] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """Stages on named arrays.

    Parameters
    ----------
    arrays : dict of Held
    stages : sequence of Stage
    inputs, outputs : tuple of str
        Arrays that come from DRAM and go there.
    constants : dict of ndarray
        Arrays that are known.
    """

    arrays: Mapping[str, Held]
    stages: Sequence[Stage]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Of its kernels, one after the other."""
        return [stage.compiled.kernel.name for stage in self.stages]

    def words(self, config: Config) -> int:
        """Scratchpad words that it takes."""
        return sum(held.words(config) for held in self.arrays.values())

    def check(self, config: Config) -> None:
        """Whether it can be emitted.

        Raises
        ------
        InputError
            If the tile's loops or streams can't have its sizes.
        """
        del config
        for stage in self.stages:
            stage.compiled.launch(self._domain(stage), {
                (role, port): 0 for role, names in ((Role.POP, stage.inputs),
                                                    (Role.PUSH, stage.outputs))
                for port in range(len(names))})

    def contexts(self) -> int:
        """Context addresses that its kernels take."""
        return sum(sum(state.ii for state in stage.compiled.states) for stage in self.stages)

    def states(self) -> int:
        """States that its kernels take."""
        return sum(len(stage.compiled.states) for stage in self.stages)

    def together(self) -> bool:
        """Whether the tile can hold the tables of all stages at once, and no stage writes to
        memories that others use."""
        held: dict[int, tuple[bytes, ...]] = {}
        for stage in self.stages:
            mine = tuple(table.tobytes() for table in stage.tables)
            for element in memories_of(stage.compiled):
                if stage.compiled.kernel.memories or held.setdefault(element, mine) != mine:
                    return len(self.stages) == 1
        return True

    def prepare(self, config: Config, launcher: Launcher, tag: int,
                word: int) -> tuple[list[Instruction], Ready]:
        """What can be loaded before its inputs are there, and the rest; for recipes that are
        `together`, with what they take reserved.

        Parameters
        ----------
        config : Config
        launcher : Launcher
        tag : int
            Of its layer.
        word : int
            First of its words.
        """
        bases, group = {}, config.group
        for name, held in self.arrays.items():
            bases[name] = word
            word += held.words(config)
        loads: list[Instruction] = []
        runs: list[Callable[[], list[Instruction]]] = []

        def spans(names: Sequence[str]) -> list[Span]:
            return [("sp", bases[name], bases[name] + self.arrays[name].words(config))
                    for name in names]

        for stage in self.stages:
            at = {(role, port): bases[name] * group
                  for role, names in ((Role.POP, stage.inputs), (Role.PUSH, stage.outputs))
                  for port, name in enumerate(names)}
            launch = stage.compiled.launch(self._domain(stage), at)
            prepared, more = launcher.prepare(tag, stage.compiled, launch, stage.tables)
            loads += more
            runs.append(partial(launcher.run, tag, prepared, launch, spans(stage.inputs),
                                spans(stage.outputs)))

        fixed = {name: (Region.CONSTANTS, launcher.constant(array.tobytes()))
                 for name, array in self.constants.items()}

        def ready(homes: Homes) -> list[Instruction]:
            found: list[Instruction] = []
            homes = {**homes, **fixed}
            for name in (*fixed, *self.inputs):
                found += copy_in(config, tag, *homes[name], self.arrays[name].size, bases[name])
            for run in runs:
                found += run()
            for name in self.outputs:
                found += copy_out(config, tag, *homes[name], self.arrays[name].size, bases[name])
            return found

        return loads, ready

    def emit(self, config: Config, launcher: Launcher, tag: int, word: int,
             homes: Homes) -> list[Instruction]:
        """Load, run, store.

        Parameters
        ----------
        config, launcher, tag, word
            As `prepare`'s.
        homes : dict of (Region, offset)
            Where inputs and outputs lie in DRAM.
        """
        parts = [self]
        if not self.together() or not launcher.reserve(self.contexts(), self.states()):
            parts = [replace(self, stages=(), outputs=()),
                     *(replace(self, stages=(stage,), inputs=(), outputs=(), constants={})
                       for stage in self.stages),
                     replace(self, stages=(), inputs=(), constants={})]
        found: list[Instruction] = []
        for part in parts:
            loads, ready = part.prepare(config, launcher, tag, word)
            found += loads + ready(homes)
        return found

    def _domain(self, stage: Stage) -> Domain:
        kernel = stage.compiled.kernel
        # Only shapes and types count.
        arrays = {key: np.broadcast_to(np.zeros((), self.arrays[name].dtype),
                                       self.arrays[name].shape)
                  for key, name in zip(kernel.streams, stage.inputs, strict=True)}
        return kernel.domain(arrays, stage.sizes, stage.grids)
