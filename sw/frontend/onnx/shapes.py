"""Shapes of all tensors: ONNX's inference, corrected where ONNX Runtime gives others."""

from collections.abc import Container, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sw.frontend.onnx.held import held_tensors

__all__ = ["runtime_shape", "with_shapes"]

Shape = tuple[int, ...]
_MICROSOFT = "com.microsoft"
_MAX_OF_BYTES = 12  # the first opset in which Max takes 8-bit integers


def with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with the shapes of its tensors.

    Nodes for which ONNX infers other shapes than ONNX Runtime gives are said in another way, so
    that both agree.

    Raises
    ------
    onnx.shape_inference.InferenceError
        If nodes and shapes contradict each other.
    """
    seen: set[int] = set()
    while any(_doubtful(node) for index, node in enumerate(model.graph.node) if index not in seen):
        found = _inferred(model, strict=False)
        index = _restated(model, found, seen)
        if index is None:
            break
        seen.add(index)
    return _inferred(model, strict=True)


def _inferred(model: onnx.ModelProto, *, strict: bool) -> onnx.ModelProto:
    """ONNX's inference, which knows nothing of ONNX Runtime's operators: others stand for them."""
    types = {name: item.data_type for name, item in held_tensors(model).items()}
    opset = next((item.version for item in model.opset_import
                  if item.domain in ("", "ai.onnx")), 0)
    shown = {index: stand_in for index, node in enumerate(model.graph.node)
             if node.domain == _MICROSOFT and (stand_in := _stand_in(
                 node, types, opset)) is not None}
    given = model
    if shown:
        given = onnx.ModelProto()
        given.CopyFrom(model)
        for index, node in shown.items():
            given.graph.node[index].CopyFrom(node)
    found = onnx.shape_inference.infer_shapes(given, strict_mode=strict, data_prop=True)
    for index in shown:
        found.graph.node[index].CopyFrom(model.graph.node[index])
    return found


def _stand_in(node: onnx.NodeProto, types: Mapping[str, int],
              opset: int) -> onnx.NodeProto | None:
    """An operator that gives as many values of the same type; None if there is none."""
    given, made = list(node.input), list(node.output)
    if node.op_type == "DequantizeLinear":
        return helper.make_node("Cast", given[:1], made, to=TensorProto.FLOAT)
    if node.op_type == "QuantizeLinear":
        kind = types.get(given[2], 0) if len(given) > 2 else TensorProto.UINT8
        return helper.make_node("Cast", given[:1], made, to=kind) if kind else None
    if node.op_type in ("Gelu", "QuickGelu"):
        return helper.make_node("Identity", given, made)
    if node.op_type == "QLinearConcat":
        found = helper.make_node("Concat", given[2::3], made)
        found.attribute.extend(node.attribute)
        return found
    if node.op_type == "QLinearAdd" and opset >= _MAX_OF_BYTES:
        return helper.make_node("Max", [given[0], given[3]], made)
    return None


def _doubtful(node: onnx.NodeProto) -> bool:
    return node.op_type in ("Resize", "Upsample") or (
        node.op_type in ("MaxPool", "AveragePool")
        and any(item.name == "ceil_mode" and item.i for item in node.attribute))


def _restated(model: onnx.ModelProto, found: onnx.ModelProto, seen: Container[int]) -> int | None:
    """Say a node's parameters in another way; its number, None if none needs it."""
    constants = held_tensors(model)
    types = {item.name: item.type.tensor_type for item in (
        *found.graph.input, *found.graph.value_info, *found.graph.output)}
    for index, node in enumerate(model.graph.node):
        if index in seen or not _doubtful(node) or not (
                {node.input[0], node.output[0]} <= types.keys()):
            continue
        given, made = (_sizes(types[name]) for name in (node.input[0], node.output[0]))
        if given is None or made is None:
            continue
        wanted = runtime_shape(node, given, constants)
        if wanted is None or wanted == made:
            continue
        if node.op_type in ("Resize", "Upsample"):
            at = _scales_at(node)
            scales = numpy_helper.to_array(constants[node.input[at]])
            name = f"{node.output[0]}.scales"
            # The next float32 is as near to what the file means.
            scales = np.where(scales == np.rint(scales), scales,
                              np.nextafter(scales, np.float32(np.inf)))
            model.graph.initializer.append(numpy_helper.from_array(scales, name))
            node.input[at] = name
        else:
            _cut(node, given, wanted)
        return index
    return None


