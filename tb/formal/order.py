"""First in, first out: what every buffer between two streams owes."""

from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Signal, Value

from tb.formal.prover import Property

__all__ = ["COUNT_BITS", "Order", "stream_rules"]

COUNT_BITS = 6  # of the items in a run: depths up to 63


def stream_rules(m, port, name):
    """Assert the rules of a stream the block drives: what is offered stays until it is taken."""
    payload = Value.cast(port.payload)
    waits = Property.before(m, port.valid & ~port.ready, f"{name}_waits")
    was = Property.before(m, payload, f"{name}_payload")
    m.d.comb += Assert(~waits | (port.valid & (payload == was)), f"{name} stays on offer")


class Order(Property):
    """Items leave in the order they came, none lost, none doubled, none made up.

    The k-th item out equals the k-th in, for every k; no more leave than came; one that is inside
    is offered after ``latency`` cycles; there is room while fewer than ``capacity`` are inside.
    ``o`` keeps the stream rules, though the producer of ``i`` may break them.

    Parameters
    ----------
    block : wiring.Component
        With streams ``i`` and ``o``.
    capacity : int
        Items for which it must have room.
    most : int
        Items it may hold.
    latency : int
        Cycles from ``i`` to ``o`` when empty.
    """

    def __init__(self, block, *, capacity, most, latency):
        super().__init__(block)
        self.capacity, self.most, self.latency = capacity, most, latency

    def describe(self, m, block):
        i, o = block.i, block.o
        data = Value.cast(i.payload)
        self.free(m, i.valid, i.payload, o.ready)
        stream_rules(m, o, "o")
        pushes, pops, idle = Signal(COUNT_BITS), Signal(COUNT_BITS), Signal(range(8))
        self.inside = inside = Signal(COUNT_BITS)
        self.inside = inside = Signal(COUNT_BITS)
        index, item = AnyConst(COUNT_BITS), Signal(data.shape())
        m.d.comb += inside.eq(pushes - pops)
        with m.If(i.valid & i.ready):
            m.d.sync += pushes.eq(pushes + 1)
            with m.If(pushes == index):
                m.d.sync += item.eq(data)
        with m.If(o.valid & o.ready):
            m.d.sync += pops.eq(pops + 1)
        m.d.sync += idle.eq(0)
        with m.If((inside != 0) & ~o.valid):
            m.d.sync += idle.eq(idle + 1)
        with m.If(o.valid):
            m.d.comb += Assert(pops != pushes, "nothing is offered that did not come")
            with m.If(pops == index):
                m.d.comb += Assert(Value.cast(o.payload) == item, "the k-th out is the k-th in")
        m.d.comb += [
            Assert((inside >= self.capacity) | i.ready, "there is room"),
            Assert(inside <= self.most, "no more than it can hold"),
            Assert(idle < self.latency, "what is inside is offered in time"),
        ]
