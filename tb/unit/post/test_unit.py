"""Post unit against golden.spec.numerics: words, addresses, order, rates, retirement, errors."""

import random
from collections import deque
from dataclasses import dataclass

import pytest
from amaranth.hdl import Value

from golden.spec import layout
from golden.spec.config import preset
from golden.spec.isa import PostMode
from golden.spec.numerics import ROUND_ONCE, clamp, quantize_multiplier, requantize, wrap32
from golden.spec.registers import Cause
from hw.interfaces import WordRead
from hw.post.unit import PostUnit
from tb.lib.quick import quick
from tb.pysim import drive, simulate
from tb.yosys import cells

CONFIGS = {
    "tiny": preset("tiny"),
    "base": preset("base", bank_words=64),
    "one": preset("tiny", columns=1, lut_columns=0, drain=1),
    "whole": preset("tiny", lanes=8, columns=5, drain=8),
    "lanes32": preset("tiny", lanes=32, columns=2, drain=16, weight_rows=64),
}
MODES = tuple(PostMode)


@dataclass
class Work:
    """A command, its parameters, tiles and what must come of them."""

    command: dict
    beats: list
    vectors: list
    writes: list


def random_factors(rng, size):
    """(multiplier, pre, post) that bring values of ``size`` bits to about a byte."""
    multiplier, pre, post = quantize_multiplier(rng.uniform(0.3, 3) * 2.0 ** (7 - size))
    return multiplier, pre, post


def random_scalars(rng, bits=8):
    low, high = -1 << bits - 1, (1 << bits - 1) - 1
    least, most = sorted(rng.choice((low, high, rng.randint(low, high))) for _ in range(2))
    return rng.randint(low, high), least, most


