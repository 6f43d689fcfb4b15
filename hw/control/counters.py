"""Performance counters."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa
from golden.spec.registers import COUNTERS, DRP_COUNTERS

__all__ = ["Counters", "counters_of", "event_layout"]

_CLOCK = "cycles"  # counts by itself


def counters_of(config):
    """The counters that a chip has."""
    return COUNTERS + (DRP_COUNTERS if config.fabric else ())


def event_layout(config):
    """What happened in a cycle: one member for each counter but ``cycles``.

    A bit each, but for ``row_columns`` (columns with a pixel in the weight row issued, 0 to Q) and
    ``instructions`` (retired, 0 to one for each unit).
    """
    most = {"row_columns": config.columns, "instructions": len(isa.Unit)}
    return data.StructLayout({counter.name: range(most.get(counter.name, 1) + 1)
                              for counter in counters_of(config) if counter.name != _CLOCK})


class Counters(wiring.Component):
    """The counters of golden.spec.registers, 32 bits each, wrapping.

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
        In the order of ``counters_of``.

    Timing
    ------
    An event shows in ``value`` 3 cycles later.
    """

    def __init__(self, config):
        self.layout, self.counters = event_layout(config), counters_of(config)
        super().__init__({
            "start": In(1),
            "running": In(1),
            "event": In(self.layout),
            "value": Out(data.ArrayLayout(32, len(self.counters))),
        })

    def elaborate(self, platform):
        m = Module()
        # Events come from everywhere: one register near each source, one near the adders.
        event = Signal(self.layout, reset_less=True)
        start, running = Signal(), Signal()
        clear, counts = Signal(), Signal()
        m.d.sync += [event.eq(self.event), start.eq(self.start), running.eq(self.running)]
        m.d.sync += [clear.eq(start), counts.eq(running)]
        for index, counter in enumerate(self.counters):
            if counter.name == _CLOCK:
                step = counts
            else:
                step = Signal.like(event[counter.name], name=f"step_{counter.name}")
                m.d.sync += step.eq(Mux(running, event[counter.name], 0))
            m.d.sync += self.value[index].eq(self.value[index] + step)
            with m.If(clear):
                m.d.sync += self.value[index].eq(0)
        return m
