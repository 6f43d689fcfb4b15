"""Engines by name: what runs a network."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from golden import executor
from golden.graph import Graph
from golden.spec.config import Config
from golden.spec.program import Program
from sw.driver.device import Device, RunResult
from sw.driver.transport import Transport
from sw.errors import ToolError, UsageError
from sw.onnx_runtime import run_external

__all__ = ["ENGINES", "ChipEngine", "Engine", "GoldenEngine", "Waves", "open_engine",
           "open_transport"]

ENGINES = {
    "golden": "the network's operators in numpy: results, no cycles",
    "machine": "the program, instruction by instruction, with a timing model",
    "rtl": "the generated Verilog in Verilator: every cycle as in the chip",
}


@dataclass(frozen=True)
class Waves:
    """What to record of an rtl run.

    Parameters
    ----------
    path : Path
        FST file.
    first, last : int
        Cycles since the power-on reset.
    """

    path: Path
    first: int = 0
    last: int = (1 << 64) - 1


class Engine(Protocol):
    """Runs one sample after the other."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> RunResult:
        """One inference."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class GoldenEngine:
    """The golden executor behind the engines' interface.

    Parameters
    ----------
    graph : Graph
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def run(self, inputs: Mapping[str, np.ndarray]) -> RunResult:
        """One inference; no cycles."""
        return RunResult(outputs=executor.run(
            self._graph, dict(inputs), external=run_external), counters={})

    def close(self) -> None:
        """Nothing to end."""


class ChipEngine:
    """A device that has its program behind the engines' interface.

    Parameters
    ----------
    device : Device
    """

    def __init__(self, device: Device) -> None:
        self._device = device

    def run(self, inputs: Mapping[str, np.ndarray]) -> RunResult:
        """One inference."""
        return self._device.run(inputs)

    def close(self) -> None:
        """Release the transport: a simulator completes its files."""
        self._device.transport.close()


def open_transport(name: str, config: Config, waves: Waves | None = None,
                   progress: Callable[[str], None] | None = None) -> Transport:
    """A simulated chip by its engine's name, ``machine`` or ``rtl``.

    Raises
    ------
    ToolError
        If the simulator is missing.
    """
    if name == "machine":
        from sw.engines.machine import MachineTransport

        return MachineTransport(config)
    try:
        from sw.engines.rtl.engine import RtlTransport  # the only way from here to the hardware
    except ImportError as error:
        raise ToolError(f"--engine rtl: {error}; make setup installs what it needs") from error
    if waves is None:
        return RtlTransport(config, progress=progress)
    return RtlTransport(config, progress=progress, trace=waves.path,
                        trace_cycles=(waves.first, waves.last))


def open_engine(name: str, config: Config, program: Program, *, waves: Waves | None = None,
                progress: Callable[[str], None] | None = None,
                transport: Transport | None = None) -> ChipEngine:
    """A chip with the program loaded.

    Parameters
    ----------
    name : str
        ``machine``, ``rtl``, or ``board`` with a transport.
    config : Config
        Chip and simulated memory.
    program : Program
    waves : Waves, optional
        Only with ``rtl``.
    progress : callable, optional
        Told what a long start is doing.
    transport : Transport, optional
        A chip that is there already.

    Raises
    ------
    ToolError
        If the simulator is missing.
    DeviceError
        If the chip refuses the program.
    """
    if waves is not None and name != "rtl":
        raise UsageError(f"--waves needs --engine rtl, not {name}: only signals have waves")
    device = Device(transport or open_transport(name, config, waves, progress))
    device.load(program)
    return ChipEngine(device)
