"""One case of a campaign, drawn from its name."""

from dataclasses import dataclass

import numpy as np

from golden.graph import Graph
from golden.spec.config import Config
from tb.fuzz.base_case import BaseCase
from tb.fuzz.chips import CHIPS, LIMITS
from tb.fuzz.graphs import FUZZ_KINDS, FuzzGraph

__all__ = ["Case"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Case(BaseCase):
    """A network, its inputs, and the chip and memory they run on.

    Parameters
    ----------
    kind : str
        One of `FUZZ_KINDS`.
    inputs : tuple of dict of str to ndarray
        One per run: a later run begins with what the one before left on chip.
    dense : bool
        Compile with zero skipping off.
    stall_percent, stall_seed : int
        Chance in percent that an AXI channel pauses in a cycle, and the randomness.
    dram_bytes, dram_latency : int
        The memory's timing, as in `Config`.
    """

    kind: str
    graph: Graph
    inputs: tuple[dict[str, np.ndarray], ...]
    dense: bool
    stall_percent: int
    stall_seed: int
    dram_bytes: int
    dram_latency: int

    @property
    def config(self) -> Config:
        """The chip behind this case's memory."""
        return CHIPS[self.chip].replace(dram_bytes=self.dram_bytes,
                                        dram_latency=self.dram_latency)

    @classmethod
    def draw(cls, chip: str, number: int) -> "Case":
        """The case of that number on that chip."""
        rng = np.random.default_rng([number, *chip.encode()])
        config = CHIPS[chip]
        kind = str(rng.choice(FUZZ_KINDS))
        # Small ones are quick and as telling; large ones come too.
        pixels, channels = (int(2 ** rng.uniform(1, np.log2(most))) for most in LIMITS[chip])
        seed = int(rng.integers(1 << 31))
        drawn = FuzzGraph(seed, kind, config.lanes, pixels, channels)
        inputs = [drawn.inputs]
        if rng.integers(4) == 0:
            inputs.append({name: drawn.values(array.shape)
                           for name, array in drawn.inputs.items()})
        usual, slow = rng.integers(3, size=2) == 0
        return cls(
            name=f"{chip}-{number}", chip=chip, kind=kind, graph=drawn.graph,
            inputs=tuple(inputs), dense=bool(rng.integers(4) == 0),
            stall_percent=int(rng.integers(1, 81)) if rng.integers(2) else 0, stall_seed=seed,
            dram_bytes=config.dram_bytes if usual else int(2 ** rng.uniform(0, 6.05)),
            dram_latency=config.dram_latency if usual else int(
                rng.integers(201) if slow else 2 ** rng.uniform(0, 6) - 1))

    def __str__(self) -> str:
        return (f"case {self.name}: {self.kind}, {len(self.inputs)} runs, dense {self.dense}, "
                f"stalls {self.stall_percent} %, DRAM {self.dram_bytes} bytes a cycle after "
                f"{self.dram_latency}\n{self.graph}")
