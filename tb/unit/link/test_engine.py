"""The link's engine, request by request, against the model of a board."""

import copy
import random

import pytest

from golden.spec.link import PAYLOAD_BYTES, WINDOW, Flags, Hello, Opcode, Request, Response, Status
from hw.link.engine import LinkEngine
from tb.lib.link_model import Board, LinkModel
from tb.pysim import collect, drive, simulate
from tb.unit.link.buses import serve_axi, serve_axil

MEMORY = 1 << 12
TIMEOUT = 256
BAD = (Status.SLAVE_ERROR, Status.DECODE_ERROR)


def hello(beat_bytes):
    return Hello(digest=0x12345678, clock_hz=100_000_000, baud=3_000_000, memory_bytes=MEMORY,
                 beat_bytes=beat_bytes)


def random_request(rng, sequence):
    """Mostly good, sometimes with one thing wrong."""
    opcode = rng.choice((4, 5, 6, 6, 7, 7, 7, 0, 2)) if rng.random() < 0.95 else rng.randrange(256)
    if opcode in (4, 5):
        length, address = 4 * rng.randrange(1, 5), 4 * rng.randrange(1 << 8)
    elif opcode == Opcode.WAIT:
        length, address = 0, rng.randrange(50)
    else:
        length = rng.choice((1, 2, 3, rng.randrange(1, 40), 16))
        address = rng.randrange(MEMORY - 80)
    if rng.random() < 0.08 and opcode & 6 != 2:
        length = rng.choice((0, length + 1, PAYLOAD_BYTES + 1 if rng.random() < 0.2 else 5))
    if rng.random() < 0.08 and opcode != Opcode.WAIT:
        address = rng.choice((address + 1, MEMORY - 2, MEMORY - 8, rng.getrandbits(32)))
    data = rng.randbytes(length) if opcode & 1 else b""
    return Request(opcode, sequence, address, length, data)


class Bench:
    """An engine and a model of it, on two boards that begin alike."""

    def __init__(self, beat_bytes, seed):
        self.rng = random.Random(seed)
        self.place = f"seed {seed}, {beat_bytes} bytes a beat"
        board = Board(beat_bytes, bytearray(self.rng.randbytes(MEMORY)))
        self.model = LinkModel(hello(beat_bytes), copy.deepcopy(board))
        self.board = board
        self.dut = LinkEngine(hello(beat_bytes), timeout_cycles=TIMEOUT)
        self.deaf = False

    async def send(self, ctx, *requests):
        for request in requests:
            await drive(ctx, self.dut.i, [{"data": value} for value in request.encode()])

    async def ask(self, ctx, request):
        """Send a request, give its response."""
        await self.send(ctx, request)
        response, = await self.answers(ctx, 1)
        return response

    async def answers(self, ctx, count):
        out = []
        while len(out) < count:
            body, last = b"", False
            while not last:
                item, = await collect(ctx, self.dut.o, 1, rng=self.rng, stall=0.2)
                body, last = body + bytes([item.data]), item.last
            out.append(Response.decode(body))
            assert out[-1] is not None, f"{self.place}: {body.hex()}"
        return out

    def run(self, *benches, cycles=100_000):
        buses = [
            *serve_axi(self.dut.axi, self.board, self.rng, deaf=lambda: self.deaf),
            *serve_axil(self.dut.axil, self.board, self.rng, deaf=lambda: self.deaf)]
        return simulate(self.dut, *benches, background=buses, cycles=cycles)


