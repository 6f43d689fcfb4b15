"""A manager of an AXI4 port in pysim: random bursts both ways, checked against a reference."""

from collections import deque
from types import SimpleNamespace

from amaranth.hdl import Value

from hw.bus.axi import Response
from hw.dma.burst import PAGE_BYTES
from tb.cocotb.rules import AxiRules, StreamRule

__all__ = ["AxiTraffic", "watch"]


def watch(port, name):
    """Background bench that holds a port to the rules of AXI4."""
    channels = {each: SimpleNamespace(name=f"{name}.{each}")
                for each in ("ar", "r", "aw", "w", "b")}
    rules = AxiRules(channels)
    kept = {each: StreamRule(channel.name) for each, channel in channels.items()}
    counted = {"ar": "len", "aw": "len", "r": "last", "w": "last"}

    async def bench(ctx):
        streams = [getattr(port, each) for each in channels]
        pins = [pin for stream in streams
                for pin in (stream.valid, stream.ready, Value.cast(stream.payload), stream.payload)]
        async for _, _, *values in ctx.tick().sample(*pins):
            for n, (each, channel) in enumerate(channels.items()):
                valid, ready, bits, payload = values[4 * n:4 * n + 4]
                channel.valid = valid
                channel.moved = kept[each].see(valid, ready, bits)
                channel.fields = ({counted[each]: getattr(payload, counted[each])}
                                  if each in counted else {})
            rules.step()
    return bench


