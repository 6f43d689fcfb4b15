"""A line that loses, doubles, spoils and invents bytes."""

from golden.spec.link import FLAG

__all__ = ["FaultyLine"]


class FaultyLine:
    """A `ByteStream` around another one.

    Parameters
    ----------
    line : ByteStream
    rng : random.Random
    chance : float
        Of a fault at a byte, either way. Besides, one in ten writes is sent twice.

    Members
    -------
    counts : dict of str to int
        Faults done.
    """

    KINDS = ("flipped", "lost", "doubled", "invented")

    def __init__(self, line, rng, chance):
        self._line, self._rng, self._chance = line, rng, chance
        self.counts = dict.fromkeys((*self.KINDS, "sent twice"), 0)

    def write(self, data):
        spoilt = self._spoilt(data)
        if self._rng.random() < 0.1:
            self.counts["sent twice"] += 1
            spoilt += bytes([FLAG]) + data
        self._line.write(spoilt)

    def read(self, limit, timeout):
        return self._spoilt(self._line.read(limit, timeout))

    def _spoilt(self, data):
        out = bytearray()
        for byte in data:
            kind = self._rng.choice(self.KINDS) if self._rng.random() < self._chance else ""
            if kind:
                self.counts[kind] += 1
            if kind == "flipped":
                byte ^= 1 << self._rng.randrange(8)
            if kind == "invented":
                out.append(self._rng.randrange(256))
            out += bytes([byte]) * {"lost": 0, "doubled": 2}.get(kind, 1)
        return bytes(out)
