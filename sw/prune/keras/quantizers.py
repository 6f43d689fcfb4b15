"""Weights as the chip has them while a Keras model trains: int8, symmetric, one scale per output
channel.

Scaling a channel scales its quantized weights alike, so quantizing before a batch normalization
and folding that in afterwards, as the converter does, gives the same integers as folding first.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from sw.errors import UsageError

__all__ = ["WeightQuantizer"]

_MOST = 127  # the weights' range is symmetric


class WeightQuantizer:
    """Makes a layer round its kernel in every call; gradients pass straight.

    Parameters
    ----------
    layer : keras.layers.Layer
        Changed in place.

    Members
    -------
    enabled : bool
        If not, calls see the kernel as it is.

    Raises
    ------
    UsageError
        If the layer has one already.
    """

    def __init__(self, layer: keras.layers.Layer) -> None:
        if hasattr(layer.call, "sentei"):
            raise UsageError(f"layer {layer.name!r} has a quantizer: a pruner has adopted it "
                             "before; accepted is a model of its own for each pruner")
        self.enabled = True
        call = layer.call

        @functools.wraps(call)
        def rounding(*args: Any, **kwargs: Any) -> Any:
            if not self.enabled:
                return call(*args, **kwargs)
            # Inside, Keras reads this value when the layer asks for its kernel.
            with keras.StatelessScope(state_mapping=[(layer.kernel, rounded(layer))]):
                return call(*args, **kwargs)

        rounding.sentei = self  # type: ignore[attr-defined]
        layer.call = rounding

    @contextmanager
    def off(self) -> Iterator[None]:
        """Not enabled for a while."""
        before, self.enabled = self.enabled, False
        try:
            yield
        finally:
            self.enabled = before


def rounded(layer: keras.layers.Layer) -> tf.Tensor:
    """A layer's kernel in the chip's steps."""
    kernel = tf.convert_to_tensor(layer.kernel)
    # The output channels of a depthwise kernel are its last two axes.
    outputs = 2 if isinstance(layer, keras.layers.DepthwiseConv2D) else 1
    size = tf.reduce_max(tf.abs(kernel), axis=list(range(kernel.shape.rank - outputs)),
                         keepdims=True)
    scale = tf.where(size > 0, size / _MOST, tf.ones_like(size))
    return kernel + tf.stop_gradient(tf.round(kernel / scale) * scale - kernel)
