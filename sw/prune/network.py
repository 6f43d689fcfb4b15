"""A model of some framework as the pruner sees it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sw.prune.budget import Budget
from sw.prune.pattern import Pattern

__all__ = ["BaseNetwork"]


class BaseNetwork(ABC):
    """A model known to the chip's timing: layers by name, weights in both orders.

    A framework's front derives from it and sets the members. Arrays are the framework's own, in
    its order, unless they are said to be NDArrays.

    Members
    -------
    model : object
        As the framework has it.
    budget : Budget
        Finds masks; its names are the chip's.
    chip : dict of str to str
        Node by layer that can be pruned.
    unpruned : dict of str to str
        Why, by other layer with weights.
    masks : dict of str to bool array
        Weights that were not zero, by layer that can be pruned.
    """

    model: Any
    budget: Budget
    chip: dict[str, str]
    unpruned: dict[str, str]
    masks: dict[str, Any]

    @abstractmethod
    def kernel(self, name: str) -> Any:
        """A layer's weights, in float32."""

    @abstractmethod
    def folded(self, name: str) -> Any:
        """The same with its batch normalization."""

    @abstractmethod
    def to_chip(self, name: str, values: Any) -> NDArray:
        """Values of a layer's weights in the chip's order."""

    @abstractmethod
    def from_chip(self, name: str, values: NDArray) -> Any:
        """The opposite."""

    @abstractmethod
    def apply(self, masks: Mapping[str, Any]) -> None:
        """Zero what the masks leave out, NaN too."""

    @abstractmethod
    def only(self, name: str, mask: NDArray) -> AbstractContextManager[None]:
        """With some of a layer's weights, the mask in the chip's order."""

    @abstractmethod
    def outputs(self) -> NDArray:
        """The model's for the example, batch first."""

    @abstractmethod
    def stored(self, values: Any) -> Any:
        """An array for a checkpoint."""

    @abstractmethod
    def restored(self, name: str, values: Any) -> Any:
        """A layer's array out of one."""

    def inference(self) -> AbstractContextManager[None]:
        """With the model in evaluation, where that is a mode of it."""
        return nullcontext()

    def pattern(self, name: str) -> Pattern:
        """How the chip groups a layer's weights."""
        return self.budget.sites[self.chip[name]].pattern

    def on_chip(self, arrays: Mapping[str, Any]) -> dict[str, NDArray]:
        """`to_chip` of an array of each layer."""
        return {name: self.to_chip(name, values) for name, values in arrays.items()}

    def output_error(self) -> Callable[[], float]:
        """Squared error of the output for the example, against the present one and as a share
        of it."""
        wanted = self.outputs()
        size = float(np.square(wanted - wanted.mean(axis=0)).sum()) or float(
            np.square(wanted).sum()) or 1.0
        return lambda: float(np.square(self.outputs() - wanted).sum()) / size