@pytest.mark.parametrize("seed, beat_bytes", [(0, 4), (1, 16)])
def test_does_what_the_model_does(seed, beat_bytes):
    """Random requests, repeated and out of sequence ones among them, on buses that fail."""
    bench = Bench(beat_bytes, seed)
    rng, model = bench.rng, bench.model
    for board in (bench.board, model.board):
        board.memory_status = {beat_bytes * n: BAD[n % 2]
                               for n in range(7, MEMORY // beat_bytes, 11)}
        board.register_status = {4 * n: BAD[n % 2] for n in range(5, 1024, 17)}
    seen = set()

    async def talk(ctx):
        for number in range(100):
            sequence = (model.expected if rng.random() < 0.8 else
                        (model.expected - rng.randrange(-3, WINDOW + 3)) % 256)
            request = random_request(rng, sequence)
            want = model.answer(request)
            got = await bench.ask(ctx, request)
            assert got == want, f"{bench.place}: {number}: {request}"
            assert bench.board.log == model.board.log, f"{bench.place}: {number}: {request}"
            seen.add((want.status, want.sequence != (want.expected - 1) % 256))
            assert bench.board.memory == model.board.memory, f"{bench.place}: {request}"
        assert bench.board.registers == model.board.registers

    bench.run(talk)
    assert {status for status, _ in seen} >= {Status.OK, *BAD, Status.SEQUENCE, Status.BAD_LENGTH}


def test_window():
    """The WINDOW numbers before the expected one, no others, are repetitions: of one status."""
    bench, last = Bench(4, 9), WINDOW + 2
    bench.board.register_status = {4 * last: Status.SLAVE_ERROR}

    async def talk(ctx):
        async def write(sequence):
            got = await bench.ask(ctx, Request(
                Opcode.WRITE_REGISTERS, sequence, 4 * sequence, 4, b"abcd"))
            return got.status

        kept = [await write(sequence) for sequence in range(last + 1)]
        assert kept == [*[Status.OK] * last, Status.SLAVE_ERROR]
        done = len(bench.board.log)
        for sequence in (2, last + 2, 255):
            assert await write(sequence) == Status.SEQUENCE, sequence
        for sequence in (3, last):
            assert await write(sequence) == kept[sequence], sequence
        assert len(bench.board.log) == done

    bench.run(talk)


def test_longest_data_both_ways_and_two_responses_waiting():
    bench = Bench(16, 5)
    data = bench.rng.randbytes(PAYLOAD_BYTES)

    async def send(ctx):
        await bench.send(ctx, Request(Opcode.WRITE_MEMORY, 0, 3, PAYLOAD_BYTES, data),
                         *(Request(Opcode.READ_MEMORY, sequence, 3, PAYLOAD_BYTES)
                           for sequence in (1, 2, 3)))  # more than the buffer holds

    async def take(ctx):
        await ctx.tick().repeat(9000)
        return await bench.answers(ctx, 4)

    first, *answers = bench.run(send, take)[1]
    assert first == Response(Opcode.WRITE_MEMORY, 0, Status.OK, 1, 0, 3)
    assert [answer.sequence for answer in answers] == [1, 2, 3]
    assert all(answer.data == data for answer in answers)


@pytest.mark.parametrize("memory", [True, False])
@pytest.mark.parametrize("write", [True, False])
def test_a_bus_that_never_answers(memory, write):
    """TIMEOUT, for that bus only; it serves again once it has answered after all."""
    bench = Bench(4, 7)
    board = bench.board
    opcode = Opcode.READ_REGISTERS | 2 * memory | write
    data = b"abcdefgh" if write else b""

    async def talk(ctx):
        bench.deaf = True
        for sequence in range(2):  # the second finds the first still unanswered
            got = await bench.ask(ctx, Request(opcode, sequence, 8, 8, data))
            assert got == Response(opcode, sequence, Status.TIMEOUT, sequence + 1, 0, 8)
        assert len(board.log) == 0
        bench.deaf = False
        got = await bench.ask(ctx, Request(Opcode.WAIT, 2, 50, 0))
        assert got.flags == Flags.EXPIRED
        assert len(board.log) == 1  # the late answer
        got = await bench.ask(ctx, Request(opcode, 3, 8, 8, data))
        assert got.status == Status.OK and len(board.log) == 3
        if write:
            assert (board.memory[8:16] if memory else
                    b"".join(board.registers[n].to_bytes(4, "little") for n in (8, 12))) == data
        # a repetition has the status of then
        got = await bench.ask(ctx, Request(opcode, 1, 8, 8, data))
        assert got.status == (Status.TIMEOUT if write else Status.OK)

    bench.run(talk)


def test_wait_ends_by_interrupt_limit_or_next_request():
    bench = Bench(4, 8)

    async def talk(ctx):
        await bench.send(ctx, Request(Opcode.WAIT, 0, 1 << 30, 0))
        await ctx.tick().repeat(500)
        assert not ctx.get(bench.dut.o.valid)
        ctx.set(bench.dut.irq, 1)
        answer, = await bench.answers(ctx, 1)
        assert answer.flags == Flags.IRQ
        got = await bench.ask(ctx, Request(Opcode.WAIT, 1, 1 << 30, 0))
        assert got.flags == Flags.IRQ
        ctx.set(bench.dut.irq, 0)
        got = await bench.ask(ctx, Request(Opcode.WAIT, 2, 300, 0))
        assert got.flags == Flags.EXPIRED and got.status == Status.OK
        got = await bench.ask(ctx, Request(Opcode.WAIT, 2, 300, 0))  # repeated: does not wait
        assert got.flags == 0 and got.status == Status.OK
        await bench.send(ctx, Request(Opcode.WAIT, 3, 1 << 30, 0), Request(Opcode.WAIT, 4, 1, 0))
        first, second = await bench.answers(ctx, 2)
        assert first.flags == 0 and second.flags == Flags.EXPIRED

    bench.run(talk)


def test_sizes_are_powers_of_two():
    for change in ({"memory_bytes": 3000}, {"memory_bytes": 1 << 32}):
        wrong = Hello(**{**hello(4).__dict__, **change})
        with pytest.raises(ValueError, match="memory_bytes"):
            LinkEngine(wrong)
    with pytest.raises(ValueError, match="timeout_cycles"):
        LinkEngine(hello(4), timeout_cycles=1000)
