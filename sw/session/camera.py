"""Networks that begin at a camera's frames."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from golden import executor
from golden.camera import CameraInput
from golden.graph import Node, Tensor
from sw.errors import UsageError
from sw.inputs import TensorSpec
from sw.inputs.camera import Camera
from sw.session.model import Model, extendable
from sw.session.reference import Reference

__all__ = ["CameraReference", "with_camera"]

_FRAME, _NODE = "camera", "camera_input"


def with_camera(model: Model, camera: Camera) -> Model:
    """The model with a camera's frame as its input.

    Raises
    ------
    UsageError
        If it is compiled, or its input isn't one int8 RGB picture.
    """
    graph = extendable(model, "--camera", _FRAME, _NODE)
    specs = ", ".join(map(str, model.inputs))
    if len(model.inputs) != 1 or model.inputs[0].dtype != np.int8 or (
            len(model.inputs[0].shape) != 4 or model.inputs[0].shape[::3] != (1, 3)):
        raise UsageError(f"{model.path}: --camera: its inputs are {specs}; accepted is one int8 "
                         "picture (1, height, width, 3), with pixels less 128")
    (name,) = graph.inputs
    _, height, width, _ = model.inputs[0].shape
    frame = Tensor(_FRAME, camera.shape, "uint8")
    node = Node(_NODE, (_FRAME,), (name,), CameraInput(height=height, width=width))
    whole = dataclasses.replace(graph, tensors={_FRAME: frame, **graph.tensors},
                                nodes=[node, *graph.nodes], inputs=(_FRAME,))
    whole.validate()
    return dataclasses.replace(
        model, graph=whole, inputs=[TensorSpec(_FRAME, camera.shape, np.dtype(np.uint8), 0.0, 0)])


class CameraReference:
    """A network's reference behind the golden model's camera.

    Parameters
    ----------
    reference : Reference
        Of the network.
    model : Model
        As ``with_camera`` made it.
    """

    def __init__(self, reference: Reference, model: Model) -> None:
        assert model.graph is not None
        self._reference, self._node = reference, model.graph.nodes[0]

    @property
    def title(self) -> str:
        """What it is, for people."""
        return self._reference.title

    def outputs(self, inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        """One sample's outputs."""
        picture = executor.run_node(self._node, inputs[_FRAME])
        return self._reference.outputs({self._node.outputs[0]: picture})
