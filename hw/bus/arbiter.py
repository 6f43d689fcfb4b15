"""Two AXI4 managers in front of one subordinate."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.bus.axi import AXI4

__all__ = ["Arbiter"]


class _Owners(wiring.Component):
    """Bits, first in, first out: a shift register and the place of the oldest one."""

    def __init__(self, depth):
        self.depth = depth
        super().__init__({"i": In(stream.Signature(1)), "o": Out(stream.Signature(1))})

    def elaborate(self, platform):
        m = Module()
        bits = Signal(self.depth, reset_less=True)
        count = Signal(range(self.depth + 1))
        push, pop = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        m.d.comb += [
            self.i.ready.eq(count != self.depth),
            self.o.valid.eq(count != 0),
            self.o.payload.eq(Array(bits)[(count - 1)[:len(count)]]),
        ]
        with m.If(push):
            m.d.sync += bits.eq(Cat(self.i.payload, bits))
        with m.If(push & ~pop):
            m.d.sync += count.eq(count + 1)
        with m.Elif(pop & ~push):
            m.d.sync += count.eq(count - 1)
        return m


class Arbiter(wiring.Component):
    """Bursts of both managers, in turns when both have one; each direction by itself.

    Answers go back in the order of the addresses. Write data waits for its address to be chosen,
    and for the data of all bursts chosen before: a manager should offer an address when the data
    is at hand. Likewise read data is held up by a manager that does not take its own.

    Parameters
    ----------
    beat_bytes : int
        Bytes of a beat, a power of two.
    in_flight : int
        Bursts of each direction chosen and not answered, at most.

    Members
    -------
    a, b : In(AXI4)
        Managers.
    bus : Out(AXI4)

    Timing
    ------
    1 cycle for addresses and data to write, which leave from registers. Answers go straight
    through, their ``valid`` and ``ready`` by a LUT or two. A burst and a beat a cycle.
    """

    def __init__(self, beat_bytes, *, in_flight=8):
        if type(in_flight) is not int or in_flight < 1:
            raise ValueError(f"in_flight is {in_flight!r}, accepted is an integer of at least 1")
        self.in_flight = in_flight
        bus = AXI4(beat_bytes)
        super().__init__({"a": In(bus), "b": In(bus), "bus": Out(bus)})

    def elaborate(self, platform):
        m = Module()
        owners = {name: _Owners(self.in_flight) for name in ("r", "w", "b")}
        for name, queue in owners.items():
            m.submodules[f"{name}_owners"] = queue
        self._addresses(m, "ar", [owners["r"]])
        self._addresses(m, "aw", [owners["w"], owners["b"]])
        self._data(m, owners["w"])
        self._answers(m, (self.a.r, self.b.r), self.bus.r, owners["r"], last=self.bus.r.p.last)
        self._answers(m, (self.a.b, self.b.b), self.bus.b, owners["b"], last=1)
        return m

    def _addresses(self, m, name, owners):
        """The next burst of a direction; ``owners`` note whose it is."""
        a, b, bus = (getattr(port, name) for port in (self.a, self.b, self.bus))
        last = Signal(name=f"{name}_last")  # whose burst was chosen last
        owner, free, take = (Signal(name=f"{name}_{what}") for what in ("owner", "free", "take"))
        m.d.comb += [
            owner.eq(b.valid & (~a.valid | ~last)),
            free.eq((~bus.valid | bus.ready) & Cat(queue.i.ready for queue in owners).all()),
            take.eq(free & (a.valid | b.valid)),
            a.ready.eq(free & ~owner),
            b.ready.eq(free & owner),
        ]
        for queue in owners:
            m.d.comb += [queue.i.valid.eq(take), queue.i.payload.eq(owner)]
        self._register(m, bus, name, Mux(owner, b.payload, a.payload))
        with m.If(take):
            m.d.sync += [bus.valid.eq(1), last.eq(owner)]
        with m.Elif(bus.ready):
            m.d.sync += bus.valid.eq(0)

    def _data(self, m, owners):
        """Beats to write, of the oldest burst chosen and not complete."""
        a, b, bus = self.a.w, self.b.w, self.bus.w
        owner, free, valid, last = (Signal(name=f"w_{what}")
                                    for what in ("owner", "free", "valid", "last"))
        m.d.comb += [
            owner.eq(owners.o.payload),
            free.eq((~bus.valid | bus.ready) & owners.o.valid),
            valid.eq(Mux(owner, b.valid, a.valid)),
            last.eq(Mux(owner, b.p.last, a.p.last)),
            a.ready.eq(free & ~owner),
            b.ready.eq(free & owner),
            owners.o.ready.eq(free & valid & last),
        ]
        self._register(m, bus, "w", Mux(owner, b.payload, a.payload))
        with m.If(free & valid):
            m.d.sync += bus.valid.eq(1)
        with m.Elif(bus.ready):
            m.d.sync += bus.valid.eq(0)

    @staticmethod
    def _register(m, channel, name, value):
        """The channel's payload; taken on suspicion, for few logic levels."""
        payload = Signal(channel.payload.shape(), reset_less=True, name=f"{name}_payload")
        m.d.comb += channel.payload.eq(payload)
        with m.If(~channel.valid | channel.ready):
            m.d.sync += payload.eq(value)

    @staticmethod
    def _answers(m, managers, bus, owners, *, last):
        """Read data, or answers of writes, to whose burst is the oldest."""
        a, b = managers
        owner = owners.o.payload
        m.d.comb += [
            a.payload.eq(bus.payload),
            b.payload.eq(bus.payload),
            a.valid.eq(bus.valid & ~owner),
            b.valid.eq(bus.valid & owner),
            bus.ready.eq(Mux(owner, b.ready, a.ready)),
            owners.o.ready.eq(bus.valid & bus.ready & last),
        ]
