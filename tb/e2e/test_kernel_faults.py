"""Kernels that go wrong on the whole chip: the same named error on machine and RTL, and a good run
after it.
"""

import dataclasses

import numpy as np
import pytest

from golden.spec.config import preset
from golden.spec.drp.contexts import element_context
from golden.spec.drp.image import ITEM_ALIGN, SECTION, Space
from golden.spec.isa import INSTRUCTION_BYTES, Opcode, Target, Unit, decode, encode
from golden.spec.registers import Cause
from sw.driver.device import Device
from sw.drp.compiler import compile_kernel
from sw.drp.library import LIBRARY
from sw.drp.program import kernel_program
from sw.engines.machine import MachineTransport
from sw.engines.rtl.engine import RtlTransport
from sw.errors import DeviceError

CONFIG = preset("tiny_drp")
MEMORY = 1 << 20
SHAPE = (6, 8)


@pytest.fixture(scope="module")
def program():
    kernel = LIBRARY["threshold"]
    return kernel_program(compile_kernel(kernel, CONFIG.fabric), (np.zeros(SHAPE, np.uint8),),
                          CONFIG)


def instructions(program):
    """(place in the constants, opcode, fields)."""
    (step,) = program.steps
    for at in range(step.offset, step.offset + step.bytes, INSTRUCTION_BYTES):
        yield at, *decode(program.constants[at:at + INSTRUCTION_BYTES])


def sections(program):
    """(place in the constants, header) of every section of every image."""
    sizes = {Space.STATE: 2 * ITEM_ALIGN}
    for _, opcode, fields in instructions(program):
        if opcode == Opcode.LOAD and fields["target"] == Target.DRP:
            at, end = fields["address"], fields["address"] + fields["run_bytes"]
            while at < end:
                header = SECTION.decode(int.from_bytes(
                    program.constants[at:at + ITEM_ALIGN], "little"))
                yield at, header
                at += ITEM_ALIGN + header["count"] * sizes.get(header["space"], ITEM_ALIGN)


def with_bytes(program, at, raw):
    return dataclasses.replace(program, constants=program.constants[:at] + raw
                               + program.constants[at + len(raw):])


def unknown_section(program):
    at, _ = next(sections(program))
    return with_bytes(program, at, bytes([99]))


def unknown_operation(program):
    record = element_context(CONFIG.fabric)
    at, _ = next(item for item in sections(program) if item[1]["space"] == Space.ELEMENT)
    raw = record.encode({"op": 63}).to_bytes(ITEM_ALIGN, "little")
    return with_bytes(program, at + ITEM_ALIGN, raw)


def stream_past_memory(program):
    at, _ = next(item for item in sections(program) if item[1]["space"] == Space.INPUT_STREAM)
    beyond = CONFIG.words * CONFIG.group
    return with_bytes(program, at + ITEM_ALIGN, beyond.to_bytes(3, "little"))


def output_not_used(program):
    at, header = next(item for item in sections(program) if item[1]["space"] == Space.USED)
    word = SECTION.encode({**header, "first": header["first"] & (1 << CONFIG.fabric.inputs) - 1})
    return with_bytes(program, at, word.to_bytes(ITEM_ALIGN, "little"))


def few_steps(program):
    at, opcode, fields = next(item for item in instructions(program) if item[1] == Opcode.DRP)
    return with_bytes(program, at, encode(opcode, **{
        **{name: value for name, value in fields.items() if name != "opcode"}, "limit": 5}))


OUTPUT = CONFIG.fabric.inputs  # outputs are numbered after inputs
FAULTS = {
    unknown_section: (Cause.KERNEL_IMAGE, Unit.LOAD, 0),
    unknown_operation: (Cause.KERNEL_ILLEGAL, Unit.DRP, 0),
    stream_past_memory: (Cause.KERNEL_ADDRESS, Unit.DRP, None),
    output_not_used: (Cause.KERNEL_STREAM, Unit.DRP, OUTPUT),
    few_steps: (Cause.KERNEL_WATCHDOG, Unit.DRP, 0),
}


@pytest.mark.parametrize("engine", ["machine", "rtl"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_named_error_and_next_run(program, engine, fault):
    cause, unit, address = FAULTS[fault]
    if address is None:  # the input that the mapper chose
        address = next(header["unit"] for _, header in sections(program)
                       if header["space"] == Space.INPUT_STREAM)
    transport = (MachineTransport(CONFIG, memory_bytes=MEMORY) if engine == "machine"
                 else RtlTransport(CONFIG, memory_bytes=MEMORY))
    device = Device(transport)
    picture = np.arange(np.prod(SHAPE), dtype=np.uint8).reshape(SHAPE) * 5
    device.load(fault(program))
    with pytest.raises(DeviceError) as caught:
        device.run([picture])
    text = str(caught.value)
    assert f"{cause.name} in unit {unit.name}" in text, text
    assert f"address: {address:#010x}" in text, text
    device.load(program)
    (found,) = device.run([picture]).outputs.values()
    np.testing.assert_array_equal(found, LIBRARY["threshold"](picture))
    transport.close()
