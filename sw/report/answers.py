"""What a network's output says, for people and programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sw.errors import InputError
from sw.inputs import TensorSpec
from sw.zoo import Network, Task

__all__ = ["Answer", "Reader", "read_labels"]

# An output quantized like this holds probabilities: TensorFlow Lite fixes it for softmax.
_PROBABILITY = {"int8": (1 / 256, -128), "uint8": (1 / 256, 0)}


@dataclass(frozen=True)
class Answer:
    """One sample's answer.

    Parameters
    ----------
    text : str
        For people.
    index : int, optional
        Class, where the output is classes.
    label : str, optional
        Its name, where known.
    confidence : float, optional
        0 to 1, where the output is probabilities.
    score : float, optional
        Mean squared difference to the input, where the network reconstructs it.
    right : bool, optional
        Whether it is the expected class, where one is known.
    """

    text: str
    index: int | None = None
    label: str | None = None
    confidence: float | None = None
    score: float | None = None
    right: bool | None = None

    def json(self) -> dict[str, Any]:
        """The fields that say something."""
        return {name: value for name, value in vars(self).items() if value is not None}


def read_labels(path: Path) -> tuple[str, ...]:
    """Class names, one a line.

    Raises
    ------
    InputError
        If the file can't be read as text or is empty.
    """
    try:
        labels = tuple(line.strip() for line in path.read_text("utf-8").rstrip().splitlines())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file; accepted is one class name a line") from error
    if not any(labels):
        raise InputError(f"{path}: empty; accepted is one class name a line")
    return labels


def _number(value: np.generic) -> str:
    """Integers in full, reals in four digits."""
    return f"{float(value):.4g}" if isinstance(value, np.floating) else str(int(value))


class Reader:
    """Reads the answers of one network.

    Parameters
    ----------
    inputs, outputs : sequence of TensorSpec
    network : Network, optional
        What the zoo knows of it.
    labels : tuple of str
        The user's class names; they come before the zoo's.
    decides : int
        If not 0, the output is the number of one of so many classes.

    Raises
    ------
    InputError
        If the user's labels don't fit the output.
    """

    def __init__(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec],
                 network: Network | None = None, labels: tuple[str, ...] = (),
                 decides: int = 0) -> None:
        self._inputs, self._outputs, self._decides = inputs, outputs, bool(decides)
        self._reconstructs = network is not None and network.task is Task.RECONSTRUCTION
        self._labels = labels or (network.labels if network else ())
        classes = decides or int(np.prod(outputs[0].shape))
        if labels and len(labels) != classes:
            raise InputError(f"--labels has {len(labels)} names, output {outputs[0]} has "
                             f"{classes} classes")
        probability = (outputs[0].scale, outputs[0].zero_point) == _PROBABILITY.get(
            str(outputs[0].dtype))
        self._probability = probability and outputs[0].shape[-1] == classes > 1
        self._classes = not self._reconstructs and len(outputs) == 1 and (
            bool(self._labels) or self._probability)

    def read(self, inputs: dict[str, np.ndarray], outputs: dict[str, np.ndarray],
             expected: int | None = None) -> Answer:
        """The answer in the outputs, by name, to the inputs, by name."""
        if self._decides:
            (number,) = outputs[self._outputs[0].name].reshape(-1).tolist()
            return self._answer(number, "", None, expected)
        if self._reconstructs:
            source, copy = self._inputs[0], self._outputs[0]
            difference = (source.dequantize(inputs[source.name]).reshape(-1)
                          - copy.dequantize(outputs[copy.name]).reshape(-1))
            score = float(np.mean(difference ** 2))
            return Answer(f"reconstruction error {score:.2f} (higher is more unusual)",
                          score=score)
        if self._classes:
            return self._best(outputs[self._outputs[0].name].reshape(-1), expected)
        return Answer("; ".join(
            f"{spec}: {_number(outputs[spec.name].min())} to {_number(outputs[spec.name].max())}"
            for spec in self._outputs))

    def _best(self, values: np.ndarray, expected: int | None) -> Answer:
        index = int(values.argmax())
        real = float(self._outputs[0].dequantize(values)[index])
        text = f" ({real:.1%})" if self._probability else f" ({real:.3g})"
        return self._answer(index, text, real if self._probability else None, expected)

    def _answer(self, index: int, how: str, confidence: float | None,
                expected: int | None) -> Answer:
        """A class, ``how`` sure it is in words and as a number."""
        label = self._labels[index] if self._labels else None
        text = (label if label is not None else f"class {index}") + how
        right = None if expected is None else index == expected
        if expected is not None and not right:
            text += f", wrong: it is {self._labels[expected] if self._labels else expected}"
        return Answer(text, index, label, confidence, None, right)