def random_command(rng, config, mode):
    width, height = rng.randint(1, 6), rng.randint(1, 3)
    zero, least, most = random_scalars(rng, bits=9)
    add_zero, add_least, add_most = random_scalars(rng)
    multiplier, pre, post = random_factors(rng, 20)
    command = dict(
        tag=rng.getrandbits(16), post=rng.getrandbits(16), post_mode=mode, keep=0,
        blocks=rng.randint(1, 2), out_width=width, out_height=height,
        tiles=-(-width * height // config.columns), zero=zero, least=least, most=most,
        add_multiplier=multiplier, add_pre=pre, add_post=post, add_zero=add_zero,
        add_least=add_least, add_most=add_most)
    for kind in ("out", "res"):
        # Steps may lead down and across 2**16.
        command[f"{kind}_row_step"] = rng.randint(-9, 9) & 0xFFFF
        command[f"{kind}_block_step"] = rng.randint(-30, 30) & 0xFFFF
        command[f"{kind}_base"] = config.words // 2
    return command


def addresses(command, kind, block):
    """Word addresses of a lane block's pixels."""
    found = []
    address = command[f"{kind}_base"] + block * command[f"{kind}_block_step"]
    for _ in range(command["out_height"]):
        found += [(address + x) & 0xFFFF for x in range(command["out_width"])]
        address = found[-1] + command[f"{kind}_row_step"]
    return found


def byte_of(command, accumulator, parameters, residual, table):
    """One output byte, as golden.spec says."""
    bias, multiplier, pre, post = parameters
    q = clamp(requantize(wrap32(accumulator + bias), multiplier, pre, post) + command["zero"],
              command["least"], command["most"])
    if command["post_mode"] == PostMode.PLAIN:
        return q & 255
    if command["post_mode"] == PostMode.TABLE:
        return table[q & 511] & 255
    total = wrap32(table[q & 255] + table[256 + residual])
    second = requantize(total, command["add_multiplier"], command["add_pre"],
                        command["add_post"]) + command["add_zero"]
    return clamp(second, command["add_least"], command["add_most"]) & 255


def random_work(rng, config, mode, table, residuals, **changes):
    command = random_command(rng, config, mode) | changes
    lanes, drain, columns = config.lanes, config.drain, config.columns
    beats, vectors, writes = [], [], []
    for block in range(command["blocks"]):
        parameters = []
        for _ in range(lanes):
            multiplier, pre, post = random_factors(rng, rng.randint(3, 32))
            if post and rng.random() < 0.3:
                post |= ROUND_ONCE
            parameters.append((rng.randint(-1 << 31, (1 << 31) - 1) >> rng.randint(0, 31),
                               multiplier, pre, post))
        raw = b"".join(layout.PARAMETER_LANE.encode(dict(bias=bias, multiplier=multiplier))
                       .to_bytes(8, "little") for bias, multiplier, _, _ in parameters)
        raw += b"".join(bytes((pre, post)) for _, _, pre, post in parameters)
        beats += [int.from_bytes(raw[at:at + lanes], "little") for at in range(0, len(raw), lanes)]
        outputs, reads = addresses(command, "out", block), addresses(command, "res", block)
        for pixel in range(command["tiles"] * columns):
            sums = [rng.randint(-1 << 31, (1 << 31) - 1) >> rng.randint(0, 31)
                    for _ in range(lanes)]
            vectors += [sums[at:at + drain] for at in range(0, lanes, drain)]
            if pixel < len(outputs):
                residual = residuals[reads[pixel] % config.words].to_bytes(lanes, "little")
                word = bytes(byte_of(command, sums[lane], parameters[lane], residual[lane], table)
                             for lane in range(lanes))
                writes.append((outputs[pixel], int.from_bytes(word, "little")))
    return Work(command, beats, vectors, writes)


async def serve_reads(ctx, port, memory, rng, stall):
    """The scratchpad's end of a WordRead."""
    flight = deque([None] * (WordRead.LATENCY - 1))
    while True:
        ctx.set(port.addr.ready, rng.random() >= stall)
        _, _, valid, ready, address = await ctx.tick().sample(
            port.addr.valid, port.addr.ready, port.addr.payload)
        flight.append(memory[address % len(memory)] if valid & ready else None)
        word = flight.popleft()
        ctx.set(port.valid, word is not None)
        ctx.set(port.data, word or 0)


class Record:
    """What the unit did, cycle by cycle."""

    def __init__(self, dut):
        self.dut, self.cycle = dut, 0
        self.accepted, self.writes, self.retired = [], [], []

    async def watch(self, ctx):
        dut = self.dut
        data = Value.cast(dut.write.p.data)
        async for _, _, taken, ready, valid, go, addr, word, retire, post, busy in \
                ctx.tick().sample(dut.tile.valid, dut.tile.ready, dut.write.valid, dut.write.ready,
                                  dut.write.p.addr, data, dut.retire.valid, dut.retire.post,
                                  dut.busy):
            if taken and ready:
                self.accepted.append(self.cycle)
            if valid and go:
                self.writes.append((self.cycle, addr, word))
            if retire:
                assert busy
                self.retired.append((self.cycle, len(self.writes), post))
            self.cycle += 1


def run(config, works, table, residuals, *, seed=0, stalls=(0,) * 5, cycles=20000):
    """Give the works to a unit; returns it and its Record when all have retired."""
    dut = PostUnit(config)
    record = Record(dut)
    tile_stall, parameter_stall, command_stall, write_stall, read_stall = stalls

    async def start(ctx):
        for address, value in enumerate(table):
            ctx.set(dut.table.payload, {"addr": address, "data": value})
            ctx.set(dut.table.valid, 1)
            assert ctx.get(dut.table.ready)
            await ctx.tick()
        ctx.set(dut.table.valid, 0)
        assert not ctx.get(dut.busy)
        await drive(ctx, dut.command, [work.command for work in works],
                    rng=random.Random(seed + 3), stall=command_stall)
        while len(record.retired) < len(works):
            await ctx.tick()
        await ctx.tick()
        assert not ctx.get(dut.busy) and not ctx.get(dut.write.valid)

    def vectors(ctx):
        return drive(ctx, dut.tile, [vector for work in works for vector in work.vectors],
                     rng=random.Random(seed + 1), stall=tile_stall)

    def parameters(ctx):
        return drive(ctx, dut.parameters, [beat for work in works for beat in work.beats],
                     rng=random.Random(seed + 2), stall=parameter_stall)

    async def writes(ctx):
        rng = random.Random(seed + 4)
        while True:
            ctx.set(dut.write.ready, rng.random() >= write_stall)
            await ctx.tick()

    def reads(ctx):
        return serve_reads(ctx, dut.residual, residuals, random.Random(seed + 5), read_stall)

    simulate(dut, start, vectors, parameters, background=[record.watch, writes, reads],
             cycles=cycles)
    return record


def random_memory(rng, config):
    table = [rng.randint(-1 << 31, (1 << 31) - 1) >> rng.randint(0, 16) for _ in range(512)]
    return table, [rng.getrandbits(8 * config.group) for _ in range(config.words)]


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", quick(1, *range(3)))
def test_random_commands(name, seed):
    config, rng = CONFIGS[name], random.Random(seed)
    table, residuals = random_memory(rng, config)
    works = [random_work(rng, config, mode, table, residuals)
             for mode in [rng.choice(MODES) for _ in range(2)] + rng.sample(MODES, 3)]
    stalls = [rng.choice((0, 0.2, 0.6)) for _ in range(5)]
    record = run(config, works, table, residuals, seed=seed, stalls=stalls)
    where = f"{name} seed {seed} stalls {stalls}"
    got = [(address, word) for _, address, word in record.writes]
    assert got == [write for work in works for write in work.writes], where
    done = 0
    for (cycle, written, post), work in zip(record.retired, works, strict=True):
        done += len(work.writes)
        # In the cycle after the last write, or, columns being dropped, somewhat later.
        assert written >= done and record.writes[done - 1][0] < cycle, where
        assert post == work.command["post"], where


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["tiny", "base", "whole"])
def test_writes_that_wait_for_long(name, mode):
    """A tile begins only when all of its words have a place: none is lost."""
    config, rng = CONFIGS[name], random.Random(mode)
    table, residuals = random_memory(rng, config)
    work = random_work(rng, config, mode, table, residuals, blocks=1, out_width=config.columns,
                       out_height=6, tiles=6, out_row_step=1, res_row_step=1)
    record = run(config, [work], table, residuals, stalls=(0, 0, 0, 0.95, 0))
    assert [write[1:] for write in record.writes] == work.writes


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["tiny", "base", "whole"])
def test_rate(name, mode):
    """Vectors at pace, without a gap between tiles and, parameters permitting, lane blocks."""
    config, rng = CONFIGS[name], random.Random(mode)
    table, residuals = random_memory(rng, config)
    work = random_work(rng, config, mode, table, residuals, blocks=2, out_width=4 * config.columns,
                       out_height=2, tiles=8, out_row_step=1, res_row_step=1,
                       out_base=0, res_base=3, out_block_step=0, res_block_step=0)
    record = run(config, [work], table, residuals)
    pace = PostUnit.pace(mode)
    first = record.accepted[0]
    assert record.accepted == [first + pace * n for n in range(len(work.vectors))]
    assert [write[1:] for write in record.writes] == work.writes
    # The word is written LATENCY (+ LOOP) cycles after its last vector, 3 on its way.
    last = record.accepted[config.lanes // config.drain - 1]
    latency = PostUnit.LATENCY + (PostUnit.LOOP if mode == PostMode.ADD else 0)
    assert record.writes[0][0] == last + latency + 3 - 1


def test_commands_follow_each_other():
    """A cycle between commands; only after ADD the pipeline is left to finish."""
    config, rng = CONFIGS["base"], random.Random(1)
    table, residuals = random_memory(rng, config)
    modes = [PostMode.PLAIN, PostMode.TABLE, PostMode.PLAIN, PostMode.ADD, PostMode.ADD,
             PostMode.TABLE]
    works = [random_work(rng, config, mode, table, residuals, blocks=1, out_width=8, out_height=2,
                         tiles=2, out_base=0, res_base=0, out_row_step=1, res_row_step=1)
             for mode in modes]
    record = run(config, works, table, residuals)
    assert [write[1:] for write in record.writes] == [w for work in works for w in work.writes]
    count = len(works[0].vectors)
    gaps = [record.accepted[count * n] - record.accepted[count * n - 1]
            for n in range(1, len(works))]
    assert gaps[:2] == [2, 2]
    assert gaps[2] <= 3  # to the next cycle in which an ADD vector may begin
    assert all(gap <= PostUnit.LOOP + 3 for gap in gaps[3:]), gaps


@pytest.mark.parametrize("kind, mode", [("out", PostMode.PLAIN), ("res", PostMode.ADD)])
def test_address_error(kind, mode):
    """The first word beyond the scratchpad stops writing, with tag and address."""
    config, rng = CONFIGS["tiny"], random.Random(2)
    table, residuals = random_memory(rng, config)
    base = {"out_base": 0, "res_base": 0} | {f"{kind}_base": config.words - 2}
    work = random_work(rng, config, mode, table, residuals, blocks=1, out_width=6, out_height=1,
                       tiles=2, tag=1234, **base)
    dut = PostUnit(config)
    record = Record(dut)

    async def bench(ctx):
        for port in (dut.write.ready, dut.tile.valid, dut.parameters.valid):
            ctx.set(port, 1)
        await drive(ctx, dut.command, [work.command])
        for _ in range(200):
            await ctx.tick()
        assert ctx.get(dut.error.valid)
        assert ctx.get(dut.error.cause) == Cause.ADDRESS
        assert ctx.get(dut.error.tag) == 1234
        assert ctx.get(dut.error.address) == config.words
        assert ctx.get(dut.busy)

    def reads(ctx):
        return serve_reads(ctx, dut.residual, residuals, random.Random(0), 0)

    simulate(dut, bench, background=[record.watch, reads], cycles=400)
    assert [write[1] for write in record.writes] == (
        [config.words - 2, config.words - 1] if kind == "out" else [])
    assert not record.retired


def test_cells():
    """A drain lane takes one block RAM and four multipliers, and nothing else takes any."""
    found = cells(PostUnit(preset("base", drain=1)))
    assert found["DP16KD"] == 1
    assert found["MULT18X18D"] == 4
