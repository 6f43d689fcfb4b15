"""A `ByteStream` to a Verilated design, in simulated time."""

import ctypes
import math

__all__ = ["UartLine"]

STEP_CYCLES = 2000


class UartLine:
    """It is its own clock: ``read`` lets time pass, and ``line()`` is the time in seconds.

    Parameters
    ----------
    library : CDLL
        As `tb.lib.verilated.library` makes it.
    handle : int
        Of the simulation, which now belongs to this.
    hz : int
        Its clock.
    latency : float
        Seconds each way between program and line, as a USB bridge has.
    """

    def __init__(self, library, handle, *, hz, latency):
        self.library, self.handle = library, handle
        self.hz, self.latency = hz, round(latency * hz)

    @property
    def cycle(self):
        return self.library.line_now(self.handle)

    def __call__(self):
        return self.cycle / self.hz

    def write(self, data):
        self.library.line_send(self.handle, self.cycle + self.latency, data, len(data))

    def read(self, limit, timeout):
        end = self.cycle + math.ceil(timeout * self.hz)
        while True:
            now = self.cycle
            data = self.take(limit)
            if data or now >= end:
                return data
            self.run(min(STEP_CYCLES, end - now))

    def take(self, limit):
        """What has come, without waiting."""
        buffer = ctypes.create_string_buffer(limit)
        until = max(0, self.cycle - self.latency)
        size = self.library.line_take(self.handle, until, buffer, limit)
        return buffer.raw[:size]

    def run(self, cycles):
        """Let time pass."""
        self.library.line_run(self.handle, cycles)

    def noise(self, per_million):
        """Chance of a bit to arrive wrong, both ways."""
        self.library.line_noise(self.handle, per_million)

    @property
    def idle(self):
        """Cycles since anything moved."""
        return self.library.line_idle(self.handle)

    @property
    def bad_stops(self):
        """Stop bits of the design's that were none."""
        return self.library.line_bad_stops(self.handle)

    def close(self):
        if self.handle:
            self.library.line_destroy(self.handle)
            self.handle = None
