"""The pruner in ``model.fit``."""

from collections.abc import Callable
from typing import Any

import keras

from sw.errors import UsageError

__all__ = ["PrunerCallback"]


class PrunerCallback(keras.callbacks.Callback):
    """Calls the pruner after each batch.

    Parameters
    ----------
    model : keras.Model
        The pruner's.
    step : callable
        After each batch.
    last : callable
        After training: an optimizer with ``use_ema`` gives the model its averages then.
    """

    def __init__(self, model: keras.Model, step: Callable[[], None],
                 last: Callable[[], None]) -> None:
        super().__init__()
        self._own, self._step, self._last = model, step, last

    def on_train_begin(self, logs: Any = None) -> None:
        """Refuse what the pruner can't follow."""
        if self.model is not self._own:
            raise UsageError(f"the callback is for model {self._own.name!r}, fit() runs "
                             f"{self.model.name!r}; accepted is the pruner's model")
        if self.model.steps_per_execution != 1:
            raise UsageError(f"steps_per_execution is {self.model.steps_per_execution}, accepted "
                             "is 1: masks are kept after each step")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """A step."""
        self._step()

    def on_train_end(self, logs: Any = None) -> None:
        """Masks, once more."""
        self._last()
