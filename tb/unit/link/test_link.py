"""The whole link, from serial line to buses, frame by frame."""

import random

import pytest

from golden.spec.config import preset
from golden.spec.link import Deframer, Hello, Opcode, Request, Response, Status, frame
from hw.link.link import Link
from tb.lib.link_model import Board, LinkModel
from tb.lib.quick import quick
from tb.pysim import PERIOD, simulate
from tb.unit.link.buses import serve_axi, serve_axil

CLOCK, BAUD, MEMORY = 8_000_000, 1_000_000, 1 << 10
BIT = PERIOD * CLOCK / BAUD


class Bench:
    """A link on a line that carries bytes."""

    def __init__(self, name, seed):
        self.rng = random.Random(seed)
        config = preset(name)
        self.dut = Link(config, clock_hz=CLOCK, baud=BAUD, memory_bytes=MEMORY)
        self.board = Board(config.group, bytearray(MEMORY))
        self.hello = Hello(digest=config.digest(), clock_hz=CLOCK, baud=BAUD, memory_bytes=MEMORY,
                           beat_bytes=config.group)
        self.model = LinkModel(self.hello, Board(config.group, bytearray(MEMORY)))
        self.deframer = Deframer()
        self.responses = []

    async def send(self, ctx, data):
        for byte in data:
            for level in (0, *(byte >> n & 1 for n in range(8)), 1):
                ctx.set(self.dut.rx, level)
                await ctx.delay(BIT)

    async def listen(self, ctx):
        while True:
            while ctx.get(self.dut.tx):
                await ctx.tick()
            await ctx.delay(BIT / 2)
            byte = 0
            for place in range(9):
                byte |= ctx.get(self.dut.tx) << place
                await ctx.delay(BIT)
            assert ctx.get(self.dut.tx), "no stop bit"
            self.responses += map(Response.decode, self.deframer.feed(bytes([byte >> 1])))

    async def ask(self, ctx, *requests, damage=b""):
        """Frames at once, each after damage; the responses to them."""
        count = len(self.responses) + len(requests)
        for request in requests:
            await self.send(ctx, damage + frame(request.encode()))
        while len(self.responses) < count:
            await ctx.tick()
        return self.responses[count - len(requests):]

    def run(self, bench, cycles=120_000):
        background = [self.listen, *serve_axi(self.dut.axi, self.board, self.rng),
                      *serve_axil(self.dut.axil, self.board, self.rng)]
        simulate(self.dut, bench, background=background, cycles=cycles)
        assert not self.deframer.dropped


@pytest.mark.parametrize("name", quick(1, "tiny", "base"))
def test_requests_in_flight_and_noise_between_them(name):
    bench = Bench(name, 1)
    rng, data = bench.rng, bench.rng.randbytes(21)
    noise = bytes(rng.choice((0x7D, 0, rng.randrange(256))) for _ in range(9))
    requests = [
        Request(Opcode.HELLO, 99, 0x1234, 0),
        Request(Opcode.WRITE_REGISTERS, 0, 0x24, 8, data[:8]),
        Request(Opcode.WRITE_MEMORY, 1, 5, 21, data),
        Request(Opcode.READ_MEMORY, 2, 5, 21),
        Request(Opcode.READ_REGISTERS, 3, 0x20, 12),
        Request(Opcode.WRITE_REGISTERS, 0, 0x24, 4, b"once"),  # a repetition: not done
        Request(Opcode.WRITE_MEMORY, 9, 5, 3, b"not"),         # one before it was lost
        Request(Opcode.READ_MEMORY, 2, 5, 21),
    ]

    async def talk(ctx):
        assert not ctx.get(bench.dut.activity)
        for damage in (b"", noise)[name == "base":]:
            want = [bench.model.answer(request) for request in requests]
            assert await bench.ask(ctx, *requests, damage=damage) == want
        assert ctx.get(bench.dut.activity)
        assert want[3].data == data and want[6].status == Status.SEQUENCE
        ctx.set(bench.dut.irq, 1)
        got, = await bench.ask(ctx, Request(Opcode.WAIT, 4, 1 << 31, 0))
        assert got.flags == 1
        assert bench.board.memory == bench.model.board.memory
        assert bench.board.registers == bench.model.board.registers

    bench.run(talk)


def test_damaged_frames_are_neither_done_nor_answered():
    bench = Bench("tiny", 2)
    rng = bench.rng

    async def talk(ctx):
        for _ in range(6):
            raw = bytearray(frame(Request(Opcode.WRITE_MEMORY, 0, 0, 9, b"forbidden").encode()))
            place = rng.randrange(1, len(raw) - 1)
            if rng.random() < 0.5:
                raw[place] ^= 1 << rng.randrange(8)
            else:
                del raw[place]
            await bench.send(ctx, raw)
        got, = await bench.ask(ctx, Request(Opcode.READ_MEMORY, 0, 0, 9))
        assert got.status == Status.OK and got.data == bytes(9)

    bench.run(talk)
    assert bench.board.log and {kind for kind, *_ in bench.board.log} == {"read"}


def test_refuses_a_rate_it_can_not_have():
    with pytest.raises(ValueError, match="accepted at 25000000 Hz is at most 3125000"):
        Link(preset("tiny"), clock_hz=25_000_000, baud=4_000_000, memory_bytes=MEMORY)
