"""RegisterFile: random AXI4-Lite accesses against the table, CONTROL, STATUS, interrupt."""

import random

import pytest

from golden.spec import registers
from golden.spec.config import preset
from golden.spec.registers import REGISTERS, Cause, Control, Status, offset
from hw.bus.axi import Response
from hw.control.counters import counters_of
from hw.control.registers import RegisterFile
from tb.pysim import collect, drive, simulate

CONFIGS = {"tiny": preset("tiny"), "base": preset("base")}
MASKS = {"IRQ_ENABLE": 1, "PROGRAM_ADDRESS": ~63, "PROGRAM_BYTES": ~63}


async def read(ctx, dut, address):
    await drive(ctx, dut.bus.ar, [{"addr": address}])
    answer, = await collect(ctx, dut.bus.r, 1)
    return answer.data, answer.resp


async def write(ctx, dut, address, word, strobe=0xF):
    """Both channels at once; returns the response."""
    ctx.set(dut.bus.w.payload, {"data": word, "strb": strobe})
    ctx.set(dut.bus.w.valid, 1)
    await drive(ctx, dut.bus.aw, [{"addr": address}])
    ctx.set(dut.bus.w.valid, 0)
    answer, = await collect(ctx, dut.bus.b, 1)
    return answer.resp


def mask(config, name):
    if name.startswith("REGION") and name.endswith("_BASE"):
        return ~(config.group - 1)
    return MASKS.get(name, ~0)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("seed", range(3))
def test_random(name, seed):
    """Reads and writes at random, independently stalled, against a model of the table."""
    config = CONFIGS[name]
    dut = RegisterFile(config)
    rng = random.Random(seed)
    plain = [r.name for r in REGISTERS if r.access == "rw" and r.name != "IRQ_PENDING"]
    model = dict.fromkeys(plain, 0)
    constant = {"ID": registers.ID, "VERSION": registers.VERSION, "DIGEST": config.digest(),
                "CONTROL": 0, "STATUS": 0, "IRQ_PENDING": 0}
    counters = [rng.getrandbits(32) for _ in counters_of(config)]
    for counter in registers.DRP_COUNTERS:  # of a chip without a DRP
        constant[f"COUNT_{counter.name.upper()}"] = 0
    for counter, value in zip(counters_of(config), counters, strict=True):
        constant[f"COUNT_{counter.name.upper()}"] = value
    fault = {"cause": 5, "unit": 2, "tag": 0xBEEF, "address": 0x89AB_CDEF}  # not valid: no error
    constant |= {f"ERROR_{key.upper()}": value for key, value in fault.items()}
    constant |= {"FETCHED": 0x1234_5678, "SEMAPHORES_WAITED": 0xA5C3}

    async def bench(ctx):
        ctx.set(dut.fault, fault)
        ctx.set(dut.fetched, 0x1234_5678)
        ctx.set(dut.waited, 0xA5C3)
        for index, value in enumerate(counters):
            ctx.set(dut.counters[index], value)
        for register in REGISTERS:  # all of them once
            assert await read(ctx, dut, offset(register.name)) == (
                model.get(register.name, constant.get(register.name)), Response.OKAY), register
        for step in range(250):
            place = f"seed {seed}, step {step}"
            index = rng.randrange(1024) if rng.random() < 0.1 else rng.randrange(len(REGISTERS))
            register = REGISTERS[index] if index < len(REGISTERS) else None
            address = 4 * index + rng.choice((0, 0, 0, 2))
            if rng.random() < 0.5:
                value, resp = await read(ctx, dut, address)
                if register is None:
                    assert (value, resp) == (0, Response.DECERR), place
                else:
                    want = model.get(register.name, constant.get(register.name))
                    assert (value, resp) == (want, Response.OKAY), f"{place} {register.name}"
            elif register is None or register.name != "CONTROL":
                word, strobe = rng.getrandbits(32), rng.choice((0xF, 0xF, rng.randrange(16)))
                resp = await write(ctx, dut, address, word, strobe)
                if register is None:
                    assert resp == Response.DECERR, place
                elif register.access == "ro":
                    assert resp == Response.SLVERR, place
                else:
                    assert resp == Response.OKAY, place
                    if register.name in model:
                        lanes = sum(0xFF << 8 * lane for lane in range(4) if strobe >> lane & 1)
                        model[register.name] = (model[register.name] & ~lanes
                                                | word & lanes & mask(config, register.name))
        assert ctx.get(dut.program_address) == model["PROGRAM_ADDRESS"]
        assert ctx.get(dut.program_bytes) == model["PROGRAM_BYTES"]
        assert ctx.get(dut.watchdog) == model["WATCHDOG"]
        for index in range(registers.REGIONS):
            region = ctx.get(dut.regions[index])
            assert region.base == model[f"REGION{index}_BASE"]
            assert region.bytes == model[f"REGION{index}_BYTES"]

    simulate(dut, bench, cycles=5000)


@pytest.mark.parametrize("seed", range(4))
def test_channels(seed):
    """Address, data and response channels stalled independently, reads beside writes."""
    dut = RegisterFile(CONFIGS["tiny"])
    words = [random.Random(seed).getrandbits(32) for _ in range(40)]
    names = [f"REGION{n % 8}_BYTES" for n in range(40)]

    def stalled(n):
        return {"rng": random.Random(f"{seed} {n}"), "stall": 0.5}

    async def addresses(ctx):
        await drive(ctx, dut.bus.aw, [{"addr": offset(n)} for n in names], **stalled(0))

    async def data(ctx):
        await drive(ctx, dut.bus.w, [{"data": w, "strb": 15} for w in words], **stalled(1))

    async def asks(ctx):
        await drive(ctx, dut.bus.ar, [{"addr": offset("ID")}, {"addr": 0xFFC}] * 20, **stalled(3))

    async def answers(ctx):
        return await collect(ctx, dut.bus.r, 40, **stalled(4))

    async def responses(ctx):
        got = await collect(ctx, dut.bus.b, 40, **stalled(2))
        assert [ctx.get(dut.regions[n].bytes) for n in range(8)] == words[-8:], f"seed {seed}"
        return got

    *_, wrote, got = simulate(dut, addresses, data, asks, responses, answers, cycles=2000)
    assert [item.resp for item in wrote] == [Response.OKAY] * 40, f"seed {seed}"
    assert [(item.data, item.resp) for item in got] == [
        (registers.ID, Response.OKAY), (0, Response.DECERR)] * 20, f"seed {seed}"


