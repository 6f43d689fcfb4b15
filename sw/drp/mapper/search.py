"""From a graph to its mapping: the smallest interval for which the model has a solution."""

from collections.abc import Callable

from golden.spec.drp.fabric import Fabric
from sw.drp.graph import Graph
from sw.drp.mapper.effort import Effort
from sw.drp.mapper.mapping import Mapping
from sw.drp.mapper.model import Model
from sw.errors import ModelError

__all__ = ["EFFORTS", "MapError", "search"]

# Most graphs need no copies; full fabrics need time to wait in histories.
EFFORTS = (Effort(0, 0, 4, 0.25), Effort(1, 0, 16, 2.5), Effort(1, 0, 20, 8.0),
           Effort(1, 0, 24, 12.0), Effort(1, 1, 8, 2.0))
# Of large graphs, whose interval most often leaves elements free: few choices, more time.
LARGE = 56
LARGE_EFFORTS = (EFFORTS[0], Effort(0, 0, 16, 25.0), *EFFORTS[1:])
# Above, a mapping may take many minutes.
MOST_NODES = 100


class MapError(ModelError):
    """A graph that can't be mapped; the text names the resource."""


def search(graph: Graph, fabric: Fabric, first: int, seed: int = 1, most: int | None = None,
           pinned: dict[int, int] | None = None,
           tell: Callable[[str], None] = lambda text: None) -> Mapping:
    """Try intervals upwards.

    Parameters
    ----------
    graph : Graph
    fabric : Fabric
    first, most : int
        Smallest and largest interval to try; by default 6 more than the smallest.
    seed : int
    pinned : dict of int, optional
        Elements of tables that other states of the kernel use too.
    tell : callable
        Told what is tried.

    Raises
    ------
    MapError
        If none does.
    """
    if len(graph.nodes) > MOST_NODES:
        raise MapError(f"{len(graph.nodes)} nodes; accepted are {MOST_NODES}: write several "
                       "kernels that hand arrays on")
    most = first + 6 if most is None else most
    efforts = LARGE_EFFORTS if len(graph.nodes) >= LARGE else EFFORTS
    for ii in range(first, most + 1):
        for number, effort in enumerate(efforts, 1):
            tell(f"{len(graph.nodes)} nodes, an iteration every {ii} of {first} to {most} steps, "
                 f"try {number} of {len(efforts)}")
            mapping = Model(graph, fabric, ii, effort, pinned).solve(seed)
            if mapping is not None:
                return mapping
    raise MapError(f"no mapping of {len(graph.nodes)} nodes on {fabric.name} with an interval of "
                   f"{first} to {most}; fewer operations, or a larger fabric, would fit")
