"""Cocotb tests of the agents themselves, on the copier of tb.sw.copier."""

import os
import random

import cocotb

from golden.spec.config import preset
from hw.bus.axi import Response
from tb.cocotb.chip import Chip
from tb.sw.copier import Wrong

CONFIG = preset("tiny", bursts_in_flight=8)  # the copier's limit is the number of its bursts
SEED = int(os.environ["COCOTB_RANDOM_SEED"])
SOURCE, DESTINATION, BURSTS, LENGTH, START, WRONG, RESPONSES = range(0, 28, 4)
TO, COUNT, LIMIT = 0x8000, 8, 20_000


async def powered(dut, name, config=CONFIG):
    chip = Chip(dut, config, f"{SEED} {name}")
    await chip.power_on()
    chip.memory.data[:TO] = random.Random(name).randbytes(TO)
    return chip


def copy(chip, *, source=0, length=CONFIG.burst_beats, wrong=Wrong.NOTHING):
    """Bytes that were to be copied, once the copier is done."""
    for offset, value in ((SOURCE, source), (DESTINATION, TO), (BURSTS, COUNT),
                          (LENGTH, length - 1), (WRONG, wrong), (START, 1)):
        chip.write32(offset, value)
    assert chip.wait(LIMIT), "the copier did not end"
    return COUNT * length * CONFIG.group


@cocotb.test()
@cocotb.parametrize(seed=range(8))
async def data_arrives(dut, seed):
    chip = await powered(dut, f"copy {seed}")

    def run():
        size = copy(chip, source=1024)
        assert chip.read(TO, size + 64) == chip.read(1024, size) + bytes(64)
        assert chip.read32(RESPONSES) == Response.OKAY
        assert chip.memory.idle
        assert chip.memory.beats_read == chip.memory.beats_written == size // CONFIG.group

    await chip.use(run)


@cocotb.test()
@cocotb.parametrize(response=[Response.SLVERR, Response.DECERR], reads=[False, True])
async def errors_are_answered(dut, response, reads):
    chip = await powered(dut, f"{response} {reads}")

    def run():
        place = 64 if reads else TO + 64
        chip.memory.inject(place, 4, response, reads=reads, writes=not reads)
        size = copy(chip)
        assert chip.read32(RESPONSES) == (response if reads else response << 2)
        wrong = [i for i in range(size) if chip.memory.data[TO + i] != chip.memory.data[i]]
        assert wrong and set(wrong) <= set(range(64, 68))

    await chip.use(run)


@cocotb.test()
async def nothing_lies_past_the_memory(dut):
    chip = await powered(dut, "past")

    def run():
        copy(chip, source=chip.memory_bytes - CONFIG.burst_beats * CONFIG.group)
        assert chip.read32(RESPONSES) == Response.DECERR

    await chip.use(run)


# What breaks a rule, and what must be said of it.
BROKEN = {
    "last": (dict(wrong=Wrong.LAST), "axi.w: last is 1"),
    "valid": (dict(wrong=Wrong.DROP_VALID), "axi.w: valid dropped"),
    "payload": (dict(wrong=Wrong.CHANGE_PAYLOAD), "axi.w: payload changed"),
    "page": (dict(source=4088), "axi.ar: burst of 4 beats at 0xff8 crosses 4096 bytes"),
    "alignment": (dict(source=2), "axi.ar: burst of 4 beats at 0x2 is not beat aligned"),
    "length": (dict(length=5), "is longer than 4"),
    "flight": ({}, "axi.ar: more than 2 bursts in flight"),
}


@cocotb.test()
@cocotb.parametrize(rule=list(BROKEN))
async def broken_rules_are_reported(dut, rule):
    changes, text = BROKEN[rule]
    config = CONFIG.replace(bursts_in_flight=2) if rule == "flight" else CONFIG
    # Some seeds never make the chip wait.
    for seed in range(4):
        chip = await powered(dut, f"{rule} {seed}", config)
        try:
            await chip.use(lambda chip=chip: copy(chip, **changes))
        except AssertionError as error:
            assert text in str(error), error
            return
        finally:
            chip.stop()
    raise AssertionError(f"nothing was said of {changes}")