def _cut(node: onnx.NodeProto, given: Shape, wanted: Shape) -> None:
    """A pool without ``ceil_mode``, of windows that give ``wanted``."""
    attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    extents, strides, pads = _geometry(attributes, len(given) - 2)
    for axis, (length, extent, step) in enumerate(zip(given[2:], extents, strides, strict=True)):
        after = axis + len(extents)
        reach = (wanted[axis + 2] - 1) * step + extent - length - pads[axis]
        if reach > pads[after] and attributes.get("count_include_pad"):
            raise ValueError(f"{node.op_type} {node.name or node.output[0]!r} has ceil_mode 1, "
                             "count_include_pad 1, and windows beyond the padding along one axis, "
                             "in it alone along another; accepted are windows that begin before")
        pads[after] = max(pads[after], reach)
    changed = {"ceil_mode": 0, "pads": pads}
    kept = [onnx.AttributeProto.FromString(item.SerializeToString()) for item in node.attribute
            if item.name not in (*changed, "auto_pad")]
    del node.attribute[:]
    node.attribute.extend([*kept, *(helper.make_attribute(*item) for item in changed.items())])


def _sizes(kind: onnx.TypeProto.Tensor) -> Shape | None:
    sizes = tuple(size.dim_value for size in kind.shape.dim)
    return sizes if kind.HasField("shape") and min(sizes, default=1) > 0 else None


def runtime_shape(node: onnx.NodeProto, given: Shape,
                  constants: Mapping[str, onnx.TensorProto]) -> Shape | None:
    """The shape of what a node gives in ONNX Runtime; None where ONNX infers the same.

    Parameters
    ----------
    node : onnx.NodeProto
    given : tuple of int
        Of its first input.
    constants : mapping of str to onnx.TensorProto
    """
    attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    if node.op_type in ("MaxPool", "AveragePool") and attributes.get("ceil_mode"):
        return _pooled(attributes, given)
    if node.op_type in ("Resize", "Upsample") and not (len(node.input) > 3 and node.input[3]):
        scales = constants.get(node.input[_scales_at(node)])
        axes = [axis % len(given) for axis in attributes.get("axes", range(len(given)))]
        if scales is None or list(scales.dims) != [len(axes)]:
            return None
        sizes = list(given)
        for axis, scale in zip(axes, numpy_helper.to_array(scales), strict=True):
            # In float32; ONNX infers in float64 from the float32 scale.
            sizes[axis] = int(np.float32(given[axis]) * np.float32(scale))
        return tuple(sizes) if min(sizes) > 0 else None
    return None


def _scales_at(node: onnx.NodeProto) -> int:
    return 2 if len(node.input) > 2 else len(node.input) - 1


def _geometry(attributes: Mapping[str, Any],
              rank: int) -> tuple[list[int], list[int], list[int]]:
    """(extents of windows, strides, pads), axis by axis."""
    dilations = attributes.get("dilations") or [1] * rank
    return ([(size - 1) * step + 1 for size, step in zip(
        attributes.get("kernel_shape", ()), dilations, strict=False)],
        list(attributes.get("strides") or [1] * rank),
        list(attributes.get("pads") or [0] * 2 * rank))


def _pooled(attributes: Mapping[str, Any], given: Shape) -> Shape | None:
    """Of a pool with ``ceil_mode``: a window that lies in the padding alone is left out.

    ONNX infers so from opset 22 on, and counts the window before.
    """
    rank = len(given) - 2
    extents, strides, pads = _geometry(attributes, rank)
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or (
            min(strides, default=0) < 1) or not (
            len(extents) == len(strides) == len(pads) // 2 == rank):
        return None
    sizes = list(given)
    for axis, length in enumerate(given[2:]):
        steps = -(-(length + pads[axis] + pads[axis + rank] - extents[axis]) // strides[axis])
        sizes[axis + 2] = steps + (steps * strides[axis] < length + pads[axis])
    return tuple(sizes) if min(sizes) > 0 else None
