"""Pysim helpers of the unit tests: stream ends with random stalls and a cycle cap."""

from amaranth.hdl import Value
from amaranth.sim import Simulator

__all__ = ["collect", "drive", "simulate"]

PERIOD = 1e-6


async def drive(ctx, port, items, *, rng=None, stall=0.0):
    """Offer ``items`` on a stream, waiting before each with probability ``stall`` a cycle.

    ``rng`` is a random.Random, needed only with ``stall``; a struct payload takes a dict.
    """
    for item in items:
        while stall and rng.random() < stall:
            await ctx.tick()
        ctx.set(port.payload, item)
        ctx.set(port.valid, 1)
        await ctx.tick().until(port.ready)
        ctx.set(port.valid, 0)


async def collect(ctx, port, count, *, rng=None, stall=0.0):
    """Take ``count`` items from a stream, with stalls as in ``drive``; returns them.

    Asserts the stream rule: what is offered stays, unchanged, until it is taken.
    """
    raw = Value.cast(port.payload)
    items, offered = [], None
    while len(items) < count:
        ready = not stall or rng.random() >= stall
        ctx.set(port.ready, ready)
        _, _, valid, bits, item = await ctx.tick().sample(port.valid, raw, port.payload)
        if offered is not None:
            assert valid, f"item {len(items)} was withdrawn"
            assert bits == offered, f"item {len(items)} changed from {offered:#x} to {bits:#x}"
        offered = bits if valid and not ready else None
        if valid and ready:
            items.append(item)
    ctx.set(port.ready, 0)
    return items


def simulate(dut, *benches, background=(), cycles=10_000):
    """Run ``benches`` until all have returned.

    Parameters
    ----------
    dut : Elaboratable
        In domain "sync".
    benches, background : functions of the simulator context that return a coroutine
        Those in ``background`` may never return.
    cycles : int
        Cap: TimeoutError after that many.

    Returns
    -------
    list
        What each bench returned.
    """
    results = [None] * (len(benches) + len(background))
    sim = Simulator(dut)
    sim.add_clock(PERIOD)

    def keep(index, bench):
        async def run(ctx):
            results[index] = await bench(ctx)
        return run

    for index, bench in enumerate((*benches, *background)):
        sim.add_testbench(keep(index, bench), background=index >= len(benches))

    async def watchdog(ctx):
        await ctx.delay(cycles * PERIOD)
        raise TimeoutError(f"not done after {cycles} cycles")

    sim.add_testbench(watchdog, background=True)
    sim.run()
    return results[:len(benches)]
