"""An ONNX file as a checked model of fixed shapes, or a refusal."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import external_data_helper

from sw.errors import ModelError, UsageError
from sw.frontend.onnx.partition import reads
from sw.frontend.onnx.rows import lift_rows
from sw.frontend.onnx.shapes import with_shapes
from sw.frontend.onnx.sizes import contradiction

__all__ = ["LEAST_OPSET", "Shapes", "complaint", "parse", "read"]

Shapes = Mapping[str, tuple[int, ...]]
_OWN = ("", "ai.onnx")
LEAST_OPSET = 8  # older ones spell broadcasting and shapes otherwise
# What the library raises for models that contradict themselves, and for damaged ones.
REFUSALS = (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError,
            TypeError, RuntimeError)


def complaint(error: Exception) -> str:
    """The library's complaint, without its repetitions and the names of its errors."""
    text = re.sub(r"\[\w+Error\] |Inference error\(s\): ", "", " ".join(str(error).split()))
    text = re.sub(r"\(op_type: ?(\w+), node name: ([^)]*)\)", r"\1 '\2'", text)
    return text[:300] or type(error).__name__


def parse(path: Path, raw: bytes | None = None) -> onnx.ModelProto:
    """The model as it is in the file, or in ``raw``, with its external weights; not checked."""
    if raw is None:
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path}: can't be read: {error.strerror}") from None
    try:
        model = onnx.load_model_from_string(raw)
    except (DecodeError, *REFUSALS):
        raise ModelError(f"{path}: damaged, truncated or no ONNX file: {len(raw)} bytes that are "
                         "no protocol buffer") from None
    if not model.HasField("graph") or not model.opset_import:
        raise ModelError(f"{path}: damaged, truncated or no ONNX file: it has no graph or no "
                         "opset")
    _check_opset(path, model)
    _load_external(path, model)
    return model


def _load_external(path: Path, model: onnx.ModelProto) -> None:
    try:
        external_data_helper.load_external_data_for_model(model, str(path.parent))
    except (OSError, *REFUSALS) as error:
        raise ModelError(f"{path}: the file of its external weights can't be read; it must lie "
                         f"where the model says, beside it: {complaint(error)}") from None


def _check_opset(path: Path, model: onnx.ModelProto) -> None:
    most = onnx.defs.onnx_opset_version()
    for item in model.opset_import:
        if item.domain in _OWN and not LEAST_OPSET <= item.version <= most:
            raise ModelError(f"{path}: opset {item.version}; accepted are opsets {LEAST_OPSET} "
                             f"to {most}")


def _fix_shapes(path: Path, model: onnx.ModelProto, shapes: Shapes) -> None:
    """Every size of every input a number: those in the file, ``shapes``, and 1 for the batch.

    What one input says of a symbol holds for the others.
    """
    constants = {item.name for item in model.graph.initializer}
    inputs = {item.name: item for item in model.graph.input if item.name not in constants}
    for name in shapes:
        if name not in inputs:
            raise UsageError(f"--shape {name}: no input of {path}; accepted are "
                             f"{', '.join(inputs)}")
    known = _known_symbols(inputs.values(), shapes)
    for name, item in inputs.items():
        tensor = item.type.tensor_type
        if not item.type.HasField("tensor_type") or not tensor.HasField("shape"):
            raise ModelError(f"{path}: input {name!r} has no shape; accepted are tensors whose "
                             "number of axes the file states")
        sizes = tensor.shape.dim
        given = shapes.get(name, ())
        if given and len(given) != len(sizes):
            raise UsageError(f"--shape {name}: {len(given)} sizes, the input has {len(sizes)}")
        symbols = ", ".join(str(size.dim_param or size.dim_value or "?") for size in sizes)
        # Some tools write -1 or 0 where a size is open.
        stated = [size.dim_value if size.dim_value > 0 else None for size in sizes]
        fixed: list[int | None] = [*given] or [
            known.get(open_.dim_param) if size is None else size
            for size, open_ in zip(stated, sizes, strict=True)]
        if not given and fixed and fixed[0] is None:
            fixed[0] = 1
        for axis, (size, said) in enumerate(zip(fixed, stated, strict=True)):
            # A batch that the file fixes may still be 1.
            if given and said is not None and said != size and (axis or size != 1):
                raise UsageError(f"--shape {name}: size {size} of axis {axis}, the file says "
                                 f"{said}")
            if size is None or size < 1:
                raise ModelError(f"{path}: input {name!r} has dynamic shape [{symbols}]; all "
                                 "sizes but the batch must be fixed, for example with "
                                 f"--shape {name}={','.join(map(str, _likely(fixed)))}")
            sizes[axis].Clear()
            sizes[axis].dim_value = size


def _known_symbols(inputs: Iterable[onnx.ValueInfoProto], shapes: Shapes) -> dict[str, int]:
    """Sizes by the symbols that name them: those of ``shapes``, and 1 for a batch."""
    found: dict[str, int] = {}
    for item in inputs:
        sizes = item.type.tensor_type.shape.dim
        if sizes and sizes[0].dim_param:
            found.setdefault(sizes[0].dim_param, 1)
        for size, given in zip(sizes, shapes.get(item.name, ()), strict=False):
            if size.dim_param:
                found[size.dim_param] = given
    return found


