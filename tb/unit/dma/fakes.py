"""DRAM behind AXI4 for the DMA benches, and the meaning of LOAD and STORE in plain Python."""

from collections import deque

from hw.bus.axi import Response
from hw.dma.burst import PAGE_BYTES

__all__ = ["FakeDram", "load_words", "offer", "store_bytes"]


async def offer(ctx, port, items, *, rng, stall=0.0):
    """`tb.pysim.drive` for benches that may be abandoned: it never waits inside ``until``."""
    for item in items:
        while stall and rng.random() < stall:
            await ctx.tick()
        ctx.set(port.payload, item)
        ctx.set(port.valid, 1)
        ready = False
        while not ready:
            _, _, ready = await ctx.tick().sample(port.ready)
        ctx.set(port.valid, 0)


def _loops(fields):
    """(i0, i1, i2, run) in the order of the words."""
    for run in range(fields["runs"]):
        for i2 in range(fields["count2"]):
            for i1 in range(fields["count1"]):
                for i0 in range(fields["count0"]):
                    yield i0, i1, i2, run


def load_words(group, fields, memory):
    """[(word address, bytes)] of a LOAD to the scratchpad; ``memory`` is its region."""
    out = []
    for i0, i1, i2, run in _loops(fields):
        start = fields["address"] + run * fields["run_stride"]
        position = fields["first"] + i0 * fields["step0"] + i1 * fields["step1"]
        word = bytearray()
        for j in range(group):
            valid = (0 <= position + j < fields["row_bytes"]
                     and (j < fields["tail"] or i0 < fields["count0"] - 1))
            index = start + position + j + i2 * fields["step2"]
            word.append(memory[index] if valid else fields["fill"])
        address = (fields["dst"] + i0 * fields["dst_step0"] + i1 * fields["dst_step1"]
                   + i2 * fields["dst_step2"] + run * fields["dst_run_step"]) % (1 << 16)
        out.append((address, bytes(word)))
    return out


def store_bytes(group, fields, words, memory):
    """Write a STORE's bytes into ``memory``, its region; ``words`` maps address to bytes."""
    place = {run: fields["address"] + run * fields["run_stride"] for run in range(fields["runs"])}
    for i0, i1, i2, run in _loops(fields):
        address = (fields["src"] + i0 * fields["src_step0"] + i1 * fields["src_step1"]
                   + i2 * fields["src_step2"] + run * fields["src_run_step"]) % (1 << 16)
        size = fields["tail"] if i0 == fields["count0"] - 1 else group
        memory[place[run]:place[run] + size] = words[address][:size]
        place[run] += size




class FakeDram:
    """AXI4 memory that checks the protocol as it serves it.

    Parameters
    ----------
    data : bytearray
    group : int
        Bytes of a beat.
    rng : random.Random
    latency : int
        Cycles from address to first read beat or, after the last write beat, to the response.
    stall : float
        Chance a cycle of refusing an address or data, or of offering none.
    burst_beats : int
        Longest burst accepted.
    errors : dict
        {byte address of a beat: Response} that fail.
    """

    def __init__(self, data, group, rng, *, latency=7, stall=0.0, burst_beats=256, errors=None):
        self.data, self.group, self.rng = data, group, rng
        self.latency, self.stall, self.burst_beats = latency, stall, burst_beats
        self.errors = errors or {}
        self.read_bursts, self.write_bursts = [], []  # (address, beats)
        self.most_outstanding = self.outstanding = 0
        self.strobes = []  # of each write beat
        self.now = 0  # cycles of `read`

    def _ok(self):
        return not self.stall or self.rng.random() >= self.stall

    def _check(self, address, beats):
        assert address % self.group == 0, f"burst at {address:#x}"
        assert beats <= self.burst_beats, f"{beats} beats"
        assert address // PAGE_BYTES == (address + beats * self.group - 1) // PAGE_BYTES, \
            f"burst of {beats} beats at {address:#x} crosses 4 KiB"

    def _response(self, address):
        return self.errors.get(address, Response.OKAY)

    async def read(self, ctx, ar, r):
        """Background bench serving ``ar`` and ``r``."""
        beats, offered, held = deque(), None, None
        while True:
            ready = self._ok()
            ctx.set(ar.ready, ready)
            if offered is None and beats and beats[0][0] <= self.now and self._ok():
                offered = beats.popleft()
                _, address, last = offered
                ctx.set(r.payload, {
                    "data": int.from_bytes(self.data[address:address + self.group], "little"),
                    "resp": self._response(address), "last": last})
            ctx.set(r.valid, offered is not None)
            _, _, valid, payload, taken = await ctx.tick().sample(ar.valid, ar.payload, r.ready)
            asked = (payload.addr, payload.len + 1) if valid else None
            assert held is None or asked == held, f"address changed from {held} to {asked}"
            held = asked if valid and not ready else None
            if offered is not None:
                assert taken, "read data was refused"
                self.outstanding -= offered[2]
                offered = None
            if valid and ready:
                self._check(*asked)
                self.read_bursts.append(asked)
                self.outstanding += 1
                self.most_outstanding = max(self.most_outstanding, self.outstanding)
                beats.extend((self.now + self.latency, asked[0] + n * self.group, n == asked[1] - 1)
                             for n in range(asked[1]))
            self.now += 1

    async def write(self, ctx, aw, w, b):
        """Background bench serving ``aw``, ``w`` and ``b``."""
        now, bursts, answers, offered, held = 0, deque(), deque(), None, {}
        data = deque()  # beats, which may come before their address
        while True:
            ready = {port: self._ok() for port in (aw, w)}
            for port in (aw, w):
                ctx.set(port.ready, ready[port])
            if offered is None and answers and answers[0][0] <= now and self._ok():
                offered = answers.popleft()
                ctx.set(b.p.resp, offered[1])
            ctx.set(b.valid, offered is not None)
            _, _, aw_valid, aw_p, w_valid, w_p, taken = await ctx.tick().sample(
                aw.valid, aw.payload, w.valid, w.payload, b.ready)
            for port, valid, value in ((aw, aw_valid, (aw_p.addr, aw_p.len)),
                                       (w, w_valid, (w_p.data, w_p.strb, w_p.last))):
                assert held.get(port) in (None, (valid, value)), f"{port} changed"
                held[port] = (valid, value) if valid and not ready[port] else None
            if offered is not None and taken:
                self.outstanding -= 1
                offered = None
            if aw_valid and ready[aw]:
                self._check(aw_p.addr, aw_p.len + 1)
                self.write_bursts.append((aw_p.addr, aw_p.len + 1))
                bursts.append([aw_p.addr, aw_p.len + 1, Response.OKAY])
                self.outstanding += 1
                self.most_outstanding = max(self.most_outstanding, self.outstanding)
            if w_valid and ready[w]:
                data.append((w_p.data, w_p.strb, w_p.last))
            while data and bursts:
                bits, strobes, last = data.popleft()
                burst = bursts[0]
                address = burst[0]
                for j in range(self.group):
                    if strobes >> j & 1:
                        self.data[address + j] = bits >> 8 * j & 0xFF
                self.strobes.append(strobes)
                burst[2] = max(burst[2], self._response(address))
                burst[0], burst[1] = address + self.group, burst[1] - 1
                assert last == (burst[1] == 0), "w.last"
                if last:
                    answers.append((now + self.latency, bursts.popleft()[2]))
            now += 1
