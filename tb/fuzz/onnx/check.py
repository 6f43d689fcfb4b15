"""One case: quantized, imported, compiled, run; what must be equal or near."""

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx

from golden import executor
from golden.spec.program import ChipStep, Program
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.engines.machine import MachineTransport
from sw.errors import ModelError, ReferenceError_
from sw.frontend.onnx import Imported, import_model
from sw.onnx_runtime import run_external
from sw.quantize import Choices, prepare, quantize, read_float
from sw.quantize.ranges import METHODS
from sw.reference_onnx import Difference, OnnxReference, node_differences
from tb.fuzz.check import Failure, Refused
from tb.fuzz.onnx.case import Case

__all__ = ["Outcome", "check"]

SAMPLES = 2
CALIBRATION = 4
# Refusals that a drawn network may meet.
REFUSALS = ("not even one output pixel fits the scratchpad",)


@dataclass
class Outcome:
    """A case that holds.

    Members
    -------
    program : Program
    imported : Imported
    source : onnx.ModelProto
        The quantized network.
    differences : list of Difference
    judged : bool
        ONNX Runtime has all operators of the file.
    """

    program: Program
    imported: Imported
    source: onnx.ModelProto
    differences: list[Difference] = field(default_factory=list)
    judged: bool = True
    places: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def on_chip(self) -> bool:
        """Does the chip have anything to do?"""
        return any(isinstance(step, ChipStep) for step in self.program.steps)


def check(case: Case, transport=MachineTransport) -> Outcome:
    """Hold the engine = golden, and golden within 1 of ONNX Runtime, node by node.

    Raises
    ------
    Refused
        If the chip is too small for the network.
    Failure
        For everything else.
    """
    where = "writing"
    with tempfile.TemporaryDirectory(prefix="sentei-fuzz-") as folder:
        try:
            path = Path(folder) / f"{case.name}.onnx"
            onnx.save(case.model, path)
            rng = np.random.default_rng(case.seed)
            if case.quantize:
                where = "quantizer"
                path = _quantized(case, path, rng)
            where = "front end"
            imported = import_model(path, case.shapes)
            where = "compiler"
            program = compile_graph(imported.graph, case.config)
            outcome = Outcome(program, imported, onnx.load(path))
            where = "golden"
            inputs = [_inputs(imported.graph, rng) for _ in range(SAMPLES)]
            expected = executor.run(imported.graph, inputs[-1], external=run_external)
            where = "ONNX Runtime"
            _near(path, case, outcome, inputs, expected)
            where = "engine"
            device = Device(transport(case.config))
            device.load(program)
            found = device.run(inputs[-1]).outputs
            device.transport.close()
            for name, value in expected.items():
                if not np.array_equal(found[name], value, equal_nan=value.dtype.kind == "f"):
                    wrong = np.count_nonzero(found[name] != value)
                    raise Failure("golden and engine", f"{wrong} of {value.size} values of {name}")
        except Failure:
            raise
        except Exception as error:
            if isinstance(error, ModelError) and any(text in str(error) for text in REFUSALS):
                raise Refused(str(error)) from None
            raise Failure(f"{where}, {type(error).__name__}", str(error)) from error
    return outcome


def _quantized(case: Case, path: Path, rng: np.random.Generator) -> Path:
    model = prepare(path, read_float(path, case.shapes))
    samples = [{item.name: rng.standard_normal([size.dim_value for size in
                                                item.type.tensor_type.shape.dim]).astype(np.float32)
                for item in model.graph.input} for _ in range(CALIBRATION)]
    choices = Choices(str(rng.choice(METHODS)), *(bool(rng.integers(2)) for _ in range(2)))
    found = quantize(model, samples, choices)
    path = path.with_name(f"{case.name}-int8.onnx")
    onnx.save(found.model, path)
    return path


def _inputs(graph, rng) -> dict[str, np.ndarray]:
    """One sample: normal reals, any integers."""
    found = {}
    for name in graph.inputs:
        tensor = graph.tensors[name]
        if tensor.dtype == "float32":
            found[name] = rng.standard_normal(tensor.shape).astype(np.float32)
        else:
            limits = np.iinfo(tensor.dtype)
            found[name] = rng.integers(limits.min, limits.max + 1, tensor.shape).astype(
                tensor.dtype)
    return found


def _near(path: Path, case: Case, outcome: Outcome, inputs, expected) -> None:
    """Each node, and names, shapes and types of the outputs, are as ONNX Runtime has them."""
    shapes = {} if case.quantize else case.shapes
    try:
        runtime = OnnxReference(path, shapes, keep_all=True)
    except ReferenceError_ as error:
        if "NOT_IMPLEMENTED" not in str(error):
            raise
        outcome.judged = False
        return
    for sample in inputs:
        trace = runtime.run(sample)
        outcome.differences += node_differences(outcome.imported, sample, trace)
    for name, value in expected.items():
        if (value.shape, value.dtype) != (trace[name].shape, trace[name].dtype):
            raise Failure("output", f"{name} is {value.dtype}{value.shape}, ONNX Runtime has "
                                    f"{trace[name].dtype}{trace[name].shape}")
    worst = [item for item in outcome.differences if item.exact and item.largest > 1]
    if worst:
        raise Failure("golden and ONNX Runtime", f"{worst[0]}")
    wrong = sum(item.different for item in outcome.differences if item.exact)
    if wrong > 0.3 * sum(item.compared for item in outcome.differences if item.exact):
        raise Failure("share", f"{wrong} values differ")
