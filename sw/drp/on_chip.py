"""Kernels on a chip: an engine for kernels and pipelines of them."""

from collections.abc import Mapping

import numpy as np

from golden.spec.config import Config
from sw.driver.device import Device
from sw.driver.transport import Transport
from sw.drp.cache import Cache
from sw.drp.chain import Chain
from sw.drp.compiler import Compiled, Outcome
from sw.drp.domain import Grid
from sw.drp.pipeline import Mapped
from sw.drp.program import kernel_program

__all__ = ["OnChip"]


class OnChip(Mapped):
    """Runs kernels as programs of a whole chip, loads and stores included.

    Parameters
    ----------
    config : Config
        With a DRP.
    transport : Transport
    cache : Cache, optional
        Of mappings.
    seed : int
        Of the mapper.

    Members
    -------
    calls : list of (str, int)
        Kernel and cycles of every call.
    counters : dict of int
        Of all calls together.
    """

    def __init__(self, config: Config, transport: Transport, cache: Cache | None = None,
                 seed: int = 1) -> None:
        fabric = config.fabric
        assert fabric
        super().__init__(fabric, cache, seed)
        self._config, self._device = config, Device(transport)
        self.counters: dict[str, int] = {}

    def run(self, compiled: Compiled | Chain, *given: np.ndarray,
            sizes: Mapping[str, int] | None = None,
            grids: Mapping[str, Grid] | None = None) -> Outcome:
        """Run what is compiled for the chip's fabric.

        Raises
        ------
        InputError, DeviceError
        """
        if isinstance(compiled, Chain):
            return compiled.run(*given, sizes=sizes, grids=grids, run=self.run)
        program = kernel_program(compiled, given, self._config, sizes=sizes, grids=grids)
        self._device.load(program)
        result = self._device.run(compiled.kernel.bind(given)[0])
        for name, value in result.counters.items():
            self.counters[name] = self.counters.get(name, 0) + value
        self.calls.append((compiled.kernel.name, result.cycles))
        outputs = tuple(result.outputs.values())
        return Outcome(outputs, result.cycles, result.counters["drp_steps"],
                       sum(output.size for output in outputs))
