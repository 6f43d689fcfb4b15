"""Pruning, with quantized weights, in a Keras training loop."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from golden.spec.config import Config
from sw.errors import UsageError
from sw.prune.base import BasePruner
from sw.prune.keras.callback import PrunerCallback
from sw.prune.keras.importance import Importance
from sw.prune.keras.network import Network, samples
from sw.prune.schedule import Schedule
from sw.session.estimate import estimate

__all__ = ["Pruner"]

_SLACK = 1.01  # cycles of the exported file over those foretold


class Pruner(BasePruner):
    """Prunes a Keras model while it trains, against the chip's timing. ::

        pruner = Pruner(model, example_input, preset="base", speedup=4.0)
        model.fit(inputs, labels, callbacks=[pruner.callback()])
        pruner.export("model.tflite", calibration=inputs[:200])

    In a training loop of one's own, `step` comes after each ``optimizer.apply``. Build the pruner
    before a ``tf.function`` that calls the model is traced. The model stays the object it is, with
    the same variables.

    Parameters
    ----------
    model : keras.Model
        Of one input, in float32.
    example_input : array
        Inputs, batch first; a batch of real ones gives better sensitivities.
    criterion : str
        Importance: ``magnitude``, or with ``step(gradients)`` ``gradient`` or ``fisher`` (see
        `criteria.CRITERIA`).
    qat : bool
        Train with weights rounded to int8, as the chip has them. Feature maps stay float; the
        converter finds their ranges.
    exclude : collection of str
        Layers that stay as they are. Depthwise and grouped convolutions always do.
    preset, speedup, rate, schedule, sensitivity, tolerance
        As `BasePruner` has them; so are the members, and what is raised.
    """

    _network: Network

    def __init__(self, model: keras.Model, example_input: Any, *, preset: str | Config = "base",
                 speedup: float | None = None, rate: float | Mapping[str, float] | None = None,
                 schedule: Schedule | None = None, criterion: str = "magnitude", qat: bool = True,
                 sensitivity: str | Callable[[keras.Model], float] | None = "output",
                 tolerance: float = 10.0, exclude: Collection[str] = ()) -> None:
        super().__init__(
            lambda chip: Network(model, example_input, chip, exclude=exclude), Importance,
            preset=preset, speedup=speedup, rate=rate, schedule=schedule, criterion=criterion,
            sensitivity=sensitivity, tolerance=tolerance)
        if qat:  # last, so that what is refused leaves the model as it was
            self._network.quantize()

    def step(self, gradients: Sequence[Any] | None = None) -> None:
        """After each optimizer step.

        Parameters
        ----------
        gradients : sequence of tensors, optional
            Of ``model.trainable_variables``, in their order, for criteria that need them.
        """
        if not tf.executing_eagerly():
            raise UsageError("step() is called inside a tf.function, where it would run once; "
                             "accepted is a call after it")
        self._advance(gradients)

    def callback(self) -> PrunerCallback:
        """For ``model.fit``: calls `step` after each batch.

        Raises
        ------
        UsageError
            For criteria that need gradients, which fit() doesn't give away.
        """
        if self._importance.criterion != "magnitude":
            raise UsageError(f"fit() gives no gradients, which criterion "
                             f"{self._importance.criterion!r} needs; accepted is 'magnitude', or "
                             "step(gradients) in a loop of one's own")
        return PrunerCallback(self._network.model, self.step, self._apply)

    def export(self, path: str | Path, calibration: Any = None) -> None:
        """Write the model as int8 TensorFlow Lite, by TensorFlow's converter.

        Parameters
        ----------
        path : str or Path
        calibration : array, optional
            Inputs, batch first, for the ranges of feature maps: some hundred. If not given, the
            example's.

        Warns
        -----
        UserWarning
            If the schedule hasn't come to its end, so that the target isn't reached, or if the
            file takes more cycles than foretold.

        Raises
        ------
        ModelError
            If the converter refuses the model or doesn't keep its zeros.
        """
        data = self._network.example if calibration is None else samples(
            calibration, "calibration", self._network.example.shape[1:])
        self._warn_unfinished()
        self._apply()
        self._network.check_weights()
        raw, graph = self._network.export(data, self.masks)
        cycles = estimate(graph, self._network.budget.config, 0.0).cycles
        if cycles > _SLACK * self.cycles:
            warnings.warn(f"the exported model takes {cycles:,} cycles, foretold were "
                          f"{self.cycles:,}", stacklevel=2)
        self._write(path, raw)
