"""The host link: frames on a serial line, requests, responses and the rules of their sequence.

A frame is FLAG, the stuffed body and its CRC, FLAG; in body and CRC the values FLAG and ESCAPE
are sent as ESCAPE and the value XOR ESCAPE_XOR. Empty frames mean nothing, so a FLAG at any time
brings both ends back together. The CRC is CRC-32 (IEEE 802.3, `zlib.crc32`), least byte first.
A frame with a wrong CRC, a wrong length or a bad byte in it is dropped without an answer.

The body of a request is a header, which tells its length, and, of an odd opcode, ``length`` bytes
of data. The body of a response is data, of the length that was asked for or none, and a trailer:
what became of a read is known after it. All numbers are little endian.

Sequence: the board acts on a request whose sequence number is the one it expects, and expects
the next one, whatever the status. One of the WINDOW numbers before is a repetition: a read reads
again, anything else is not done again and answered with the status it had. Any other number is
refused with SEQUENCE. Every response tells the number expected next, so a host goes back to
what was lost. HELLO is outside the sequence: it does nothing, its answer tells where the board
stands. So a late or doubled HELLO can't make the board do anything twice, which one that sets
the number could.
"""

import enum
import struct
import zlib
from collections.abc import Iterator
from dataclasses import astuple, dataclass

from golden.spec.registers import ID

__all__ = [
    "CRC_BYTES", "CRC_POLYNOMIAL", "CRC_RESIDUE", "ESCAPE", "ESCAPE_XOR", "FLAG", "HEADER_BYTES",
    "HELLO_BYTES", "PAYLOAD_BYTES", "PROTOCOL", "TRAILER_BYTES", "WINDOW", "Deframer", "Flags",
    "Hello", "Opcode", "Request", "Response", "Status", "frame",
]

PROTOCOL = 1
FLAG = 0x7E
ESCAPE = 0x7D
ESCAPE_XOR = 0x20
PAYLOAD_BYTES = 1024
WINDOW = 16  # requests in flight at most

CRC_BYTES = 4
CRC_POLYNOMIAL = 0xEDB88320  # reflected
CRC_RESIDUE = 0xDEBB20E3  # register, not inverted, after a body and its CRC

_REQUEST = struct.Struct("<BBHI")
_RESPONSE = struct.Struct("<6B")
_HELLO = struct.Struct("<9I")
_ANSWER = 0x80  # in the opcode of a response
HEADER_BYTES, TRAILER_BYTES = _REQUEST.size, _RESPONSE.size
HELLO_BYTES = _HELLO.size


class Opcode(enum.IntEnum):
    """What a request asks for; odd ones carry data.

    Bit 2 is an access, of it bit 1 tells memory from registers and bit 0 writes from reads.
    """

    HELLO = 0
    WAIT = 2
    READ_REGISTERS = 4
    WRITE_REGISTERS = 5
    READ_MEMORY = 6
    WRITE_MEMORY = 7


class Status(enum.IntEnum):
    """What became of a request; 2 and 3 are AXI's response codes."""

    OK = 0
    SLAVE_ERROR = 2
    DECODE_ERROR = 3
    TIMEOUT = 4
    BAD_OPCODE = 5
    BAD_LENGTH = 6
    BAD_ADDRESS = 7
    SEQUENCE = 8


class Flags(enum.IntFlag):
    """Bits of a response: the interrupt line, and that a WAIT came to its limit."""

    IRQ = 1
    EXPIRED = 2


@dataclass(frozen=True)
class Request:
    """One request.

    Parameters
    ----------
    opcode : int
    sequence : int
        0 to 255.
    address : int
        Byte address: of a register, a multiple of 4 below 4096; of memory, any. WAIT: cycles
        after which it ends without an interrupt. HELLO: any number.
    length : int
        Bytes to read or write, 1 to PAYLOAD_BYTES, of registers a multiple of 4; else 0.
    data : bytes
        ``length`` bytes if the opcode is odd, else none.
    """

    opcode: int
    sequence: int
    address: int
    length: int
    data: bytes = b""

    def encode(self) -> bytes:
        """The body."""
        return _REQUEST.pack(self.opcode, self.sequence, self.length, self.address) + self.data

    @classmethod
    def decode(cls, body: bytes) -> "Request | None":
        """A request from a body; None if its length is not what its header says."""
        if len(body) < HEADER_BYTES:
            return None
        opcode, sequence, length, address = _REQUEST.unpack_from(body)
        if len(body) != HEADER_BYTES + (length if opcode & 1 else 0):
            return None
        return cls(opcode, sequence, address, length, body[HEADER_BYTES:])


