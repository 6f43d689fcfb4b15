"""What a run of the chip tells."""

from dataclasses import dataclass, field

import numpy as np

from golden.spec.isa import Unit
from golden.spec.registers import COUNTERS, DRP_COUNTERS

__all__ = ["LogRecord", "Occupied", "RunResult"]


@dataclass(frozen=True)
class Occupied:
    """From when a unit had an instruction until all its effects were done.

    Members
    -------
    unit : Unit
    tag : int
        Layer.
    start, end : int
        Cycles since the run began.
    """

    unit: Unit
    tag: int
    start: int
    end: int


@dataclass(frozen=True)
class LogRecord:
    """What a LOG instruction wrote.

    Members
    -------
    tag, layer : int, str
        Of the instruction.
    step : int
        Index of the program's step that held it.
    counters : dict of str to int
        Since the start of the step, by the names of `registers.COUNTERS`.
    delta : dict of str to int
        Since the record before in the same step.
    bytes_read, bytes_written : int
        DRAM traffic since the record before.
    """

    tag: int
    layer: str
    step: int
    counters: dict[str, int]
    delta: dict[str, int]
    bytes_read: int
    bytes_written: int


@dataclass
class RunResult:
    """One inference.

    Members
    -------
    outputs : dict of str to ndarray
    cycles : int
        Chip cycles, summed over the chip's steps.
    counters : dict of str to int
        By the names of `registers.COUNTERS` and `DRP_COUNTERS`, summed over the chip's steps.
    log : list of LogRecord
    host_seconds : list of (str, float)
        Name and duration of every host step, in order.
    occupied : list of Occupied
        Of every instruction, in the program's order, where the transport knows.
    """

    outputs: dict[str, np.ndarray] = field(default_factory=dict)
    cycles: int = 0
    counters: dict[str, int] = field(
        default_factory=lambda: {
            counter.name: 0 for counter in COUNTERS + DRP_COUNTERS})
    log: list[LogRecord] = field(default_factory=list)
    host_seconds: list[tuple[str, float]] = field(default_factory=list)
    occupied: list[Occupied] = field(default_factory=list)
