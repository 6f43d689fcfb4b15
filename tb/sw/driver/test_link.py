"""The driver's end of the host link against a modelled board on lines of all kinds."""

import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.spec.config import preset
from golden.spec.link import PAYLOAD_BYTES, Flags, Hello, Opcode, Status
from sw.driver.link import HostLink, Job
from sw.driver.link_transport import LinkTransport
from sw.errors import BoardError, DeviceError, LinkError
from tb.lib.link_model import Board, LinkModel
from tb.sw.driver.lines import FAULTS, Clock, Line, Spoiler

TINY = preset("tiny")
MEMORY = 1 << 16
HELLO = Hello(digest=TINY.digest(), clock_hz=100_000_000, baud=3_000_000, memory_bytes=MEMORY,
              beat_bytes=TINY.group)


class CountingBoard(Board):
    """Also counts what is written, so that what is done twice shows."""

    def __init__(self):
        super().__init__(TINY.group, bytearray(MEMORY))
        self.rings = []

    def write_register(self, address, value):
        self.rings.append((address, value))
        return super().write_register(address, value)


def board_on_line(**line):
    board, clock = CountingBoard(), Clock()
    return board, Line(LinkModel(HELLO, board), clock, **line), clock


def transport_on_line(**line):
    board, stream, clock = board_on_line(**line)
    return board, LinkTransport(stream, clock=clock), stream


def test_registers_and_memory():
    board, chip, line = transport_on_line()
    assert chip.memory_bytes == MEMORY and chip.link.hello == HELLO
    chip.write32(0x24, 0xDEADBEEF)
    assert board.rings == [(0x24, 0xDEADBEEF)]
    assert chip.read32(0x24) == 0xDEADBEEF
    data = random.Random(1).randbytes(5000)
    for address in (0, 3, MEMORY - 5000):
        chip.write(address, data)
        assert board.memory[address:address + 5000] == data
        assert chip.read(address, 5000) == data
    chip.write(7, b"")
    assert chip.read(7, 0) == b""
    assert chip.link.repeated == chip.link.dropped == 0
    chip.close()
    assert line.closed
    with pytest.raises(LinkError, match="has been closed"):
        chip.read32(0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 30), chance=st.sampled_from((0.02, 0.1, 0.3)),
       fault=st.sampled_from((None, *FAULTS)))
def test_a_bad_line_changes_nothing(seed, chance, fault):
    """Every doorbell rings once, in order; every byte is where it belongs."""
    rng = random.Random(seed)
    board, line, clock = board_on_line()
    line.spoil = spoiler = Spoiler(rng, chance, FAULTS if fault is None else (fault,))
    # At 30 % half of all tries fail: of twelve in a row one in 3,000.
    chip = LinkTransport(line, clock=clock, attempts=40)
    memory, rings = bytearray(MEMORY), []
    for _ in range(25):
        address, size = rng.randrange(MEMORY - 6000), rng.choice((1, 5, 900, 6000))
        kind = rng.randrange(4)
        if kind == 0:
            data = rng.randbytes(size)
            chip.write(address, data)
            memory[address:address + size] = data
        elif kind == 1:
            assert chip.read(address, size) == memory[address:address + size]
        elif kind == 2:
            rings.append((4 * rng.randrange(99), rng.getrandbits(32)))
            chip.write32(*rings[-1])
        else:
            board.irq = rng.random() < 0.5
            assert chip.wait(1000) == board.irq
    assert board.memory == memory and board.rings == rings
    assert spoiler.count or chance < 0.1


def test_several_jobs_are_done_once_each_and_in_order():
    rng = random.Random(9)
    board, line, clock = board_on_line()
    line.spoil = Spoiler(rng, 0.15)
    link = HostLink(line, clock=clock, attempts=12)
    for count in (1, 16, 17, 300):
        board.rings.clear()
        jobs = [Job(Opcode.WRITE_REGISTERS, 8, 4, number.to_bytes(4, "little"))
                for number in range(count)]
        assert len(list(link.exchange(jobs))) == count
        assert board.rings == [(8, number) for number in range(count)]
    assert link.repeated and link.dropped


@pytest.mark.parametrize("latency", [0.0, 1e-3, 8e-3])
@pytest.mark.parametrize("direction", ["reading", "writing"])
def test_bursts_fill_the_line(direction, latency):
    """Random data at 3 Mbaud: at least 95 % of the line's bytes are the user's."""
    lines = []
    _, line, clock = board_on_line(latency=latency)
    chip = LinkTransport(line, clock=clock, progress=lines.append)
    data = random.Random(2).randbytes(MEMORY)
    chip.write(0, data)
    start = clock.now
    if direction == "writing":
        chip.write(0, data)
    else:
        assert chip.read(0, MEMORY) == data
    share = 10 * MEMORY / HELLO.baud / (clock.now - start - 2 * latency)
    assert 0.95 <= share < 1
    assert lines[-1].startswith(f"{direction} 64 of 64 KiB, 2") and lines[-1].endswith(" kB/s")


