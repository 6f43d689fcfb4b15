"""Wide multiplexers with decoded selects."""

from functools import reduce
from operator import or_

from amaranth.hdl import Mux

__all__ = ["gather"]


def gather(items, hot):
    """The item whose bit in ``hot`` is set; 0 if none is, the OR of all that are.

    Five LUTs a bit for eight items: two items and their selects fill a LUT4, and so does the OR
    of four. With a binary select it would be six to ten.

    Parameters
    ----------
    items : list of Value
    hot : Value
        One bit per item, from registers.
    """
    return reduce(or_, (Mux(hot[place], item, 0) for place, item in enumerate(items)))
