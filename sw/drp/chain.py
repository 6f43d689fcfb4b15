"""A kernel on a fabric, whole or in pieces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from golden.spec.drp.fabric import Fabric
from sw.drp.cache import Cache
from sw.drp.compiler import Compiled, Outcome, compile_kernel, facts, nodes_of
from sw.drp.domain import Grid
from sw.drp.kernel import Kernel
from sw.drp.mapper.search import MOST_NODES, MapError
from sw.drp.split import Piece, split

__all__ = ["PIECE_NODES", "Chain", "compile_whole", "facts_of"]

# Of a piece: less than a mapping may have, for the lanes' moves.
PIECE_NODES = 60


@dataclass(frozen=True)
class Chain:
    """A kernel as pieces that run one after the other.

    Parameters
    ----------
    kernel : Kernel
    scalars : dict of int
    pieces : tuple of Compiled
        Of ``Piece`` kernels.
    """

    kernel: Kernel
    scalars: dict[str, int]
    pieces: tuple[Compiled, ...]

    def run(self, *given: np.ndarray, sizes: Mapping[str, int] | None = None,
            grids: Mapping[str, Grid] | None = None,
            run: Callable[..., Outcome] = Compiled.run) -> Outcome:
        """As ``Compiled.run``, or as ``run``, which is given each piece first."""
        arrays, tables = self.kernel.bind(given)
        domain = self.kernel.domain(arrays, sizes, grids)
        known, cycles, steps = {**arrays, **tables}, 0, 0
        whole = dict(zip(self.kernel.streams, domain.grids, strict=True))
        for compiled in self.pieces:
            piece = compiled.kernel
            assert isinstance(piece, Piece)
            placed = {name: whole.get(name, Grid()) for name in piece.streams}
            outcome = run(compiled, *[known[name] for name in (*piece.streams, *piece.tables)],
                          sizes=domain.sizes, grids=placed)
            known |= dict(zip(piece.results, outcome.outputs, strict=True))
            cycles, steps = cycles + outcome.cycles, steps + outcome.steps
        outputs = tuple(known[f"out{port}"] for port in range(len(self.kernel.outs)))
        return Outcome(outputs, cycles, steps, sum(output.size for output in outputs))


def compile_whole(kernel: Kernel, fabric: Fabric,
                  tell: Callable[[str], None] = lambda text: None, /, *, seed: int = 1,
                  cache: Cache | None = None, most: int | None = None, piece: int | None = None,
                  **scalars: int) -> Compiled | Chain:
    """``compile_kernel``, in pieces where the graph has more than ``most`` nodes.

    Parameters
    ----------
    kernel, fabric, tell, seed, cache, scalars :
        As ``compile_kernel`` takes them.
    most : int, optional
        Nodes up to which a kernel is mapped as one.
    piece : int, optional
        Nodes of a piece.

    Raises
    ------
    KernelError, MapError
    """
    most, piece = most or MOST_NODES, piece or PIECE_NODES
    count = nodes_of(kernel, fabric, **scalars)
    if count <= most:
        return compile_kernel(kernel, fabric, tell, seed=seed, cache=cache, **scalars)
    tell(f"cutting {count} nodes into pieces")
    pieces = split(kernel, kernel.trace(**scalars), fabric, piece, seed)
    if pieces is None:
        raise MapError(f"{kernel.name}: {count} nodes; accepted are {most}, and it can't be cut "
                       f"into pieces of {piece} (a reduction, scan, Memory, Gather or packed "
                       "stream, or too many values to hand on): write several kernels")
    return Chain(kernel, kernel.values(scalars), tuple(
        compile_kernel(item, fabric, tell, seed=seed, cache=cache) for item in pieces))


def facts_of(compiled: Compiled | Chain) -> dict[str, Any]:
    """What reports print; of pieces the sums, and each one's."""
    if isinstance(compiled, Compiled):
        return facts(compiled)
    pieces = [facts(piece) for piece in compiled.pieces]
    slots = sum(piece["ii"] for piece in pieces)
    return {
        "kernel": compiled.kernel.name, "fabric": pieces[0]["fabric"], "ii": slots,
        "bounds": {cause: sum(piece["bounds"][cause] for piece in pieces)
                   for cause in ("resource", "recurrence", "memory")},
        "proven": all(piece["proven"] for piece in pieces),
        "latency": sum(piece["latency"] for piece in pieces),
        "utilization": round(sum(piece["utilization"] * piece["ii"]
                                 for piece in pieces) / slots, 4),
        "seconds": round(sum(piece["seconds"] for piece in pieces), 3),
        "nodes": sum(piece["nodes"] for piece in pieces),
        "cached": all(piece["cached"] for piece in pieces), "pieces": pieces}