def _label(index: int, node: onnx.NodeProto) -> str:
    name = node.name or (node.output[0] if node.output else "")
    return f"node {index} ({node.op_type} {name!r})"


def _known(path: Path, model: onnx.ModelProto) -> None:
    """Refuse operators that the opset doesn't have; what other domains have others know."""
    version = next((item.version for item in model.opset_import if item.domain in _OWN), 0)
    functions = {item.name for item in model.functions}
    for index, node in enumerate(model.graph.node):
        if node.domain in _OWN and node.op_type not in functions:
            try:
                onnx.defs.get_schema(node.op_type, version)
            except (onnx.defs.SchemaError, TypeError):  # a name that is no text
                raise ModelError(f"{path}: {_label(index, node)}: opset {version} has no operator "
                                 f"{node.op_type}; accepted are ONNX's of that opset, and those "
                                 "of other domains that ONNX Runtime has") from None


def _likely(sizes: list[int | None]) -> list[int]:
    """Sizes as an example: those of a picture where they are open."""
    picture = len(sizes) == 4 and sizes[1] in (1, 3, None)
    return [size or (224 if picture and axis > 1 else 3 if picture and axis == 1 else 1)
            for axis, size in enumerate(sizes)]


def _order(path: Path, graph: onnx.GraphProto) -> None:
    """Nodes in an order in which they can run.

    Raises
    ------
    ModelError
        If there is none: a node reads what nothing gives, or its own result.
    """
    nodes = list(graph.node)
    makers = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    given = {item.name for item in (*graph.input, *graph.initializer)}
    given |= {item.values.name for item in graph.sparse_initializer}

    def label(index: int) -> str:
        return _label(index, nodes[index])

    waits: list[set[int]] = []
    for index, node in enumerate(nodes):
        read = reads(node)
        for name in read:
            if name not in makers and name not in given:
                raise ModelError(f"{path}: {label(index)}: reads {name!r}, which no node, input or "
                                 "constant gives")
        waits.append({makers[name] for name in read if name in makers and name not in given})
    for item in graph.output:
        if item.name not in makers and item.name not in given:
            raise ModelError(f"{path}: output {item.name!r} is given by no node")
    order, done, left = list[int](), set[int](), list(range(len(nodes)))
    while left:
        ready = [index for index in left if waits[index] <= done]
        if not ready:
            cycle = [left[0]]
            while cycle[-1] not in cycle[:-1]:
                cycle.append(min(waits[cycle[-1]] - done))
            cycle = cycle[cycle.index(cycle[-1]):]
            raise ModelError(f"{path}: cyclic graph: {' reads from '.join(map(label, cycle))}; "
                             "accepted are graphs without cycles")
        order += ready
        done.update(ready)
        left = [index for index in left if index not in done]
    if any(waits[index] - set(range(index)) for index in range(len(nodes))):
        del graph.node[:]
        graph.node.extend(nodes[index] for index in order)


def _complete(model: onnx.ModelProto) -> None:
    """Give outputs the types that some tools leave out."""
    lacking = [item for item in model.graph.output if not item.type.tensor_type.HasField("shape")
               and item.type.WhichOneof("value") in (None, "tensor_type")]
    if lacking:
        found = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph.output
        for item in lacking:
            item.CopyFrom(next(other for other in found if other.name == item.name))


def read(path: Path, shapes: Shapes, raw: bytes | None = None) -> onnx.ModelProto:
    """Read, check, and infer the shapes of, an ONNX file.

    Parameters
    ----------
    path : Path
    shapes : mapping of str to tuple of int
        Sizes of inputs whose shape isn't fixed in the file.
    raw : bytes, optional
        In place of what the file holds.

    Raises
    ------
    ModelError
        If the file can't be read, is damaged, contradicts itself or has sizes left open.
    UsageError
        If ``shapes`` doesn't fit the inputs.
    """
    model = parse(path, raw)
    # Before version 4 initializers had to be inputs too; here they are constants alone.
    model.ir_version = max(model.ir_version, 4)
    constants = {item.name for item in model.graph.initializer}
    inputs = [item for item in model.graph.input if item.name not in constants]
    if len(inputs) < len(model.graph.input):
        inputs = [onnx.ValueInfoProto.FromString(item.SerializeToString()) for item in inputs]
        del model.graph.input[:]
        model.graph.input.extend(inputs)
    _fix_shapes(path, model, shapes)
    if not model.graph.node or not model.graph.output:
        raise ModelError(f"{path}: {len(model.graph.node)} nodes and {len(model.graph.output)} "
                         "outputs; accepted is at least 1 of both")
    _known(path, model)
    _order(path, model.graph)
    # What the file says of inner tensors may be for other sizes; it is inferred again.
    del model.graph.value_info[:]
    for output in model.graph.output:
        for size in output.type.tensor_type.shape.dim:
            size.Clear()
    try:
        _complete(model)
        onnx.checker.check_model(model)
        model = with_shapes(model)
        if (found := contradiction(model)) is None:
            return with_shapes(lift_rows(model))
    except REFUSALS as error:
        raise ModelError(f"{path}: damaged or contradictory ONNX file: "
                         f"{complaint(error)}") from None
    index, text = found
    raise ModelError(f"{path}: {_label(index, model.graph.node[index])}: {text}")
