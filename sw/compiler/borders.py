"""What crosses between chip and host around each operator of the host."""

from dataclasses import dataclass

from sw.compiler.lowering import Lowered
from sw.compiler.window import HostOp

__all__ = ["Border", "borders"]


@dataclass(frozen=True)
class Border:
    """Around one operator of the host.

    Parameters
    ----------
    from_chip, to_chip : int
        Bytes it reads that the chip has written, and bytes it writes that the chip reads.
    between : bool
        The chip has worked before it, and waits for it.
    """

    from_chip: int = 0
    to_chip: int = 0
    between: bool = False


def borders(lowered: Lowered) -> dict[str, Border]:
    """By the host's operators' names."""
    def size(names: set[str]) -> int:
        return sum(lowered.tensors[name].bytes for name in names)

    by_chip, behind = set[str](), set[str]()  # written by the chip; with its work before them
    for_chip = {lowered.origin(name) for op in lowered.ops if not isinstance(op, HostOp)
                for name in op.reads}
    after: dict[str, tuple[set[str], bool]] = {}
    for op in lowered.ops:
        sources, results = set(map(lowered.origin, op.reads)), set(map(lowered.origin, op.writes))
        if not isinstance(op, HostOp):
            by_chip |= results
        if not isinstance(op, HostOp) or sources & behind:
            behind |= results
        after[op.name] = sources & by_chip, bool(sources & behind)
    ahead, found = set(for_chip), dict[str, Border]()
    for op in reversed(lowered.ops):
        sources, results = set(map(lowered.origin, op.reads)), set(map(lowered.origin, op.writes))
        if not isinstance(op, HostOp):
            continue
        if results & ahead:
            ahead |= sources
        taken, follows = after[op.name]
        found[op.name] = Border(size(taken), size(results & for_chip),
                                follows and bool(results & ahead))
    return found
