"""One channel of a bus under cocotb: a valid/ready stream of the chip, sent or received.

Agents call ``step`` of each channel once after every rising clock edge: it sees what the edge
transferred and sets up the next cycle. An X on valid or ready fails, as int() refuses it.
"""

import random
from collections import deque

__all__ = ["Sink", "Source", "Stalls"]

CHANCES = (0.0, 0.2, 0.5, 0.8)


class Stalls:
    """Randomness of a bench; every channel draws how often it pauses, anew for every seed.

    Parameters
    ----------
    seed : int or str
    """

    def __init__(self, seed):
        self.seed = seed
        self.rng = random.Random(seed)

    def draw(self):
        """A function that tells, cycle by cycle, whether a channel pauses."""
        chance = self.rng.choice(CHANCES)
        return lambda: self.rng.random() < chance


class _Channel:
    """Ports and payload of a stream of the top module.

    Parameters
    ----------
    dut : handle
    bus : str
        Name of the top's member, "axi" or "axil".
    signature : wiring.Signature
        Of that bus.
    name : str
        Of the channel.
    stalls : Stalls
    """

    def __init__(self, dut, bus, signature, name, stalls):
        self.name = f"{bus}.{name}"
        self.valid, self.ready, self.payload = (
            getattr(dut, f"{bus}__{name}__{part}") for part in ("valid", "ready", "payload"))
        layout = signature.members[name].signature.members["payload"].shape
        self.fields = {key: (field.offset, field.width) for key, field in layout}
        self.stall = stalls.draw()

    def _pack(self, values):
        return sum(values[key] << offset for key, (offset, _) in self.fields.items())

    def _unpack(self, bits):
        return {key: bits >> offset & (1 << width) - 1
                for key, (offset, width) in self.fields.items()}


class Source(_Channel):
    """The sending end; what is in ``pending`` goes out in order.

    Members
    -------
    pending : deque of dict
        Payloads by field name; the head stays until it has been taken.
    idle : bool
        Nothing pending.
    """

    def __init__(self, *place):
        super().__init__(*place)
        self.pending = deque()
        self.offered = False

    @property
    def idle(self):
        return not self.pending

    def clear(self):
        """Offer nothing; for use in reset."""
        self.payload.value = 0
        self.valid.value = 0

    def step(self):
        """What the chip took at this edge, or None."""
        taken = None
        if self.offered and int(self.ready.value):
            taken = self.pending.popleft()
            self.offered = False
            self.valid.value = 0
        if not self.offered and self.pending and not self.stall():
            self.payload.value = self._pack(self.pending[0])
            self.valid.value = 1
            self.offered = True
        return taken


class Sink(_Channel):
    """The receiving end; holds the chip to the rule that what is offered stays until taken."""

    def __init__(self, *place):
        super().__init__(*place)
        self.willing = False
        self.waiting = None

    def clear(self):
        """Take nothing; for use in reset."""
        self.ready.value = 0

    def quiet(self):
        """Whether the chip offers nothing."""
        return not int(self.valid.value)

    def step(self, willing=True):
        """What was taken at this edge, or None; ``willing`` to take more in the next cycle."""
        taken = None
        if int(self.valid.value):
            bits = int(self.payload.value)
            assert self.waiting in (None, bits), (
                f"{self.name}: payload changed from {self.waiting:#x} to {bits:#x} before ready")
            self.waiting = None if self.willing else bits
            if self.willing:
                taken = self._unpack(bits)
        else:
            assert self.waiting is None, f"{self.name}: valid dropped before ready"
        willing = willing and not self.stall()
        if willing != self.willing:
            self.willing = willing
            self.ready.value = int(willing)
        return taken
