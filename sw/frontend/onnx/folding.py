"""Nodes whose inputs are all constants, computed at import: by ONNX's reference evaluator, or by
ONNX Runtime where the two differ."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from sw.errors import ModelError
from sw.frontend.onnx.values import Constant
from sw.frontend.onnx.view import View
from sw.onnx_runtime import open_session

__all__ = ["fold", "run_alone"]

LARGEST = 1 << 26  # values a constant may have


def fold(view: View, inputs: Sequence[Constant | None],
         opsets: Sequence[onnx.OperatorSetIdProto]) -> list[Constant]:
    """The constants that a node gives; inputs left out are None."""
    model, feeds = _alone(view, inputs, opsets)
    try:
        with np.errstate(all="ignore"):
            found = ReferenceEvaluator(model).run(None, feeds)
    except Exception as error:
        # The evaluator raises whatever numpy or its own code raises.
        raise view.fail(f"can't be computed from its constant inputs: {error}") from None
    results = [np.asarray(item) for item in found]
    if any(item.size > LARGEST for item in results):
        raise view.fail(f"gives a constant of more than {LARGEST} values")
    return [Constant(item) for item in results]


def run_alone(view: View, inputs: Sequence[Constant | None],
              without: Sequence[str] = ()) -> np.ndarray:
    """What ONNX Runtime makes of a node; ``without`` names attributes that are left out."""
    model, feeds = _alone(view, inputs, view.opsets, without)
    # As constants, so that it sees which inputs are there and empty.
    del model.graph.input[:]
    model.graph.initializer.extend(onnx.numpy_helper.from_array(data, name)
                                   for name, data in feeds.items())
    try:
        (found,) = open_session(model.SerializeToString()).run(None, {})
    except ModelError as error:
        raise view.fail(f"ONNX Runtime refuses it: {error}") from None
    except Exception as error:  # its exceptions share no base of their own
        raise view.fail(f"ONNX Runtime fails on it: {error}") from None
    return np.asarray(found)


def _alone(view: View, inputs: Sequence[Constant | None],
           opsets: Sequence[onnx.OperatorSetIdProto],
           without: Sequence[str] = ()) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """(a model of the node, what it is given)."""
    names = [name if data is not None else "" for name, data in
             zip(view.node.input, inputs, strict=True)]
    feeds = {name: item.data for name, item in zip(names, inputs, strict=True) if item is not None}
    node = onnx.NodeProto()
    node.CopyFrom(view.node)
    del node.attribute[:]
    node.attribute.extend(item for item in view.node.attribute if item.name not in without)
    graph = onnx.helper.make_graph(
        [node], "folded",
        [onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(data.dtype),
                                            data.shape) for name, data in feeds.items()],
        [onnx.ValueInfoProto(name=name) for name in view.node.output if name])
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), feeds
