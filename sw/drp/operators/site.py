"""What an operator's kernels are made from, and the making of a call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from golden.attributes import Shape
from golden.spec.config import Config
from golden.spec.drp.fabric import Fabric
from sw.drp.cache import default_cache
from sw.drp.compiler import Compiled, compile_kernel
from sw.drp.domain import Grid
from sw.drp.kernel import Kernel
from sw.drp.streamed import Streamed
from sw.errors import InputError

__all__ = ["Site", "View"]

_SHARES = (2, 1)  # of the scratchpad that one kernel may take one part: the first that will do


@dataclass(frozen=True)
class Site:
    """A chip and the tensors of an operator with one input and one output.

    Parameters
    ----------
    config : Config
        With a DRP.
    shape : tuple of int
        Of the input.
    source, result : str
        Names of the tensors.
    """

    config: Config
    shape: Shape
    source: str
    result: str

    @property
    def fabric(self) -> Fabric:
        """The chip's."""
        assert self.config.fabric
        return self.config.fabric

    def compiled(self, kernel: Kernel, **scalars: int) -> Compiled:
        """A kernel for the chip.

        Raises
        ------
        MapError, KernelError
        """
        return compile_kernel(kernel, self.fabric, cache=default_cache(), **scalars)

    def call(self, kernel: Kernel, arrays: Sequence["View"], *,
             sizes: Mapping[str, int] | None = None, grids: Mapping[str, Grid] | None = None,
             shares: Sequence[int] = _SHARES, **scalars: int) -> Streamed:
        """A call of a kernel whose one result is the operator's.

        Parameters
        ----------
        kernel : Kernel
        arrays : sequence of View
            Of its streams.
        sizes, grids
            As the kernel's.
        shares : sequence of int
            Of the scratchpad it takes one part of so many: the first where it fits.
        scalars : int

        Raises
        ------
        MapError, KernelError, InputError
        """
        # Only shapes and types count.
        domain = kernel.domain(
            {name: np.broadcast_to(np.zeros((), view.dtype), view.shape)
             for name, view in zip(kernel.streams, arrays, strict=True)}, sizes, grids)
        call = Streamed(
            self.compiled(kernel, **scalars), domain,
            tuple((view.tensor, view.offset) for view in arrays), ((self.result, 0),), (),
            most=self.config.words // shares[0],
            constants={view.tensor: view.data for view in arrays if view.data is not None})
        for share in shares[1:]:
            try:
                call.strips(self.config)
                break
            except InputError:
                call = replace(call, most=self.config.words // share)
        return call

    def view(self, *shape: int) -> "View":
        """The input's bytes in another shape."""
        return View(self.source, shape, "int8")


@dataclass(frozen=True)
class View:
    """An array within a tensor's bytes, or a constant.

    Parameters
    ----------
    tensor : str
    shape : tuple of int
    dtype : str
    offset : int
        First byte.
    data : ndarray, optional
        Of a constant.
    """

    tensor: str
    shape: Shape
    dtype: str
    offset: int = 0
    data: np.ndarray | None = field(default=None, repr=False)

    @classmethod
    def constant(cls, name: str, data: np.ndarray) -> "View":
        """A constant; the name is none of the network's."""
        return cls(name, data.shape, str(data.dtype), 0, data)
