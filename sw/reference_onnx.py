"""ONNX Runtime: what ``--check`` of ONNX networks compares with, node by node.

It computes in float32 and rounds halves to even, the chip in integers; each node's result may
differ by 1 for the same inputs, and differences grow from node to node. So every node is given
ONNX Runtime's own integers, and its result held against ONNX Runtime's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from golden.executor import outputs_of
from sw.errors import ModelError, ReferenceError_, ToolError
from sw.frontend.onnx import Imported
from sw.frontend.onnx.file import Shapes, read
from sw.frontend.onnx.held import held_tensors
from sw.onnx_runtime import open_session, run_external

__all__ = ["Difference", "OnnxReference", "node_differences", "summed"]

# Integer products; inputs 2, 3 and 5 are the source's zero point, the weights and theirs.
_PRODUCTS = ("QLinearConv", "QLinearMatMul", "QGemm")


@dataclass(frozen=True)
class Difference:
    """How a node differs from ONNX Runtime, for the same inputs.

    Parameters
    ----------
    node : str
        Of the graph, the last one that leads to the tensor.
    tensor : str
        ONNX's name.
    largest : int
        Largest difference of a value of 8 bits, or of 9 that index a table.
    different, compared : int
        Values.
    exact : bool
        No average was rounded on the way that ONNX Runtime keeps in float; otherwise differences
        of more than 1 are no fault.
    """

    node: str
    tensor: str
    largest: int
    different: int
    compared: int
    exact: bool


class OnnxReference:
    """A network in ONNX Runtime, unoptimized: every operator as its definition says.

    Parameters
    ----------
    path : Path or str
    shapes : mapping of str to tuple of int, optional
        As for the front end.
    keep_all : bool
        Give every tensor, not only the outputs.

    Raises
    ------
    ReferenceError_
        If ONNX Runtime is not installed or refuses the file.
    """

    def __init__(self, path: Path | str, shapes: Shapes | None = None, *,
                 keep_all: bool = False) -> None:
        self.path = Path(path)
        model = read(self.path, shapes or {})
        _spare_saturation(model)
        self.names = [item.name for item in model.graph.output]
        if keep_all:
            asked = set(self.names)
            extra = [name for node in model.graph.node for name in node.output
                     if name and name not in asked]
            model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in extra)
            self.names += extra
        self._session = self._open(model)

    def _open(self, model: onnx.ModelProto) -> Any:
        try:
            return open_session(model.SerializeToString())
        except ToolError as error:
            raise ReferenceError_(f"{error}, or run without --check") from None
        except ModelError as error:
            raise ReferenceError_(f"{self.path}: ONNX Runtime refuses the file: {error}") from None

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Tensors by name, for one sample.

        Raises
        ------
        ReferenceError_
            If ONNX Runtime fails on it.
        """
        try:
            found = self._session.run(self.names, dict(inputs))
        except Exception as error:  # its exceptions share no base of their own
            raise ReferenceError_(f"{self.path}: ONNX Runtime fails: {str(error)[:200]}") from None
        return dict(zip(self.names, found, strict=True))


def _spare_saturation(model: onnx.ModelProto) -> None:
    """Weights of int8 under uint8 inputs become uint8, with a zero point 128 higher.

    That is the same network, but without it ONNX Runtime adds pairs of products in 16 bits, and
    saturates, on x86 processors without VNNI.
    """
    constants = held_tensors(model)
    for node in model.graph.node:
        if node.op_type not in _PRODUCTS:
            continue
        source, *signed = (constants.get(node.input[at]) for at in (2, 3, 5))
        if source is None or source.data_type != onnx.TensorProto.UINT8:
            continue
        if any(item is None or item.data_type != onnx.TensorProto.INT8 for item in signed):
            continue
        for at in (3, 5):
            name = f"{node.output[0]}#{at}"
            values = onnx.numpy_helper.to_array(constants[node.input[at]])
            model.graph.initializer.append(onnx.numpy_helper.from_array(
                values.view(np.uint8) ^ np.uint8(128), name))
            node.input[at] = name


def _as_signed(values: np.ndarray) -> np.ndarray:
    """uint8 less 128, others as they are."""
    return values if values.dtype != np.uint8 else (values ^ np.uint8(128)).view(np.int8)


def node_differences(imported: Imported, inputs: Mapping[str, np.ndarray],
                     trace: Mapping[str, np.ndarray]) -> list[Difference]:
    """Hold the graph's nodes against a trace of ONNX Runtime's tensors for the same inputs."""
    wanted: dict[str, list[tuple[str, np.ndarray]]] = {}
    for name, places in imported.places.items():
        if name in trace:  # inputs aren't
            for placed in places:
                wanted.setdefault(placed.tensor, []).append((name, placed.stored))
    values, rounded = dict(inputs), set(imported.rounded)
    found = []
    for node in imported.graph.nodes:
        values |= outputs_of(imported.graph, node, [values[name] for name in node.inputs],
                             external=run_external)
        if rounded.intersection(node.inputs):
            rounded.update(node.outputs)
        for output in node.outputs:
            for name, stored in wanted.get(output, ()):
                theirs = _as_signed(trace[name]).ravel()[stored]
                apart = np.abs(values[output].astype(np.int16) - theirs)
                found.append(Difference(node.name, name, int(apart.max(initial=0)),
                                        int(np.count_nonzero(apart)), apart.size,
                                        output not in rounded))
            if output in wanted:
                values[output] = theirs  # the next nodes get ONNX Runtime's
                rounded.discard(output)
    return found


def summed(differences: Sequence[Difference]) -> tuple[int, int, int]:
    """(largest difference, values that differ, values compared) of exact ones."""
    differences = [item for item in differences if item.exact]
    return (max((item.largest for item in differences), default=0),
            sum(item.different for item in differences),
            sum(item.compared for item in differences))
