"""Surroundings of the sequencer in unit tests: a program memory and units."""

from collections import deque

from golden.spec import isa

__all__ = ["FakeMemory", "FakeUnit"]


class FakeMemory:
    """Answers a RunRead in order, after random latencies and with random gaps.

    Asserts what the sequencer promises: runs inside the program, offers that stay until they are
    taken, room for every beat.

    Parameters
    ----------
    config : Config
    rng : random.Random
    reset : Signal
        Forget what has been asked for, as a flush of the read master does.
    latency : int
        Most cycles from a run's acceptance to its first beat.
    stall : float
        Probability that a cycle refuses a run or holds back a beat.
    """

    def __init__(self, config, rng, reset, *, latency=20, stall=0.3):
        self.step, self.rng, self.reset = config.group, rng, reset
        self.latency, self.stall = latency, stall
        self.runs = []      # (address, beats) accepted
        self.pending = deque()  # (earliest cycle, address, last)
        self.place(0, b"")

    def place(self, address, image, responses=()):
        """The program from now on; ``responses`` maps byte addresses of beats to AXI errors."""
        self.address, self.image, self.responses = address, image, dict(responses)

    async def serve(self, ctx, port):
        run, beat = port.run, port.beat
        cycle, offered, offered_run = 0, None, None
        while True:
            if offered is None and self.pending and self.pending[0][0] <= cycle \
                    and self.rng.random() >= self.stall:
                offered = self.pending.popleft()
                _, address, last = offered
                low = address - self.address
                ctx.set(beat.payload, {
                    "data": int.from_bytes(self.image[low:low + self.step], "little"),
                    "resp": self.responses.get(address, 0), "last": last})
            ctx.set(beat.valid, offered is not None)
            accept = self.rng.random() >= self.stall
            ctx.set(run.ready, accept)
            _, _, reset, valid, addr, beats, taken = await ctx.tick().sample(
                self.reset, run.valid, run.payload.addr, run.payload.beats, beat.ready)
            cycle += 1
            if reset:
                self.pending.clear()
                offered = offered_run = None
                continue
            if taken:
                offered = None
            if offered_run is not None:
                assert valid and (addr, beats) == offered_run, "a run changed before it was taken"
            offered_run = (addr, beats) if valid and not accept else None
            if valid and accept:
                self._accept(cycle, addr, beats)

    def _accept(self, cycle, addr, beats):
        assert addr % self.step == 0 and beats > 0
        assert self.address <= addr, "run before the program"
        assert addr + beats * self.step <= self.address + len(self.image), "run past the program"
        self.runs.append((addr, beats))
        first = cycle + self.rng.randint(0, self.latency)
        for index in range(beats):
            self.pending.append((first, addr + index * self.step, index == beats - 1))


class FakeUnit:
    """Takes instructions, works on each for a random time, retires them in order.

    In error it does not look busy: that must not pass for having finished.

    Parameters
    ----------
    rng : random.Random
    reset : Signal
    events : list
        Gets (event, unit name, fields) for "take", "release" and "retire", in order of time.
    name : str
    depth : int
        Instructions it works on at once.
    longest : int
        Most cycles an instruction takes.
    """

    def __init__(self, rng, reset, events, name, *, depth=1, longest=30):
        self.rng, self.reset, self.events, self.name = rng, reset, events, name
        self.depth, self.longest = depth, longest
        self.stuck = False      # never retire
        self.error = None       # fields of an ERROR to raise once it has an instruction
        self.active = deque()   # (cycles left, fields)

    async def serve(self, ctx, port, release=None):
        """Behave so at a UnitPort; with ``release`` (RETIRE) that of the DRP, too."""
        early = 0
        while True:
            retiring = None
            if release is not None:
                ctx.set(release, {"valid": early > 0, "post": early or 0xFFFF})
                early = 0
            if self.active and not self.stuck:
                left, fields = self.active[0]
                self.active[0] = left - 1, fields
                if left <= 0:
                    retiring = fields
            ctx.set(port.busy, bool(self.active and not self.error))
            ctx.set(port.retire, {"valid": retiring is not None,
                                  "post": retiring["post"] if retiring else 0xFFFF})
            if self.active and self.error:
                ctx.set(port.error, {"valid": 1, **self.error})
            else:
                ctx.set(port.error, {"valid": 0})
            ready = len(self.active) < self.depth and self.rng.random() < 0.7
            ctx.set(port.instruction.ready, ready)
            _, _, reset, valid, raw = await ctx.tick().sample(
                self.reset, port.instruction.valid, port.instruction.payload)
            if reset:
                self.active.clear()
                self.error = None
                continue
            if retiring is not None:
                self.active.popleft()
                self.events.append(("retire", self.name, retiring))
            if valid and ready:
                opcode, fields = isa.decode(raw.to_bytes(isa.INSTRUCTION_BYTES, "little"))
                fields["opcode"] = opcode
                fields["raw"] = raw
                self.active.append((self.rng.randint(0, self.longest), fields))
                self.events.append(("take", self.name, fields))
                if release is not None:
                    early = fields["release"]
                    self.events.append(("release", self.name, fields))
