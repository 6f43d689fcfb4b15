"""Kernels of the DRP that run while the array works on something else."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from golden.graph import Graph, Tensor
from golden.spec.config import Config
from sw.compiler.lowering import Lowered, pixels
from sw.compiler.window import KernelOp, LayerTensor
from sw.drp.recorder import Recorder
from sw.drp.streamed import Streamed
from sw.errors import InputError
from sw.instructions.sync import Instruction

__all__ = ["Beside", "with_kernels"]

_SHARES = (4, 2)  # of the scratchpad kernels beside a network take one part: what will do for all


def with_kernels(graph: Graph, lowered: Lowered, config: Config, kernels: Recorder) -> Graph:
    """Put recorded calls in front of a network's operators; the graph with their arrays.

    Parameters
    ----------
    graph : Graph
    lowered : Lowered
        Of the graph; gets the kernels.
    config : Config
    kernels : Recorder

    Raises
    ------
    InputError
        If the chip has no such fabric, a name is taken, or a call doesn't fit the scratchpad.
    """
    if config.fabric != kernels.fabric:
        raise InputError(f"kernels are mapped on fabric {kernels.fabric.name}, preset "
                         f"{config.name} has {config.fabric.name if config.fabric else 'no DRP'}")
    arrays = {**kernels.inputs, **kernels.made}
    if taken := sorted(set(arrays) & set(lowered.tensors)):
        raise InputError(f"kernels' array {taken[0]!r} has the name of a tensor of {graph.name}")
    tensors = {name: Tensor(name, array.shape, array.dtype.name)
               for name, array in arrays.items()}
    calls = _streamed(kernels, config, _SHARES if lowered.ops else (1,))
    for name, array in arrays.items():
        lowered.tensors[name] = LayerTensor(name, *pixels(array.shape), 1.0, 0, True,
                                            item=array.dtype.itemsize)
    lowered.ops[:0] = [KernelOp(call.outputs[0][0].removesuffix(".result0"), "KERNEL",
                                list(call.reads), [name for name, _ in call.outputs],
                                call, beside=True) for call in calls]
    for number, op in enumerate(lowered.ops):
        op.layer = number
    return replace(graph, tensors={**graph.tensors, **tensors},
                   inputs=(*graph.inputs, *kernels.inputs),
                   outputs=(*graph.outputs, *kernels.outputs))


def _streamed(kernels: Recorder, config: Config, shares: Sequence[int]) -> list[Streamed]:
    """The calls in the first share of the scratchpad that all fit."""
    share, *larger = shares
    calls = [Streamed(call.compiled, call.domain, call.inputs, call.outputs, call.tables,
                      call.picture, most=config.words // share) for call in kernels.recorded]
    try:
        for call in calls:
            call.strips(config)
    except InputError:
        if not larger:
            raise
        return _streamed(kernels, config, larger)
    return calls


@dataclass
class _Kernel:
    """A kernel of which strips are left."""

    layer: int
    parts: Iterator[list[Instruction]]
    steps: deque[int]


class Beside:
    """Kernels one after the other, strip by strip, spread over the array's work.

    Where they take longer than the array, a strip comes when the one before it may be done, so
    that the array's loads don't wait behind theirs; where they take less, as late as they may.
    """

    def __init__(self) -> None:
        self._kernels: deque[_Kernel] = deque()
        self._work = 0  # cycles of the array from the first kernel on
        self._total = self._spent = 0  # steps of all strips, and of those emitted

    def add(self, layer: int, parts: Iterator[list[Instruction]], steps: Sequence[int],
            work: int) -> None:
        """One kernel more.

        Parameters
        ----------
        layer : int
        parts : iterator of lists of Instruction
            Its strips.
        steps : sequence of int
            Of each.
        work : int
            Cycles of the array that are to come.
        """
        self._work = self._work or work
        self._kernels.append(_Kernel(layer, parts, deque(steps)))
        self._total += sum(steps)

    def due(self, left: int) -> Iterator[tuple[int, list[Instruction], bool]]:
        """(layer, a strip's instructions, whether it is the kernel's last) of what belongs before
        the last ``left`` cycles of the array's work."""
        length, done = max(self._work, self._total), self._work - left
        while self._kernels and (not left or self._spent * length < done * self._total):
            kernel = self._kernels[0]
            self._spent += kernel.steps.popleft()
            if not kernel.steps:
                self._kernels.popleft()
            yield kernel.layer, next(kernel.parts), not kernel.steps
