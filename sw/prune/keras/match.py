"""Which node of a converted model is which Keras layer.

Names don't survive conversion, shapes repeat and kernels may be all alike or zero. So the model is
converted with random weights, of which the file's quantized kernels are recognized; the factor of
each output channel tells which batch normalization was folded in.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from golden.attributes import Conv2D, FullyConnected
from golden.graph import Graph
from sw.frontend.flatbuffer import read

__all__ = ["Match", "chip_order", "marked", "matches", "normalization"]

_CLOSE = 0.1  # relative error of a kernel that is the layer's; others are about 1 off


@dataclass(frozen=True, eq=False)
class Match:
    """A layer in a converted model.

    Parameters
    ----------
    node : str
        Of the graph.
    norm : keras.layers.BatchNormalization or None
        Folded into it.
    """

    node: str
    norm: keras.layers.BatchNormalization | None


def chip_order(values: NDArray) -> NDArray:
    """A kernel's values in the chip's order, output channels first: (O, y, x, I) or (O, I)."""
    return np.moveaxis(values, -1, 0)


def normalization(norm: keras.layers.BatchNormalization) -> NDArray:
    """The factor of each channel in inference."""
    gamma = 1.0 if norm.gamma is None else norm.gamma.numpy().astype(np.float64)
    variance = norm.moving_variance.numpy().astype(np.float64)
    return np.asarray(gamma / np.sqrt(variance + norm.epsilon))


@contextmanager
def marked(layers: Iterable[keras.layers.Layer],
           norms: Iterable[keras.layers.BatchNormalization]) -> Iterator[None]:
    """Random weights in these layers for a while, and no biases."""
    rng, values = np.random.default_rng(0), []
    for layer in layers:
        for variable in layer.weights:
            shape = tuple(variable.shape)
            new = np.zeros(shape)
            if len(shape) > 1:
                depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
                inputs = np.prod(shape[:-2] if depthwise else shape[:-1])
                # Feature maps neither die nor explode.
                new = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape) * np.sqrt(
                    2 / inputs)
            values.append((variable, new))
    for norm in norms:
        for variable in norm.weights:
            shift = variable is norm.beta or variable is norm.moving_mean
            values.append((variable, np.zeros(variable.shape) if shift
                           else rng.uniform(0.5, 1.5, variable.shape)))
    before = [(variable, variable.numpy()) for variable, _ in values]
    try:
        for variable, new in values:
            variable.assign(new.astype(np.float32))
        yield
    finally:
        for variable, old in before:
            variable.assign(old)


def matches(path: Path, graph: Graph, layers: Mapping[str, keras.layers.Layer],
            norms: Sequence[keras.layers.BatchNormalization]) -> dict[str, list[Match]]:
    """The nodes of each layer, to be called while the model is `marked`.

    Parameters
    ----------
    path : Path
        The converted model.
    graph : Graph
        The same, read.
    layers : mapping of str to Layer
        With kernels.
    norms : sequence of BatchNormalization
        That may be folded into them.
    """
    raw = read(path)
    found: dict[str, list[Match]] = {name: [] for name in layers}
    kernels = {name: _rows(chip_order(layer.kernel.numpy())) for name, layer in layers.items()}
    known = [(norm, normalization(norm)) for norm in norms]
    for operator, node in zip(raw.operators, graph.nodes, strict=True):
        if not isinstance(node.attrs, Conv2D | FullyConnected):
            continue
        codes = _rows(node.attrs.kernel)
        scales = raw.tensors[operator.inputs[1]].scales.astype(np.float64)
        real = codes * np.broadcast_to(scales, len(codes))[:, None]
        best = min(((*_error(real, kernel, known), name) for name, kernel in kernels.items()
                    if kernel.shape == real.shape), key=lambda item: item[0], default=None)
        if best is not None and best[0] < _CLOSE:
            found[best[2]].append(Match(node.name, best[1]))
    return found


def _rows(kernel: NDArray) -> NDArray:
    return np.asarray(kernel.reshape(len(kernel), -1), np.float64)


def _error(real: NDArray, kernel: NDArray, norms: Sequence[tuple[
        keras.layers.BatchNormalization, NDArray]]
           ) -> tuple[float, keras.layers.BatchNormalization | None]:
    """(how far a file's kernel is from a layer's, with what normalization)."""
    factor = (real * kernel).sum(axis=1) / np.square(kernel).sum(axis=1)
    size = float(np.linalg.norm(real)) or 1.0
    off = float(np.linalg.norm(real - factor[:, None] * kernel)) / size
    choices = [(None, np.ones(len(kernel)))] + [
        (norm, values) for norm, values in norms if len(values) == len(kernel)]
    errors = [float(np.abs(factor / values - 1).max()) for _, values in choices]
    least = int(np.argmin(errors))
    return off + errors[least], choices[least][0]