class AxiTraffic:
    """Writes and reads pages of its own at once, never one page both ways.

    Parameters
    ----------
    port : AXI4 interface
    beat_bytes : int
    rng : random.Random
    memory : bytearray
        What the memory behind the port should hold; pages beyond it answer DECERR.
    pages : list of int
        4 KiB pages to use.
    reads, writes : int
        Bursts.
    most_beats : int
    stall : float
        Probability of a pause, each cycle and channel.
    sequential : bool
        Whole bursts of ``most_beats``, one after the other, all bytes.

    Members
    -------
    log : list of (channel, cycle)
        Transfers.
    """

    def __init__(self, port, beat_bytes, rng, memory, pages, *, reads, writes, most_beats=16,
                 stall=0.0, sequential=False):
        self.port, self.beat_bytes, self.rng, self.memory = port, beat_bytes, rng, memory
        self.pages, self.stall, self.most_beats = pages, stall, most_beats
        self.sequential, self.counts = sequential, {"r": reads, "w": writes}
        self.places = {"r": 0, "w": len(pages) // 2 * PAGE_BYTES}
        self.reading, self.writing = deque(), deque()  # bursts in flight
        self.words = deque()
        self.log, self.cycle = [], 0

    @property
    def background(self):
        """Background benches: cycles counted, rules watched."""
        return [self._count, watch(self.port, "port")]

    @property
    def benches(self):
        """Benches that end with the traffic."""
        return [self._addresses("r"), self._addresses("w"), self._data, self._read, self._answer]

    def times(self, channel):
        """Cycles of the transfers on a channel."""
        return [cycle for name, cycle in self.log if name == channel]

    async def _count(self, ctx):
        async for _ in ctx.tick():
            self.cycle += 1

    def _page_free(self, page, way):
        others = self.writing if way == "r" else self.reading
        return all(burst["page"] != page for burst in others)

    def _choose(self, way):
        """A burst, or None when each page is in use."""
        beats = PAGE_BYTES // self.beat_bytes
        if self.sequential:
            place = self.places[way]
            self.places[way] += self.most_beats * self.beat_bytes
            page = self.pages[place // PAGE_BYTES % len(self.pages)]
            return {"page": page, "first": place % PAGE_BYTES // self.beat_bytes,
                    "beats": self.most_beats}
        free = [page for page in self.pages if self._page_free(page, way)]
        if not free:
            return None
        count = min(self.rng.choice([1, 1, 2, 3, 8, 9, self.most_beats,
                                     self.rng.randint(1, self.most_beats)]), self.most_beats)
        return {"page": self.rng.choice(free), "first": self.rng.randint(0, beats - count),
                "beats": count}

    def _addresses(self, way):
        async def bench(ctx):
            channel = self.port.ar if way == "r" else self.port.aw
            for _ in range(self.counts[way]):
                burst = self._choose(way)
                while burst is None:
                    await ctx.tick()
                    burst = self._choose(way)
                self._begin(way, burst)
                await self._transfer(ctx, channel, {"addr": burst["addr"],
                                                    "len": burst["beats"] - 1})
                self.log.append(("a" + way, self.cycle))
        return bench

    def _begin(self, way, burst):
        size, start = self.beat_bytes, burst["page"] * PAGE_BYTES + (
            burst["first"] * self.beat_bytes)
        burst["addr"], inside = start, start < len(self.memory)
        burst["resp"] = Response.OKAY if inside else Response.DECERR
        span = range(start, start + size * burst["beats"], size)
        if way == "r":
            burst["data"] = [bytes(self.memory[at:at + size]) if inside else None for at in span]
            self.reading.append(burst)
            return
        self.writing.append(burst)
        for n, at in enumerate(span):
            data = self.rng.randbytes(size)
            strb = (1 << size) - 1 if self.sequential else self.rng.choice(
                [(1 << size) - 1, self.rng.getrandbits(size), 0])
            for byte in range(size):
                if inside and strb >> byte & 1:
                    self.memory[at + byte] = data[byte]
            self.words.append({"data": int.from_bytes(data, "little"), "strb": strb,
                               "last": n == burst["beats"] - 1})

    async def _transfer(self, ctx, channel, item):
        while self.stall and self.rng.random() < self.stall:
            await ctx.tick()
        ctx.set(channel.payload, item)
        ctx.set(channel.valid, 1)
        ready = False
        while not ready:
            _, _, ready = await ctx.tick().sample(channel.ready)
        ctx.set(channel.valid, 0)

    async def _data(self, ctx):
        sent = 0
        while sent < self.counts["w"]:
            if not self.words:
                await ctx.tick()
                continue
            item = self.words.popleft()
            await self._transfer(ctx, self.port.w, item)
            self.log.append(("w", self.cycle))
            sent += item["last"]

    async def _take(self, ctx, channel):
        """One item; asserts that an offer stays as it is."""
        raw, offered = Value.cast(channel.payload), None
        while True:
            ready = not self.stall or self.rng.random() >= self.stall
            ctx.set(channel.ready, ready)
            _, _, valid, bits, item = await ctx.tick().sample(channel.valid, raw, channel.payload)
            if offered is not None:
                assert valid and bits == offered, "an offer changed"
            offered = bits if valid else None
            if valid and ready:
                ctx.set(channel.ready, 0)
                return item

    async def _read(self, ctx):
        for _ in range(self.counts["r"]):
            n, last = 0, False
            while not last:
                item = await self._take(ctx, self.port.r)
                self.log.append(("r", self.cycle))
                assert self.reading, "data that nobody asked for"
                burst, last = self.reading[0], item.last
                assert last == (n == burst["beats"] - 1), f"last is {last} at beat {n} of {burst}"
                assert item.resp == burst["resp"], f"{item.resp} for {burst['addr']:#x}"
                data = item.data.to_bytes(self.beat_bytes, "little")
                assert burst["data"][n] in (None, data), (
                    f"beat {n} of {burst['addr']:#x}: {data.hex()} for {burst['data'][n].hex()}")
                n += 1
            self.reading.popleft()

    async def _answer(self, ctx):
        for _ in range(self.counts["w"]):
            item = await self._take(ctx, self.port.b)
            self.log.append(("b", self.cycle))
            burst = self.writing.popleft()
            assert item.resp == burst["resp"], f"{item.resp} for {burst['addr']:#x}"
