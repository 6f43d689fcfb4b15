"""The production driver and the link's RTL, over a line with its waveform and a bridge's latency.

Times are simulated ones: nothing here depends on the machine it runs on.
"""

import random

import pytest

from golden.spec.config import preset
from golden.spec.link import Hello
from sw.driver.link_transport import LinkTransport
from sw.errors import DeviceError
from tb.lib.link_rtl.line import RtlLine

CLOCK, BAUD, MEMORY = 50_000_000, 3_000_000, 1 << 16
TINY = preset("tiny")
BURST = 1 << 15


@pytest.fixture
def line():
    made = RtlLine(TINY, clock_hz=CLOCK, baud=BAUD, memory_bytes=MEMORY, latency=1e-3)
    yield made
    assert made.bad_stops == 0 or made.noisy
    made.close()


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(RtlLine, "noisy", False, raising=False)


def test_bursts_at_the_rate_of_the_line(line):
    """Random data, 3 Mbaud, 1 ms each way: what is carried against what the line can."""
    chip = LinkTransport(line, clock=line, config=TINY)
    assert chip.link.hello == Hello(digest=TINY.digest(), clock_hz=CLOCK, baud=BAUD,
                                    memory_bytes=MEMORY, beat_bytes=4)
    data = random.Random(1).randbytes(BURST)
    start = line()
    chip.write(4321, data)
    middle = line()
    assert bytes(line.memory[4321:4321 + BURST]) == data
    assert chip.read(4321, BURST) == data
    end = line()
    assert chip.link.repeated == chip.link.dropped == 0
    ideal = 10 * BURST / BAUD
    shares = {"writing": ideal / (middle - start), "reading": ideal / (end - middle)}
    print(shares)
    assert all(0.95 <= share < 1 for share in shares.values()), shares


def test_registers_and_interrupt(line):
    chip = LinkTransport(line, clock=line)
    chip.write32(0x40, 0x12345678)
    assert line.registers[0x10] == 0x12345678
    line.registers[5] = 0xCAFEF00D
    start = line()
    assert chip.read32(0x14) == 0xCAFEF00D
    assert line() - start < 2.2e-3  # two latencies and 30 bytes
    start = line()
    assert not chip.wait(5_000)
    assert 2.1e-3 < line() - start < 2.4e-3
    line.interrupt_at = line.cycle + 250_000
    start = line()
    assert chip.wait(1 << 40)
    assert 5e-3 < line() - start < 6.4e-3
    with pytest.raises(DeviceError, match="refuses the address"):
        chip.read32(2)


def test_a_line_with_noise(line):
    """One bit in 12500 is wrong, both ways: nothing is done twice, nothing is lost."""
    line.noisy = True
    chip = LinkTransport(line, clock=line, attempts=8, patience=4e-3)
    line.noise(80)
    rng = random.Random(2)
    memory = bytearray(MEMORY)
    for number in range(4):
        data, address = rng.randbytes(2000), rng.randrange(MEMORY - 2000)
        chip.write(address, data)
        memory[address:address + 2000] = data
        chip.write32(4 * number, number + 1)
        assert chip.read(address, 2000) == data
    assert bytes(line.memory) == memory
    assert list(line.registers[:5]) == [1, 2, 3, 4, 0]
    assert chip.link.repeated and chip.link.dropped
    line.noise(0)
    assert chip.read(0, 2000) == memory[:2000]
