"""Stage and ``when`` of a context against the passes under way."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.contexts import LAST, LOOPS, stage_bits
from hw.drp.cue import cue_layout

__all__ = ["Conditions"]


class Conditions(wiring.Component):
    """Whether a context's stage is valid and its condition holds.

    Flags of the last passes are in LUT RAM, by pass: as each unit asks for a stage of its own,
    this is far less than choosing among registers.

    Parameters
    ----------
    fabric : Fabric

    Members
    -------
    advance : In(1)
        ``write`` becomes ``cue`` with the next cycle. Flags that wait must not be there earlier:
        those of the last stage are in their place.
    write : In(cue_layout)
        Of the step after.
    cue : In(cue_layout)
    stage, when : In
        Of the context.
    valid : Out(1)
        The stage is.
    holds : Out(1)
        The condition does, if the stage is valid.

    Timing
    ------
    Combinational, from what was in ``write`` in the cycle before or earlier.
    """

    def __init__(self, fabric):
        self.fabric = fabric
        super().__init__({
            "advance": In(1), "write": In(cue_layout(fabric)), "cue": In(cue_layout(fabric)),
            "stage": In(stage_bits(fabric)), "when": In(4), "valid": Out(1), "holds": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = memory.Memory(
            shape=2 * LOOPS, depth=self.fabric.stages, init=[])
        write, read = ram.write_port(), ram.read_port(domain="comb")
        flags = Signal(2 * LOOPS)
        m.d.comb += [
            write.en.eq(self.advance), write.addr.eq(self.write.turn),
            # By the low bits of ``when``: code 8 is at 0.
            write.data.eq(Cat(self.write.last[-1], self.write.first, self.write.last[:-1])),
            read.addr.eq(self.cue.turn - self.stage), flags.eq(read.data),
            self.valid.eq(self.cue.valids.bit_select(self.stage, 1)),
            self.holds.eq((self.when == 0) | flags.bit_select(self.when[:3], 1)),
        ]
        assert (LOOPS, LAST) == (4, 5)
        return m
