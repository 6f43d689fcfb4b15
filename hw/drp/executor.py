"""The DRP as a unit of the chip: instructions to kernels, beats to images."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa
from golden.spec.drp import controller
from golden.spec.drp.image import ITEM_ALIGN
from golden.spec.isa import Opcode
from golden.spec.registers import KERNEL_CAUSES, Cause
from hw.drp.unit import Unit
from hw.drp.words import TileRead, word_write_layout
from hw.interfaces import ERROR, RETIRE, instruction_layout
from hw.stream import Queue, SkidBuffer

__all__ = ["Executor"]


class Executor(wiring.Component):
    """Executes DRP instructions: each runs a kernel; the next one follows without a pause.

    Parameters
    ----------
    config : Config
        With a fabric.

    Members
    -------
    i : In(stream of 512 bits)
        DRP instructions.
    image : In(stream of one beat)
        Kernel images.
    loaded : Out(1)
        Nothing of an image was on its way in the cycle before.
    refused : Out(1)
        An image has a section that there isn't; until reset.
    read : Out(TileRead)
    write : Out(stream of word_write_layout)
    retire : Out(RETIRE)
        In the cycle after a kernel has written everything.
    release : Out(RETIRE)
        In the cycle after an instruction is taken: its descriptors are in use.
    error : Out(ERROR)
        The address is the stream's number, outputs after inputs, if one is at fault.
    busy : Out(1)
    step, waits_in, waits_out : Out(1)
        As of Unit.
    """

    def __init__(self, config):
        self.config = config
        word = config.fabric.word_bytes
        super().__init__({
            "i": In(stream.Signature(unsigned(8 * isa.INSTRUCTION_BYTES))),
            "image": In(stream.Signature(8 * config.group)),
            "loaded": Out(1), "refused": Out(1),
            "read": Out(TileRead(word)), "write": Out(stream.Signature(word_write_layout(word))),
            "retire": Out(RETIRE), "release": Out(RETIRE), "error": Out(ERROR),
            "busy": Out(1), "step": Out(1), "waits_in": Out(1), "waits_out": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = Unit(self.config.fabric, self.config.words)
        wiring.connect(m, unit.read, wiring.flipped(self.read))
        wiring.connect(m, unit.write, wiring.flipped(self.write))
        m.submodules.pending = pending = Queue(
            shape=data.StructLayout({"tag": 16, "post": isa.SEMAPHORES}), depth=Unit.KERNELS)
        given = data.View(instruction_layout(Opcode.DRP), self.i.payload)
        taken = Signal()
        m.d.comb += [
            taken.eq(self.i.valid & self.i.ready),
            self.i.ready.eq(unit.run.ready & pending.i.ready),
            unit.run.valid.eq(self.i.valid & pending.i.ready),
            unit.run.p.first.eq(given.first), unit.run.p.limit.eq(given.limit),
            pending.i.valid.eq(taken),
            pending.i.p.tag.eq(given.tag), pending.i.p.post.eq(given.post),
            pending.o.ready.eq(unit.done),
            self.busy.eq(pending.o.valid),
            self.refused.eq(unit.refused),
            self.step.eq(unit.step), self.waits_in.eq(unit.waits_in),
            self.waits_out.eq(unit.waits_out),
        ]
        m.d.sync += [
            self.retire.valid.eq(unit.done), self.retire.post.eq(pending.o.p.post),
            self.release.valid.eq(taken), self.release.post.eq(given.release),
        ]
        causes = Array(KERNEL_CAUSES.get(cause, Cause.NONE) for cause in controller.Cause)
        named = unit.cause.matches(controller.Cause.STREAM, controller.Cause.ADDRESS)
        m.d.comb += [
            self.error.valid.eq(unit.cause != controller.Cause.NONE),
            self.error.cause.eq(causes[unit.cause]),
            self.error.tag.eq(pending.o.p.tag),
            self.error.address.eq(Mux(named, unit.suspect, 0)),
        ]
        self._images(m, unit)
        return m

    def _images(self, m, unit):
        """Beats put together to the words of images. Registers at the unit's edge: much hangs on
        whether a beat is taken, and on whether it was the last one, on both sides."""
        parts = ITEM_ALIGN // self.config.group
        m.submodules.beats = beats = SkidBuffer(8 * self.config.group)
        wiring.connect(m, wiring.flipped(self.image), beats.i)
        idle = unit.loaded & ~beats.o.valid & ~self.image.valid
        if parts == 1:
            wiring.connect(m, beats.o, unit.image)
            m.d.sync += self.loaded.eq(idle)
            return
        before = Signal(8 * (ITEM_ALIGN - self.config.group), reset_less=True)
        part = Signal(range(parts))
        last = part == parts - 1
        m.d.comb += [
            unit.image.valid.eq(beats.o.valid & last),
            unit.image.payload.eq(Cat(before, beats.o.payload)),
            beats.o.ready.eq(unit.image.ready | ~last),
        ]
        m.d.sync += self.loaded.eq(idle & (part == 0))
        with m.If(beats.o.valid & beats.o.ready):
            m.d.sync += [part.eq(part + 1),
                         before.eq(Cat(before, beats.o.payload)[8 * self.config.group:])]
