"""Kernels' calls written down, to be run in one program of a chip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from golden.spec.drp.fabric import Fabric
from sw.drp.cache import Cache
from sw.drp.chain import Chain
from sw.drp.compiler import Compiled, Outcome
from sw.drp.domain import Domain, Grid
from sw.drp.pipeline import Mapped

__all__ = ["Call", "Picture", "Recorder"]


@dataclass(frozen=True)
class Picture:
    """What a kernel reads at positions from data: an array's name and the first byte there, rows
    and columns."""

    name: str
    first: int
    height: int
    width: int


@dataclass(frozen=True)
class Call:
    """One kernel's call on named arrays.

    Parameters
    ----------
    compiled : Compiled
    domain : Domain
    inputs, outputs : tuple of (str, int)
        By port: name of an array, and the first byte there.
    tables : tuple of (words,) int32
    picture : Picture, optional
        Of a kernel with a Gather. It stays, whatever of the other arrays takes turns.
    """

    compiled: Compiled
    domain: Domain
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]
    tables: tuple[np.ndarray, ...]
    picture: Picture | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the arrays it reads."""
        return (*(name for name, _ in self.inputs), *([self.picture.name] if self.picture else []))


class Recorder(Mapped):
    """An engine that gives what the kernels mean, and keeps their calls.

    An array that lies within one that was given or made before is that part of it; so views and
    slices that are contiguous are no copies. Others are new inputs.

    Parameters
    ----------
    fabric : Fabric
    cache : Cache, optional
    seed : int

    Members
    -------
    recorded : list of Call
    inputs, made : dict of ndarray
        What comes from outside, and what the calls make, by name.
    """

    def __init__(self, fabric: Fabric, cache: Cache | None = None, seed: int = 1) -> None:
        super().__init__(fabric, cache, seed)
        self.recorded: list[Call] = []
        self.inputs: dict[str, np.ndarray] = {}
        self.made: dict[str, np.ndarray] = {}

    @property
    def outputs(self) -> dict[str, np.ndarray]:
        """What no call reads."""
        read = {name for call in self.recorded for name in call.reads}
        return {name: array for name, array in self.made.items() if name not in read}

    def run(self, compiled: Compiled | Chain, *given: np.ndarray,
            sizes: Mapping[str, int] | None = None,
            grids: Mapping[str, Grid] | None = None) -> Outcome:
        """Run the reference, and keep the call."""
        if isinstance(compiled, Chain):
            return compiled.run(*given, sizes=sizes, grids=grids, run=self.run)
        kernel = compiled.kernel
        arrays, tables = kernel.bind(given)
        prefix = f"{len(self.recorded)}.{kernel.name}."
        places = {name: self._place(array, prefix + name) for name, array in arrays.items()}
        picture = next((Picture(*places[name], *arrays[name].shape) for name in kernel.gathers),
                       None)
        found = kernel(*given, sizes=sizes, grids=grids, **compiled.scalars)
        results: Sequence[np.ndarray] = found if isinstance(found, tuple) else (found,)
        outputs = tuple(np.array(array, order="C") for array in results)
        names = [prefix + f"result{port}" for port in range(len(outputs))]
        self.made |= dict(zip(names, outputs, strict=True))
        self.recorded.append(Call(
            compiled, kernel.domain(arrays, sizes, grids),
            tuple(places[name] for name in kernel.streams), tuple((name, 0) for name in names),
            tuple(tables.values()), picture))
        return Outcome(outputs, 0, 0, sum(output.size for output in outputs))

    def _place(self, array: np.ndarray, name: str) -> tuple[str, int]:
        """(name of the array that holds an argument, its first byte there)."""
        array = np.ascontiguousarray(array)
        start = array.ctypes.data
        for other, held in {**self.inputs, **self.made}.items():
            first = held.ctypes.data
            if first <= start and start + array.nbytes <= first + held.nbytes:
                return other, start - first
        self.inputs[name] = array
        return name, 0
