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
from sw.report.traffic import Traffic
from sw.session.engines import Engine
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


def run_samples(model: Model, config: Config, engine_name: str, engine: Engine,
                samples: Sequence[Sample], *, reader: Reader, program: Program | None = None,
                reference: Reference | None = None,
                finished: Callable[[int, Sample, RunResult], None] | None = None) -> Summary:
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

    Raises
    ------
    DeviceError
        If the chip does not finish.
    """
    results: list[SampleResult] = []
    slowest: RunResult | None = None
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
        if slowest is None or result.cycles > slowest.cycles:
            slowest = result
        if finished:
            finished(number, sample, result)
    summary = Summary(model.name, engine_name, config, results)
    if reference is not None:
        summary.reference = reference.title
    if slowest is not None and slowest.counters and program is not None:
        summary.totals = slowest.counters
        summary.spans = intervals(slowest)
        summary.layers = layer_figures(config, program.layers, summary.spans,
                                       slowest.host_seconds)
        summary.placement = Placement.of(program, slowest.host_seconds)
        summary.traffic = Traffic.of(program)
    return summary
