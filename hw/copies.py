"""Registers that hold the same, to share what hangs on them."""

from amaranth.hdl import Signal

__all__ = ["copies"]


def copies(m, value, name, *, count=2):
    """2 or 4 registers that follow ``value``.

    Synthesis joins registers that are alike in everything (to Yosys, attribute ``keep`` makes no
    difference), so these begin with different bits, and the third and fourth hold the inverse: the
    logic behind takes that in. Before a first value they mean nothing.
    """
    shape = value.shape()
    ones = -1 if shape.signed else (1 << shape.width) - 1
    found = []
    for index in range(count):
        held = Signal(shape, init=(0, ones)[index % 2], reset_less=True, name=f"{name}_{index}")
        m.d.sync += held.eq(value if index < 2 else ~value)
        found.append(held if index < 2 else ~held)
    return found
