"""A bitstream's file: frames of configuration bits, and contents of block RAM.

Commands, compression and checksum are as Lattice (FPGA-TN-02039, "ECP5 sysCONFIG") and Project
Trellis describe them.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sw.errors import ToolError

__all__ = ["BitFile", "read_bitfile"]

_PREAMBLE = b"\xff\xff\xbd\xb3"
_IGNORED = 0xFF
# Commands, with bytes of operand behind the three that all have.
_LENGTHS = {0x3B: 0, 0xE2: 4, 0x22: 4, 0x46: 0, 0x02: 8, 0xC2: 4, 0xF6: 4, 0x5E: 0, 0xCE: 0,
            0x79: 0}
_RESET_CHECK, _IDENTITY, _DICTIONARY, _FRAMES, _PACKED_FRAMES = 0x3B, 0xE2, 0x02, 0x82, 0xB8
_MEMORY_ADDRESS, _MEMORY = 0xF6, 0xB2
_CHECKED, _ONCE, _FILL = 0x80, 0x40, 0x0F  # of a command's first byte
_WORDS, _WORD_BITS, _LINE, _LINE_WORDS = 2048, 9, 9, 8  # of a block RAM; bytes, words in a line
_ALIGNED = 8  # bytes that a packed frame is a multiple of


def _table() -> list[int]:
    found = []
    for value in range(256):
        value <<= 8
        for _ in range(8):
            value = value << 1 ^ (0x8005 if value & 0x8000 else 0)
        found.append(value & 0xFFFF)
    return found


_CHECK = _table()


@dataclass
class BitFile:
    """What a bitstream programs.

    Parameters
    ----------
    identity : int
        IDCODE of the device.
    frames : numpy.ndarray
        Bytes of each frame as they come: the last frame first, its highest bit first.
    memories : dict
        Contents by number (a block RAM's WID): 2048 words of 9 bits.
    """

    identity: int = 0
    frames: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    memories: dict[int, np.ndarray] = field(default_factory=dict)


def read_bitfile(path: Path, bytes_by_identity: dict[int, int]) -> BitFile:
    """Read one.

    Parameters
    ----------
    path : Path
    bytes_by_identity : dict
        Bytes of a frame, by IDCODE.

    Raises
    ------
    ToolError
        If it can't be read, is none, or a checksum is wrong.
    """
    try:
        data = path.read_bytes()
        start = data.index(_PREAMBLE) + len(_PREAMBLE)
        return _Reader(data, start, bytes_by_identity).run()
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ToolError(f"{path}: can't be read as a bitstream: {error}") from None


class _Reader:
    def __init__(self, data: bytes, start: int, sizes: dict[int, int]) -> None:
        self._data, self._at, self._sizes = data, start, sizes
        self._check = 0
        self._patterns = b""
        self._found = BitFile()

    def run(self) -> BitFile:
        memory = 0
        while self._at < len(self._data):
            command = self._data[self._at]
            self._at += 1
            if command == _IGNORED:
                continue
            self._count(bytes([command]))
            operand = self._take(3)
            if command in (_FRAMES, _PACKED_FRAMES):
                self._frames(operand, packed=command == _PACKED_FRAMES)
            elif command == _MEMORY:
                self._memory(memory, int.from_bytes(operand[1:], "big"))
            elif command in _LENGTHS:
                more = self._take(_LENGTHS[command])
                if command == _RESET_CHECK:
                    self._check = 0
                elif command == _IDENTITY:
                    self._found.identity = int.from_bytes(more, "big")
                elif command == _DICTIONARY:
                    self._patterns = more[::-1]
                elif command == _MEMORY_ADDRESS:
                    memory = int.from_bytes(more, "big") >> 11
                if operand[0] & _CHECKED:
                    self._compare()
            else:
                raise ValueError(f"command 0x{command:02x} at byte {self._at - 4} isn't known")
        if not len(self._found.frames):
            raise ValueError("no frames")
        return self._found

    def _take(self, count: int) -> bytes:
        found = self._data[self._at:self._at + count]
        if len(found) < count:
            raise ValueError("ends in the middle of a command")
        self._at += count
        self._count(found)
        return found

    def _count(self, data: bytes) -> None:
        check, table = self._check, _CHECK
        for value in data:
            check = (check << 8 & 0xFF00) ^ table[check >> 8 ^ value]
        self._check = check

    def _compare(self) -> None:
        wanted, at = self._check, self._at
        if int.from_bytes(self._take(2), "big") != wanted:
            raise ValueError(f"checksum at byte {at} is wrong")
        self._check = 0

    def _frames(self, operand: bytes, packed: bool) -> None:
        identity = self._found.identity
        if identity not in self._sizes:
            raise ValueError(f"it is for device 0x{identity:08x}, accepted is " + ", ".join(
                f"0x{known:08x}" for known in self._sizes))
        count, size = int.from_bytes(operand[1:], "big"), self._sizes[identity]
        full = -(-size // _ALIGNED) * _ALIGNED if packed else size
        every = bool(operand[0] & _CHECKED) and not operand[0] & _ONCE
        lines = []
        for number in range(count):
            line = self._unpack(full) if packed else self._take(full)
            lines.append(line[full - size:])
            if every or (operand[0] & _CHECKED and number == count - 1):
                self._compare()
            self._take(operand[0] & _FILL)
        self._found.frames = np.frombuffer(b"".join(lines), np.uint8).reshape(count, size)

    def _unpack(self, count: int) -> bytes:
        """One frame: 0, or 11 and a byte, or 100 and a bit's number, or 101 and a pattern's."""
        data, patterns, start = self._data, self._patterns, self._at
        at, buffer, bits = start, 0, 0
        found = bytearray(count)
        for place in range(count):
            if bits < 10:
                buffer = (buffer & (1 << bits) - 1) << 16 | data[at] << 8 | data[at + 1]
                at, bits = at + 2, bits + 16
            if not buffer >> bits - 1 & 1:
                bits -= 1
            elif buffer >> bits - 2 & 1:
                found[place] = buffer >> bits - 10 & 0xFF
                bits -= 10
            else:
                number = buffer >> bits - 6 & 7
                found[place] = patterns[number] if buffer >> bits - 3 & 1 else 1 << number
                bits -= 6
        self._take(at - bits // 8 - start)
        return bytes(found)

    def _memory(self, number: int, count: int) -> None:
        bits = np.unpackbits(np.frombuffer(self._take(count * _LINE), np.uint8))
        words = np.zeros(_WORDS, np.uint16)
        words[:count * _LINE_WORDS] = bits.reshape(-1, _WORD_BITS) @ (
            1 << np.arange(_WORD_BITS)[::-1])
        self._found.memories[number] = words
        self._compare()
