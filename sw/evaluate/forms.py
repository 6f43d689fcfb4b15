"""A network in one of its forms, answering samples: int8 on the golden engine, float on LiteRT or
ONNX Runtime."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from golden import executor
from golden.attributes import Weighted
from golden.graph import Graph
from sw.errors import UsageError
from sw.frontend import is_onnx
from sw.frontend.flatbuffer import read as read_flatbuffer
from sw.frontend.onnx.file import parse, read
from sw.inputs import TensorSpec
from sw.onnx_runtime import run_external
from sw.reference import run_litert
from sw.reference_onnx import OnnxReference
from sw.session import Model, open_model
from sw.words import counted

__all__ = ["Form", "open_form"]

_BATCH = 64  # samples between two signs of life


@dataclass(frozen=True, eq=False)
class Form:
    """One form of a network.

    Parameters
    ----------
    name : str
    path : Path
    spec : TensorSpec
        Its one input.
    classes : int
        Values of its one output.
    model : Model, optional
        None for a float model.
    """

    name: str
    path: Path
    spec: TensorSpec
    classes: int
    model: Model | None = None

    @property
    def graph(self) -> Graph | None:
        """None for a float model."""
        return self.model.graph if self.model else None

    @property
    def zeros(self) -> float | None:
        """Share of weights that are 0; None for a float model."""
        if self.graph is None:
            return None
        kernels = [node.attrs.kernel for node in self.graph.nodes
                   if isinstance(node.attrs, Weighted)]
        return sum(int((kernel == 0).sum()) for kernel in kernels) / max(
            sum(kernel.size for kernel in kernels), 1)

    def answers(self, samples: NDArray, progress: Callable[[int], None] | None = None) -> NDArray:
        """Class of each sample.

        Parameters
        ----------
        samples : ndarray [samples, *shape of the input]
            Of the input's type.
        progress : callable, optional
            Told how many are done.

        Returns
        -------
        ndarray [samples] of int
        """
        found = []
        for start in range(0, len(samples), _BATCH):
            part = samples[start:start + _BATCH]
            inputs = part.reshape(-1, *part.shape[2:]) if part.ndim > 1 else part
            if self.graph is None and is_onnx(self.path):
                values = self._by_onnx_runtime(part)
            elif self.graph is None:
                values = run_litert(self.path, [inputs])[0]
            else:
                values = executor.run(self.graph, {self.spec.name: inputs},
                                      external=run_external)[self.graph.outputs[0]]
            found.append(values.reshape(len(part), -1).argmax(axis=1))
            if progress:
                progress(min(start + _BATCH, len(samples)))
        return np.concatenate(found)

    def _by_onnx_runtime(self, samples: NDArray) -> NDArray:
        reference = OnnxReference(self.path, {self.spec.name: self.spec.shape})
        return np.stack([reference.run({self.spec.name: sample})[reference.names[0]]
                         for sample in samples])


def open_form(argument: str, like: Form | None = None,
              shapes: Mapping[str, tuple[int, ...]] | None = None) -> Form:
    """Open what the command line calls MODEL or OTHER.

    Parameters
    ----------
    argument : str
        Model file or name of the zoo; a float TensorFlow Lite or ONNX file where ``like`` is
        given.
    like : Form, optional
        The int8 form that a float model belongs to: its input is that one's, in real numbers.
    shapes : mapping of str to tuple of int, optional
        Sizes of inputs that an ONNX file leaves open.

    Raises
    ------
    UsageError
        If it has no classes, several inputs, is compiled, or doesn't belong to ``like``.
    """
    path = Path(argument)
    if like is not None and path.is_file() and not is_onnx(path) and path.read_bytes()[4:8] == (
            b"TFL3"):
        raw = read_flatbuffer(path)
        first = [raw.tensors[at] for at in raw.inputs[:1]]
        if first and first[0].type == "FLOAT32":
            spec = TensorSpec(first[0].name, first[0].shape, np.dtype(np.float32))
            outputs = [raw.tensors[at].shape for at in raw.outputs]
            return _matching(Form(path.stem, path, spec, _classes(path, outputs)), like)
    if like is not None and path.is_file() and is_onnx(path) and (
            form := _float_onnx(path, shapes or {})):
        return _matching(form, like)
    # Only MODEL must take --shape; others that are no .onnx files have theirs.
    model = open_model(argument, shapes if like is None or is_onnx(path) else None)
    if model.graph is None:
        raise UsageError(f"{model.path}: compiled; accepted is the model itself")
    if len(model.inputs) != 1:
        raise UsageError(f"{model.path}: {len(model.inputs)} inputs; accepted are networks with "
                         "one")
    classes = _classes(model.path, [item.shape for item in model.outputs])
    form = Form(model.name, model.path, model.inputs[0], classes, model)
    return _matching(form, like) if like else form


def _float_onnx(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Form | None:
    """None where any node quantizes, or what goes in or out is more than one float tensor."""
    graph = parse(path).graph
    if any("Quantize" in node.op_type or "QLinear" in node.op_type for node in graph.node):
        return None
    graph = read(path, shapes).graph
    constants = {item.name for item in graph.initializer}
    inputs = [item for item in graph.input if item.name not in constants]
    if len(inputs) != 1 or inputs[0].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        return None
    sizes, *outputs = ([size.dim_value for size in item.type.tensor_type.shape.dim]
                       for item in (inputs[0], *graph.output))
    spec = TensorSpec(inputs[0].name, tuple(sizes), np.dtype(np.float32))
    return Form(path.stem, path, spec, _classes(path, outputs))


def _classes(path: Path, outputs: Sequence[Sequence[int]]) -> int:
    """Classes of a network with outputs of such shapes."""
    if len(outputs) != 1 or not 1 < max(outputs[0], default=1) == np.prod(outputs[0]):
        shown = ", ".join(str(list(shape)) for shape in outputs)
        raise UsageError(f"{path}: {counted(len(outputs), 'output')}, {shown}; accepted "
                         "are networks that tell classes: one output of a score for each "
                         "of 2 or more")
    return int(np.prod(outputs[0]))


def _matching(form: Form, like: Form) -> Form:
    if form.classes != like.classes or (form.model is None and form.spec.shape != like.spec.shape):
        raise UsageError(f"{form.path}: input {form.spec}, {form.classes} classes; {like.path} has "
                         f"input {like.spec}, {like.classes} classes")
    return form
