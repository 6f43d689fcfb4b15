"""DRAM behind an AXI4 manager, with random latency and stalls."""

from collections import deque
from dataclasses import dataclass

from hw.bus.axi import AXI4, Response
from tb.cocotb.channel import ends
from tb.cocotb.rules import AxiRules, BurstLimits

__all__ = ["AxiMemory"]

DEPTH = 16  # bursts accepted ahead
LATENCY = 30  # cycles, at most


@dataclass
class _Burst:
    address: int
    beats: int
    due: int
    response: Response = Response.OKAY


@dataclass(frozen=True)
class _Injection:
    start: int
    bytes: int
    response: Response
    reads: bool
    writes: bool


class AxiMemory:
    """In-order AXI4 memory whose five channels are held to the rules of AXI as it serves them.

    What lies past the memory gives DECERR. By the seed it takes write data before or after its
    address, and may wait for write data before it takes the address, as AXI allows.

    Parameters
    ----------
    dut : handle
    config : Config
        ``group`` bytes a beat; ``burst_beats`` and ``bursts_in_flight`` must be kept.
    size : int
        Bytes.
    stalls : Stalls
    bus : str
        Members that lead to the AXI4 port, joined by dots.

    Members
    -------
    data : bytearray
    beats_read, beats_written : int
        Since the start.
    idle : bool
        Nothing is outstanding.
    """

    def __init__(self, dut, config, size, stalls, bus="axi"):
        self.channels = ends(dut, bus, AXI4(config.group), stalls)
        self.ar, self.r, self.aw, self.w, self.b = self.channels.values()
        self.rules = AxiRules(self.channels, BurstLimits(
            config.group, config.burst_beats, config.bursts_in_flight))
        self.beat_bytes = config.group
        self.data = bytearray(size)
        self.rng = stalls.rng
        self.address_waits = self.rng.random() < 0.3
        self.data_ahead = DEPTH if self.address_waits else self.rng.choice((0, 1, DEPTH))
        self.injections = []
        self.beats_read = self.beats_written = self.now = 0
        self.reads, self.writes, self.answers = deque(), deque(), deque()
        self.written = deque()  # beats that wait for their address

    @property
    def idle(self):
        return not (self.reads or self.writes or self.answers or self.written
                    or self.r.pending or self.b.pending)

    def inject(self, start, size, response, *, reads=True, writes=True):
        """Answer beats that begin in [start, start + size) with a response."""
        self.injections.append(_Injection(start, size, response, reads, writes))

    def clear(self):
        """Drive idle inputs; for use in reset."""
        for channel in self.channels.values():
            channel.clear()

    def check_quiet(self):
        """Hold the chip to silence, in reset."""
        for channel in (self.ar, self.aw, self.w):
            assert channel.quiet(), f"{channel.name}: valid is high in reset"

    def step(self):
        """Once after every rising edge."""
        self.now += 1
        for channel in self.channels.values():
            channel.sample()
        self.rules.step()
        self._step_reads()
        self._step_writes()

    def _step_reads(self):
        address = self.ar.step(len(self.reads) < DEPTH)
        if address:
            self.reads.append(self._burst(address))
        if self.r.idle and self.reads and self.reads[0].due <= self.now:
            burst = self.reads[0]
            response = self._respond(burst.address, reads=True)
            content = (self.data[burst.address:burst.address + self.beat_bytes]
                       if response == Response.OKAY else b"\xee" * self.beat_bytes)
            burst.address += self.beat_bytes
            burst.beats -= 1
            self.r.pending.append({"data": int.from_bytes(content, "little"), "resp": response,
                                   "last": burst.beats == 0})
            if not burst.beats:
                self.reads.popleft()
        self.beats_read += self.r.step() is not None

    def _step_writes(self):
        has_data = bool(self.written) or not (self.address_waits and self.w.quiet())
        address = self.aw.step(len(self.writes) < DEPTH and has_data)
        if address:
            self.writes.append(self._burst(address))
        ahead = len(self.written) < self.data_ahead
        beat = self.w.step(ahead or (bool(self.writes) and not self.written))
        if beat:
            self.beats_written += 1
            self.written.append(beat)
        if self.writes and self.written:
            self._write(self.written.popleft())
        if self.answers and self.answers[0].due <= self.now:
            self.b.pending.append({"resp": self.answers.popleft().response})
        self.b.step()

    def _write(self, beat):
        burst = self.writes[0]
        response = self._respond(burst.address, writes=True)
        burst.response = max(burst.response, response)
        content = beat["data"].to_bytes(self.beat_bytes, "little")
        for index in range(self.beat_bytes):
            if response == Response.OKAY and beat["strb"] >> index & 1:
                self.data[burst.address + index] = content[index]
        burst.address += self.beat_bytes
        burst.beats -= 1
        if not burst.beats:
            burst.due = self._due()
            self.answers.append(self.writes.popleft())

    def _burst(self, payload):
        return _Burst(payload["addr"], payload["len"] + 1, self._due())

    def _due(self):
        return self.now + self.rng.randint(1, LATENCY)

    def _respond(self, address, *, reads=False, writes=False):
        for item in self.injections:
            if (0 <= address - item.start < item.bytes
                    and ((reads and item.reads) or (writes and item.writes))):
                return item.response
        inside = address + self.beat_bytes <= len(self.data)
        return Response.OKAY if inside else Response.DECERR
