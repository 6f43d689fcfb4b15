"""The host's end of the link: requests over a line that may lose, double or spoil bytes."""

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from golden.spec.link import (
    PROTOCOL,
    Deframer,
    Hello,
    Opcode,
    Request,
    Response,
    Status,
    frame,
)
from golden.spec.registers import ID
from sw.errors import BoardError, DeviceError, LinkError

__all__ = ["ByteStream", "HostLink", "Job"]

PATIENCE = 0.25  # seconds for a USB bridge and two operating systems
ATTEMPTS = 4     # in a row without an answer; the patience doubles each time
READ_BYTES = 1 << 16
LINE_BITS = 10   # of a byte on the line
_REFUSALS = {
    Status.SLAVE_ERROR: "the bus answered SLVERR",
    Status.DECODE_ERROR: "the bus answered DECERR, there is nothing at that address",
    Status.TIMEOUT: "the bus does not answer",
    Status.BAD_OPCODE: "the board does not know this request",
    Status.BAD_LENGTH: "the board refuses the length",
    Status.BAD_ADDRESS: "the board refuses the address",
}


class ByteStream(Protocol):
    """A line to the board; what breaks raises `LinkError`."""

    def read(self, limit: int, timeout: float) -> bytes:
        """What has come, at most ``limit`` bytes; waits up to ``timeout`` seconds for the first."""
        ...

    def write(self, data: bytes) -> None:
        """Send all of it."""
        ...


@dataclass(frozen=True)
class Job:
    """A request without its sequence number; ``seconds`` it may take on the board."""

    opcode: Opcode
    address: int
    length: int
    data: bytes = b""
    seconds: float = 0.0


