"""Network files with other weights and biases in the same places."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tflite
from numpy.typing import NDArray

from golden.attributes import Weighted
from golden.graph import Node
from sw.errors import ModelError
from sw.frontend import is_onnx

__all__ = ["TfliteWeights", "WeightsFile", "open_weights"]

_DATA = 4  # slot of a buffer's bytes in its table


class WeightsFile(Protocol):
    """Where the weights of a file lie.

    Members
    -------
    no_bias : set of str
        Nodes of its graph without a place for a bias.
    fixed : set of str
        Nodes whose weights can't be others.
    """

    no_bias: set[str]
    fixed: set[str]

    def replaced(self, nodes: Sequence[Node]) -> bytes:
        """The file with the weights and biases of these nodes.

        Raises
        ------
        ModelError
            If it can't hold them.
        """


def open_weights(path: Path, nodes: Sequence[Node],
                 shapes: Mapping[str, tuple[int, ...]] | None = None) -> WeightsFile:
    """The weights of a file that has been read.

    Parameters
    ----------
    path : Path
    nodes : sequence of Node
        Of the graph that was read from it.
    shapes : mapping of str to tuple of int, optional
        With which it was read.
    """
    if is_onnx(path):
        from sw.frontend.onnx.rewrite import OnnxWeights  # brings a library of its own

        return OnnxWeights(path, shapes)
    return TfliteWeights(path, nodes)


class TfliteWeights:
    """Where the weights of a TensorFlow Lite file lie.

    Only for files that `sw.frontend.tflite.load` has read: those are whole.

    Parameters
    ----------
    path : Path
    nodes : sequence of Node
        Of the graph that was read from it.

    Members
    -------
    no_bias : set of str
        Nodes that leave their bias out, so that there is no place for one.
    fixed : set of str
        None is.
    """

    def __init__(self, path: Path, nodes: Sequence[Node]) -> None:
        self.path = path
        self._raw = path.read_bytes()
        self._model: Any = tflite.Model.GetRootAs(self._raw, 0)
        self._graph = self._model.Subgraphs(0)
        self._before = {node.name: node.attrs for node in nodes
                        if isinstance(node.attrs, Weighted)}
        self.fixed: set[str] = set()
        self.no_bias = {name for name in self._before if self._place(name, 2) is None}

    def replaced(self, nodes: Sequence[Node]) -> bytes:
        """The file with the weights and biases of these nodes.

        Raises
        ------
        ModelError
            If two operators share weights that are no longer the same.
        """
        out, taken = bytearray(self._raw), dict[int, tuple[str, bytes]]()
        for node in nodes:
            if node.name not in self._before:
                continue
            attrs, before = node.attrs, self._before[node.name]
            assert isinstance(attrs, Weighted)
            for position, new, old in ((1, attrs.kernel, before.kernel),
                                       (2, attrs.bias, before.bias)):
                place = self._place(node.name, position)
                data = self._bytes(node.name, position, new)
                if place is None:
                    if not np.array_equal(new, old):
                        raise ModelError(f"{self.path}: node {node.name!r} has no bias in the "
                                         "file, so that it can't get one")
                    continue
                if len(data) != place.stop - place.start:
                    raise ModelError(f"{self.path}: node {node.name!r}: {len(data)} bytes for a "
                                     f"place of {place.stop - place.start}")
                other, same = taken.setdefault(place.start, (node.name, data))
                if same != data:
                    raise ModelError(f"{self.path}: nodes {other!r} and {node.name!r} share "
                                     "weights or biases in the file and would need different "
                                     "ones; accepted are files in which each has its own, or "
                                     "--exclude for both")
                out[place] = data
        return bytes(out)

    def _tensor(self, name: str, position: int) -> Any:
        """An operator's input as the file states it, or None if it is left out."""
        operator = self._graph.Operators(int(name.partition("_")[0]))
        if position >= operator.InputsLength() or operator.Inputs(position) < 0:
            return None
        return self._graph.Tensors(operator.Inputs(position))

    def _bytes(self, name: str, position: int, values: NDArray) -> bytes:
        """Values as the file holds them: those of uint8 kernels have their zero point."""
        tensor = self._tensor(name, position)
        if tensor is not None and tensor.Type() == tflite.TensorType.UINT8:
            quantization = tensor.Quantization()
            zero = quantization.ZeroPoint(0) if quantization.ZeroPointLength() else 0
            shifted = values.astype(np.int32) + zero
            if shifted.min() < 0 or shifted.max() > 255:
                raise ModelError(f"{self.path}: node {name!r}: weights of {values.min()} to "
                                 f"{values.max()} don't fit its uint8 kernel, which holds {-zero} "
                                 f"to {255 - zero}")
            values = shifted.astype(np.uint8)
        return np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()

    def _place(self, name: str, position: int) -> slice | None:
        """Bytes of an operator's constant input, if it has one."""
        tensor = self._tensor(name, position)
        if tensor is None:
            return None
        buffer = self._model.Buffers(tensor.Buffer())
        table = buffer._tab
        offset = table.Offset(_DATA)
        if not offset:
            return None
        start = table.Vector(offset)
        return slice(start, start + buffer.DataLength())
