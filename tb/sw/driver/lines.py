"""Lines to a modelled board: time that is only counted, and faults."""

from collections import deque

from golden.spec.link import FLAG

__all__ = ["FAULTS", "Clock", "Line", "Spoiler"]

FAULTS = ("lose", "double", "turn a bit", "cut", "insert", "swap")


class Clock:
    """Seconds that pass when someone waits."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Line:
    """A `ByteStream` with a `tb.lib.link_model.LinkModel` at its other end.

    Parameters
    ----------
    model : LinkModel or None
        None: nobody is there.
    clock : Clock
    latency : float
        Seconds each way, beyond the rate's.
    baud : int
    spoil : callable, optional
        (direction "to" or "from", frame) to the bytes that arrive instead of that frame.
    """

    def __init__(self, model, clock, *, latency=1e-3, baud=3_000_000, spoil=None):
        self.model, self.clock, self.latency, self.baud = model, clock, latency, baud
        self.spoil = spoil or (lambda direction, frame: frame)
        self.arrivals = deque()  # (time, bytes)
        self.busy_until = 0.0    # of the answers' line
        self.sent_until = 0.0
        self.closed = False
        self.frames = 0

    def write(self, data):
        start = max(self.clock.now, self.sent_until)
        self.sent_until = start + 10 * len(data) / self.baud
        if self.model is None:
            return
        here = self.sent_until + self.latency
        for one in frames(data):
            self.frames += 1
            answer = self.model.feed(self.spoil("to", one))
            for back in frames(answer):
                self.busy_until = max(self.busy_until, here) + 10 * len(back) / self.baud
                self.arrivals.append((self.busy_until + self.latency, self.spoil("from", back)))

    def read(self, limit, timeout):
        end = self.clock.now + timeout
        if not self.arrivals or self.arrivals[0][0] > end:
            self.clock.now = end
            return b""
        when, data = self.arrivals.popleft()
        self.clock.now = max(self.clock.now, when)
        if len(data) > limit:
            self.arrivals.appendleft((when, data[limit:]))
        return data[:limit]

    def close(self):
        self.closed = True


def frames(data):
    """Cuts a line's bytes into frames."""
    parts = data.split(bytes([FLAG]))
    return [bytes([FLAG]) + part + bytes([FLAG]) for part in parts if part]


class Spoiler:
    """Does one of FAULTS to frames, with a chance, both ways."""

    def __init__(self, rng, chance, faults=FAULTS):
        self.rng, self.chance, self.faults = rng, chance, faults
        self.kept = {"to": b"", "from": b""}
        self.count = 0

    def __call__(self, direction, frame):
        kept, self.kept[direction] = self.kept[direction], b""
        if self.rng.random() >= self.chance:
            return frame + kept
        self.count += 1
        fault, place = self.rng.choice(self.faults), self.rng.randrange(len(frame))
        if fault == "lose":
            return kept
        if fault == "double":
            return frame + frame + kept
        if fault == "turn a bit":
            changed = bytearray(frame)
            changed[place] ^= 1 << self.rng.randrange(8)
            return bytes(changed) + kept
        if fault == "cut":
            return frame[:place] + kept
        if fault == "insert":
            return frame[:place] + self.rng.randbytes(3) + frame[place:] + kept
        self.kept[direction] = frame  # after the next one
        return kept
