"""Sequencer: runs a program by handing its instructions to the units."""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec import isa
from golden.spec.isa import Unit
from hw.control.dispatcher import Dispatcher
from hw.control.faults import FaultLatch
from hw.control.fetch import InstructionFetch
from hw.control.queue import InstructionQueue
from hw.control.semaphores import Semaphores
from hw.control.watchdog import Watchdog
from hw.interfaces import ERROR, FAULT, RETIRE, RunRead

__all__ = ["Sequencer", "UnitPort", "units_of"]


def units_of(config):
    """The units with queues."""
    return (Unit.LOAD, Unit.MAC, Unit.STORE) + ((Unit.DRP,) if config.fabric else ())


class UnitPort(wiring.Signature):
    """What joins the sequencer to one unit.

    Members
    -------
    instruction : Out(stream of 512 bits)
        To be cast to ``instruction_layout``; the unit keeps a copy.
    retire : In(RETIRE)
    error : In(ERROR)
    busy : In(1)
        At least from the cycle after the unit takes an instruction up to the one before its
        ``retire`` or ``error``.
    """

    def __init__(self):
        super().__init__({
            "instruction": Out(stream.Signature(unsigned(8 * isa.INSTRUCTION_BYTES))),
            "retire": In(RETIRE),
            "error": In(ERROR),
            "busy": In(1),
        })

    def __eq__(self, other):
        return isinstance(other, UnitPort)

    def __repr__(self):
        return "UnitPort()"


class Sequencer(wiring.Component):
    """Fetches a program, fills the units' queues, keeps semaphores, stops at END or an error.

    Parameters
    ----------
    config : Config

    Members
    -------
    start : In(1)
        Pulse; only when neither ``running`` nor in error. Semaphores begin at zero.
    program_address, program_bytes : In(32)
        Whole instructions only: the low 6 bits are ignored. Read at ``start``.
    watchdog : In(32)
        Cycles without progress that are an error, 0 for none.
    progress : In(1)
        Data moved somewhere in this cycle; retiring counts by itself.
    read : Out(RunRead)
        Instruction fetch.
    load, mac, store, drp : Out(UnitPort)
        STORE and LOG both go to the store unit; ``drp`` only of a chip with one.
    release : In(RETIRE)
        Semaphores that the DRP posts before it retires an instruction; likewise.
    running : Out(1)
        From the cycle after ``start`` to that of ``done``, or until ``fault`` is valid.
    done : Out(1)
        Pulse: END has been met and everything before it is finished.
    fault : Out(FAULT)
        First error: dispatch and grants stop. Held until the sequencer is reset.
    fetched : Out(32)
        Instructions decoded since ``start``.
    waited : Out(16)
        Semaphores that a queue's head waited for in the cycle before and that were zero.
    queued, waiting : Out(a bit for each unit, by its name)
        The unit's queue holds something; its head waits for a semaphore.
    instructions : Out(range(5))
        Instructions retired in this cycle, SYNC and END among them.

    Timing
    ------
    64 / M + 1 cycles an instruction as long as queues have room. From a post to the instruction it
    lets go, 2 cycles.
    """

    def __init__(self, config):
        self.config = config
        self.units = units_of(config)
        self.names = tuple(unit.name.lower() for unit in self.units)
        per_unit = data.StructLayout({name: 1 for name in self.names})
        super().__init__({
            "start": In(1),
            "program_address": In(32),
            "program_bytes": In(32),
            "watchdog": In(32),
            "progress": In(1),
            "read": Out(RunRead(config)),
            **{name: Out(UnitPort()) for name in self.names},
            **({"release": In(RETIRE)} if config.fabric else {}),
            "running": Out(1),
            "done": Out(1),
            "fault": Out(FAULT),
            "fetched": Out(32),
            "waited": Out(isa.SEMAPHORES),
            "queued": Out(per_unit),
            "waiting": Out(per_unit),
            "instructions": Out(range(len(isa.Unit) + 1)),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.fetch = fetch = InstructionFetch(self.config)
        m.submodules.dispatcher = dispatcher = Dispatcher(self.config, self.units)
        early = bool(self.config.fabric)
        m.submodules.semaphores = semaphores = Semaphores(units=len(self.units), early=early)
        m.submodules.faults = faults = FaultLatch(self.units)
        m.submodules.watchdog = watchdog = Watchdog()
        ports = [getattr(self, name) for name in self.names]
        if early:
            m.d.comb += semaphores.retire[len(ports)].eq(self.release)
        queues = []
        for index, (name, port) in enumerate(zip(self.names, ports, strict=True)):
            m.submodules[f"{name}_queue"] = queue = InstructionQueue(self.config)
            queues.append(queue)
            wiring.connect(m, dispatcher.o[index], queue.i)
            wiring.connect(m, queue.o, wiring.flipped(port.instruction))
            m.d.comb += [
                semaphores.want[index].eq(queue.want),
                semaphores.wait[index].eq(queue.wait),
                semaphores.retire[index].eq(port.retire),
                queue.grant.eq(semaphores.grant[index]),
                self.queued[name].eq(queue.busy),
                self.waiting[name].eq(queue.want & ~queue.grant),
                faults.error[1 + index].eq(port.error),
                faults.take[index].eq(port.instruction.valid & port.instruction.ready),
                faults.tag[index].eq(queue.tag),
                faults.busy[index].eq(port.busy),
                faults.queued[index].eq(queue.busy),
            ]
            # In step with the overflow that a retiring instruction's posts may cause.
            m.d.sync += faults.retire[index].eq(port.retire.valid)

        retired = [dispatcher.retire, *(port.retire.valid for port in ports)]
        first = self.program_address[fetch.shift:]
        m.d.comb += [
            fetch.start.eq(self.start),
            fetch.address.eq(first),
            fetch.count.eq(self.program_bytes[fetch.shift:]),
            fetch.stop.eq(dispatcher.ended),
            dispatcher.start.eq(self.start),
            dispatcher.halt.eq(self.fault.valid),
            dispatcher.first.eq(first),
            dispatcher.exhausted.eq(fetch.exhausted),
            dispatcher.settled.eq(fetch.idle),
            semaphores.clear.eq(self.start),
            semaphores.hold.eq(self.fault.valid),
            faults.error[0].eq(dispatcher.error),
            faults.overflow.eq(semaphores.overflow[:len(ports)]
                               | (semaphores.overflow[len(ports):] << len(ports) - 1)),
            faults.expired.eq(watchdog.expired),
            watchdog.limit.eq(self.watchdog),
            watchdog.running.eq(self.running),
            watchdog.progress.eq(self.progress | Cat(retired).any()),
            self.running.eq(dispatcher.running & ~self.fault.valid),
            self.done.eq(dispatcher.done),
            self.fault.eq(faults.fault),
            self.fetched.eq(dispatcher.fetched),
            self.instructions.eq(sum(retired)),
        ]
        # A register each: they come from far away. What is drained stays so until the dispatcher
        # passes the next instruction on.
        drained = Signal()
        m.d.comb += dispatcher.drained.eq(drained)
        m.d.sync += [
            self.waited.eq(semaphores.missing),
            drained.eq(~Cat(queue.busy for queue in queues).any()
                       & ~Cat(port.busy for port in ports).any()
                       & ~Cat(port.error.valid for port in ports).any()),
        ]
        wiring.connect(m, fetch.o, dispatcher.i)
        wiring.connect(m, fetch.read, wiring.flipped(self.read))
        return m
