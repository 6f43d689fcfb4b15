"""Runs a graph: what a network means, bit for bit."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from golden import attributes, edges
from golden.broadcast import Maximum, Minimum, Multiply
from golden.camera import CameraInput
from golden.external import External, Runner
from golden.extreme import ArgMax, ReduceMax
from golden.graph import Graph, Node
from golden.layer_norm import QuantizedLayerNorm
from golden.lookup import Lookup
from golden.movement import DepthToSpace, SpaceToDepth, Take
from golden.ops.camera import camera_input
from golden.ops.convolution import (
    conv2d,
    depthwise_conv2d,
    fully_connected,
    transposed_conv2d,
)
from golden.ops.edges import (
    dequantize_linear,
    float_softmax,
    quantize_linear,
    transpose,
)
from golden.ops.elementwise import (
    add,
    clamp,
    concat,
    lookup,
    maximum,
    minimum,
    multiply,
    pad,
    prelu,
    quantize,
)
from golden.ops.extreme import arg_max, reduce_max
from golden.ops.layer_norm import quantized_layer_norm
from golden.ops.movement import depth_to_space, space_to_depth, take
from golden.ops.pooling import average_pool, max_pool, mean
from golden.ops.resize import resize_linear
from golden.ops.softmax import quantized_softmax, softmax
from golden.resize import ResizeLinear
from golden.slopes import PRelu
from golden.softmax import QuantizedSoftmax
from golden.transposed import TransposedConv2D

__all__ = ["OPERATORS", "outputs_of", "run", "run_node"]

# Samples computed together: enough for long products, few enough to stay in cache.
CHUNK = 8


def _reshape(x: np.ndarray, attrs: attributes.Reshape) -> np.ndarray:
    """The executor gives every result its shape: nothing left to do."""
    del attrs
    return x


# Functions of the input arrays, then the attributes.
OPERATORS: dict[type[attributes.Attributes], Callable[..., np.ndarray]] = {
    attributes.Add: add,
    ArgMax: arg_max,
    attributes.AveragePool: average_pool,
    CameraInput: camera_input,
    attributes.Clamp: clamp,
    attributes.Concat: concat,
    attributes.Conv2D: conv2d,
    attributes.DepthwiseConv2D: depthwise_conv2d,
    DepthToSpace: depth_to_space,
    edges.DequantizeLinear: dequantize_linear,
    edges.FloatSoftmax: float_softmax,
    attributes.FullyConnected: fully_connected,
    Lookup: lookup,
    attributes.MaxPool: max_pool,
    Maximum: maximum,
    attributes.Mean: mean,
    Minimum: minimum,
    Multiply: multiply,
    attributes.Pad: pad,
    PRelu: prelu,
    attributes.Quantize: quantize,
    edges.QuantizeLinear: quantize_linear,
    QuantizedLayerNorm: quantized_layer_norm,
    QuantizedSoftmax: quantized_softmax,
    ReduceMax: reduce_max,
    attributes.Reshape: _reshape,
    ResizeLinear: resize_linear,
    attributes.Softmax: softmax,
    SpaceToDepth: space_to_depth,
    Take: take,
    edges.Transpose: transpose,
    TransposedConv2D: transposed_conv2d,
}


def run_node(node: Node, *inputs: np.ndarray) -> np.ndarray:
    """The one output of a node for given inputs."""
    operator: Any = OPERATORS[type(node.attrs)]
    return operator(*inputs, attrs=node.attrs)


def outputs_of(graph: Graph, node: Node, inputs: Sequence[np.ndarray], samples: int = 1,
               external: Runner | None = None) -> dict[str, np.ndarray]:
    """All outputs of a node by name, in their shapes, samples along the leading axis.

    Raises
    ------
    ValueError
        If the node is run outside and nobody is given who runs it.
    """
    if not isinstance(node.attrs, External):
        found: Sequence[np.ndarray] = [run_node(node, *inputs)]
    elif external is None:
        raise ValueError(f"node {node.name!r} is run outside; accepted is a graph without such "
                         "nodes, or somebody to run them")
    else:
        found = external(node.attrs, inputs)
    return {name: result.reshape(_batched(graph.tensors[name].shape, samples))
            for name, result in zip(node.outputs, found, strict=True)}


def run(graph: Graph, inputs: dict[str, np.ndarray], keep_all: bool = False,
        external: Runner | None = None) -> dict[str, np.ndarray]:
    """Run a network on one sample or many.

    Parameters
    ----------
    graph : Graph
        A valid one.
    inputs : dict of str to ndarray
        One array per graph input. The leading axis may be a multiple of the tensor's: that many
        samples, the same for every input.
    keep_all : bool
        Return every tensor that was computed, not only the outputs.
    external : callable, optional
        Runs what is run outside (`External`).

    Returns
    -------
    dict of str to ndarray
        Tensors by name, samples along the leading axis.

    Raises
    ------
    ValueError
        If an input is missing, unknown or has the wrong type or shape.
    """
    samples = _samples(graph, inputs)
    kept = [name for node in graph.nodes for name in node.outputs] if keep_all \
        else list(graph.outputs)
    # Where samples can't share an axis they run one by one.
    alone = (any(tensor.shape[:1] != (1,) for tensor in graph.tensors.values())
             or any(isinstance(node.attrs, External) for node in graph.nodes))
    chunk = 1 if alone else CHUNK
    parts = [_run_chunk(graph, inputs, start, min(chunk, samples - start), external)
             for start in range(0, samples, chunk)]
    return {name: np.concatenate([np.atleast_1d(part[name]) for part in parts]).reshape(
                _batched(graph.tensors[name].shape, samples)) for name in kept}


def _batched(shape: tuple[int, ...], samples: int) -> tuple[int, ...]:
    """Shape of a tensor for many samples."""
    if samples == 1:
        return shape
    return (samples * shape[0], *shape[1:]) if shape else (samples,)


def _samples(graph: Graph, inputs: dict[str, np.ndarray]) -> int:
    """Number of samples, all inputs checked."""
    if set(inputs) != set(graph.inputs):
        raise ValueError(f"inputs are {sorted(inputs)}, must be {sorted(graph.inputs)}")
    counts = set()
    for name, array in inputs.items():
        tensor = graph.tensors[name]
        count = array.shape[0] // tensor.shape[0] if array.ndim and tensor.shape else 1
        if array.dtype != tensor.dtype or not count \
                or array.shape != _batched(tensor.shape, count):
            raise ValueError(f"input {name!r} is {array.dtype}{array.shape}, must be {tensor.dtype}"
                             f"{tensor.shape} or a whole number of samples of it")
        counts.add(count)
    if len(counts) > 1:
        raise ValueError(f"inputs have different numbers of samples: {sorted(counts)}")
    return counts.pop() if counts else 1


def _run_chunk(graph: Graph, inputs: dict[str, np.ndarray], start: int, count: int,
               external: Runner | None) -> dict[str, np.ndarray]:
    """All computed tensors of ``count`` samples from ``start`` on."""
    values: dict[str, np.ndarray] = {}
    for name, array in inputs.items():
        rows = graph.tensors[name].shape[0] if array.ndim else 1
        values[name] = array[start * rows:(start + count) * rows] if array.ndim else array
    for tensor in graph.constants():
        assert tensor.data is not None
        values[tensor.name] = tensor.data if count == 1 else np.repeat(tensor.data, count, axis=0)
    for node in graph.nodes:
        values |= outputs_of(graph, node, [values[name] for name in node.inputs], count, external)
    return values
