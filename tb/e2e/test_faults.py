"""Faults of bus, semaphores and host, on purpose: each ends in its named error state, is
explained by the driver, and leaves a chip on which the next run is correct, to the cycle.
"""

import dataclasses
import random

import numpy as np
import pytest

import sw.driver.device
from golden.spec import isa
from golden.spec.config import preset
from golden.spec.isa import Opcode, Unit, semaphore
from golden.spec.registers import Cause, Control, Region, Status, offset
from hw.bus.axi import Response
from sw.driver.postmortem import semaphore_name
from sw.engines.rtl.engine import NEVER
from sw.errors import DeviceError
from tb.lib.fault_rig import (
    END,
    GRAPHS,
    LIMIT,
    SIZE,
    FaultRig,
    load_word,
    made,
    rig,
    store_word,
)
from tb.lib.quick import quick

RESPONSES = [Response.SLVERR, Response.DECERR]
READ = {Response.SLVERR: Cause.READ_SLAVE_ERROR, Response.DECERR: Cause.READ_DECODE_ERROR}
WRITE = {Response.SLVERR: Cause.WRITE_SLAVE_ERROR, Response.DECERR: Cause.WRITE_DECODE_ERROR}


# Errors of the bus.

@pytest.mark.parametrize("response", RESPONSES, ids=lambda item: item.name)
@pytest.mark.parametrize("name", GRAPHS)
def test_read_error_in_the_program(name, response):
    """In each beat of an instruction; only the first one holds its tag."""
    bench = rig(name)
    for index in (0, len(bench.instructions()) - 1):
        for beat in range(0, SIZE, max(bench.config.group, SIZE // 4)):
            at = bench.device.bases[Region.CONSTANTS] + bench.place(index)
            bench.rtl.inject(at + beat, 1, response, writes=False)
            bench.stops(bench.program, READ[response], Unit.SEQUENCER, None, at,
                        f"instructions fetched: {index + bool(beat)} of ", machine=False)


@pytest.mark.parametrize("response", RESPONSES, ids=lambda item: item.name)
@pytest.mark.parametrize("region", [Region.CONSTANTS, Region.INPUT], ids=lambda item: item.name)
@pytest.mark.parametrize("name", GRAPHS)
def test_read_error_in_data(name, region, response):
    """Weights, tables and inputs; the address is that of the run."""
    bench = rig(name)
    runs = bench.runs_of(Opcode.LOAD, region)
    for number in sorted({0, len(runs) // 2, len(runs) - 1}):
        _, first, size = runs[number]
        at = bench.beat(first + size - 1)
        tag, first = bench.first_of(runs, at)
        bench.rtl.inject(at, 1, response, writes=False)
        bench.stops(bench.program, READ[response], Unit.LOAD, tag, first, machine=False)


@pytest.mark.parametrize("response", RESPONSES, ids=lambda item: item.name)
@pytest.mark.parametrize("opcode, region", [
    (Opcode.STORE, Region.OUTPUT), (Opcode.LOG, Region.LOG)], ids=["outputs", "log"])
@pytest.mark.parametrize("name", GRAPHS)
def test_write_error(name, opcode, region, response):
    bench = rig(name)
    runs = bench.runs_of(opcode, region)
    for _, first, size in (runs[0], runs[-1]):
        at = bench.beat(first + size - 1)
        tag, first = bench.first_of(runs, at)
        bench.rtl.inject(at, 1, response, reads=False)
        bench.stops(bench.program, WRITE[response], Unit.STORE, tag, first, machine=False)


@pytest.mark.parametrize("what", ["program", "weights", "inputs", "outputs", "log"])
@pytest.mark.parametrize("name", GRAPHS)
def test_never_answered(name, what, monkeypatch):
    """The watchdog tells; the reset can't end before the memory answers, and then it does."""
    bench = rig(name)
    monkeypatch.setattr(sw.driver.device, "RESET_POLLS", 20)  # less patience
    base = bench.device.bases
    reads = what in ("program", "weights", "inputs")
    unit, tag = Unit.SEQUENCER, None
    if what == "program":
        at = base[Region.CONSTANTS] + bench.step.offset
    else:
        runs = bench.runs_of(*{
            "weights": (Opcode.LOAD, Region.CONSTANTS), "inputs": (Opcode.LOAD, Region.INPUT),
            "outputs": (Opcode.STORE, Region.OUTPUT), "log": (Opcode.LOG, Region.LOG)}[what])
        tag, at, _ = runs[0]
        at = bench.beat(at)
        unit = Unit.LOAD if reads else Unit.STORE
    bench.rtl.inject(at, 1, NEVER, reads=reads, writes=not reads)
    text = bench.fails(bench.program)
    assert f"the chip stopped: {Cause.WATCHDOG.name} in unit {unit.name}\n" in text
    if tag is not None:
        assert f"instruction: tag {tag}, layer {bench.program.layer(tag)}\n" in text
    assert "the soft reset did not end" in text
    # As long as the memory is silent the driver refuses, at once it answers all is well.
    with pytest.raises(DeviceError, match="the soft reset did not end"):
        bench.device.run(bench.inputs)
    bench.works()


# Semaphores.

@pytest.mark.parametrize("name", GRAPHS)
def test_a_semaphore_that_is_never_posted(name):
    """Of a hand-written program: the one that waits, what for, and nothing else."""
    bench = rig(name)
    config = bench.config
    for waiter, unit in ((load_word, Unit.LOAD), (store_word, Unit.STORE)):
        for number in (0, semaphore(Unit.MAC, unit), isa.SEMAPHORES - 1):
            program = made(config, [load_word(config, tag=1),
                                    waiter(config, tag=3, wait=1 << number), END])
            bench.stops(program, Cause.WATCHDOG, unit, 3, 0, "instructions fetched: 3 of 3, ",
                        f"semaphores waited for: {semaphore_name(number)}")


@pytest.mark.parametrize("name", GRAPHS)
def test_a_post_that_is_missing(name):
    """The last post of each semaphore of the compiled program is left out."""
    bench = rig(name)
    numbers = {n for _, _, values in bench.instructions() for n in range(isa.SEMAPHORES)
               if values["post"] >> n & 1}
    assert len(numbers) >= 2
    for number in numbers:
        index, values = [(index, values) for index, _, values in bench.instructions()
                         if values["post"] >> number & 1][-1]
        program = bench.changed(index, post=values["post"] & ~(1 << number))
        texts = [bench.fails(program), bench.fails(program, bench.machine)]
        for text in texts:
            assert f"the chip stopped: {Cause.WATCHDOG.name} in unit " in text
            waited = next(line for line in text.splitlines() if line.startswith("semaphores"))
            assert semaphore_name(number) in waited
        assert texts[0].splitlines()[:3] == texts[1].splitlines()[:3]
        bench.works()


@pytest.mark.parametrize("name", GRAPHS)
def test_semaphore_overflow(name):
    """One post more than a semaphore counts; the tag is that of the instruction that posted."""
    bench = rig(name)
    config, most = bench.config, (1 << isa.SEMAPHORE_BITS) - 1
    for make, unit in ((load_word, Unit.LOAD), (store_word, Unit.STORE)):
        for after in (0, 6):  # END comes at once, or more instructions of the unit
            program = made(config, [
                *(make(config, tag=1, post=1 << 7) for _ in range(most)),
                make(config, tag=2, post=3 << 7),
                *(make(config, tag=3) for _ in range(after)), END])
            bench.stops(program, Cause.SEMAPHORE_OVERFLOW, unit, 2)


def test_a_full_semaphore_is_no_error():
    bench = rig("tiny")
    config, most = bench.config, (1 << isa.SEMAPHORE_BITS) - 1
    program = made(config, [*(load_word(config, post=1 << 7) for _ in range(most)), END])
    for device in (bench.device, bench.machine):
        device.load(program)
        device.run({}, timeout_cycles=LIMIT)
    bench.works()


# The host's part.

def test_wrong_digest():
    """Refused before anything is written; what was loaded before stays usable."""
    bench = rig("tiny")
    other = preset("base")
    before = bench.rtl.read(0, bench.rtl.memory_bytes), bench.rtl.cycles
    held = bench.device.program, bench.device.bases, bench.device._config
    for config, digest in ((other, other.digest()), (bench.config, bench.config.digest() ^ 1)):
        program = dataclasses.replace(bench.program, config=dataclasses.asdict(config),
                                      digest=digest)
        with pytest.raises(DeviceError) as caught:
            bench.device.load(program)
        for text in (f"{digest:#010x}", f"{bench.config.digest():#010x}", "compile the network"):
            assert text in str(caught.value)
    large = dataclasses.replace(bench.program, regions={
        **bench.program.regions, Region.WORK: bench.rtl.memory_bytes})
    with pytest.raises(DeviceError, match="bytes of DRAM"):
        bench.device.load(large)
    assert (bench.rtl.read(0, bench.rtl.memory_bytes), bench.rtl.cycles) == before
    assert held == (bench.device.program, bench.device.bases, bench.device._config)
    result = bench.device.run(bench.inputs, timeout_cycles=LIMIT)
    for name, value in result.outputs.items():
        assert np.array_equal(value, bench.expected[name])
    bench.works()


@pytest.mark.parametrize("name, stall_percent, count", quick(
    4, ("tiny", 0, 12), ("tiny", 40, 12), ("base", 0, 4), ("base", 30, 4),
    ("tiny", 0, 40), ("tiny", 40, 25), ("base", 0, 12), ("base", 30, 8)))
def test_reset_in_mid_run(name, stall_percent, count):
    """At random cycles, by the driver's own time out."""
    bench = FaultRig(name, stall_percent) if stall_percent else rig(name)
    rng = random.Random(f"{name} {stall_percent}")
    length = bench.device.run(bench.inputs, timeout_cycles=LIMIT).cycles
    for cycles in [1, 2, *(rng.randrange(length - 300) for _ in range(count))]:
        print(f"{name}, {stall_percent} % stalls, reset after {cycles} of {length} cycles")
        with pytest.raises(DeviceError) as caught:
            bench.device.run(bench.inputs, timeout_cycles=cycles)
        text = str(caught.value)
        assert f"no interrupt within {cycles} cycles" in text
        assert "the chip did not finish (status RUNNING)" in text
        assert "did not end" not in text and not bench.device._get("STATUS")
        bench.works()


@pytest.mark.parametrize("name", GRAPHS)
def test_start_and_reset_at_any_time(name):
    """START while the chip runs, resets or is in error is ignored; resets may come in heaps."""
    bench = rig(name)
    device, rtl, control = bench.device, bench.rtl, offset("CONTROL")
    rng = random.Random(name)

    def begin(program):
        device.load(program)
        for binding in program.inputs:
            device.write_tensor(binding, bench.inputs[binding.name])
        at = device.bases[Region.CONSTANTS] + bench.step.offset
        for register, value in (("IRQ_PENDING", 1), ("IRQ_ENABLE", 1), ("PROGRAM_ADDRESS", at),
                                ("PROGRAM_BYTES", bench.step.bytes)):
            rtl.write32(offset(register), value)
        rtl.write32(control, Control.START)

    begin(bench.program)
    while rtl.read32(offset("STATUS")) == Status.RUNNING:
        rtl.write32(control, Control.START)
        rtl.wait(rng.randrange(50))
    assert rtl.read32(offset("STATUS")) == Status.DONE and rtl.wait(0)
    assert abs(rtl.read32(offset("COUNT_CYCLES")) - bench.cycles) <= 2
    (binding,) = bench.program.outputs
    assert np.array_equal(device.read_tensor(binding), bench.expected[binding.name])

    begin(bench.patched(bench.place(2), bytes(1)))
    assert rtl.wait(LIMIT) and rtl.read32(offset("STATUS")) == Status.ERROR
    rtl.write32(control, Control.START)
    rtl.wait(100)
    assert rtl.read32(offset("STATUS")) == Status.ERROR
    assert rtl.read32(offset("ERROR_CAUSE")) == Cause.ILLEGAL_OPCODE
    device.reset()
    assert not rtl.read32(offset("ERROR_CAUSE"))

    for cycles in (0, 17, 200):
        begin(bench.program)
        rtl.wait(cycles)
        for value in (Control.SOFT_RESET, Control.SOFT_RESET, Control.START,
                      Control.SOFT_RESET | Control.START):
            rtl.write32(control, value)
        device.reset()
        device.reset()
        assert not rtl.read32(offset("STATUS")) and not rtl.wait(50)
        bench.works()
