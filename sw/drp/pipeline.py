"""Several kernels that hand arrays on: a plain function that calls them through an engine."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from golden.spec.drp.fabric import Fabric
from sw.drp.cache import Cache
from sw.drp.chain import Chain, compile_whole
from sw.drp.compiler import Compiled, Outcome
from sw.drp.domain import Grid
from sw.drp.kernel import Kernel

__all__ = ["Mapped", "Pipeline", "Reference", "Simulated", "pipeline"]


class Engine(Protocol):
    """What runs the kernels of a pipeline."""

    def __call__(self, kernel: Kernel, *arrays: np.ndarray,
                 sizes: Mapping[str, int] | None = None,
                 grids: Mapping[str, Grid] | None = None, **scalars: int) -> Any:
        """As the kernel itself."""


class Reference:
    """Kernels' own functions, in numpy."""

    def __call__(self, kernel: Kernel, *arrays: np.ndarray,
                 sizes: Mapping[str, int] | None = None,
                 grids: Mapping[str, Grid] | None = None, **scalars: int) -> Any:
        """Run one."""
        return kernel(*arrays, sizes=sizes, grids=grids, **scalars)


@dataclass
class Mapped:
    """Base of engines that map kernels at their first call.

    Parameters
    ----------
    fabric : Fabric
    cache : Cache, optional
    seed : int

    Members
    -------
    calls : list of (str, int)
        Kernel and cycles of every call.
    compiled : dict of Compiled
        By kernel, with the last scalars.
    """

    fabric: Fabric
    cache: Cache | None = None
    seed: int = 1
    calls: list[tuple[str, int]] = field(default_factory=list)
    compiled: dict[str, Compiled | Chain] = field(default_factory=dict)
    _made: dict[tuple[Any, ...], Compiled | Chain] = field(default_factory=dict)

    @property
    def cycles(self) -> int:
        """Of all calls, one after the other."""
        return sum(cycles for _, cycles in self.calls)

    def __call__(self, kernel: Kernel, *arrays: np.ndarray,
                 sizes: Mapping[str, int] | None = None,
                 grids: Mapping[str, Grid] | None = None, **scalars: int) -> Any:
        """Run one, compiled at its first call."""
        key = (kernel.name, *sorted(scalars.items()))
        if key not in self._made:
            self._made[key] = compile_whole(kernel, self.fabric, seed=self.seed,
                                            cache=self.cache, **scalars)
        self.compiled[kernel.name] = self._made[key]
        outputs = self.run(self._made[key], *arrays, sizes=sizes, grids=grids).outputs
        return outputs[0] if len(outputs) == 1 else outputs

    def run(self, compiled: Compiled | Chain, *given: np.ndarray,
            sizes: Mapping[str, int] | None = None,
            grids: Mapping[str, Grid] | None = None) -> Outcome:
        """Run what is compiled; adds to ``calls``."""
        raise NotImplementedError


class Simulated(Mapped):
    """Kernels on the simulated tile."""

    def run(self, compiled: Compiled | Chain, *given: np.ndarray,
            sizes: Mapping[str, int] | None = None,
            grids: Mapping[str, Grid] | None = None) -> Outcome:
        """Run what is compiled."""
        outcome = compiled.run(*given, sizes=sizes, grids=grids)
        self.calls.append((compiled.kernel.name, outcome.cycles))
        return outcome


class Pipeline:
    """A function of an engine and arrays; called with arrays alone it is its reference.

    Parameters
    ----------
    function : callable
        (engine, arrays, scalars by keyword) -> result. Calls ``engine(kernel, ...)`` where a kernel
        would be called itself.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.name, self.doc = function.__name__, inspect.getdoc(function) or ""
        self._function = function

    def __call__(self, *arrays: np.ndarray, **scalars: Any) -> Any:
        """The reference."""
        return self._function(Reference(), *arrays, **scalars)

    def kernels(self, *arrays: Any) -> tuple[str, ...]:
        """Names of the kernels that it calls for arrays."""
        names: dict[str, None] = {}

        def engine(kernel: Kernel, *given: np.ndarray, **options: Any) -> Any:
            names[kernel.name] = None
            return kernel(*given, **options)

        self._function(engine, *arrays)
        return tuple(names)

    def run(self, engine: Engine, *arrays: np.ndarray, **scalars: Any) -> Any:
        """On an engine."""
        return self._function(engine, *arrays, **scalars)


def pipeline(function: Callable[..., Any]) -> Pipeline:
    """Make a function of an engine a pipeline."""
    return Pipeline(function)
