"""Gradients of a Keras model, as a training loop gives them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sw.errors import UsageError
from sw.prune.importance import BaseImportance
from sw.prune.keras.network import Network

__all__ = ["Importance"]


class Importance(BaseImportance):
    """Importance of the weights of a Keras model (see `BaseImportance`); `observe` takes one
    gradient for each of the model's trainable variables, in their order."""

    network: Network
    remedy = "accepted are layers that train, or 'magnitude'"

    def _gradients(self, given: Sequence[Any] | None) -> Iterator[tuple[str, NDArray]]:
        variables = self.network.model.trainable_variables
        if given is None or len(given) != len(variables):
            count = "no" if given is None else len(given)
            raise UsageError(f"step() got {count} gradients, which criterion {self.criterion!r} "
                             f"needs; accepted are step(gradients) with the {len(variables)} of "
                             "model.trainable_variables, or 'magnitude'")
        parts = {id(variable): part for variable, part in zip(variables, given, strict=True)}
        for name in self.network.chip:
            part = parts.get(id(self.network.layers[name].kernel))
            if part is not None:
                yield name, tf.convert_to_tensor(part).numpy().astype(np.float32)

    def _finite(self, values: NDArray) -> bool:
        return bool(np.isfinite(values).all())
