"""The borders of a section of the host's: what turns the graph's tensors into ONNX's and back."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

__all__ = ["PREFIX", "Border"]

PREFIX = "sentei."  # of names that are not the file's


class Border:
    """Nodes and constants on the borders of a section.

    Members
    -------
    before, behind : list of NodeProto
        Those in front of the section's own nodes, and behind them.
    constants : list of TensorProto
    """

    def __init__(self) -> None:
        self.before: list[onnx.NodeProto] = []
        self.behind: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._count = 0

    def _name(self) -> str:
        self._count += 1
        return f"{PREFIX}{self._count}"

    def constant(self, values: Any) -> str:
        """An initializer."""
        name = self._name()
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, op: str, *inputs: str, into: list[onnx.NodeProto] | None = None,
             output: str = "", **attributes: Any) -> str:
        """A node, in front if not said otherwise; the name of its result."""
        name = output or self._name()
        (self.before if into is None else into).append(
            helper.make_node(op, list(inputs), [name], **attributes))
        return name

    def reshape(self, name: str, given: tuple[int, ...], wanted: tuple[int, ...]) -> str:
        """The same values in another shape."""
        if given == wanted:
            return name
        return self.node("Reshape", name, self.constant(np.array(wanted, np.int64)))

    def shifted(self, name: str, by: int, kind: int,
                into: list[onnx.NodeProto] | None = None) -> str:
        """8-bit integers in the other type, of ONNX's number ``kind``."""
        wide = self.node("Cast", name, into=into, to=TensorProto.INT32)
        wide = self.node("Add", wide, self.constant(np.int32(by)), into=into)
        return self.node("Cast", wide, into=into, to=kind)
