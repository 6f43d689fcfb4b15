"""What pruning would gain, before any training: cycles at a rate, from the machine."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from golden.graph import Graph
from golden.spec.config import Config
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.engines.machine import MachineTransport
from sw.prune.rate import prune_to_rate
from sw.report.figures import LayerFigures, intervals, layer_figures

__all__ = ["Estimate", "estimate"]

_BOUND = {"drain": "drain", "weights": "weights", "words": "banks", "semaphore": "feature maps",
          "idle": "program"}
_SHARE = 0.15  # of a layer's cycles, from which on a stall is what binds it


@dataclass(frozen=True)
class Estimate:
    """One rate's figures.

    Parameters
    ----------
    rate : float or None
        None for the network with its zeros issued too.
    config : Config
    cycles : int
        Doorbell to interrupt.
    bytes : int
        Read and written.
    layers : list of LayerFigures
    """

    rate: float | None
    config: Config
    cycles: int
    bytes: int
    layers: list[LayerFigures]

    @property
    def ideal_cycles(self) -> int:
        """What the array alone needs."""
        return sum(layer.ideal_cycles for layer in self.layers)

    @property
    def inferences_per_second(self) -> float:
        """At the configuration's clock."""
        return self.config.clock_mhz * 1e6 / self.cycles if self.cycles else 0.0

    def json(self, dense: "Estimate") -> dict[str, Any]:
        """For programs; speed-ups are over ``dense``."""
        return {
            "rate": self.rate or 0.0, "dense": self.rate is None, "cycles": self.cycles,
            "ideal_cycles": self.ideal_cycles,
            "speedup": dense.cycles / self.cycles if self.cycles else 1.0,
            "inferences_per_second": self.inferences_per_second, "bytes": self.bytes,
            "layers": [{"name": layer.name, "operator": layer.operator, "unit": layer.unit,
                        "cycles": layer.cycles, "ideal_cycles": layer.ideal_cycles,
                        "bytes": layer.bytes_read + layer.bytes_written,
                        "bound": bound(layer)} for layer in self.layers]}


def bound(layer: LayerFigures) -> str:
    """What a layer's cycles are bound by: MACs, drain, weights, feature maps, banks or program."""
    if not layer.cycles:
        return "host" if layer.unit == "host" else ""
    cause, cycles = max(layer.stalls.items(), key=lambda item: item[1], default=("", 0))
    return _BOUND[cause] if cycles > _SHARE * layer.cycles else "MACs"


def estimate(graph: Graph, config: Config, rate: float | None) -> Estimate:
    """Prune by magnitude, compile, and let the machine count.

    Cycles do not depend on the input, so that it is zeros.

    Parameters
    ----------
    graph : Graph
    config : Config
    rate : float or None
        0 to 1; None issues every weight that exists.

    Raises
    ------
    UsageError
        For a rate out of range.
    ModelError
        If the network can't be compiled.
    """
    network = prune_to_rate(graph, config, rate) if rate else graph
    program = compile_graph(network, config, dense=rate is None)
    device = Device(MachineTransport(config, check_races=False, computes=False))
    device.load(program)
    result = device.run({name: np.zeros(graph.tensors[name].shape, graph.tensors[name].dtype)
                         for name in graph.inputs})
    layers = layer_figures(config, program.layers, intervals(result), result.host_seconds)
    beats = sum(result.counters.get(name, 0) for name in ("beats_read", "beats_written"))
    return Estimate(rate, config, result.cycles, beats * config.group, layers)
