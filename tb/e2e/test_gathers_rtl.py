"""Kernels that read at positions from data on the whole chip: kernel = machine = rtl."""

# mypy: disable-error-code="valid-type"

import numpy as np
import pytest

from golden.spec.config import preset
from sw.driver.device import Device
from sw.drp.compiler import compile_kernel
from sw.drp.functions import total
from sw.drp.kernel import kernel
from sw.drp.program import kernel_program
from sw.drp.types import Gather, In, Out, i8, i16, i32, u8
from sw.engines.machine import MachineTransport
from sw.engines.rtl.engine import RtlTransport
from sw.errors import InputError

CONFIG = preset("tiny_drp")
MEMORY = 1 << 20


@kernel
def warped(p: Gather(u8, border="constant", fill=7), at: In(i16, "yx", channels=2)) -> Out(u8):
    """The picture at given places."""
    y, x = at
    return p.at(y, x)


@kernel
def differences(p: Gather(i8), at: In(i16, "n", channels=2)) -> Out(i32, "n"):
    """Between a place and the one on its right, two of an iteration."""
    y, x = at
    return p.at(y, x + 1) - p.at(y, x)


@kernel
def summed(p: Gather(i16), at: In(i16, "nx", channels=2)) -> Out(i32, "n"):
    """All places of a row."""
    y, x = at
    return total(p.at(y, x))


CASES = {"warped": (warped, np.uint8, (17, 12), (5, 9)),
         "strips": (warped, np.uint8, (17, 12), (70, 9)),
         "differences": (differences, np.int8, (9, 30), (40,)),
         "summed": (summed, np.int16, (9, 30), (6, 13))}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("stalls", [0, 30])
def test_gathers(name, stalls):
    function, dtype, size, places = CASES[name]
    rng = np.random.default_rng(len(name) + stalls)
    limits = np.iinfo(dtype)
    picture = rng.integers(limits.min, limits.max, size, dtype, endpoint=True)
    at = np.stack([rng.integers(-2, side + 2, places, np.int16) for side in size], axis=-1)
    compiled = compile_kernel(function, CONFIG.fabric)
    program = kernel_program(compiled, (picture, at), CONFIG)
    assert (program.info["strips"] > 1) == (name == "strips")
    wanted = function(picture, at)
    cycles = []
    for transport in (
            RtlTransport(CONFIG, memory_bytes=MEMORY, stall_percent=stalls, seed=stalls),
            MachineTransport(CONFIG, memory_bytes=MEMORY)):
        device = Device(transport)
        device.load(program)
        result = device.run({"p": picture, "at": at})
        cycles.append(result.cycles)
        np.testing.assert_array_equal(result.outputs["result0"], wanted)
        transport.close()
    if not stalls:
        assert abs(cycles[1] - cycles[0]) <= 0.02 * cycles[0] + 20, cycles


def test_a_picture_too_large():
    """How large it may be is said, and so large it runs."""
    compiled = compile_kernel(differences, CONFIG.fabric)
    at = np.array([[30, 7], [99, -1]], np.int16)
    size = CONFIG.words * CONFIG.group

    def program(count):
        return kernel_program(compiled, (np.zeros((1, count), np.int8), at), CONFIG)

    with pytest.raises(InputError, match=r"p of 1 x 2048 values must be in the scratchpad whole, "
                                         r"accepted are \d+ values beside \d+ bytes") as caught:
        program(size)
    words = str(caught.value).split()
    most = int(words[words.index("are") + 1])
    with pytest.raises(InputError, match="whole"):
        program(most + 1)
    picture = np.arange(most, dtype=np.int64).astype(np.int8)[None]
    device = Device(MachineTransport(CONFIG, memory_bytes=MEMORY))
    device.load(kernel_program(compiled, (picture, at), CONFIG))
    assert device.run({"p": picture, "at": at}).outputs["result0"].tolist() == [1, 0]
