"""A chip to do wrong to: spoiled programs, what must be said of them, and that it recovers."""

import dataclasses
import functools

import numpy as np
import pytest

from golden import executor
from golden.spec import isa
from golden.spec.config import preset
from golden.spec.isa import Opcode, Target
from golden.spec.program import ChipStep, Program
from golden.spec.registers import Region
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.engines.machine import MachineTransport
from sw.engines.rtl.engine import RtlTransport
from sw.errors import DeviceError
from tb.lib.random_graphs import RandomGraph

__all__ = ["END", "GRAPHS", "LIMIT", "SIZE", "FaultRig", "load_word", "made", "rig",
           "store_word"]

MEMORY = 1 << 18
SIZE = isa.INSTRUCTION_BYTES
WATCHDOG = 3000
LIMIT = 200_000  # a chip that neither stops nor ends is a fault of its own
# (seed, pixels, channels) of a convolution and an addition: tiny's in 11 strips, base's in one.
GRAPHS = {"tiny": (11, 24, 8), "base": (4, 100, 40)}
END = isa.encode(Opcode.END)


class FaultRig:
    """A chip with a good program, and ways to spoil that.

    Parameters
    ----------
    name : str
        Preset.
    stall_percent : int
        Chance in percent that an AXI channel pauses in a cycle.

    Members
    -------
    program, step, inputs, expected
        The good program, its only step, its inputs and golden's outputs.
    rtl : RtlTransport
    device, machine : Device
        The driver on the Verilated chip, and on the machine.
    cycles : int or None
        Of the good program on a new chip; None with stalls.
    """

    def __init__(self, name, stall_percent=0):
        self.config = config = preset(name)
        drawn = RandomGraph(GRAPHS[name][0], "residual", config.lanes, *GRAPHS[name][1:])
        self.program = compile_graph(drawn.graph, config)
        (self.step,) = self.program.steps
        self.inputs, self.expected = drawn.inputs, executor.run(drawn.graph, drawn.inputs)
        self.rtl = RtlTransport(config, memory_bytes=MEMORY, stall_percent=stall_percent, seed=5)
        self.device = Device(self.rtl, watchdog_cycles=WATCHDOG)
        machine = MachineTransport(config, memory_bytes=MEMORY, check_races=False)
        self.machine = Device(machine, watchdog_cycles=WATCHDOG)
        self.exact = not stall_percent
        self.cycles = None
        self.works()

    def works(self):
        """The good program runs: no byte wrong, and in as many cycles as on a new chip."""
        self.rtl.inject_nothing()
        for device in (self.device, self.machine):
            if device.program is not self.program:
                device.load(self.program)
            device.transport.write(device.bases[Region.OUTPUT], bytes(
                self.program.regions[Region.OUTPUT]))
            result = device.run(self.inputs, timeout_cycles=LIMIT)
            for name, expected in self.expected.items():
                if name in result.outputs:
                    assert np.array_equal(result.outputs[name], expected), name
            if device is self.device and self.exact:
                self.cycles = self.cycles or result.cycles
                # Post-processing of PostMode.ADD begins in even cycles of the clock.
                assert abs(result.cycles - self.cycles) <= 2, (result.cycles, self.cycles)

    def instructions(self, program=None):
        """(index, opcode, fields) of a program."""
        program = program or self.program
        raw = program.constants[program.steps[0].offset:][:program.steps[0].bytes]
        return [(at // SIZE, *isa.decode(raw[at:at + SIZE])) for at in range(0, len(raw), SIZE)]

    def find(self, opcode, last=False, **fields):
        """(index, fields) of the first or last such instruction."""
        found = [(index, values) for index, code, values in self.instructions()
                 if code == opcode and all(values[name] == value
                                           for name, value in fields.items())]
        return found[-1 if last else 0]

    def place(self, index):
        """Where an instruction lies in the constants."""
        return self.step.offset + index * SIZE

    def patched(self, at, raw):
        """The program with other bytes in its constants."""
        constants = self.program.constants
        return dataclasses.replace(
            self.program, constants=constants[:at] + raw + constants[at + len(raw):])

    def changed(self, index, **fields):
        """The program with one instruction changed."""
        _, opcode, values = self.instructions()[index]
        return self.patched(self.place(index), isa.encode(opcode, **{
            **{name: value for name, value in values.items() if name != "opcode"}, **fields}))

    def cut(self, size):
        """The program with only so many of its instruction bytes."""
        return dataclasses.replace(self.program, steps=[ChipStep(self.step.offset, size)])

    def fails(self, program, device=None):
        """The driver's text for a run that must fail."""
        device = device or self.device
        device.load(program)
        with pytest.raises(DeviceError) as caught:
            device.run(self.inputs if program.inputs else {}, timeout_cycles=LIMIT)
        text = str(caught.value)
        assert "no interrupt" not in text, text
        assert not device._get("STATUS") or "the soft reset did not end" in text
        return text

    def stops(self, program, cause, unit, tag=None, address=0, *parts, machine=True):
        """A run ends in this error state on every engine that knows it, is explained, and the
        next run works; returns the text of the rtl engine."""
        place = [f"the chip stopped: {cause.name} in unit {unit.name}",
                 "instruction: none" if tag is None else
                 f"instruction: tag {tag}, layer {program.layer(tag)}",
                 f"address: {address:#010x}"]
        texts = [self.fails(program)]
        if machine:
            texts.append(self.fails(program, self.machine))
        for text in texts:
            assert text.startswith(f"step 0 of {program.network}: {place[0]}\n"), text
            lines = text.splitlines()
            for part in (*place[1:], *parts):
                assert any(line.startswith(part) for line in lines), (part, text)
            assert any(line.startswith("counters: cycles ") for line in lines), text
        self.works()
        return texts[0]

    def beat(self, address):
        """The beat that a byte lies in."""
        return address - address % self.config.group

    def first_of(self, runs, at):
        """The first of some runs that touches the beat at ``at``: (tag, first byte)."""
        return next((tag, first) for tag, first, size in runs
                    if self.beat(first) <= at < first + size)

    def runs_of(self, opcode, region):
        """(tag, first byte, bytes) of all runs of such instructions in a region, in order."""
        base = self.device.bases[region]
        return [(f["tag"], base + f["address"] + run * f.get("run_stride", 0),
                 f.get("run_bytes", SIZE))
                for _, code, f in self.instructions() if code == opcode and f["region"] == region
                for run in range(f.get("runs", 1))]


@functools.cache
def _kept(name):
    return FaultRig(name)


def rig(name):
    """One chip for all tests of a preset, so that each finds what the one before left."""
    bench = _kept(name)
    bench.rtl.inject_nothing()
    return bench


def made(config, instructions, network="made", size=None):
    """A hand-written program; every region has 4 KiB."""
    raw = b"".join(instructions)
    return Program(
        network=network, config=dataclasses.asdict(config), digest=config.digest(),
        constants=raw.ljust(4096, b"\0"), inputs=[], outputs=[],
        regions={region: 4096 for region in Region if region != Region.CONSTANTS},
        steps=[ChipStep(0, len(raw) if size is None else size)],
        layers=[{"tag": tag, "name": f"made{tag}", "operator": "Made", "unit": "mac", "macs": 0,
                 "ideal_cycles": 0} for tag in range(1, 4)])


def load_word(config, dst=0, **values):
    """A LOAD of one word."""
    word = config.group
    return isa.encode(Opcode.LOAD, **{**dict(
        target=Target.SCRATCHPAD, region=Region.WORK, run_bytes=word, runs=1, count0=1, count1=1,
        count2=1, row_bytes=word, tail=word, dst=dst), **values})


def store_word(config, src=0, **values):
    """A STORE of one word."""
    word = config.group
    return isa.encode(Opcode.STORE, **{**dict(
        region=Region.OUTPUT, run_bytes=word, runs=1, count0=1, count1=1, count2=1, tail=word,
        src=src), **values})
