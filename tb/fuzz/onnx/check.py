"""One case: quantized, imported, compiled, run; what must be equal or near."""

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx

from golden import executor
from golden.external import External
from golden.graph import Graph
from golden.spec.config import Config
from golden.spec.program import ChipStep, Program
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.driver.transport import Transport
from sw.engines.machine import MachineTransport
from sw.errors import ReferenceError_, SenteiError
from sw.frontend.onnx import Imported, import_model
from sw.onnx_runtime import run_external
from sw.quantize import Choices, input_specs, prepare, quantize, read_float
from sw.quantize.ranges import METHODS
from sw.reference_onnx import Difference, OnnxReference, node_differences
from tb.fuzz.base_campaign import Failure, Refused
from tb.fuzz.onnx.case import Case

__all__ = ["Outcome", "check"]

SAMPLES = 2
CALIBRATION = 4
# Refusals that a drawn network may meet.
REFUSALS = (
    "not even one output pixel fits the scratchpad",
    # ... of four samples, for what a clamp or a function has made constant.
    "which tells nothing of its range",
    "nothing to quantize: no node has constant weights", "constant whatever the inputs are",
    # A pool whose last window is dropped along one axis, and counts less along the other.
    "accepted are windows that begin before")
# Why the host may run what docs/operators.md says the chip does, in forms that it doesn't.
HOST = (
    # What isn't quantized: behind or between others that the host runs, or left so by the network.
    "stays float", "moves float values", "is not quantized", "and not quantized",
    "its result is float", "are not quantized", "both operands are computed",
    "the chip has no operator", "mode linear", "slopes of shape", "that don't count",
    "windows beyond the padding", "must be smaller than the window",
    "in an order that mixes channels", "flattens",
    "an output that is an input", "different tensors")


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

    @property
    def on_chip(self) -> bool:
        """Does the chip have anything to do?"""
        return any(isinstance(step, ChipStep) for step in self.program.steps)

    @property
    def reasons(self) -> list[str]:
        """Why the host runs each node that it must run, without names and numbers."""
        found = []
        for node in self.imported.graph.nodes:
            for op, _, why in node.attrs.parts if isinstance(node.attrs, External) else ():
                if why:
                    text = re.sub(r"node \d+ \(\w+ '[^']*'\)", "a node",
                                  why.partition("; accepted")[0])
                    found.append(f"{op}: {re.sub(_NUMBERS, '...', text)}")
        return found


_NUMBERS = r" \('[^']*'\)|[\[(][-\d., ]*[\])]|\d[\d.e-]*"


def check(case: Case, transport: Callable[[Config], Transport] = MachineTransport) -> Outcome:
    """Hold the engine = golden, and golden within 1 of ONNX Runtime, node by node.

    Parameters
    ----------
    case : Case
    transport : callable
        Makes the engine.

    Raises
    ------
    Refused
        For what may be.
    Failure
        For everything else.
    """
    with tempfile.TemporaryDirectory(prefix="sentei-fuzz-") as folder:
        checker = _Checker(case, Path(folder))
        try:
            return checker.run(transport)
        except Failure:
            raise
        except Exception as error:
            text = str(error)
            if isinstance(error, SenteiError) and (reason := next(
                    (item for item in REFUSALS if item in text), "")):
                raise Refused(reason) from None
            raise Failure(f"{checker.where}, {type(error).__name__}", text) from error


class _Checker:
    """Checks a case; ``where`` says how far it has come."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case, self.where = case, "writing"
        self.path, self.shapes = folder / f"{case.name}.onnx", case.shapes
        self.rng = np.random.default_rng(case.seed)

    def run(self, transport: Callable[[Config], Transport]) -> Outcome:
        onnx.save(self.case.model, self.path)
        if self.case.form == "float":
            self.where = "quantizer"
            self._quantize()
        self.where = "front end"
        imported = import_model(self.path, self.shapes)
        graph = imported.graph
        self.where = "compiler"
        outcome = Outcome(compile_graph(graph, self.case.config), imported, onnx.load(self.path))
        for reason in outcome.reasons:
            if not any(item in reason for item in HOST):
                raise Failure("placement", f"on the host: {reason}")
        self.where = "golden"
        inputs = [self._inputs(graph) for _ in range(SAMPLES)]
        expected = executor.run(graph, inputs[-1], external=run_external)
        self.where = "ONNX Runtime"
        self._near(outcome, inputs, expected)
        self.where = "engine"
        device = Device(transport(self.case.config))
        device.load(outcome.program)
        found = device.run(inputs[-1]).outputs
        device.transport.close()
        for name, value in expected.items():
            if not np.array_equal(found[name], value, equal_nan=value.dtype.kind == "f"):
                wrong = np.count_nonzero(found[name] != value)
                raise Failure("golden and engine", f"{wrong} of {value.size} values of {name}")
        return outcome

    def _quantize(self) -> None:
        """Make the float network's file that of its quantized form."""
        model = prepare(self.path, read_float(self.path, self.shapes))
        samples = [{spec.name: self.rng.standard_normal(spec.shape).astype(np.float32)
                    for spec in input_specs(model)} for _ in range(CALIBRATION)]
        choices = Choices(str(self.rng.choice(METHODS)),
                          *(bool(self.rng.integers(2)) for _ in range(2)))
        self.path, self.shapes = self.path.with_name(f"{self.case.name}-int8.onnx"), {}
        onnx.save(quantize(model, samples, choices).model, self.path)

    def _inputs(self, graph: Graph) -> dict[str, np.ndarray]:
        """One sample: normal reals, any integers."""
        found = {}
        for name in graph.inputs:
            tensor = graph.tensors[name]
            if tensor.dtype == "float32":
                found[name] = self.rng.standard_normal(tensor.shape).astype(np.float32)
            else:
                limits = np.iinfo(tensor.dtype)
                found[name] = self.rng.integers(limits.min, limits.max + 1, tensor.shape).astype(
                    tensor.dtype)
        return found

    def _near(self, outcome: Outcome, inputs: list[dict[str, np.ndarray]],
              expected: dict[str, np.ndarray]) -> None:
        """Each node, and names, shapes and types of the outputs, are as ONNX Runtime has them."""
        try:
            runtime = OnnxReference(self.path, self.shapes, keep_all=True)
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
        exact = [item for item in outcome.differences if item.exact]
        for item in exact:
            if item.largest > 1:
                raise Failure("golden and ONNX Runtime", str(item))
        wrong = sum(item.different for item in exact)
        # Halves of equal scales, in pools, are all there is in some networks.
        if wrong > 0.3 * sum(item.compared for item in exact):
            raise Failure("share", f"{wrong} values differ")
