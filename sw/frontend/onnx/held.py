"""Constants that a file holds."""

import onnx

__all__ = ["held_tensors"]


def held_tensors(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Initializers, and what nodes Constant give, by name: the model's own, not copies."""
    return {item.name: item for item in model.graph.initializer} | {
        node.output[0]: node.attribute[0].t for node in model.graph.node
        if node.op_type == "Constant" and node.attribute[0].name == "value"}
