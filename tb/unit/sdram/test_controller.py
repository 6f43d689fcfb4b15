"""SDRAM controller against a device that checks how it is used: traffic, speed, latency."""

import dataclasses
import random

import pytest

from hw.sdram.controller import SdramController
from hw.sdram.timing import PARTS
from tb.lib.axi_traffic import AxiTraffic
from tb.lib.sdram import SdramDevice, serve
from tb.pysim import simulate

SLOW = PARTS["any-32MiB-7"]


def quick(part, **changes):
    """The part with a short pause at power-up."""
    return dataclasses.replace(part, power_up=500, **changes)


def run(dut, rng, *, part, mhz, cycles=60_000, **traffic):
    """Traffic to the end; (traffic, device)."""
    device = SdramDevice(part, mhz=mhz)
    device.data[:1 << 20] = rng.randbytes(1 << 20)
    memory = bytearray(device.data)
    bench = AxiTraffic(dut.axi, dut.geometry.beat_bytes, rng, memory, **traffic)

    async def device_bench(ctx):
        await serve(ctx, dut.pins, device, capture=dut.capture, rng=rng)

    async def end(ctx):
        while len(bench.times("b")) < bench.counts["w"]:
            await ctx.tick()
        for _ in range(80):  # an answer may come before the last word is on the pins
            await ctx.tick()

    simulate(dut, end, *bench.benches, background=[bench.count, device_bench], cycles=cycles)
    assert bytes(device.data) == bytes(memory), "contents"
    return bench, device


@pytest.mark.parametrize("beat_bytes, mhz, cas, name, trip", [
    (16, 100, 3, "any-32MiB-7", 0), (16, 100, 2, "IS42S16160B-7", 2),
    (4, 75, 2, "IS42S16160G-7", 0),
    (4, 133, 3, "AS4C16M16SA-7", 1), (8, 50, 3, "IS42S16160B-7", 0), (32, 80, 2, "any-32MiB-7", 2)])
def test_random_traffic(beat_bytes, mhz, cas, name, trip):
    for seed in range(3):
        rng = random.Random(f"{seed} {beat_bytes}")
        part = quick(PARTS[name])
        dut = SdramController(part, mhz=mhz, beat_bytes=beat_bytes, cas=cas, capture=cas + 1 + trip)
        # Few rows of few banks, so that many bursts miss; one page beyond the part.
        pages = [0, 1, 2, 64, part.size // 4096 - 1, part.size // 4096, (1 << 20) - 1]
        try:
            run(dut, rng, part=part, mhz=mhz, pages=pages, reads=40, writes=40,
                stall=(0.0, 0.3, 0.7)[seed])
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
