"""How much each weight of a Keras model matters, by its size or by its gradients."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sw.errors import UsageError
from sw.prune.criteria import DECAY, check_criterion
from sw.prune.keras.network import Network

__all__ = ["Importance"]


class Importance:
    """Importance of the weights of a network.

    Parameters
    ----------
    network : Network
    criterion : str
        One of `sw.prune.criteria.CRITERIA`.

    Members
    -------
    means : dict of str to ndarray
        Mean over the steps of what the criterion takes from gradients, by layer, as Keras has it.

    Raises
    ------
    UsageError
        For an unknown criterion.
    """

    def __init__(self, network: Network, criterion: str) -> None:
        check_criterion(criterion)
        self.network, self.criterion = network, criterion
        self.means: dict[str, NDArray] = {}

    def observe(self, gradients: Sequence[Any] | None) -> None:
        """Take this step's gradients, where the criterion needs them.

        Parameters
        ----------
        gradients : sequence of tensors, optional
            One for each of the model's trainable variables, in their order; those that are not
            numbers are left out.
        """
        if self.criterion == "magnitude":
            return
        variables = self.network.model.trainable_variables
        if gradients is None or len(gradients) != len(variables):
            count = "no" if gradients is None else len(gradients)
            raise UsageError(f"step() got {count} gradients, which criterion {self.criterion!r} "
                             f"needs; accepted are step(gradients) with the {len(variables)} of "
                             "model.trainable_variables, or 'magnitude'")
        place = {id(variable): index for index, variable in enumerate(variables)}
        for name in self.network.chip:
            kernel = self.network.layers[name].kernel
            part = gradients[place[id(kernel)]] if id(kernel) in place else None
            if part is None:
                continue
            values = tf.convert_to_tensor(part).numpy().astype(np.float32)
            if self.criterion == "gradient":
                values = values * kernel.numpy()
            if not np.isfinite(values).all():
                continue
            mean = self.means.get(name)
            self.means[name] = np.square(values) if mean is None else (
                DECAY * mean + (1 - DECAY) * np.square(values))

    def scores(self) -> dict[str, NDArray]:
        """Importance by layer, in the chip's order.

        Raises
        ------
        UsageError
            If the criterion needs gradients and there were none.
        """
        found = {}
        for name in self.network.chip:
            if self.criterion == "magnitude":
                size = np.square(self.network.folded(name).astype(np.float64))
                values = size / max(float(size.sum()), 1e-30)
            elif name not in self.means:
                raise UsageError(f"layer {name!r} has no gradients, which criterion "
                                 f"{self.criterion!r} needs; accepted are layers that train, or "
                                 "'magnitude'")
            elif self.criterion == "gradient":
                values = self.means[name]
            else:
                values = np.square(self.network.kernel(name)) * self.means[name] / 2
            found[name] = self.network.to_chip(name, values).astype(np.float64)
        return found
