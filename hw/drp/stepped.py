"""Registers that move on in steps."""

from amaranth.hdl import Signal

__all__ = ["stepped"]


def stepped(m, step, shape, value, name):
    """A register without reset that takes ``value`` at the end of every cycle with ``step``."""
    held = Signal(shape, name=name, reset_less=True)
    with m.If(step):
        m.d.sync += held.eq(value)
    return held
