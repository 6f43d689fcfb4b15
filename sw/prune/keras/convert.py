"""A Keras model as an int8 TensorFlow Lite file, by TensorFlow's own converter."""

import tempfile
import warnings
from collections.abc import Iterator

import keras
import tensorflow as tf
from numpy.typing import NDArray

from sw.errors import ModelError

__all__ = ["first_line", "to_tflite"]


def first_line(error: Exception) -> str:
    """What an error of another library says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def to_tflite(model: keras.Model, samples: NDArray) -> bytes:
    """The model in int8 throughout: weights per output channel, feature maps with the ranges that
    the samples give, one inference at a time.

    Parameters
    ----------
    model : keras.Model
    samples : ndarray of float32 [samples, ...]

    Raises
    ------
    ModelError
        If the converter refuses it; the text is the converter's.
    """
    def calibration() -> Iterator[list[NDArray]]:
        for sample in samples:
            yield [sample[None]]

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the converter about itself
        try:
            model.export(folder, format="tf_saved_model", verbose=False, input_signature=[
                tf.TensorSpec((1, *samples.shape[1:]), tf.float32)])
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = calibration
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
            found = converter.convert()
        except Exception as error:  # the converter and the model's own code raise anything
            raise ModelError(f"model {model.name!r} can't be converted to int8 TensorFlow Lite: "
                             f"{first_line(error)}") from error
    return bytes(found)
