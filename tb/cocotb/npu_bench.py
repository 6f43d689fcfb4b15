"""Cocotb tests of the whole chip, run by test_npu.py inside a simulator.

The environment names the preset (NPU_PRESET) and the random networks to run (NPU_NETWORKS, as
"conv3 residual5": kind and seed).
"""

import dataclasses
import functools
import os
import random
import re

import cocotb
import numpy as np
from cocotb.triggers import Combine

from golden import executor
from golden.spec import registers as spec
from golden.spec.config import preset
from golden.spec.isa import Opcode, Unit, encode, semaphore
from golden.spec.program import ChipStep, Program
from golden.spec.registers import Cause, Control, Region, offset
from hw.bus.axi import Response
from hw.control.registers import RegisterFile
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.errors import DeviceError
from tb.cocotb.axil import STROBES
from tb.cocotb.chip import Chip
from tb.lib.random_graphs import RandomGraph

CONFIG = preset(os.environ["NPU_PRESET"])
NETWORKS = os.environ["NPU_NETWORKS"].split()
SEED = int(os.environ["COCOTB_RANDOM_SEED"])
PIXELS, CHANNELS = 30, 9
WATCHDOG = 3_000  # cycles; more than any stall lasts
WORD = (1 << 32) - 1
SMALL = "conv6"  # quickly run, to see that the chip still works


class Case:
    """A random network: program, inputs and the outputs it must give."""

    def __init__(self, name):
        kind, seed = re.fullmatch(r"([a-z]+)([0-9]+)", name).groups()
        drawn = RandomGraph(int(seed), kind, CONFIG.lanes, PIXELS, CHANNELS)
        self.name, self.inputs = name, drawn.inputs
        self.program = compile_graph(drawn.graph, CONFIG)
        results = executor.run(drawn.graph, drawn.inputs)
        self.expected = {output: results[output] for output in drawn.graph.outputs}
        # Computed values are stored among the weights.
        self.values = any(node.op == "Multiply" for node in drawn.graph.nodes)

    def check(self, device):
        """Run it and compare; only regions that a program writes may have changed."""
        memory = device.transport.memory
        device.load(self.program)
        memory.data[device.bases[Region.OUTPUT]:] = bytes(
            len(memory.data) - device.bases[Region.OUTPUT])
        for binding in self.program.inputs:
            device.write_tensor(binding, self.inputs[binding.name])
        before, read, written = bytes(memory.data), memory.beats_read, memory.beats_written
        result = device.run(self.inputs)
        for name, expected in self.expected.items():
            wrong = np.count_nonzero(result.outputs[name] != expected)
            assert not wrong, f"{self.name}: {wrong} of {expected.size} bytes of {name} differ"
        kept = {"input": (Region.INPUT, 0, self.program.region_bytes(Region.INPUT)),
                **{f"instructions {step.offset}": (Region.CONSTANTS, step.offset, step.bytes)
                   for step in self.program.steps if isinstance(step, ChipStep)}}
        if not self.values:
            kept["constants"] = (Region.CONSTANTS, 0, len(self.program.constants))
        for what, (region, at, size) in kept.items():
            begin = device.bases[region] + at
            place = slice(begin, begin + size)
            assert memory.data[place] == before[place], f"{self.name}: {what} written"
        used = device.bases[Region.LOG] + self.program.region_bytes(Region.LOG)
        assert not any(memory.data[used:]), f"{self.name}: written past the regions"
        assert memory.idle, f"{self.name}: done with bursts outstanding"
        assert result.counters["beats_read"] == memory.beats_read - read
        assert result.counters["beats_written"] == memory.beats_written - written
        return result


case = functools.cache(Case)


async def powered(dut, name):
    """A chip after power-on, with stalls of its own for every test and run."""
    chip = Chip(dut, CONFIG, f"{SEED} {name}")
    await chip.power_on()
    return chip


@cocotb.test()
async def registers_answer(dut):
    chip = await powered(dut, "registers")
    rng = random.Random(SEED)
    read, write = chip.registers.read, chip.registers.write
    okay = Response.OKAY
    for name, value in (("ID", spec.ID), ("VERSION", spec.VERSION), ("DIGEST", CONFIG.digest()),
                        ("STATUS", 0), ("ERROR_CAUSE", Cause.NONE)):
        assert await chip.access(read(offset(name))) == (value, okay), name

    values = {}
    for name, mask in RegisterFile(CONFIG).stored.items():
        assert await chip.access(write(offset(name), WORD)) == okay
        values[name] = mask
    for _ in range(40):
        name, word, strobes = rng.choice(list(values)), rng.randrange(WORD), rng.randint(0, STROBES)
        kept = sum(0xFF << 8 * i for i in range(4) if strobes >> i & 1)
        values[name] = values[name] & ~kept | word & kept & RegisterFile(CONFIG).stored[name]
        assert await chip.access(write(offset(name), word, strobes)) == okay
    tasks = {name: cocotb.start_soon(read(offset(name))) for name in values}
    await chip.access(_all(tasks.values()))
    for name, task in tasks.items():
        assert task.result() == (values[name], okay), name

    for register in spec.REGISTERS:
        if register.access == "ro":
            before = await chip.access(read(offset(register.name)))
            answer = await chip.access(write(offset(register.name), ~before[0] & WORD))
            assert answer == Response.SLVERR, register.name
            assert await chip.access(read(offset(register.name))) == before, register.name
    for address in (4 * len(spec.REGISTERS), 0xFFC):
        assert await chip.access(read(address)) == (0, Response.DECERR)
        assert await chip.access(write(address, WORD)) == Response.DECERR
    assert await chip.access(read(offset("CONTROL"))) == (0, okay)