class Pulses:
    """Counts pulses of start and soft_reset."""

    def __init__(self, dut):
        self.dut, self.start, self.soft_reset = dut, 0, 0

    async def watch(self, ctx):
        async for _, _, start, reset in ctx.tick().sample(self.dut.start, self.dut.soft_reset):
            self.start += start
            self.soft_reset += reset


def test_control():
    """START and SOFT_RESET pulse once; START is ignored while running, resetting, in error."""
    dut = RegisterFile(CONFIGS["tiny"])
    pulses = Pulses(dut)
    control, status = offset("CONTROL"), offset("STATUS")

    async def bench(ctx):
        async def expect(flags):
            assert await read(ctx, dut, status) == (flags, Response.OKAY)

        async def pulse(signal):
            ctx.set(signal, 1)
            await ctx.tick()
            ctx.set(signal, 0)

        assert await write(ctx, dut, control, Control.START, strobe=0b1110) == Response.OKAY
        await ctx.tick().repeat(3)
        assert pulses.start == 0  # strobe off
        await write(ctx, dut, control, Control.START)
        await ctx.tick()
        assert pulses.start == 1
        ctx.set(dut.running, 1)
        await expect(Status.RUNNING)
        await write(ctx, dut, control, Control.START)
        await ctx.tick().repeat(2)
        assert pulses.start == 1  # running
        await pulse(dut.done)
        ctx.set(dut.running, 0)
        await expect(Status.DONE)
        await write(ctx, dut, control, Control.START)
        await expect(0)
        assert pulses.start == 2
        await pulse(dut.done)
        await expect(Status.DONE)
        ctx.set(dut.fault, {"valid": 1, "cause": Cause.REGION, "unit": 1, "tag": 7, "address": 9})
        await expect(Status.DONE | Status.ERROR)
        await write(ctx, dut, control, Control.START)
        await ctx.tick().repeat(2)
        assert pulses.start == 2  # in error
        await write(ctx, dut, control, Control.START | Control.SOFT_RESET)
        await ctx.tick().repeat(2)
        assert (pulses.start, pulses.soft_reset) == (2, 1)
        ctx.set(dut.resetting, 1)
        ctx.set(dut.fault, {"valid": 0})
        await pulse(dut.done)  # END met while flushing: not the program's success
        await expect(Status.RUNNING)
        await write(ctx, dut, control, Control.START)
        await ctx.tick().repeat(2)
        assert pulses.start == 2  # resetting
        ctx.set(dut.resetting, 0)
        await expect(0)

    simulate(dut, bench, background=[pulses.watch], cycles=500)


def test_start_twice_in_a_row():
    """A second START right behind the first, before ``running`` comes back, is ignored."""
    dut = RegisterFile(CONFIGS["tiny"])
    pulses = Pulses(dut)

    async def bench(ctx):
        ctx.set(dut.bus.b.ready, 1)
        ctx.set(dut.bus.aw.payload, {"addr": offset("CONTROL")})
        ctx.set(dut.bus.w.payload, {"data": Control.START, "strb": 15})
        ctx.set(dut.bus.aw.valid, 1)
        ctx.set(dut.bus.w.valid, 1)
        await ctx.tick()
        await ctx.tick()  # start is high in this cycle; the unit answers in the next one
        ctx.set(dut.running, 1)
        await ctx.tick().repeat(3)
        assert pulses.start == 1

    simulate(dut, bench, background=[pulses.watch], cycles=100)


def test_interrupt():
    dut = RegisterFile(CONFIGS["tiny"])
    enable, pending = offset("IRQ_ENABLE"), offset("IRQ_PENDING")

    async def bench(ctx):
        async def finish():
            ctx.set(dut.done, 1)
            await ctx.tick()
            ctx.set(dut.done, 0)
            await ctx.tick()

        await finish()
        assert ctx.get(dut.irq) == 0  # not enabled
        assert await read(ctx, dut, pending) == (1, Response.OKAY)
        await write(ctx, dut, enable, 1)
        assert ctx.get(dut.irq) == 1
        await write(ctx, dut, pending, 0)
        assert ctx.get(dut.irq) == 1  # 0 does nothing
        await write(ctx, dut, pending, 1, strobe=0b1110)
        assert ctx.get(dut.irq) == 1  # nor a byte that is off
        await write(ctx, dut, pending, 1)
        assert ctx.get(dut.irq) == 0
        await finish()
        assert ctx.get(dut.irq) == 1
        await write(ctx, dut, pending, 1)
        ctx.set(dut.fault, {"valid": 1, "cause": 1, "unit": 0, "tag": 0, "address": 0})
        await ctx.tick().repeat(2)
        assert ctx.get(dut.irq) == 1
        await write(ctx, dut, pending, 1)  # the same error interrupts once
        await ctx.tick().repeat(2)
        assert ctx.get(dut.irq) == 0
        assert await read(ctx, dut, pending) == (0, Response.OKAY)

    simulate(dut, bench, cycles=300)
