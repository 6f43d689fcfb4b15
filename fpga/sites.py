"""Sites for block RAM and multipliers, near where they are wanted."""

from collections.abc import Sequence

import numpy as np
from ortools.graph.python.linear_sum_assignment import SimpleLinearSumAssignment

from fpga.geometry import Site
from sw.errors import ToolError

__all__ = ["nearest_sites"]

_SCALE = 100  # costs are whole numbers: hundredths of a tile, squared


def nearest_sites(x: np.ndarray, y: np.ndarray, sites: Sequence[Site], what: str) -> list[Site]:
    """A site for each object, so that the squares of what they are moved add up to the least.

    Parameters
    ----------
    x, y : numpy.ndarray
        Where the objects are.
    sites : sequence of Site
    what : str
        The objects, for messages.

    Raises
    ------
    ToolError
        If there are more objects than sites.
    """
    if len(x) > len(sites):
        raise ToolError(f"{len(x)} {what}, the device has {len(sites)}")
    if len(x) == 0:
        return []
    columns, rows = np.array([site[:2] for site in sites]).T
    costs = np.zeros((len(sites), len(sites)), np.int64)
    costs[:len(x)] = _SCALE * ((x[:, None] - columns) ** 2 + (y[:, None] - rows) ** 2)
    objects, places = np.indices(costs.shape)
    problem = SimpleLinearSumAssignment()
    problem.add_arcs_with_cost(objects.ravel(), places.ravel(), costs.ravel())
    if problem.solve() != problem.OPTIMAL:
        raise ToolError(f"no sites found for {len(x)} {what}")
    return [sites[problem.right_mate(item)] for item in range(len(x))]
