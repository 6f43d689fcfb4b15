"""One stream under cocotb, sent or received; its rule is checked in every cycle.

After every rising clock edge agents first ``sample`` all their channels, which see what the edge
found on the pins that the chip drives, then ``step`` them, which sets up the next cycle. An X on
valid, on ready or in an offered payload fails, as int() refuses it.
"""

import random
from collections import deque

from amaranth.lib import data
from amaranth.lib.wiring import Out

from tb.cocotb.rules import StreamRule

__all__ = ["Channel", "Sink", "Source", "Stalls", "ends", "layout_of", "split"]

CHANCES = (0.0, 0.2, 0.5, 0.8)


def layout_of(shape):
    """{field: (offset, width)} of a struct, None for anything else."""
    if not isinstance(shape, data.StructLayout):
        return None
    return {key: (field.offset, field.width) for key, field in shape}


def split(bits, layout):
    """Raw bits of each field."""
    return {key: bits >> offset & (1 << width) - 1 for key, (offset, width) in layout.items()}


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


class Channel:
    """Pins of a stream of the top module, as the last edge found them.

    Parameters
    ----------
    dut : handle
    name : str
        Members that lead to the stream, joined by dots, as "axi.ar".
    shape : ShapeLike
        Of the payload: fields by name for a struct, else one number.
    stalls : Stalls

    Members
    -------
    valid, moved : bool
        Something was offered; it was transferred.
    fields : dict of str to int, or int
        What was offered, raw bits; of meaning only with ``valid``.
    """

    def __init__(self, dut, name, shape, stalls):
        self.name = name
        self._valid, self._ready, self._payload = (
            getattr(dut, f"{name}.{part}".replace(".", "__"))
            for part in ("valid", "ready", "payload"))
        self._layout = layout_of(shape)
        self._rule = StreamRule(name)
        self.stall = stalls.draw()
        self.valid = self.moved = False
        self._bits = 0

    @property
    def fields(self):
        if self._layout is None:
            return self._bits
        return split(self._bits, self._layout)

    def quiet(self):
        """Whether nothing is offered, now."""
        return not int(self._valid.value)

    def sample(self):
        """Once after every rising edge, before any ``step``."""
        self.valid, ready = self._look()
        self.moved = self._rule.see(self.valid, ready, self._bits)

    def _look(self):
        """(valid, ready) and, in ``_bits``, the payload, as the edge found them."""
        raise NotImplementedError

    def _pack(self, values):
        if self._layout is None:
            return values
        return sum((values[key] & (1 << width) - 1) << offset
                   for key, (offset, width) in self._layout.items())


class Source(Channel):
    """The sending end; what is in ``pending`` goes out in order.

    Members
    -------
    pending : deque
        Payloads as in ``fields``, or of signed numbers; the head stays until it has been taken.
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
        self._payload.value = self._valid.value = 0

    def step(self):
        """What the chip took at this edge, or None."""
        taken = None
        if self.moved:
            taken = self.pending.popleft()
            self.offered = False
            self._valid.value = 0
        if not self.offered and self.pending and not self.stall():
            self._bits = self._pack(self.pending[0])
            self._payload.value = self._bits
            self._valid.value = 1
            self.offered = True
        return taken

    def _look(self):
        return self.offered, self.offered and int(self._ready.value)


class Sink(Channel):
    """The receiving end."""

    def __init__(self, *place):
        super().__init__(*place)
        self.willing = False

    def clear(self):
        """Take nothing; for use in reset."""
        self._ready.value = 0

    def step(self, willing=True):
        """What was taken at this edge, or None; ``willing`` to take more in the next cycle."""
        willing = willing and not self.stall()
        if willing != self.willing:
            self.willing = willing
            self._ready.value = int(willing)
        return self.fields if self.moved else None

    def _look(self):
        valid = bool(int(self._valid.value))
        if valid:
            self._bits = int(self._payload.value)
        return valid, self.willing


def ends(dut, name, signature, stalls):
    """The other ends of all streams of a port of the top module.

    Parameters
    ----------
    dut, stalls : as in Channel
    name : str
        Members that lead to the port, joined by dots.
    signature : wiring.Signature
        As the design sees it: what is Out it sends.

    Returns
    -------
    dict of str to Channel
        By the members that lead from the port to the stream, joined by dots.
    """
    found = {}
    for key, member in signature.members.items():
        if not member.is_signature:
            continue
        parts = member.signature.members
        if set(parts) == {"valid", "ready", "payload"}:
            kind = Sink if parts["valid"].flow is Out else Source
            found[key] = kind(dut, f"{name}.{key}", parts["payload"].shape, stalls)
        else:
            found |= {f"{key}.{inner}": end for inner, end in
                      ends(dut, f"{name}.{key}", member.signature, stalls).items()}
    return found
