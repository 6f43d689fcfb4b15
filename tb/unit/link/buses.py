"""The buses that the link masters, served from a `tb.lib.link_model.Board`."""

from golden.spec.link import Status

__all__ = ["serve_axi", "serve_axil"]


async def _sample(ctx, *signals):
    _, _, *values = await ctx.tick().sample(*signals)
    return values


async def _wait(ctx, rng, stall):
    while rng.random() < stall:
        await ctx.tick()


async def _take(ctx, channel, held):
    """One payload from a manager's channel; it must not change while it is not taken."""
    ctx.set(channel.ready, 1)
    while True:
        valid, payload = await _sample(ctx, channel.valid, channel.payload)
        if valid:
            ctx.set(channel.ready, 0)
            assert held is None or held == payload, "a request changed before it was taken"
            return payload


async def _peek(ctx, channel, rng, stall):
    """Wait for a request, let it wait; returns what was first seen."""
    seen = None
    while seen is None or rng.random() < stall:
        valid, payload = await _sample(ctx, channel.valid, channel.payload)
        assert valid or seen is None, "a request was withdrawn"
        seen = seen if seen is not None else payload if valid else None
    return seen


async def _give(ctx, channel, payload):
    ctx.set(channel.payload, payload)
    ctx.set(channel.valid, 1)
    ready = False
    while not ready:
        ready, = await _sample(ctx, channel.ready)
    ctx.set(channel.valid, 0)


def _reader(bus, board, rng, stall, answer, deaf):
    async def serve(ctx):
        while True:
            held = await _peek(ctx, bus.ar, rng, stall)
            payload = await _take(ctx, bus.ar, held)
            while deaf and deaf():
                await ctx.tick()
            await _wait(ctx, rng, stall)
            await _give(ctx, bus.r, answer(payload))
    return serve


def _writer(bus, board, rng, stall, answer, deaf):
    async def serve(ctx):
        while True:
            if rng.random() < 0.5:  # AXI: in any order
                address = await _take(ctx, bus.aw, await _peek(ctx, bus.aw, rng, stall))
                word = await _take(ctx, bus.w, await _peek(ctx, bus.w, rng, stall))
            else:
                word = await _take(ctx, bus.w, await _peek(ctx, bus.w, rng, stall))
                address = await _take(ctx, bus.aw, await _peek(ctx, bus.aw, rng, stall))
            while deaf and deaf():
                await ctx.tick()
            await _wait(ctx, rng, stall)
            await _give(ctx, bus.b, {"resp": answer(address, word)})
    return serve


def serve_axi(bus, board, rng, *, stall=0.3, deaf=None):
    """Background benches for the memory's port; it is silent while ``deaf()``."""
    size = board.beat_bytes

    def read(payload):
        assert payload.addr % size == 0 and payload.len == 0, f"{payload.addr:#x} {payload.len}"
        status, data = board.read_memory(payload.addr, size)
        return {"data": int.from_bytes(data, "little"), "resp": int(status), "last": 1}

    def write(address, word):
        assert address.addr % size == 0 and address.len == 0 and word.last
        lanes = [lane for lane in range(size) if word.strb >> lane & 1]
        assert lanes == list(range(lanes[0], lanes[-1] + 1)), f"strobes {word.strb:#x}"
        raw = word.data.to_bytes(size, "little")
        return int(board.write_memory(address.addr + lanes[0], raw[lanes[0]:lanes[-1] + 1]))

    return [_reader(bus, board, rng, stall, read, deaf),
            _writer(bus, board, rng, stall, write, deaf)]


def serve_axil(bus, board, rng, *, stall=0.3, deaf=None):
    """Background benches for the registers' port."""
    def read(payload):
        status, value = board.read_register(payload.addr)
        return {"data": value, "resp": int(status)}

    def write(address, word):
        assert word.strb == 0xF
        return int(board.write_register(address.addr, word.data))

    assert Status.SLAVE_ERROR == 2 and Status.DECODE_ERROR == 3
    return [_reader(bus, board, rng, stall, read, deaf),
            _writer(bus, board, rng, stall, write, deaf)]
