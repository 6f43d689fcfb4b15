"""Networks in ONNX Runtime, sample by sample, with whatever tensors are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from sw import onnx_runtime
from sw.errors import ModelError

__all__ = ["Samples", "Traced", "open_session"]

Samples = Sequence[Mapping[str, NDArray]]  # inputs by name, batch included
_MOST_BYTES = 1 << 28  # of activations at once


def open_session(model: onnx.ModelProto) -> Any:
    """A session that computes every operator as its definition says.

    Raises
    ------
    ModelError
        If ONNX Runtime refuses the model.
    """
    try:
        return onnx_runtime.open_session(model.SerializeToString())
    except ModelError as error:
        raise ModelError(f"ONNX Runtime refuses the network: {error}") from None


class Traced:
    """A model whose inner tensors can be looked at.

    Parameters
    ----------
    model : onnx.ModelProto
    names : sequence of str
        The tensors.
    sizes : mapping of str to int, optional
        Values of each: so that few are held at once.
    """

    def __init__(self, model: onnx.ModelProto, names: Sequence[str],
                 sizes: Mapping[str, int] | None = None) -> None:
        self._inputs = {item.name for item in model.graph.input}
        self._names = [name for name in dict.fromkeys(names) if name not in self._inputs]
        self._given = [name for name in dict.fromkeys(names) if name in self._inputs]
        shown = onnx.ModelProto()
        shown.CopyFrom(model)
        asked = {item.name for item in shown.graph.output}
        shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in self._names
                                  if name not in asked)
        self._session = open_session(shown)
        self._groups = list(_grouped(self._names, sizes or {}))

    def run(self, inputs: Mapping[str, NDArray]) -> Iterator[tuple[str, NDArray]]:
        """Tensors with their names, for one sample; a large network runs several times."""
        for name in self._given:
            yield name, np.asarray(inputs[name])
        for group in self._groups:
            try:
                found = self._session.run(group, dict(inputs))
            except Exception as error:  # its exceptions share no base of their own
                raise ModelError("ONNX Runtime fails on the network: "
                                 f"{' '.join(str(error).split())[:300]}") from None
            while found:
                yield group[len(found) - 1], found.pop()


def _grouped(names: Sequence[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    group, held = list[str](), 0
    for name in names:
        size = 4 * sizes.get(name, 0)
        if group and held + size > _MOST_BYTES:
            yield group
            group, held = [], 0
        group.append(name)
        held += size
    if group:
        yield group
