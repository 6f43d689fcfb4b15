"""A reset with a register of its own for each part of the chip."""

from amaranth.hdl import Elaboratable, Module, ResetInserter, Signal

__all__ = ["Resettable"]


class Resettable(Elaboratable):
    """A component that is reset a cycle after it is asked for.

    One reset for all would cross the whole device within a cycle, and through logic where another
    one joins it. The register is in the part's module, where synthesis can't join it with others.

    Parameters
    ----------
    component : Elaboratable
    reset : Value
        1 bit, from a register.
    """

    def __init__(self, component, reset):
        self._component, self._reset = component, reset

    def elaborate(self, platform):
        m = Module()
        held = Signal(init=1, reset_less=True)
        m.d.sync += held.eq(self._reset)
        m.submodules.unit = ResetInserter(held)(self._component)
        return m
