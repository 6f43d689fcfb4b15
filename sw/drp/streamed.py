"""One kernel on arrays in DRAM, in strips that take turns in the scratchpad."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from golden.spec.config import Config
from golden.spec.registers import Region
from sw.drp.compiler import Compiled
from sw.drp.domain import Domain
from sw.drp.graph import Role
from sw.drp.launcher import Launcher
from sw.drp.strips import Array, Strip, cut
from sw.drp.transfer import copy_in, copy_out
from sw.instructions.sync import Instruction, Span

__all__ = ["Streamed"]


@dataclass(frozen=True)
class Streamed:
    """A kernel's call.

    Parameters
    ----------
    compiled : Compiled
    domain : Domain
    inputs, outputs : tuple of (str, int)
        By port: the tensor an array lies in, and its first byte there.
    tables : tuple of (words,) int32
    most : int
        Words of scratchpad that it may take.
    constants : dict of ndarray
        Tensors among the inputs that the network hasn't: they are part of the program.
    """

    compiled: Compiled
    domain: Domain
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]
    tables: tuple[np.ndarray, ...]
    most: int
    constants: Mapping[str, np.ndarray] = field(default_factory=dict)

    def strips(self, config: Config) -> list[Strip]:
        """What is loaded, run and stored together.

        Raises
        ------
        InputError
            If not even one row fits.
        """
        return cut(self.compiled, self.domain, self.most * config.group)

    def words(self, config: Config) -> int:
        """Scratchpad words that it takes."""
        strips = self.strips(config)
        return self.most if len(strips) > 1 else strips[0].room // config.group

    def check(self, config: Config) -> None:
        """Whether it can be emitted.

        Raises
        ------
        InputError
            Where `strips` does, or if the tile's loops or streams can't have its sizes.
        """
        specs = (*self.compiled.kernel.streams.values(), *self.compiled.kernel.outs)
        at = {(role, port): 0 for role in Role for port in range(len(specs))}
        for strip in self.strips(config):
            self.compiled.launch(strip.domain, at)

    def emit(self, config: Config, launcher: Launcher, tag: int, word: int,
             homes: Mapping[str, tuple[Region, int]]) -> list[Instruction]:
        """As ``Recipe.emit``."""
        return [item for part in self.parts(config, launcher, tag, word, homes) for item in part]

    def parts(self, config: Config, launcher: Launcher, tag: int, word: int,
              homes: Mapping[str, tuple[Region, int]]) -> Iterator[list[Instruction]]:
        """The same strip by strip, so that others may come between."""
        homes = {**homes, **{name: (Region.CONSTANTS, launcher.constant(array.tobytes()))
                             for name, array in self.constants.items()}}
        for number, strip in enumerate(self.strips(config)):
            half = number % 2 * (self.most // 2)
            yield self._strip(config, launcher, tag, word + half, homes, strip)

    def _strip(self, config: Config, launcher: Launcher, tag: int, word: int,
               homes: Mapping[str, tuple[Region, int]], strip: Strip) -> list[Instruction]:
        group = config.group
        bases: dict[tuple[Role, int], int] = {}
        spans: dict[Role, list[Span]] = {Role.POP: [], Role.PUSH: []}
        for role, arrays in ((Role.POP, strip.inputs), (Role.PUSH, strip.outputs)):
            for port, array in enumerate(arrays):
                bases[role, port] = word * group
                end = word + array.room // group
                spans[role].append(("sp", word, end))
                word = end

        def moved(array: Array, at: tuple[str, int],
                  base: int) -> Iterator[tuple[Region, int, int, int]]:
            """(region, offset, bytes, word) of what lies together."""
            region, offset = homes[at[0]]
            for run in range(array.runs):
                yield (region, offset + at[1] + array.offset + run * array.stride, array.size,
                       (base + run * array.size) // group)

        found: list[Instruction] = []
        for port, (array, at) in enumerate(zip(strip.inputs, self.inputs, strict=True)):
            for part in moved(array, at, bases[Role.POP, port]):
                found += copy_in(config, tag, *part)
        launch = self.compiled.launch(strip.domain, bases)
        prepared, loads = launcher.prepare(tag, self.compiled, launch, self.tables)
        found += loads + launcher.run(tag, prepared, launch, spans[Role.POP], spans[Role.PUSH])
        for port, (array, at) in enumerate(zip(strip.outputs, self.outputs, strict=True)):
            for part in moved(array, at, bases[Role.PUSH, port]):
                found += copy_out(config, tag, *part)
        return found
