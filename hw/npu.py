"""The whole chip: blocks, wires between them, what counts as an event."""

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.bus.axi import AXI4, AXI4Lite
from hw.control.counters import Counters
from hw.control.registers import RegisterFile
from hw.control.reset import SoftReset
from hw.control.sequencer import Sequencer
from hw.dma.load import LoadUnit
from hw.dma.read_master import ReadMaster
from hw.dma.store import StoreUnit
from hw.drp.executor import Executor
from hw.mac.unit import MacUnit
from hw.mem.scratchpad import Scratchpad
from hw.mem.weight_store import WeightStore
from hw.post.unit import PostUnit
from hw.resettable import Resettable

__all__ = ["Npu"]


class Npu(wiring.Component):
    """The chip.

    Parameters
    ----------
    config : Config

    Members
    -------
    rst : In(1)
        Two cycles or more put everything into its first state, whatever state it is in. Nothing
        else resets the chip: its clock domain has no reset.
    axil : In(AXI4Lite)
        Registers of golden.spec.registers.
    axi : Out(AXI4)
        DRAM: program, weights, feature maps, log.
    irq : Out(1)
    """

    def __init__(self, config):
        self.config = config
        super().__init__({
            "rst": In(1),
            "axil": In(AXI4Lite()),
            "axi": Out(AXI4(config.group)),
            "irq": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        config = self.config
        reset = SoftReset()
        unit_reset = Signal(init=1, reset_less=True)
        m.d.sync += unit_reset.eq(self.rst | reset.unit_reset)
        # At once, these two: a host may ask as soon as ``rst`` falls.
        registers = RegisterFile(config)
        m.submodules.reset = ResetInserter(self.rst)(reset)
        m.submodules.registers = ResetInserter(self.rst)(registers)

        def unit(name, component):
            m.submodules[name] = Resettable(component, unit_reset)
            return component

        sequencer = unit("sequencer", Sequencer(config))
        counters = unit("counters", Counters(config))
        read_master = unit("read_master", ReadMaster(config))
        load = unit("load", LoadUnit(config))
        store = unit("store", StoreUnit(config))
        scratchpad = unit("scratchpad", Scratchpad(config))
        weights = unit("weights", WeightStore(config))
        mac = unit("mac", MacUnit(config))
        post = unit("post", PostUnit(config))

        # Host side.
        connect(m, flipped(self.axil), registers.bus)
        m.d.comb += [
            self.irq.eq(registers.irq),
            sequencer.start.eq(registers.start),
            sequencer.program_address.eq(registers.program_address),
            sequencer.program_bytes.eq(registers.program_bytes),
            sequencer.watchdog.eq(registers.watchdog),
            registers.running.eq(sequencer.running),
            registers.done.eq(sequencer.done),
            registers.fault.eq(sequencer.fault),
            registers.fetched.eq(sequencer.fetched),
            registers.waited.eq(sequencer.waited),
            registers.counters.eq(counters.value),
            registers.resetting.eq(reset.busy),
            load.regions.eq(registers.regions),
            store.regions.eq(registers.regions),
            reset.request.eq(registers.soft_reset),
            reset.quiet.eq(read_master.quiet & store.quiet),
            read_master.flush.eq(reset.flush),
            store.flush.eq(reset.flush),
        ]

        # Memory side.
        for name, owner in (("ar", read_master), ("r", read_master),
                            ("aw", store), ("w", store), ("b", store)):
            connect(m, getattr(owner, name), flipped(getattr(self.axi, name)))
        connect(m, sequencer.read, read_master.fetch)
        connect(m, load.read, read_master.load)

        # Data paths.
        connect(m, load.words, scratchpad.load_write)
        connect(m, load.weights, weights.beats)
        connect(m, load.table, post.table)
        connect(m, store.read, scratchpad.store_read)
        connect(m, mac.banks, scratchpad.array)
        connect(m, mac.weights, weights.command)
        connect(m, weights.entries, mac.entries)
        connect(m, weights.rows, mac.rows)
        connect(m, weights.parameters, post.parameters)
        connect(m, mac.tile, post.tile)
        connect(m, mac.post, post.command)
        connect(m, post.write, scratchpad.post_write)
        connect(m, post.residual, scratchpad.post_read)

        # Instructions; the array and post-processing are one unit to the sequencer.
        for port, taker, retirer in ((sequencer.load, load, load), (sequencer.mac, mac, post),
                                     (sequencer.store, store, store)):
            connect(m, port.instruction, taker.i)
            m.d.comb += port.retire.eq(retirer.retire)
        # A register; it must not miss the cycle in which an instruction changes hands.
        mac_busy = Signal()
        m.d.sync += mac_busy.eq(mac.busy | post.busy | (mac.i.valid & mac.i.ready))
        m.d.comb += [
            sequencer.load.busy.eq(load.busy),
            sequencer.load.error.eq(load.error),
            sequencer.store.busy.eq(store.busy),
            sequencer.store.error.eq(store.error),
            sequencer.mac.busy.eq(mac_busy),
            sequencer.mac.error.eq(post.error),
            load.refusal.eq(weights.error),
            store.counters.eq(counters.value[:len(store.counters)]),
        ]
        steps = []
        if config.fabric:
            drp = unit("drp", Executor(config))
            self._drp(m, drp, sequencer, counters, load, scratchpad)
            steps.append(drp.step)
        self._count(m, sequencer, counters, read_master, load, store, mac, post, registers, steps)
        return m

    def _drp(self, m, drp, sequencer, counters, load, scratchpad):
        """The tile fabric: its images, data, instructions and events."""
        event, busy = counters.event, Signal()
        connect(m, load.image, drp.image)
        connect(m, drp.read, scratchpad.tile_read)
        connect(m, drp.write, scratchpad.tile_write)
        connect(m, sequencer.drp.instruction, drp.i)
        # A register, as for the array.
        m.d.sync += busy.eq(drp.busy | (drp.i.valid & drp.i.ready))
        m.d.comb += [
            load.image_loaded.eq(drp.loaded),
            load.image_refused.eq(drp.refused),
            sequencer.drp.retire.eq(drp.retire),
            sequencer.release.eq(drp.release),
            sequencer.drp.busy.eq(busy),
            sequencer.drp.error.eq(drp.error),
            event.drp_busy.eq(drp.busy),
            event.drp_steps.eq(drp.step),
            event.drp_wait_in.eq(drp.waits_in),
            event.drp_wait_out.eq(drp.waits_out),
            event.drp_wait_semaphore.eq(~drp.busy & sequencer.waiting.drp),
        ]

    def _count(self, m, sequencer, counters, read_master, load, store, mac, post, registers,
               steps):
        """Events for the counters, and what the watchdog takes for progress."""
        event = counters.event
        moves = Signal(5 + len(steps))  # a register for each place where data may move
        progress = Signal()
        m.d.sync += [
            moves.eq(Cat(read_master.beat_read, store.beat_written, mac.busy_row,
                         mac.tile.valid & mac.tile.ready,
                         post.write.valid & post.write.ready, *steps)),
            progress.eq(moves.any()),
        ]
        m.d.comb += [
            sequencer.progress.eq(progress),
            counters.start.eq(registers.start & ~sequencer.running),
            counters.running.eq(sequencer.running),
            event.instructions.eq(sequencer.instructions),
            event.row_columns.eq(mac.row_columns),
            event.mac_busy.eq(mac.busy_row),
            event.mac_wait_drain.eq(mac.wait_drain),
            event.mac_wait_weights.eq(mac.wait_weights),
            event.mac_wait_words.eq(mac.wait_words),
            event.mac_wait_semaphore.eq(~mac.busy & sequencer.waiting.mac),
            event.mac_idle.eq(~mac.busy & ~sequencer.waiting.mac),
            event.conflicts.eq(mac.conflict),
            event.load_busy.eq(load.busy),
            event.load_wait_semaphore.eq(~load.busy & sequencer.waiting.load),
            event.store_busy.eq(store.busy),
            event.beats_read.eq(read_master.beat_read),
            event.beats_written.eq(store.beat_written),
        ]
