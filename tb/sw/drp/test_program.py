"""Kernels as programs: strips, what is refused, what the tile still holds, races."""

import dataclasses

import numpy as np
import pytest

from golden.machine import UndefinedError
from golden.spec.config import preset
from golden.spec.isa import INSTRUCTION_BYTES, RELEASED, Opcode, Target, decode, encode
from golden.spec.registers import Region
from sw.drp.compiler import compile_kernel
from sw.drp.domain import Grid
from sw.drp.kernel import kernel as kernel_of
from sw.drp.launcher import Launcher, memories_of
from sw.drp.library import LIBRARY
from sw.drp.library.samples import sample
from sw.drp.on_chip import OnChip
from sw.drp.program import kernel_program
from sw.drp.streamed import Streamed
from sw.drp.types import In, Out, u8x4
from sw.engines.machine import MachineTransport
from sw.errors import DeviceError, InputError
from sw.instructions.constants import Constants
from tb.lib.kernels import check_kernel

TINY, MEMORY = preset("tiny_drp"), 1 << 20


def instructions(program):
    (step,) = program.steps
    raw = program.constants[step.offset:step.offset + step.bytes]
    return [decode(raw[at:at + INSTRUCTION_BYTES]) for at in range(0, len(raw), INSTRUCTION_BYTES)]


def call(name, *shapes, config=TINY):
    kernel, rng = LIBRARY[name], np.random.default_rng(1)
    arrays = tuple(rng.integers(0, 256, shape).astype(np.uint8) for shape in shapes)
    return kernel_program(compile_kernel(kernel, config.fabric), arrays, config)


@pytest.mark.parametrize(("name", "size"), [
    ("sobel", (30, 600)), ("box3", (90, 320)), ("quantized_add", (23, 37)),
    ("resize_gray", (40, 50)), ("softmax_scale", (5, 12)), ("fast_unpack", (64, 160))])
def test_base(name, size):
    """On the chip with four lanes."""
    config = preset("base", bank_words=256)  # 32 KB
    program, (result,) = check_kernel(config, name, np.random.default_rng(7), size,
                                      [MachineTransport(config, memory_bytes=MEMORY)])
    assert (program.info["strips"] > 1) == (name in ("sobel", "box3", "fast_unpack"))
    assert result.cycles > 0


def test_contexts_are_loaded_once():
    """Of several strips only the first loads contexts; all but it wait for a release."""
    program = call("sobel_x", (48, 20))
    found = instructions(program)
    images = [fields for opcode, fields in found
              if opcode == Opcode.LOAD and fields["target"] == Target.DRP]
    kernels = [fields for opcode, fields in found if opcode == Opcode.DRP]
    assert program.info["strips"] == len(kernels) > 2
    # Contexts, two kinds of states (the last strip is shorter), and each strip's streams.
    assert len(images) <= len(kernels) + 3
    assert sum(bool(fields["wait"] >> RELEASED & 1) for fields in images) == len(kernels) - 1
    assert all(fields["release"] == 1 << RELEASED for fields in kernels)


def test_alike_strips_fit():
    """Of a grid with steps below a pixel: fewer rows at other places may need more of the input."""
    config = preset("base")
    kernel, wanted = LIBRARY["nearest"], (65, 4)
    picture = np.random.default_rng(1).integers(0, 256, (13, 12000)).astype(np.uint8)
    sizes, grids = dict(zip("yx", wanted, strict=True)), {"p": Grid.resize((13, 12000), wanted)}
    chip = OnChip(config, MachineTransport(config))
    found = chip(kernel, picture, sizes=sizes, grids=grids)
    np.testing.assert_array_equal(found, kernel(picture, sizes=sizes, grids=grids))


def test_packed_rows_stay_together():
    config = preset("base", bank_words=32)
    packed = np.random.default_rng(1).integers(0, 256, 5000).astype(np.uint8)
    chip = OnChip(config, MachineTransport(config))

    @kernel_of
    def inverted(p: In(u8x4, "y")) -> Out(u8x4, "y"):
        return p ^ 255

    np.testing.assert_array_equal(chip(inverted, packed), packed ^ 255)


def test_tables_after_a_kernel_that_writes():
    """Lookup, histogram, lookup: the memory is loaded again, and not before the histogram ends."""
    config = preset("base")
    constants = Constants()
    launcher = Launcher(config, constants)
    words, found = [], []
    for name in ("lookup", "histogram", "lookup"):
        compiled = compile_kernel(LIBRARY[name], config.fabric)
        call_ = sample(LIBRARY[name], np.random.default_rng(1), 8, 32)
        arrays, tables = LIBRARY[name].bind(call_.arrays)
        domain = LIBRARY[name].domain(arrays, call_.sizes, call_.grids)
        item = Streamed(compiled, domain, (("in", 0),), (("out", 0),), tuple(tables.values()),
                        most=config.words)
        part = item.emit(config, launcher, 0, 0, {"in": (Region.INPUT, 0),
                                                   "out": (Region.OUTPUT, 0)})
        words.append(sum(one.opcode == Opcode.LOAD and any(space == "memories" for space, *_ in
                                                           one.writes) for one in part))
        found += part
    assert words == [1, 0, 1] and constants.data
    memory = {element for one in found if one.opcode == Opcode.DRP
              for space, element, _ in one.writes if space == "memories"}
    assert memory == memories_of(compile_kernel(LIBRARY["histogram"], config.fabric))


@pytest.mark.parametrize(("name", "shapes", "config", "text"), [
    ("global_mean", (), TINY, "it can't be cut into strips: its results have no axis y"),
    ("sobel_x", ((4, 5000),), TINY, "one row of results needs"),
])
def test_refused(name, shapes, config, text):
    kernel = LIBRARY[name]
    arrays = [np.zeros(shape, np.uint8) for shape in shapes] or [np.zeros((40, 40, 4), np.int8)]
    with pytest.raises(InputError, match=text):
        kernel_program(compile_kernel(kernel, config.fabric), tuple(arrays), config)


def test_other_fabric_is_refused():
    compiled = compile_kernel(LIBRARY["threshold"], TINY.fabric)
    for config, text in ((preset("tiny"), "preset tiny has no DRP"),
                         (preset("base"), "mapped on fabric tiny, preset base has base")):
        with pytest.raises(InputError, match=text):
            kernel_program(compiled, (np.zeros((4, 4), np.uint8),), config)


def without(program, change):
    """The program with its instructions changed by a function of opcode and fields."""
    (step,) = program.steps
    raw = b"".join(encode(opcode, **{name: value for name, value in change(
        opcode, dict(fields)).items() if name != "opcode"})
        for opcode, fields in instructions(program))
    constants = program.constants[:step.offset] + raw + program.constants[
        step.offset + step.bytes:]
    return dataclasses.replace(program, constants=constants)


def no_release(opcode, fields):
    if opcode == Opcode.LOAD:
        fields["wait"] &= ~(1 << RELEASED)
    return fields


def no_wait(opcode, fields):
    """Of the STOREs for the kernels."""
    if opcode == Opcode.STORE:
        fields["wait"] = 0
    return fields


@pytest.mark.parametrize(("change", "text"), [
    (no_release, "loads stream descriptors, and nothing tells it that instruction"),
    (no_wait, "with nothing that orders them"),
])
def test_missing_semaphores_are_found(change, text):
    from sw.driver.device import Device

    device = Device(MachineTransport(TINY, memory_bytes=MEMORY))
    device.load(without(call("sobel_x", (48, 20)), change))
    with pytest.raises((DeviceError, UndefinedError), match=text):
        device.run([np.zeros((48, 20), np.uint8)])
