"""The way from arguments to a `Summary`, shared by ``sentei run`` and ``sentei report``."""

import argparse
from collections.abc import Callable

from golden.spec.config import Config
from golden.spec.program import Program
from sw.commands.inputs import frames, reader, samples
from sw.commands.options import chip
from sw.commands.progress import Progress
from sw.driver.device import RunResult
from sw.driver.transport import Transport
from sw.errors import UsageError
from sw.inputs.camera import Camera
from sw.report.summary import Summary
from sw.session import (
    GoldenEngine,
    Model,
    Waves,
    at_rate,
    compiled,
    open_engine,
    open_model,
    open_reference,
    run_samples,
)
from sw.session.camera import CameraReference, with_camera
from sw.session.decision import DecisionReference, with_decision
from sw.session.engines import Engine
from sw.session.reference import Reference
from sw.words import counted
from sw.zoo import Sample

__all__ = ["run"]


def _configuration(arguments: argparse.Namespace, model: Model) -> Config:
    return chip(arguments, model.program.chip() if model.program else None)


def run(arguments: argparse.Namespace, progress: Progress, *, check: bool = False,
        waves: Waves | None = None, transport: Transport | None = None,
        finished: Callable[[int, Sample, RunResult], None] | None = None,
        timeline: bool = False) -> Summary:
    """Open, compile, start the engine, run all samples.

    Parameters
    ----------
    arguments : Namespace
        With model, engine, dense, the chip's and the inputs' arguments.
    progress : Progress
    check : bool
        Hold every output against the model's reference.
    waves : Waves, optional
    transport : Transport, optional
        The chip, with an engine that needs one.
    finished : callable, optional
        Told number, sample and result of each sample.
    timeline : bool
        As ``run_samples`` takes it.

    Raises
    ------
    SenteiError
        Whatever stands in the way.
    """
    with progress.step(f"reading {arguments.model}"):
        model = open_model(arguments.model, dict(arguments.shape))
        config = _configuration(arguments, model)
        if check and arguments.rate is not None:
            raise UsageError("--check with --rate: the reference has the weights of the file; the "
                             "engines golden, machine and rtl agree on the pruned ones")
        model = at_rate(model, config, arguments.rate)
        reference: Reference | None = open_reference(model) if check else None
        if arguments.camera:
            camera = Camera.parse(arguments.camera)
            model = with_camera(model, camera)
            chosen = frames(arguments, model, camera)
            reference = CameraReference(reference, model) if reference else None
        else:
            chosen = samples(arguments, model)
        if arguments.decide:
            model = with_decision(model)
            reference = DecisionReference(reference) if reference else None
        answers = reader(arguments, model)
        if reference is not None:
            reference.outputs(chosen[0].inputs)  # a refusal comes before the long part
    for text in model.graph.notes if model.graph else ():
        progress.note(f"note: {text}")
    program: Program | None = None
    engine: Engine
    if arguments.engine == "golden":
        engine = _golden(arguments, model, waves)
    else:
        if model.program is not None and arguments.dense:
            raise UsageError(f"{model.path}: --dense is a matter of compiling, this is compiled")
        with progress.step(f"compiling for {config.name}"):
            program = compiled(model, config, dense=arguments.dense, progress=progress.update)
        with progress.step(f"starting the {arguments.engine} engine"):
            engine = open_engine(arguments.engine, config, program, waves=waves,
                                 progress=progress.update, transport=transport)

    def told(number: int, sample: Sample, result: RunResult) -> None:
        progress.update(f"{number + 1} of {len(chosen)} done")
        if finished:
            finished(number, sample, result)

    text = f"running {counted(len(chosen), 'sample')}"
    try:
        with progress.step(f"{text} on {arguments.engine}"):
            return run_samples(model, config, arguments.engine, engine, chosen, reader=answers,
                               program=program, reference=reference, finished=told,
                               timeline=timeline)
    finally:
        engine.close()  # completes the file of the waves


def _golden(arguments: argparse.Namespace, model: Model, waves: Waves | None) -> GoldenEngine:
    if model.graph is None:
        raise UsageError(f"{model.path}: --engine golden needs the model itself, not a compiled "
                         "program")
    for option, given in (("--dense", arguments.dense), ("--waves", waves is not None)):
        if given:
            raise UsageError(f"{option}: --engine golden has no chip, take machine or rtl")
    return GoldenEngine(model.graph)
