"""What must hold on the pins of every interface, cycle by cycle, whoever drives them.

The rules see samples: what a channel's pins were at a rising edge. They know nothing of the
agents, and hold both ends to the contract.
"""

from collections import deque
from dataclasses import dataclass

from hw.dma.burst import PAGE_BYTES

__all__ = ["AxiRules", "BurstLimits", "StreamRule"]


class StreamRule:
    """What is offered stays, unchanged, until it is taken.

    Parameters
    ----------
    name : str
        Of the stream, for the message.
    """

    def __init__(self, name):
        self.name, self.waiting = name, None

    def see(self, valid, ready, payload):
        """One cycle; whether the payload (bits, of meaning only with ``valid``) was transferred."""
        if self.waiting is not None:
            assert valid, f"{self.name}: valid dropped before ready"
            assert payload == self.waiting, (
                f"{self.name}: payload changed from {self.waiting:#x} to {payload:#x} before ready")
        self.waiting = payload if valid and not ready else None
        return bool(valid and ready)


@dataclass(frozen=True)
class BurstLimits:
    """What bursts an AXI4 manager may ask for.

    Parameters
    ----------
    beat_bytes : int
    burst_beats : int
        Longest burst.
    in_flight : int
        Bursts of each direction asked for and not answered, at most.
    """

    beat_bytes: int
    burst_beats: int
    in_flight: int

    def check(self, channel, address, beats):
        """Whether one burst is as AXI and the configuration have it."""
        what = f"{channel}: burst of {beats} beats at {address:#x}"
        assert address % self.beat_bytes == 0, f"{what} is not beat aligned"
        assert address % PAGE_BYTES + beats * self.beat_bytes <= PAGE_BYTES, (
            f"{what} crosses {PAGE_BYTES} bytes")
        assert beats <= self.burst_beats, f"{what} is longer than {self.burst_beats}"


class AxiRules:
    """Rules between the five channels of an AXI4 or AXI4-Lite interface.

    Bursts are within the limits; a read is answered by as many beats as its address asked for,
    ``last`` on the last one; a write has as many beats, which may come before their address; no
    answer is offered before, or in the cycle in which, all it answers was transferred.

    Parameters
    ----------
    channels : dict
        "ar", "r", "aw", "w", "b": objects with the sample of a cycle: ``name``, ``valid``,
        ``moved`` (transferred) and, then, ``fields`` (by name).
    limits : BurstLimits, optional
        None for AXI4-Lite, where all bursts are of one beat and their number is not limited.
    """

    def __init__(self, channels, limits=None):
        self.channels, self.limits = channels, limits
        self.reads, self.writes = deque(), deque()  # beats to come of every burst
        self.data = deque()  # marks of the last beat, of beats that wait for their address
        self.unanswered = 0  # writes that are complete
        self.begun = 0  # writes asked for and not answered

    def step(self):
        """One cycle; the channels have sampled their pins."""
        # Answers first: they must not depend on what is transferred in this cycle.
        self._answers()
        ar, aw, w = (self.channels[name] for name in ("ar", "aw", "w"))
        if ar.moved:
            self.reads.append(self._asked(ar, len(self.reads)))
        if aw.moved:
            self.writes.append(self._asked(aw, self.begun))
            self.begun += 1
        if w.moved:
            self.data.append(w.fields.get("last", 1))
        while self.writes and self.data:
            self.unanswered += self._beat(w, self.writes, self.data.popleft())

    def _answers(self):
        r, b = self.channels["r"], self.channels["b"]
        if r.valid:
            assert self.reads, f"{r.name}: answers what nobody asked"
        if r.moved:
            self._beat(r, self.reads, r.fields.get("last", 1))
        if b.valid:
            assert self.unanswered, f"{b.name}: answers what nobody asked, or before its last beat"
        if b.moved:
            self.unanswered -= 1
            self.begun -= 1

    def _asked(self, channel, before):
        """Beats of a new burst, ``before`` being the number of those in flight."""
        beats = channel.fields.get("len", 0) + 1
        if self.limits:
            self.limits.check(channel.name, channel.fields["addr"], beats)
            assert before < self.limits.in_flight, (
                f"{channel.name}: more than {self.limits.in_flight} bursts in flight")
        return beats

    @staticmethod
    def _beat(channel, bursts, last):
        """Count one beat of the first burst; whether it was the last one."""
        bursts[0] -= 1
        assert last == (bursts[0] == 0), (
            f"{channel.name}: last is {last} with {bursts[0]} beats of the burst to come")
        if last:
            bursts.popleft()
        return bool(last)