async def _all(tasks):
    await Combine(*tasks)


@cocotb.test()
@cocotb.parametrize(name=NETWORKS, stalls=["one", "other"])
async def network_matches_golden(dut, name, stalls):
    chip = await powered(dut, f"{name} {stalls}")

    def run():
        result = case(name).check(Device(chip, watchdog_cycles=WATCHDOG))
        dut._log.info("%s: %d cycles", name, result.cycles)

    await chip.use(run)
    assert not int(dut.irq.value), "irq is high after its cause was cleared"


@cocotb.test()
@cocotb.parametrize(round=range(3))
async def soft_reset_in_a_run(dut, round):
    chip = await powered(dut, f"reset {round}")
    rng = random.Random(f"{SEED} {round}")
    network = case(NETWORKS[-1 - round % len(NETWORKS)])

    def run():
        device = Device(chip, watchdog_cycles=WATCHDOG)
        cycles, cut = network.check(device).cycles, 0
        for _ in range(4):
            step = next(step for step in network.program.steps if isinstance(step, ChipStep))
            for name, value in (
                    ("PROGRAM_ADDRESS", device.bases[Region.CONSTANTS] + step.offset),
                    ("PROGRAM_BYTES", step.bytes), ("CONTROL", Control.START)):
                chip.write32(offset(name), value)
            when = rng.randrange(1, cycles)
            cut += not chip.wait(when)
            device.reset()
            assert chip.memory.idle, f"reset in cycle {when} left bursts outstanding"
            chip.write32(offset("IRQ_ENABLE"), 1)
        assert cut, "every run was done before its reset"
        network.check(device)

    await chip.use(run)


# Where AXI errors are answered, what else they hit, and what the chip must say of them.
BUS_ERRORS = {
    "load": (Region.INPUT, Response.SLVERR, Cause.READ_SLAVE_ERROR, Unit.LOAD),
    "store": (Region.OUTPUT, Response.SLVERR, Cause.WRITE_SLAVE_ERROR, Unit.STORE),
    "fetch": (Region.CONSTANTS, Response.SLVERR, Cause.READ_SLAVE_ERROR, Unit.SEQUENCER),
    "load_past": (Region.INPUT, Response.DECERR, Cause.READ_DECODE_ERROR, Unit.LOAD),
    "store_past": (Region.OUTPUT, Response.DECERR, Cause.WRITE_DECODE_ERROR, Unit.STORE),
}


@cocotb.test()
@cocotb.parametrize(where=list(BUS_ERRORS))
async def bus_error_stops_the_chip(dut, where):
    region, response, cause, unit = BUS_ERRORS[where]
    chip = await powered(dut, where)

    def run():
        device = Device(chip, watchdog_cycles=WATCHDOG)
        network = case(SMALL)
        device.load(network.program)
        if response == Response.DECERR:  # past the memory
            start = chip.memory_bytes
            chip.write32(offset(f"REGION{int(region)}_BASE"), start)
        else:
            start = device.bases[region]
            chip.memory.inject(start, network.program.region_bytes(region), response)
        error = failure(device, network.inputs)
        assert f"stopped: {cause.name} in unit {unit.name}" in error, error
        address = int(re.search("address: (0x[0-9a-f]+)", error)[1], 16)
        assert 0 <= address - start < network.program.region_bytes(region), error
        assert chip.memory.idle, "reset left bursts outstanding"
        chip.memory.injections.clear()
        network.check(device)

    await chip.use(run)


def failure(device, inputs):
    """The post-mortem of a run that must fail."""
    try:
        device.run(inputs)
    except DeviceError as error:
        return str(error)
    raise AssertionError("the chip did not stop")


TAG = 77
# Programs that can't end well: instructions, what the chip must say of them.
BAD_PROGRAMS = {
    "opcode": ([encode(Opcode.SYNC), bytes([99]) + encode(Opcode.END)[1:]],
                       [Cause.ILLEGAL_OPCODE, Unit.SEQUENCER]),
    "empty": ([bytes(64)], [Cause.ILLEGAL_OPCODE, Unit.SEQUENCER]),
    "no_end": ([encode(Opcode.SYNC)], [Cause.PROGRAM_END, Unit.SEQUENCER]),
    "no_post": ([encode(Opcode.MAC, tag=TAG, wait=1 << semaphore(Unit.LOAD, Unit.MAC)),
                 encode(Opcode.END)],
                [Cause.WATCHDOG, Unit.MAC, f"tag {TAG}",
                 f"waited for: {semaphore(Unit.LOAD, Unit.MAC)} (LOAD to MAC)"]),
    "region": ([encode(Opcode.STORE, tag=TAG, region=Region.WORK, run_bytes=CONFIG.group, runs=1,
                       count0=1, count1=1, count2=1, tail=CONFIG.group), encode(Opcode.END)],
               [Cause.REGION, Unit.STORE, f"tag {TAG}"]),
}


@cocotb.test()
@cocotb.parametrize(what=list(BAD_PROGRAMS))
async def bad_program_stops_the_chip(dut, what):
    instructions, (cause, unit, *texts) = BAD_PROGRAMS[what]
    chip = await powered(dut, what)
    constants = b"".join(instructions)
    program = Program(network=what, config=dataclasses.asdict(CONFIG), digest=CONFIG.digest(),
                      constants=constants, regions={}, inputs=[], outputs=[],
                      steps=[ChipStep(0, len(constants))])

    def run():
        device = Device(chip, watchdog_cycles=WATCHDOG)
        device.load(program)
        error = failure(device, {})
        for text in (f"stopped: {cause.name} in unit {unit.name}", *texts):
            assert text in error, error
        case(SMALL).check(device)

    await chip.use(run)
