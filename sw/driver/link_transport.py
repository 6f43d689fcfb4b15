"""A transport over the host link, whatever line that goes over."""

import time
from collections.abc import Callable, Iterable, Iterator

from golden.spec.config import Config
from golden.spec.link import Flags, Opcode, Response
from sw.driver.identity import known, settings
from sw.driver.link import ATTEMPTS, PATIENCE, ByteStream, HostLink, Job
from sw.driver.transport import Transport
from sw.errors import BoardError, DeviceError, LinkError

__all__ = ["LinkTransport"]

# Between two of these Python sees Ctrl-C.
WAIT_SECONDS = 0.5
LONG_BYTES = 1 << 16        # a transfer of which progress is told
PROGRESS_SECONDS = 0.2


class LinkTransport(Transport):
    """Registers and memory of a board.

    Parameters
    ----------
    stream : ByteStream
        Closed by `close` and when the link is lost, if it has a ``close``.
    config : Config, optional
        The chip that must be on the board.
    progress : callable, optional
        Told in words how far a long transfer is, and its rate.
    patience, attempts, clock
        As of `HostLink`.

    Members
    -------
    link : HostLink
    memory_bytes : int

    Raises
    ------
    LinkError, BoardError
        As `HostLink`; BoardError also if another configuration is on the board.
    """

    def __init__(self, stream: ByteStream, *, config: Config | None = None,
                 progress: Callable[[str], None] | None = None, patience: float = PATIENCE,
                 attempts: int = ATTEMPTS,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._progress, self._clock = stream, progress, clock
        self._open = True
        try:
            self.link = HostLink(stream, patience=patience, attempts=attempts, clock=clock)
            hello = self.link.hello
            if config is not None and hello.digest != config.digest():
                raise BoardError(
                    f"the board's digest is {hello.digest:#010x} ({known(hello.digest)}), that of "
                    f"configuration {config.name} is {config.digest():#010x} "
                    f"({settings(config)}); flash the bitstream of that configuration")
        except BaseException:
            self.close()
            raise
        self.memory_bytes = hello.memory_bytes

    def read32(self, offset: int) -> int:
        """Read a register."""
        response, = self._guarded([Job(Opcode.READ_REGISTERS, offset, 4)])
        return int.from_bytes(response.data, "little")

    def write32(self, offset: int, value: int) -> None:
        """Write a register."""
        _, = self._guarded([Job(Opcode.WRITE_REGISTERS, offset, 4, value.to_bytes(4, "little"))])

    def read(self, address: int, size: int) -> bytes:
        """Read DRAM."""
        def job(place: int, length: int) -> Job:
            return Job(Opcode.READ_MEMORY, place, length)

        return b"".join(self._transfer("reading", address, size, job))

    def write(self, address: int, data: bytes) -> None:
        """Write DRAM."""
        data = bytes(data)

        def job(place: int, length: int) -> Job:
            start = place - address
            return Job(Opcode.WRITE_MEMORY, place, length, data[start:start + length])

        self._transfer("writing", address, len(data), job)

    def wait(self, timeout_cycles: int) -> bool:
        """Let the chip run until its interrupt or for this many of its cycles."""
        hz = self.link.hello.clock_hz
        while True:
            part = min(timeout_cycles, max(1, int(hz * WAIT_SECONDS)))
            response, = self._guarded([Job(Opcode.WAIT, part, 0, seconds=part / hz)])
            if response.flags & Flags.IRQ:
                return True
            if response.flags & Flags.EXPIRED:  # else a repetition cut it short
                timeout_cycles -= part
                if timeout_cycles <= 0:
                    return False

    def close(self) -> None:
        """Release the line."""
        self._open = False
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()

    def _guarded(self, jobs: Iterable[Job]) -> Iterator[Response]:
        """The responses to jobs; a lost link is given up for good."""
        if not self._open:
            raise LinkError("the link to the board has been closed")
        try:
            yield from self.link.exchange(jobs)
        except (BoardError, LinkError):
            self.close()
            raise

    def _transfer(self, verb: str, address: int, size: int,
                  job: Callable[[int, int], Job]) -> list[bytes]:
        """What was read by the jobs for (address, length) of each part, telling of progress."""
        if not 0 <= address <= address + size <= self.memory_bytes:
            raise DeviceError(f"{size} bytes at {address:#x} lie outside the DRAM of "
                              f"{self.memory_bytes} bytes")
        most = self.link.hello.payload_bytes
        parts = [(address + done, min(most, size - done)) for done in range(0, size, most)]
        out: list[bytes] = []
        start = told = self._clock()
        done = 0
        try:
            for response in self._guarded(job(*part) for part in parts):
                done += parts[len(out)][1]
                out.append(response.data)
                now = self._clock()
                if self._progress and size >= LONG_BYTES and (
                        now - told >= PROGRESS_SECONDS or done == size):
                    told = now
                    self._progress(f"{verb} {done >> 10} of {size >> 10} KiB, "
                                   f"{done / max(now - start, 1e-9) / 1000:.0f} kB/s")
        except LinkError as error:
            raise LinkError(f"{error} ({verb}, after {done} of {size} bytes)") from None
        return out
