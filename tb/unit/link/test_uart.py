"""Serial line: bits to bytes and bytes to bits."""

import random

import pytest

from hw.link.baud import LEAST_CYCLES, phase_step
from hw.link.uart_receiver import UartReceiver
from hw.link.uart_transmitter import UartTransmitter
from tb.pysim import PERIOD, drive, simulate

RATES = [(100_000_000, 3_000_000), (8_000_000, 1_000_000), (25_000_000, 2_000_003)]


def receive(clock_hz, baud, script, *, sender_baud=None):
    """Bytes and number of errors for a script of levels, each for one bit of the sender."""
    dut = UartReceiver(clock_hz=clock_hz, baud=baud)
    bit = PERIOD * clock_hz / (sender_baud or baud)
    data, errors = [], []

    async def line(ctx):
        for level, bits in script:
            ctx.set(dut.rx, level)
            await ctx.delay(bits * bit)
        await ctx.delay(2 * bit)

    async def watch(ctx):
        async for _, _, valid, byte, error in ctx.tick().sample(dut.valid, dut.data, dut.error):
            if valid:
                data.append(byte)
            if error:
                errors.append(len(data))
    simulate(dut, line, background=[watch], cycles=100_000)
    return data, errors


def bits(byte):
    return [(0, 1), *((byte >> n & 1, 1) for n in range(8)), (1, 1)]


@pytest.mark.parametrize("clock_hz, baud", RATES)
@pytest.mark.parametrize("off", [0.97, 1.0, 1.03])
def test_receives_what_is_sent_also_by_a_sender_a_little_off(clock_hz, baud, off):
    rng = random.Random(clock_hz)
    want = [0, 0xFF, 0x55, *rng.randbytes(15)]
    script = [(1, 3.3)]
    for byte in want:
        script += [*bits(byte), (1, rng.choice((0, 0, 0.37, 2.9)))]
    assert receive(clock_hz, baud, script, sender_baud=baud * off) == (want, [])


def test_a_wrong_stop_bit_is_an_error_and_the_next_byte_is_whole():
    broken = [*bits(0xA5)[:-1], (0, 1), (1, 1)]
    script = [(1, 2), *bits(0x12), *broken, *bits(0x34), (0, 40), (1, 1), *bits(0x56), (1, 2)]
    assert receive(*RATES[0], script) == ([0x12, 0x34, 0x56], [1, 2])


def test_a_glitch_is_no_start_bit():
    script = [(1, 3), (0, 0.3), (1, 3), *bits(0x42), (1, 2.1), (0, 0.03), (1, 2), *bits(0x43)]
    assert receive(*RATES[0], script) == ([0x42, 0x43], [])


def test_one_bad_sample_is_outvoted():
    """A cycle of noise in every bit, all over it, where it is taken too."""
    script, want = [(1, 2)], []
    for place in range(15, 85, 3):
        want.append(0x35)
        for level, _ in bits(0x35):
            script += [(level, place / 100), (1 - level, 0.03), (level, 0.97 - place / 100)]
    assert receive(*RATES[0], script) == (want, [])


@pytest.mark.parametrize("clock_hz, baud", RATES)
def test_sends_without_pause_at_its_exact_rate(clock_hz, baud):
    dut = UartTransmitter(clock_hz=clock_hz, baud=baud)
    want = list(random.Random(baud).randbytes(30))
    bit = PERIOD * clock_hz / baud
    levels = []

    async def send(ctx):
        await drive(ctx, dut.i, want)
        await ctx.delay(12 * bit)
        assert ctx.get(dut.tx) == 1

    async def sample(ctx):
        while ctx.get(dut.tx):
            await ctx.tick()
        await ctx.delay(bit / 2)
        for _ in range(10 * len(want)):
            levels.append(ctx.get(dut.tx))
            await ctx.delay(bit)
    simulate(dut, send, sample, cycles=100_000)
    assert levels == [level for byte in want for level, _ in bits(byte)]


def test_sends_bytes_apart():
    dut = UartTransmitter(clock_hz=8, baud=1)
    edges = []

    async def send(ctx):
        for pause in (0, 3, 90, 101):
            await ctx.tick().repeat(pause + 1)
            await drive(ctx, dut.i, [0x81])
        await ctx.tick().repeat(100)

    async def watch(ctx):
        before = 1
        cycle = 0
        async for _, _, level in ctx.tick().sample(dut.tx):
            if level != before:
                edges.append(cycle)
            before, cycle = level, cycle + 1
    simulate(dut, send, background=[watch])
    # from the start bit: high after 1 bit, low after 2, high after 8, whatever the pause before
    assert len(edges) == 4 * 4
    for start in range(0, len(edges), 4):
        first = edges[start]
        assert [edge - first for edge in edges[start:start + 4]] == [0, 8, 16, 64]


def test_rates():
    assert LEAST_CYCLES == 8
    for clock_hz, baud in (*RATES, (100_000_000, 115_200), (12_000_000, 9600)):
        size, step = phase_step(clock_hz, baud)
        assert abs(step / (1 << size) * clock_hz / baud - 1) < 3e-4
    with pytest.raises(ValueError, match="baud is 3000000, accepted at 20000000 Hz is at most 25"):
        phase_step(20_000_000, 3_000_000)
    with pytest.raises(ValueError, match="baud is 0"):
        phase_step(20_000_000, 0)
