"""Keras' front of the pruner: three lines in a training script (extra ``[tensorflow]``)."""

import os

from sw.errors import ToolError
from sw.prune.schedule import Schedule

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # the converter tells its life otherwise

try:
    import keras
    import tensorflow  # noqa: F401
except ImportError as error:
    raise ToolError("sw.prune.keras needs TensorFlow: pip install sentei[tensorflow] "
                    f"({error})") from error

if keras.backend.backend() != "tensorflow":
    raise ToolError(f"sw.prune.keras: Keras runs on {keras.backend.backend()}, accepted is "
                    "tensorflow (KERAS_BACKEND)")

from sw.prune.keras.pruner import Pruner

__all__ = ["Pruner", "Schedule"]
