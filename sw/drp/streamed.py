"""One kernel on arrays in DRAM, in strips that take turns in the scratchpad."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from golden.spec.config import Config
from golden.spec.registers import Region
from sw.drp.graph import Role
from sw.drp.launch import Launch
from sw.drp.launcher import Launcher, steps_of
from sw.drp.recorder import Call
from sw.drp.strips import Array, Strip, cut, least
from sw.drp.transfer import copy_in, copy_out
from sw.errors import InputError
from sw.instructions.sync import Instruction, Span

__all__ = ["Streamed"]


@dataclass(frozen=True)
class Streamed(Call):
    """A kernel's call, on arrays of tensors.

    Parameters
    ----------
    most : int
        Words of scratchpad that it may take.
    constants : dict of ndarray
        Tensors among the inputs that the network hasn't: they are part of the program.
    """

    most: int = field(kw_only=True)
    constants: Mapping[str, np.ndarray] = field(default_factory=dict, kw_only=True)

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

    @property
    def names(self) -> list[str]:
        """Of its kernel."""
        return [self.compiled.kernel.name]

    def _launches(self, config: Config) -> list[Launch]:
        """By strip, wherever its arrays lie."""
        bases = {(role, port): 0 for role in (Role.POP, Role.PUSH)
                 for port in range(len(self.compiled.kernel.ports) + len(self.outputs))}
        return [self.compiled.launch(strip.domain, bases, self._pictures)
                for strip in self.strips(config)]

    def steps(self, config: Config) -> list[int]:
        """Of the tile, by strip."""
        image = self.compiled.image(*self.tables)
        return [steps_of(image.with_counts(item.state, item.counts))
                for item in self._launches(config)]

    def words(self, config: Config) -> int:
        """Scratchpad words that it takes."""
        strips = self.strips(config)
        return self.most if len(strips) > 1 else (
            self._held(config.group) + strips[0].room // config.group)

    @property
    def _bytes(self) -> int:
        """Of a value of the picture."""
        return next(iter(self.compiled.kernel.gathers.values())).type.bytes

    @property
    def _pictures(self) -> list[tuple[int, int]]:
        """As ``Compiled.launch`` takes them."""
        return [(self.picture.height, self.picture.width)] if self.picture else []

    def _held(self, group: int) -> int:
        """Words of scratchpad that the picture takes."""
        return 0 if self.picture is None else -(
            -self.picture.height * self.picture.width * self._bytes // group)

    def check(self, config: Config) -> None:
        """Whether it can be emitted.

        Raises
        ------
        InputError
            Where `strips` does, or if the tile's loops or streams can't have its sizes.
        """
        self._launches(config)

    def emit(self, config: Config, launcher: Launcher, tag: int, word: int,
             homes: Mapping[str, tuple[Region, int]]) -> list[Instruction]:
        """As ``Recipe.emit``."""
        return [item for part in self.parts(config, launcher, tag, word, homes) for item in part]

    def parts(self, config: Config, launcher: Launcher, tag: int, word: int,
              homes: Mapping[str, tuple[Region, int]]) -> Iterator[list[Instruction]]:
        """The same strip by strip, so that others may come between."""
        held = self._held(config.group)
        homes = {**homes, **{name: (Region.CONSTANTS, launcher.constant(array.tobytes()))
                             for name, array in self.constants.items()}}
        for number, strip in enumerate(self.strips(config)):
            half = held + number % 2 * ((self.most - held) // 2)
            found = self._strip(config, launcher, tag, word, word + half, homes, strip)
            if self.picture and not number:
                region, offset = homes[self.picture.name]
                found = copy_in(config, tag, region, offset + self.picture.first,
                                self.picture.height * self.picture.width * self._bytes,
                                word) + found
            yield found

    def _strip(self, config: Config, launcher: Launcher, tag: int, first: int, word: int,
               homes: Mapping[str, tuple[Region, int]], strip: Strip) -> list[Instruction]:
        """Of arrays from ``word`` on, and a picture at ``first``."""
        group = config.group
        bases: dict[tuple[Role, int], int] = {}
        spans: dict[Role, list[Span]] = {Role.POP: [], Role.PUSH: []}
        if self.picture:
            (name,) = self.compiled.kernel.gathers
            bases[Role.POP, self.compiled.kernel.ports[name]] = first * group
            spans[Role.POP].append(("sp", first, first + self._held(group)))
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
        launch = self.compiled.launch(strip.domain, bases, self._pictures)
        prepared, loads = launcher.prepare(tag, self.compiled, launch, self.tables)
        found += loads + launcher.run(tag, prepared, launch, spans[Role.POP], spans[Role.PUSH])
        for port, (array, at) in enumerate(zip(strip.outputs, self.outputs, strict=True)):
            for part in moved(array, at, bases[Role.PUSH, port]):
                found += copy_out(config, tag, *part)
        return found