@dataclass(frozen=True)
class Response:
    """One response.

    Parameters
    ----------
    opcode, sequence : int
        Of the request.
    status : int
    expected : int
        Sequence number of the next request the board will act on.
    flags : int
    echo : int
        Low byte of the request's address.
    data : bytes
        What was read, complete; none unless the status is OK.
    """

    opcode: int
    sequence: int
    status: int
    expected: int
    flags: int
    echo: int
    data: bytes = b""

    def encode(self) -> bytes:
        """The body."""
        return self.data + _RESPONSE.pack(self.opcode | _ANSWER, self.sequence, self.status,
                                          self.expected, self.flags, self.echo)

    @classmethod
    def decode(cls, body: bytes) -> "Response | None":
        """A response from a body; None if it can't be one."""
        if len(body) < TRAILER_BYTES:
            return None
        data, trailer = body[:-TRAILER_BYTES], body[-TRAILER_BYTES:]
        opcode, sequence, status, expected, flags, echo = _RESPONSE.unpack(trailer)
        if not opcode & _ANSWER:
            return None
        return cls(opcode & ~_ANSWER, sequence, status, expected, flags, echo, data)


@dataclass(frozen=True, kw_only=True)
class Hello:
    """Data of the response to HELLO: 32-bit words, of which the first two are for ever.

    Parameters
    ----------
    magic : int
        `registers.ID`.
    protocol : int
    digest : int
        `Config.digest` of the chip.
    clock_hz, baud : int
        The chip's clock and the nominal rate of the line.
    memory_bytes : int
        DRAM, from address 0.
    beat_bytes : int
        Bytes of a beat of the memory's bus.
    payload_bytes, window : int
        Longest data, requests in flight at most.
    """

    magic: int = ID
    protocol: int = PROTOCOL
    digest: int
    clock_hz: int
    baud: int
    memory_bytes: int
    beat_bytes: int
    payload_bytes: int = PAYLOAD_BYTES
    window: int = WINDOW

    def encode(self) -> bytes:
        """HELLO_BYTES bytes."""
        return _HELLO.pack(*astuple(self))

    @classmethod
    def decode(cls, data: bytes) -> "Hello":
        """From the response's data; what an older protocol lacks reads 0."""
        values = _HELLO.unpack(data[:HELLO_BYTES].ljust(HELLO_BYTES, b"\0"))
        return cls(**dict(zip(cls.__dataclass_fields__, values, strict=True)))


def frame(body: bytes) -> bytes:
    """A body as it goes over the line."""
    raw = body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")
    for value in (ESCAPE, FLAG):  # in this order: stuffing brings ESCAPEs
        raw = raw.replace(bytes([value]), bytes([ESCAPE, value ^ ESCAPE_XOR]))
    return bytes([FLAG]) + raw + bytes([FLAG])


class Deframer:
    """Takes bytes as they come, gives the bodies of the good frames.

    Members
    -------
    dropped : int
        Frames, or noise between two FLAGs, not given.
    """

    LONGEST = 2 * (HEADER_BYTES + PAYLOAD_BYTES + CRC_BYTES)  # every byte escaped

    def __init__(self) -> None:
        self._rest = b""  # since the last FLAG
        self._too_long = False
        self.dropped = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The bodies that end in ``data``."""
        *ended, rest = data.split(bytes([FLAG]))
        for part in ended:
            raw, too_long = self._rest + part, self._too_long
            self._rest, self._too_long = b"", False
            if not raw and not too_long:
                continue
            body = None if too_long else _unstuff(raw)
            if body is None:
                self.dropped += 1
            else:
                yield body
        self._rest += rest
        if len(self._rest) > self.LONGEST:  # kept small whatever comes
            self._rest, self._too_long = b"", True


def _unstuff(raw: bytes) -> bytes | None:
    for value in (FLAG, ESCAPE):
        raw = raw.replace(bytes([ESCAPE, value ^ ESCAPE_XOR]), bytes([value]))
    body, crc = raw[:-CRC_BYTES], raw[-CRC_BYTES:]
    return body if crc == zlib.crc32(body).to_bytes(CRC_BYTES, "little") else None
