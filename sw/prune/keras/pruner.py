"""Pruning, with quantized weights, in a Keras training loop."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from golden.spec import config as configs
from golden.spec.config import Config
from sw.errors import UsageError
from sw.prune.keras.callback import PrunerCallback
from sw.prune.keras.importance import Importance
from sw.prune.keras.network import Network, samples
from sw.prune.schedule import Schedule
from sw.prune.sensitivity import factors, measure
from sw.prune.target import Target
from sw.session.estimate import estimate

__all__ = ["Pruner"]

_SLACK = 1.01  # cycles of the exported file over those foretold


class Pruner:
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
    preset : str or Config
        The chip.
    speedup : float, optional
        Over all weights issued, in cycles from doorbell to interrupt.
    rate : float or mapping of str to float, optional
        Instead: share of all prunable weights, or by layer, that goes.
    schedule : Schedule
        In calls of `step`.
    criterion : str
        Importance: ``magnitude``, or with ``step(gradients)`` ``gradient`` or ``fisher`` (see
        `criteria.CRITERIA`).
    qat : bool
        Train with weights rounded to int8, as the chip has them. Feature maps stay float; the
        converter finds their ranges.
    sensitivity : "output", callable or None
        How layers are compared before the first weights go: each is pruned to a half alone, and
        either the output's error on the example or the callable (given the model, a number that is
        higher for a worse one, such as its loss on held-out data) tells the damage. Importance is
        scaled so that a layer loses what was measured. None: as the criterion says.
    tolerance : float
        Layers whose damage is so many times the median are left alone, if the speed-up allows.
    exclude : collection of str
        Layers that stay as they are. Depthwise and grouped convolutions always do.

    Members
    -------
    masks : dict of str to bool ndarray
        By layer, as Keras has its kernel.
    excluded : list of str
        Layers left alone because of their sensitivity.
    final : bool
        The masks don't change any more.

    Raises
    ------
    UsageError
        For what can't be: the text names it and what is accepted, a speed-up that can be reached
        for one that can't.
    ModelError
        For a model that does what the chip or the converter can't.
    """

    def __init__(self, model: keras.Model, example_input: Any, *, preset: str | Config = "base",
                 speedup: float | None = None, rate: float | Mapping[str, float] | None = None,
                 schedule: Schedule | None = None, criterion: str = "magnitude", qat: bool = True,
                 sensitivity: str | Callable[[keras.Model], float] | None = "output",
                 tolerance: float = 10.0, exclude: Collection[str] = ()) -> None:
        if not (sensitivity in ("output", None) or callable(sensitivity)):
            raise UsageError(f"sensitivity is {sensitivity!r}; accepted are 'output', a callable "
                             "or None")
        try:
            chip = configs.preset(preset) if isinstance(preset, str) else preset
        except configs.ConfigError as error:
            raise UsageError(str(error)) from error
        self._network = Network(model, example_input, chip, exclude=exclude)
        self._importance = Importance(self._network, criterion)
        self._target = Target(self._network.budget, self._network.chip, speedup, rate,
                              Importance(self._network, "magnitude").scores())
        self._schedule = schedule or Schedule()
        self._sensitivity, self._tolerance = sensitivity, tolerance
        self._factors: dict[str, float] | None = None
        self._steps = 0
        self.masks = {name: mask.copy() for name, mask in self._network.masks.items()}
        self.excluded: list[str] = []
        self.final = False
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
        self._steps += 1
        if not self.final:
            self._importance.observe(gradients)
            if self._schedule.due(self._steps):
                self._decide(self._schedule.progress(self._steps))
        self._network.apply(self.masks)

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
        return PrunerCallback(self._network.model, self.step,
                              lambda: self._network.apply(self.masks))

    @property
    def counts(self) -> dict[str, NDArray]:
        """N of every block, [lane blocks, blocks], by layer."""
        sites = self._network.budget.sites
        return {name: sites[self._network.chip[name]].pattern.counts(mask)
                for name, mask in self._on_chip().items()}

    @property
    def cycles(self) -> int:
        """Doorbell to interrupt with the present masks, by compiler and machine."""
        return self._network.budget.cycles({self._network.chip[name]: mask
                                            for name, mask in self._on_chip().items()})

    @property
    def dense_cycles(self) -> int:
        """The same with every weight issued."""
        return self._network.budget.dense_cycles

    @property
    def speedup(self) -> float:
        """Of the present masks."""
        return self.dense_cycles / self.cycles

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
        if not (self.final or self._target.idle):
            warnings.warn(f"exported after {self._steps} of the schedule's {self._schedule.end} "
                          "steps: the pruning is not done", stacklevel=2)
        self._network.apply(self.masks)
        self._network.check_weights()
        raw, graph = self._network.export(data, self.masks)
        cycles = estimate(graph, self._network.budget.config, 0.0).cycles
        if cycles > _SLACK * self.cycles:
            warnings.warn(f"the exported model takes {cycles:,} cycles, foretold were "
                          f"{self.cycles:,}", stacklevel=2)
        try:
            Path(path).write_bytes(raw)
        except OSError as error:
            raise UsageError(f"{path}: can't be written: {error.strerror}") from error

    def state_dict(self) -> dict[str, Any]:
        """All that a checkpoint needs beside the model's and the optimizer's own."""
        return {"steps": self._steps, "final": self.final, "excluded": list(self.excluded),
                "factors": self._factors, "asked": self._asked(),
                "masks": {name: mask.copy() for name, mask in self.masks.items()},
                "means": {name: mean.copy() for name, mean in self._importance.means.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint; the model's own is loaded by the caller.

        Raises
        ------
        UsageError
            If it is of another model, chip or target.
        """
        if state["asked"] != self._asked():
            raise UsageError(f"the checkpoint was made for {state['asked']}, this pruner is for "
                             f"{self._asked()}")
        shapes = {name: mask.shape for name, mask in self.masks.items()}
        if {name: mask.shape for name, mask in state["masks"].items()} != shapes:
            raise UsageError("the checkpoint's layers are not this model's: "
                             f"{', '.join(state['masks'])} against {', '.join(shapes)}")
        self._steps, self.final = state["steps"], state["final"]
        self.excluded, self._factors = list(state["excluded"]), state["factors"]
        self.masks = {name: mask.copy() for name, mask in state["masks"].items()}
        self._importance.means = {name: mean.copy() for name, mean in state["means"].items()}
        self._network.apply(self.masks)

    def _asked(self) -> dict[str, Any]:
        rate = self._target.rate
        return {"digest": self._network.budget.config.digest(), "speedup": self._target.speedup,
                "rate": dict(rate) if isinstance(rate, Mapping) else rate,
                "criterion": self._importance.criterion}

    def _on_chip(self) -> dict[str, NDArray]:
        return {name: self._network.to_chip(name, mask) for name, mask in self.masks.items()}

    def _decide(self, progress: float) -> None:
        """Choose masks."""
        scores = self._importance.scores()
        if self._factors is None:
            self._factors, self.excluded = self._compare(scores)
        scores = {name: values * self._factors[name] for name, values in scores.items()
                  if name not in self.excluded}
        for name, mask in self._target.masks(scores, self._on_chip(), progress).items():
            self.masks[name] = self._network.to_keras(name, mask)
        self.final = progress >= 1

    def _compare(self, scores: Mapping[str, NDArray]) -> tuple[dict[str, float], list[str]]:
        """(factor of each layer's importance, layers to leave alone)."""
        if self._sensitivity is None:
            return dict.fromkeys(scores, 1.0), []
        network, given = self._network, self._sensitivity
        error = (lambda: float(given(network.model))) if callable(given) else self._output_error()
        patterns = {name: network.budget.sites[network.chip[name]].pattern for name in scores}
        found = measure(scores, patterns, error, network.only)
        return factors(found), self._target.excluded(found, self._tolerance, scores)

    def _output_error(self) -> Callable[[], float]:
        """Squared error of the output for the example, as a share of the output."""
        wanted = self._network.outputs()
        size = float(np.square(wanted - wanted.mean(axis=0)).sum()) or float(
            np.square(wanted).sum()) or 1.0
        return lambda: float(np.square(self._network.outputs() - wanted).sum()) / size
