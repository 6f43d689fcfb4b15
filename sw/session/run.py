"""Samples through an engine, held against the reference, summed up."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from golden.spec.config import Config
from golden.spec.program import Program
from sw.driver.device import RunResult
from sw.report.answers import Reader
from sw.report.figures import intervals, layer_figures
from sw.report.placement import Placement
from sw.report.summary import SampleResult, Summary
from sw.report.timeline import TimeLine
from sw.report.traffic import Traffic
from sw.session.engines import Engine, open_engine
from sw.session.model import Model
from sw.session.reference import Reference
from sw.zoo import Sample

__all__ = ["run_samples"]


def _different(outputs: dict[str, np.ndarray], expected: Sequence[np.ndarray],
               names: Sequence[str]) -> tuple[int, int]:
    """(bytes that differ, bytes compared)."""
    different = compared = 0
    for name, wanted in zip(names, expected, strict=True):
        found = outputs[name]
        compared += wanted.nbytes
        if found.shape != wanted.shape or found.dtype != wanted.dtype:
            different += wanted.nbytes
        else:
            different += int(np.count_nonzero(
                np.frombuffer(found.tobytes(), np.uint8)
                != np.frombuffer(wanted.tobytes(), np.uint8)))
    return different, compared


def _timeline(program: Program, config: Config, engine: str, result: RunResult,
              sample: Sample | None) -> TimeLine | None:
    """The run's, or the machine's for the sample."""
    if not result.occupied and sample:
        machine = open_engine("machine", config, program)
        engine, result = "machine", machine.run(sample.inputs)
        machine.close()
    if not result.occupied:
        return None
    return TimeLine.of(program, engine, result.cycles, result.occupied)


def run_samples(model: Model, config: Config, engine_name: str, engine: Engine,
                samples: Sequence[Sample], *, reader: Reader, program: Program | None = None,
                reference: Reference | None = None,
                finished: Callable[[int, Sample, RunResult], None] | None = None,
                timeline: bool = False) -> Summary:
    """Run samples one by one.

    Parameters
    ----------
    model : Model
    config : Config
    engine_name : str
    engine : Engine
        With the program loaded.
    samples : sequence of Sample
    reader : Reader
        Reads answers.
    program : Program, optional
        What runs, for the layers' figures.
    reference : Reference, optional
        Gives the outputs expected.
    finished : callable, optional
        Told number, sample and result of each.
    timeline : bool
        Whether the time line is wanted of an engine that can't tell it: then it is the machine's.

    Raises
    ------
    DeviceError
        If the chip does not finish.
    """
    results: list[SampleResult] = []
    slowest: tuple[RunResult, Sample] | None = None
    names = [spec.name for spec in model.outputs]
    for number, sample in enumerate(samples):
        start = time.perf_counter()
        result = engine.run(sample.inputs)
        seconds = time.perf_counter() - start
        entry = SampleResult(sample.name, reader.read(sample.inputs, result.outputs, sample.label),
                             result.cycles if result.counters else None, seconds)
        if reference is not None:
            entry.different, entry.compared = _different(result.outputs,
                                                         reference.outputs(sample.inputs), names)
        results.append(entry)
        if slowest is None or result.cycles > slowest[0].cycles:
            slowest = result, sample
        if finished:
            finished(number, sample, result)
    summary = Summary(model.name, engine_name, config, results)
    if reference is not None:
        summary.reference = reference.title
    if slowest is not None and slowest[0].counters and program is not None:
        result, sample = slowest
        summary.totals = result.counters
        summary.timeline = _timeline(program, config, engine_name, result,
                                     sample if timeline else None)
        spans = intervals(result, {row["tag"] for row in program.layers if row.get("beside")})
        summary.layers = layer_figures(config, program.layers, spans, result.host_seconds,
                                       summary.timeline)
        summary.placement = Placement.of(program, result.host_seconds)
        summary.traffic = Traffic.of(program)
    return summary