def test_a_single_loss_costs_no_time_out():
    """The next response, or refusal, tells of it."""
    for direction in ("to", "from"):
        board, line, clock = board_on_line()
        chip = LinkTransport(line, clock=clock)
        seen = []

        def spoil(way, one, direction=direction, seen=seen):
            seen.append(way)
            return b"" if way == direction and seen.count(way) == 6 else one

        line.spoil = spoil
        start = clock.now
        chip.write(0, bytes(32 * PAYLOAD_BYTES))
        assert clock.now - start < 32 * 1.2 * 10 * PAYLOAD_BYTES / HELLO.baud + 0.08
        assert 0 < chip.link.repeated <= 16
        assert sum(kind == "write" for kind, *_ in board.log) == MEMORY // 2 // TINY.group


def test_wait_ends_with_the_interrupt_or_after_its_cycles():
    board, chip, _line = transport_on_line()
    asked = []

    def wait(cycles):
        asked.append(cycles)
        return len(asked) == 5

    board.wait = wait
    assert not chip.wait(256)
    assert asked == [256]
    assert not chip.wait(120_000_000)
    assert asked[1:] == [50_000_000, 50_000_000, 20_000_000]
    board.irq = True
    assert chip.wait(1 << 40) and len(asked) == 5


def test_errors_of_the_buses_name_the_place_and_leave_the_link_usable():
    board, chip, _ = transport_on_line()
    board.memory_status[0x2000] = Status.DECODE_ERROR
    with pytest.raises(DeviceError, match=r"read memory, 1024 bytes at 0x2000: .*DECERR"):
        chip.read(0x1000, 0x8000)
    board.memory_status[0x2000] = Status.TIMEOUT
    with pytest.raises(DeviceError, match=r"write memory, 1024 bytes at 0x2000: .*not answer"):
        chip.write(0x1000, bytes(0x3000))
    with pytest.raises(DeviceError, match=r"read registers, 4 bytes at 0x6: .*refuses the addr"):
        chip.read32(6)
    with pytest.raises(DeviceError, match=r"5 bytes at 0xfffe lie outside the DRAM of 65536"):
        chip.write(MEMORY - 2, bytes(5))
    with pytest.raises(DeviceError, match="refuses the length"):
        list(chip.link.exchange([Job(Opcode.WRITE_REGISTERS, 0, 6, bytes(6))]))
    assert chip.read32(0x10) == 0


def test_an_interrupted_transfer_is_forgotten_by_the_next():
    """As Ctrl-C does it: requests under way, answers still to come."""
    _board, chip, line = transport_on_line()
    data = random.Random(3).randbytes(20_000)
    read, reads = line.read, []

    def interrupted(limit, timeout):
        reads.append(limit)
        if len(reads) == 12:
            raise KeyboardInterrupt
        return read(limit, timeout)

    line.read = interrupted
    with pytest.raises(KeyboardInterrupt):
        chip.write(0, data)
    chip.write(0, data)
    assert chip.read(0, 20_000) == data
    assert chip.read32(0) == 0


def test_a_second_host_takes_over_where_the_first_one_left():
    board, chip, line = transport_on_line()
    for value in range(5):
        chip.write32(4, value)
    other = LinkTransport(line, clock=line.clock)
    other.write32(4, 5)
    assert board.rings == [(4, value) for value in range(6)]


def test_refuses_a_line_with_nobody_or_someone_else():
    clock = Clock()
    line = Line(None, clock)
    with pytest.raises(LinkError, match="nothing answers"):
        LinkTransport(line, clock=clock)
    assert line.closed and clock.now < 5
    noise = Line(LinkModel(HELLO, CountingBoard()), clock,
                 spoil=lambda way, one: one if way == "to" else b"~login: ~")
    with pytest.raises(BoardError, match="no Sentei board, or the rate"):
        LinkTransport(noise, clock=clock)
    for change, text in (({"magic": 1}, "calls itself 0x00000001"),
                         ({"protocol": 9}, "link protocol 9, this version 1")):
        model = LinkModel(dataclasses.replace(HELLO, **change), CountingBoard())
        line = Line(model, clock)
        with pytest.raises(BoardError, match=text):
            LinkTransport(line, clock=clock)
        assert line.closed


def test_refuses_another_configuration_and_prints_both():
    base = preset("base")
    _, line, clock = board_on_line()
    with pytest.raises(BoardError) as caught:
        LinkTransport(line, clock=clock, config=base)
    text = str(caught.value)
    assert f"{TINY.digest():#010x}" in text and f"{base.digest():#010x}" in text
    assert "lanes=4" in text and "lanes=16" in text and "configuration base" in text
    assert line.closed and caught.value.exit_code == 11
    _, line, clock = board_on_line()
    LinkTransport(line, clock=clock, config=TINY)


def test_a_link_lost_in_mid_transfer_says_how_far_it_came():
    _, chip, line = transport_on_line()
    count = []

    def spoil(way, one):
        count.append(way)
        return b"" if len(count) > 40 else one

    line.spoil = spoil
    start = line.clock.now
    with pytest.raises(LinkError, match=r"stopped answering.*writing, after \d+ of 50000 bytes"):
        chip.write(0, bytes(50_000))
    assert line.closed and line.clock.now - start < 10
    with pytest.raises(LinkError, match="has been closed"):
        chip.read32(0)


def test_a_repetition_that_cuts_a_wait_short_is_not_its_end():
    _board, chip, line = transport_on_line()
    answers = iter((0, 0, Flags.EXPIRED))
    real = line.model.answer

    def answer(request):
        response = real(request)
        return dataclasses.replace(response, flags=next(answers, 0))

    line.model.answer = answer
    assert not chip.wait(100)
    assert next(answers, None) is None
