"""One kernel on arrays in DRAM, in strips that take turns in the scratchpad."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from golden.spec.config import Config
from golden.spec.registers import Region
from sw.compiler.sync import Instruction, Span
from sw.drp.compiler import Compiled
from sw.drp.domain import Domain
from sw.drp.graph import Role
from sw.drp.launcher import Launcher
from sw.drp.strips import Array, Strip, cut, least
from sw.drp.transfer import copy_in, copy_out
from sw.errors import InputError

__all__ = ["Picture", "Streamed"]


@dataclass(frozen=True)
class Picture:
    """What a kernel reads at positions from data: the tensor it is, rows and columns."""

    name: str
    height: int
    width: int


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
    picture : Picture, optional
        Of a kernel with a Gather. It stays, whatever of the other arrays takes turns.
    """

    compiled: Compiled
    domain: Domain
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]
    tables: tuple[np.ndarray, ...]
    most: int
    picture: Picture | None = None

    def strips(self, config: Config) -> list[Strip]:
        """What is loaded, run and stored together.

        Raises
        ------
        InputError
            If not even one row fits, or the picture doesn't.
        """
        most, group = self.most * config.group, config.group
        others = least(self.compiled, self.domain) if self.picture else 0
        if self.picture and self._held(group) * group > most - others > 0:
            raise InputError(
                f"{self.compiled.kernel.name}: {self.picture.name} of {self.picture.height} x "
                f"{self.picture.width} values must be in the scratchpad whole, accepted are "
                f"{(most - others) // self._bytes} values beside {others} bytes of other arrays")
        return cut(self.compiled, self.domain, most - self._held(group) * group)

    def words(self, config: Config) -> int:
        """Scratchpad words that it takes."""
        strips = self.strips(config)
        return self.most if len(strips) > 1 else (
            self._held(config.group) + strips[0].room // config.group)

    @property
    def _bytes(self) -> int:
        """Of a value of the picture."""
        return next(iter(self.compiled.kernel.gathers.values())).type.bytes

    def _held(self, group: int) -> int:
        """Words of scratchpad that the picture takes."""
        return 0 if self.picture is None else -(
            -self.picture.height * self.picture.width * self._bytes // group)

    def emit(self, config: Config, launcher: Launcher, tag: int, word: int,
             homes: Mapping[str, tuple[Region, int]]) -> list[Instruction]:
        """As ``Recipe.emit``."""
        return [item for part in self.parts(config, launcher, tag, word, homes) for item in part]

    def parts(self, config: Config, launcher: Launcher, tag: int, word: int,
              homes: Mapping[str, tuple[Region, int]]) -> Iterator[list[Instruction]]:
        """The same strip by strip, so that others may come between."""
        held = self._held(config.group)
        for number, strip in enumerate(self.strips(config)):
            half = held + number % 2 * ((self.most - held) // 2)
            found = self._strip(config, launcher, tag, word, word + half, homes, strip)
            if self.picture and not number:
                found = copy_in(config, tag, *homes[self.picture.name], self.picture.height
                                * self.picture.width * self._bytes, word) + found
            yield found

    def _strip(self, config: Config, launcher: Launcher, tag: int, first: int, word: int,
               homes: Mapping[str, tuple[Region, int]], strip: Strip) -> list[Instruction]:
        """Of arrays from ``word`` on, and a picture at ``first``."""
        group = config.group
        bases: dict[tuple[Role, int], int] = {}
        spans: dict[Role, list[Span]] = {Role.POP: [], Role.PUSH: []}
        pictures = []
        if self.picture:
            bases[Role.POP, self.compiled.kernel.ports[self.picture.name]] = first * group
            spans[Role.POP].append(("sp", first, first + self._held(group)))
            pictures.append((self.picture.height, self.picture.width))
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
        launch = self.compiled.launch(strip.domain, bases, pictures)
        prepared, loads = launcher.prepare(tag, self.compiled, launch, self.tables)
        found += loads + launcher.run(tag, prepared, launch, spans[Role.POP], spans[Role.PUSH])
        for port, (array, at) in enumerate(zip(strip.outputs, self.outputs, strict=True)):
            for part in moved(array, at, bases[Role.PUSH, port]):
                found += copy_out(config, tag, *part)
        return found
