"""Performance counters."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa, registers

__all__ = ["Counters", "event_layout"]

_CLOCK = "cycles"  # counts by itself


def event_layout(config):
    """What happened in a cycle: one member for each counter but ``cycles``.

    A bit each, but for ``row_columns`` (columns with a pixel in the weight row issued, 0 to Q) and
    ``instructions`` (retired, 0 to one for each unit).
    """
    most = {"row_columns": config.columns, "instructions": len(isa.Unit)}
    return data.StructLayout({counter.name: range(most.get(counter.name, 1) + 1)
                              for counter in registers.COUNTERS if counter.name != _CLOCK})


class Counters(wiring.Component):
    """The counters of registers.COUNTERS, 32 bits each, wrapping.

    Parameters
    ----------
    config : Config

    Members
    -------
    start : In(1)
        All to zero; comes in the cycle before the first one of ``running``.
    running : In(1)
        Events count in cycles where this is high.
    event : In(event_layout(config))
    value : Out(ArrayLayout(32, counters))
        In the order of registers.COUNTERS.

    Timing
    ------
    An event shows in ``value`` 2 cycles later.
    """

    def __init__(self, config):
        self.layout = event_layout(config)
        super().__init__({
            "start": In(1),
            "running": In(1),
            "event": In(self.layout),
            "value": Out(data.ArrayLayout(32, len(registers.COUNTERS))),
        })

    def elaborate(self, platform):
        m = Module()
        # Events come from everywhere: a register before the adders keeps them off the clock's
        # critical path, and delays running by as much.
        event = Signal(self.layout, reset_less=True)
        running = Signal()
        m.d.sync += [event.eq(self.event), running.eq(self.running)]
        for index, counter in enumerate(registers.COUNTERS):
            step = 1 if counter.name == _CLOCK else event[counter.name]
            with m.If(self.start):
                m.d.sync += self.value[index].eq(0)
            with m.Elif(running):
                m.d.sync += self.value[index].eq(self.value[index] + step)
        return m
