"""A part of a network that is run outside: the executor is given who runs it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from golden.attributes import Attributes, GraphError, Shape

__all__ = ["External", "Port", "Runner"]

Port = tuple[str, Shape]  # type and shape of an input or output


@dataclass(frozen=True, kw_only=True, eq=False)
class External(Attributes):
    """Operators of a float or foreign kind: a network of its own, of one sample.

    Parameters
    ----------
    model : bytes
        The network, in the form that who runs it reads.
    taken, given : tuple of Port
        Its inputs and outputs in order.
    parts : tuple of (str, str, str)
        What is in it: operator, name, and why it isn't one of the graph, which is empty for those
        that only join others; for people.
    macs : int
        Its multiplications, as far as they are known.
    """

    model: bytes
    taken: tuple[Port, ...]
    given: tuple[Port, ...]
    parts: tuple[tuple[str, str, str], ...] = ()
    macs: int = 0

    def check(self, inputs: Sequence[Port], outputs: Sequence[Port]) -> None:
        """Refuse tensors that are not those taken and given.

        Raises
        ------
        GraphError
            If type or shape of one differs, or there are more or fewer.
        """
        for what, wanted, found in (("inputs", self.taken, inputs), ("outputs", self.given,
                                                                     outputs)):
            if tuple(wanted) != tuple(found):
                raise GraphError(f"{what} are {list(found)}, must be {list(wanted)}")


# Outputs of an External for given inputs.
Runner = Callable[[External, Sequence[np.ndarray]], Sequence[np.ndarray]]
