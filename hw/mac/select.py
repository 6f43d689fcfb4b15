"""Wide multiplexers as trees of 2:1, which map to fewer LUTs than case statements do."""

from amaranth.hdl import Mux

__all__ = ["choose"]


def choose(items, select):
    """``items[select]`` for any number of items; a select beyond the last gives some item.

    Parameters
    ----------
    items : list of values or views of one width
    select : Value
        Bits beyond those that tell the items apart are ignored.
    """
    bit = 0
    while len(items) > 1:
        pairs = [Mux(select[bit], odd, even)
                 for even, odd in zip(items[::2], items[1::2], strict=False)]
        items = pairs + items[len(items) & ~1:]
        bit += 1
    return items[0]