class HostLink:
    """Requests in order, each done once, several under way.

    Go-back-N: a response that is missing, or that says that a request was, makes everything from
    there on go out again; the board knows a repetition by its number. When nothing comes at all,
    the same happens after a time.

    Parameters
    ----------
    stream : ByteStream
    patience : float
        Seconds to wait for a response beyond what the line's rate explains.
    attempts : int
        Tries without any response after which the board counts as lost.
    clock : callable
        Seconds; what ``stream.read`` waits by.

    Members
    -------
    hello : Hello
        The board's description of itself.
    repeated : int
        Requests sent again so far.
    dropped : int
        Responses that came spoiled so far.

    Raises
    ------
    LinkError
        If nothing answers.
    BoardError
        If what answers is not Sentei or has another protocol.
    """

    def __init__(self, stream: ByteStream, *, patience: float = PATIENCE,
                 attempts: int = ATTEMPTS, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._patience, self._attempts = stream, patience, attempts
        self._clock = clock
        self._deframer = Deframer()
        self._sequence = 0      # of the next request
        self._in_step = False   # the board expects it, and nothing is under way
        self.repeated = 0
        self.hello: Hello = self._greet()

    @property
    def dropped(self) -> int:
        """Responses that came spoiled so far."""
        return self._deframer.dropped

    def exchange(self, jobs: Iterable[Job]) -> Iterator[Response]:
        """The responses to all jobs, in order.

        Raises
        ------
        DeviceError
            If the board could not do one; those under way with it have been done.
        LinkError
            If the board does not answer any more.
        """
        if not self._in_step:
            self.hello = self._greet()
        self._in_step = False
        flight: deque[tuple[Request, bytes, float]] = deque()
        waiting = iter(jobs)
        more, sent, went_back, strikes = True, 0, False, 0
        failure: DeviceError | None = None
        deadline = 0.0
        while True:
            while more and len(flight) < self.hello.window:
                job = next(waiting, None)
                if job is None:
                    more = False
                    break
                flight.append(self._number(job))
            if not flight:
                break
            if sent < len(flight):
                self._stream.write(flight[sent][1])
                sent += 1
                # while there is more to send, nobody waits
                deadline = max(deadline, self._clock() + self._allowance(flight, strikes))
            idle = sent == len(flight)
            timeout = max(0.0, deadline - self._clock()) if idle else 0.0
            for response in self._responses(timeout):
                if not flight:
                    break  # late repetitions
                if _answers(response, flight[0][0]):
                    request, _, _ = flight.popleft()
                    sent, went_back, strikes = max(0, sent - 1), False, 0
                    deadline = self._clock() + self._allowance(flight, strikes)
                    if response.status == Status.OK:
                        if failure is None:
                            yield response
                    elif failure is None:
                        failure, more = _refused(request, response), False
                elif not went_back and any(response.sequence == request.sequence
                                           for request, _, _ in flight):
                    self.repeated += sent
                    sent, went_back = 0, True
            if idle and flight and sent and self._clock() >= deadline:
                strikes += 1
                if strikes >= self._attempts:
                    raise LinkError(f"the board has stopped answering, {strikes} tries in a row")
                self.repeated += sent
                sent, went_back = 0, False
                deadline = 0.0
        self._in_step = True
        if failure is not None:
            raise failure

    def _number(self, job: Job) -> tuple[Request, bytes, float]:
        request = Request(job.opcode, self._sequence, job.address, job.length, job.data)
        self._sequence = (self._sequence + 1) % 256
        raw = frame(request.encode())
        bits = LINE_BITS * (len(raw) + (0 if job.opcode & 1 else job.length))
        return request, raw, job.seconds + bits / self.hello.baud

    def _allowance(self, flight: Iterable[tuple[Request, bytes, float]], strikes: int) -> float:
        return (self._patience + sum(seconds for _, _, seconds in flight)) * 2 ** strikes

    def _responses(self, timeout: float) -> Iterator[Response]:
        for body in self._deframer.feed(self._stream.read(READ_BYTES, timeout)):
            response = Response.decode(body)
            if response is not None:
                yield response

    def _greet(self) -> Hello:
        """Where the board stands; all answers to earlier requests have come by then."""
        number = random.SystemRandom().getrandbits(16)
        request = Request(Opcode.HELLO, number >> 8, number & 0xFF, 0)
        before = self._deframer.dropped
        for attempt in range(self._attempts):
            self._stream.write(frame(request.encode()))
            deadline = self._clock() + self._patience * 2 ** attempt
            while (left := deadline - self._clock()) > 0:
                for response in self._responses(left):
                    if _answers(response, request):
                        self._sequence, self._in_step = response.expected, True
                        return _checked(response.data)
        if self._deframer.dropped > before:
            raise BoardError("what answers is no Sentei board, or the rate of the line is wrong: "
                             "bytes come, but no whole frame")
        raise LinkError("nothing answers; is the board powered, is its bitstream loaded?")


def _answers(response: Response, request: Request) -> bool:
    reads = request.opcode in (Opcode.READ_REGISTERS, Opcode.READ_MEMORY)
    return (response.sequence == request.sequence and response.opcode == request.opcode
            and response.echo == request.address & 0xFF and response.status != Status.SEQUENCE
            and (not reads or response.status != Status.OK
                 or len(response.data) == request.length))


def _checked(data: bytes) -> Hello:
    hello = Hello.decode(data)
    if hello.magic != ID:
        raise BoardError(f"what answers calls itself {hello.magic:#010x}, not {ID:#010x}: no "
                         "Sentei board")
    if hello.protocol != PROTOCOL:
        raise BoardError(f"the board's bitstream has link protocol {hello.protocol}, this version "
                         f"{PROTOCOL}; build and flash a bitstream of this version")
    return hello


def _refused(request: Request, response: Response) -> DeviceError:
    name = Opcode(request.opcode).name.replace("_", " ").lower()
    reason = _REFUSALS.get(Status(response.status)) if response.status in tuple(Status) else None
    return DeviceError(f"{name}, {request.length} bytes at {request.address:#x}: "
                       f"{reason or f'the board answered status {response.status}'}")
