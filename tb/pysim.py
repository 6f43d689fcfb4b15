"""Pysim helpers of the unit tests: stream ends with random stalls and a cycle cap."""

from amaranth.hdl import ShapeCastable, Value, ValueCastable
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


class _Context:
    """Amaranth's context of a bench, without the work that changes nothing: half of the time.

    The design takes no step for every signal that is set, but one when a bench looks at it or
    waits, and none if all are as they were. Constants of a layout are kept.
    """

    def __init__(self, ctx, constants):
        self._ctx, self._engine, self._constants = ctx, ctx._engine, constants
        self._pending = ctx._engine.state.pending

    def __getattr__(self, name):
        self.step()
        return getattr(self._ctx, name)

    def get(self, value):
        if self._pending:
            self._engine.step_design()
        return self._ctx.get(value)

    def set(self, target, value):
        if isinstance(target, ValueCastable):
            value = self._bits(target.shape(), value)
        if not isinstance(value, int):
            value = Value.cast(value).value
        self._engine.set_value(target, value)

    def step(self):
        """What is set has its effect."""
        if self._pending:
            self._engine.step_design()

    def _bits(self, shape, value):
        if not isinstance(shape, ShapeCastable):
            return value
        key = id(shape), tuple(value.items()) if type(value) is dict else value
        try:
            found = self._constants.get(key)
        except TypeError:  # nested: not to be looked up
            return Value.cast(shape.const(value)).value
        if found is None:
            # The shape stays, lest another one gets its identity.
            found = self._constants[key] = shape, Value.cast(shape.const(value)).value
        return found[1]


class _Steps:
    """Awaits a bench; whenever it waits for something, what it has set has its effect first."""

    def __init__(self, bench, context):
        self._bench, self._context = bench, context

    def __await__(self):
        running = self._bench(self._context).__await__()
        while True:
            try:
                waits_for = next(running)
            except StopIteration as end:
                self._context.step()
                return end.value
            self._context.step()
            yield waits_for


def _remember_slots(state):
    """Find the slots of signals by identity; Amaranth makes a key of each anew."""
    find, known = state.get_signal, {}

    def get_signal(signal):
        slot = known.get(id(signal))
        if slot is None:
            slot = known[id(signal)] = find(signal)  # which keeps the signal
        return slot

    state.get_signal = get_signal


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
    _remember_slots(sim._engine.state)
    sim.add_clock(PERIOD)
    constants = {}

    def keep(index, bench):
        async def run(ctx):
            results[index] = await _Steps(bench, _Context(ctx, constants))
        return run

    for index, bench in enumerate((*benches, *background)):
        sim.add_testbench(keep(index, bench), background=index >= len(benches))

    async def watchdog(ctx):
        await ctx.delay(cycles * PERIOD)
        raise TimeoutError(f"not done after {cycles} cycles")

    sim.add_testbench(watchdog, background=True)
    sim.run()
    return results[:len(benches)]
