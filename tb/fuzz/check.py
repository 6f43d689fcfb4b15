"""One case on golden, machine and RTL; what must be equal."""

from dataclasses import dataclass

import numpy as np

from golden import executor
from golden.spec.program import Program
from golden.spec.registers import COUNTERS
from sw.compiler import compile_graph
from sw.driver.result import RunResult
from sw.driver.transport import Transport
from sw.engines.machine import MachineTransport
from sw.engines.rtl.builder import build, generate_verilog
from sw.engines.rtl.engine import RtlTransport
from sw.errors import ModelError
from tb.fuzz.base_campaign import Failure, Refused
from tb.fuzz.case import Case
from tb.fuzz.chips import CHIPS
from tb.lib.compare import run_from_clean_memory

__all__ = ["Engines", "Outcome", "check"]

MEMORY = 1 << 22
# The compiler's only refusal that a drawn network may meet.
REFUSAL = "not even one output pixel fits the scratchpad"
# What the machine counts, not estimates.
EXACT = ("instructions", "row_columns", "mac_busy", "conflicts", "beats_read", "beats_written")
# Each cycle is one of these.
WATERFALL = ("mac_busy", "mac_wait_drain", "mac_wait_weights", "mac_wait_words",
             "mac_wait_semaphore", "mac_idle")
assert set(EXACT + WATERFALL) <= {counter.name for counter in COUNTERS}


@dataclass(frozen=True)
class Outcome:
    """A case that holds: its program and, run by run, what RTL and machine told."""

    program: Program
    rtl: list[RunResult]
    machine: list[RunResult]


class Engines:
    """Makes the two engines of a case; a chip's Verilog is fixed at its first use."""

    def __init__(self) -> None:
        self.verilog: dict[str, str] = {}

    def prepare(self, chip: str) -> None:
        """Fix a chip's Verilog and build its simulator, which takes a minute if it is new."""
        if chip not in self.verilog:
            self.verilog[chip] = generate_verilog(CHIPS[chip])
            build(self.verilog[chip], CHIPS[chip].group)

    def rtl(self, case: Case) -> Transport:
        """The RTL behind the case's memory."""
        self.prepare(case.chip)
        return RtlTransport(case.config, memory_bytes=MEMORY, stall_percent=case.stall_percent,
                            seed=case.stall_seed, verilog=self.verilog[case.chip])

    def machine(self, case: Case) -> Transport:
        """The machine, which knows no stalls."""
        return MachineTransport(case.config, memory_bytes=MEMORY)


def check(case: Case, engines: Engines) -> Outcome:
    """Hold golden = RTL = machine, every byte of memory, exact counters, sum of stalls.

    Raises
    ------
    Refused
        If the chip is too small for the network.
    Failure
        For everything else.
    """
    where = "golden"
    try:
        expected = [executor.run(case.graph, inputs) for inputs in case.inputs]
        where = "compiler"
        program = compile_graph(case.graph, case.config, dense=case.dense)
        where = "engines"
        rtl, machine = engines.rtl(case), engines.machine(case)
        outcome = Outcome(program, [], [])
        for run, inputs in enumerate(case.inputs):
            where = "rtl"
            found, memory = run_from_clean_memory(rtl, program, inputs)
            where = "machine"
            told, same = run_from_clean_memory(machine, program, inputs)
            where = "comparison"
            _compare(run, expected[run], found, told)
            if memory != same:
                _differ("machine and rtl", run, "memory", *(
                    np.frombuffer(part, np.uint8) for part in (memory, same)))
            outcome.rtl.append(found)
            outcome.machine.append(told)
        rtl.close()
        machine.close()
    except Failure:
        raise
    except Exception as error:
        if isinstance(error, ModelError) and where == "compiler" and REFUSAL in str(error):
            raise Refused(str(error)) from None
        raise Failure(f"{where}, {type(error).__name__}", str(error)) from error
    return outcome


def _compare(run: int, expected: dict[str, np.ndarray], found: RunResult,
             told: RunResult) -> None:
    for name, array in expected.items():
        _differ("golden and rtl", run, name, array, found.outputs[name])
    for name in EXACT:
        if found.counters[name] != told.counters[name]:
            raise Failure(f"counter {name}", f"run {run}: rtl {found.counters[name]}, machine "
                                             f"{told.counters[name]}")
    total = sum(found.counters[name] for name in WATERFALL)
    if total != found.cycles:
        raise Failure("waterfall", f"run {run}: {total} of {found.cycles} cycles explained")


def _differ(kind: str, run: int, name: str, first: np.ndarray, second: np.ndarray) -> None:
    wrong = np.flatnonzero(first != second)
    if len(wrong):
        at = wrong[0]
        raise Failure(kind, f"run {run}: {len(wrong)} of {first.size} bytes of {name} differ, the "
                            f"first at {at}: {first.flat[at]} and {second.flat[at]}")
