"""Memories, multipliers and multiplexers of many shapes in one module, between random bits."""

import random

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hw.wide_mux import wide_mux

__all__ = ["FACTORS", "MEMORIES", "WIDTH", "CellSamples"]

# (depth, width, bits per write enable, ports): "apart" reads where it does not write, "same" at the
# place it writes, what was there or ("through") what it writes; "turns" at that place too, but not
# in the same cycle. "two" has a second reader that is "apart".
MEMORIES = (
    (512, 36, 36, "apart"), (400, 36, 9, "apart"), (40, 33, 33, "apart"),
    (128, 32, 32, "two turns"), (700, 27, 9, "apart"), (513, 18, 9, "two turns"),
    (1030, 9, 9, "apart"), (2060, 4, 4, "apart"), (4100, 2, 2, "two turns"), (8200, 1, 1, "apart"),
    (129, 36, 36, "through"), (513, 18, 18, "same"), (513, 18, 18, "same through"),
    (1030, 9, 9, "same"), (1030, 9, 9, "turns"))
# Signed, width of each side, registers at the operands, at the product.
FACTORS = (
    (True, 9, 9, True, True), (True, 18, 18, True, True), (False, 18, 18, True, True),
    (False, 7, 12, True, True), (True, 31, 17, True, True),
    (True, 18, 18, True, False), (False, 18, 18, True, False), (True, 12, 18, False, True),
    (True, 18, 18, False, False), (False, 18, 13, False, False), (True, 20, 33, False, False))
MUXES = ((2, 4), (3, 4), (4, 1), (6, 2), (8, 8), (13, 1), (16, 4))  # items, width
WIDTH = 1792  # of stimuli
_SMALL = 7  # bits of what is no block
FEW = 3  # address bits that change, most of the time: so that what is written is read


class CellSamples(wiring.Component):
    """All samples, a register and a small memory side by side.

    Parameters
    ----------
    seed : int
        Of initial contents.
    memories, factors : sequence
        As MEMORIES, FACTORS.
    collide : bool
        Let memories that are "apart" be read where they are written.

    Members
    -------
    results : dict of str to int
        Outputs and their widths.
    given : In(n)
        Random bits.
    result_0, result_1 and so on : Out(width of each)
        Apart, as Icarus takes very long with wide words that are driven bit by bit.
    """

    def __init__(self, seed, memories=MEMORIES, factors=FACTORS, *, collide=False):
        self.seed, self.memories, self.factors = seed, memories, factors
        self.collide = collide
        widths = [width for _, width, _, ports in memories for _ in _readers(ports)]
        widths += [left + right for _, left, right, *_ in factors]
        widths += [width for _, width in MUXES]
        widths += [_SMALL] * 2
        self.results = {f"result_{index}": width for index, width in enumerate(widths)}
        super().__init__({"given": In(WIDTH),
                          **{name: Out(width) for name, width in self.results.items()}})

    def elaborate(self, platform):
        m, rng = Module(), random.Random(self.seed)
        position, results = 0, []

        def take(width):
            nonlocal position
            position += width
            assert position <= WIDTH
            return self.given[position - width:position]

        for number, shape in enumerate(self.memories):
            results += self._memory(m, f"memory_{number}", shape, take, rng)
        for shape in self.factors:
            results.append(self._product(m, shape, take))
        for number, (count, width) in enumerate(MUXES):
            results.append(wide_mux(m, number, [take(width) for _ in range(count)],
                                    take((count - 1).bit_length())))
        results += [self._register(m, take), self._small_memory(m, take, rng)]
        for name, found in zip(self.results, results, strict=True):
            m.d.comb += getattr(self, name).eq(found)
        return m

    def _memory(self, m, name, shape, take, rng):
        """What its readers read."""
        depth, width, part, ports = shape
        apart = any(word in ports for word in ("apart", "two", "turns"))
        ram = memory.Memory(
            shape=width, depth=depth, init=[rng.getrandbits(width) for _ in range(depth)],
            attrs={"ram_style": "block", **({"no_rw_check": 1} if apart else {})})
        m.submodules[name] = ram
        write = ram.write_port(granularity=part)
        place, enable = Signal(range(depth)), Signal(len(write.en))
        m.d.comb += [place.eq(_address(depth, take)),
                     enable.eq(take(len(enable)) & take(1).replicate(len(enable))),
                     write.addr.eq(place), write.en.eq(enable), write.data.eq(take(width))]
        results = []
        for how in _readers(ports):
            read = ram.read_port(transparent_for=[write] if "through" in how else [])
            where, clash = Signal(range(depth)), Signal()
            if how == "apart":
                m.d.comb += where.eq(Mux(take(1), place, _address(depth, take)))
                if not self.collide:
                    m.d.comb += clash.eq(enable.any() & (where == place))
            else:
                m.d.comb += where.eq(place)
                if how == "turns":
                    m.d.comb += clash.eq(enable.any())
            m.d.comb += [read.addr.eq(where), read.en.eq(take(1) & ~clash)]
            results.append(read.data)
        return results

    @staticmethod
    def _register(m, take):
        """With enable, set and reset."""
        register = Signal(_SMALL, init=0b1001101)
        with m.If(take(1)):
            m.d.sync += register.eq(take(_SMALL))
        return register

    @staticmethod
    def _small_memory(m, take, rng):
        """What is read in the same cycle."""
        depth = 40
        m.submodules.small = ram = memory.Memory(
            shape=_SMALL, depth=depth, init=[rng.getrandbits(_SMALL) for _ in range(depth)],
            attrs={"ram_style": "distributed"})
        write, read = ram.write_port(), ram.read_port(domain="comb")
        m.d.comb += [write.addr.eq(_address(depth, take)), write.en.eq(take(1)),
                     write.data.eq(take(_SMALL)), read.addr.eq(_address(depth, take))]
        return read.data

    @staticmethod
    def _product(m, shape, take):
        is_signed, left, right, before, after = shape
        kind = signed if is_signed else unsigned
        # Without reset: what has one stays outside the block.
        a, b = Signal(kind(left), reset_less=True), Signal(kind(right), reset_less=True)
        product = Signal(kind(left + right), reset_less=True)
        m.d["sync" if before else "comb"] += [a.eq(take(left)), b.eq(take(right))]
        m.d["sync" if after else "comb"] += product.eq(a * b)
        return product


def _readers(ports):
    return [ports.removeprefix("two "), *["apart"] * ("two" in ports)]


def _address(depth, take):
    """One of the first few, most of the time."""
    drawn = take((depth - 1).bit_length())
    some = Mux(take(1) | take(1), drawn & ((1 << FEW) - 1), drawn)
    return Mux(some >= depth, some - depth, some)
