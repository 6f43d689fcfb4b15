"""The program file's container: a checked header and directory, then checked segments.

Little-endian. The header (magic, version, number of segments, digest, file size, CRC-32 of header
and directory), a directory entry for each segment (name, kind, CRC-32, size), then the segments'
bytes without gaps. Every byte lies under a check, so a changed one is refused.
"""

import enum
import struct
import zlib

__all__ = ["MAGIC", "VERSION", "ProgramError", "SegmentKind", "pack", "unpack"]

# As PNG's: shows a file damaged by text-mode transfer.
MAGIC = b"SNTI\r\n\x1a\n"
VERSION = 2  # 2: segment host

_HEADER = struct.Struct("<8sHHIQI")
_ENTRY = struct.Struct("<16sIIQ")
_CHECKSUM = struct.Struct("<I")


class ProgramError(ValueError):
    """A program that can't be written, read or run; the text names what and where."""


class SegmentKind(enum.IntEnum):
    """How a segment's bytes are to be read."""

    RAW = 1
    JSON = 2


def pack(digest: int, segments: dict[str, tuple[SegmentKind, bytes]]) -> bytes:
    """A file of these segments (name to kind and content), in order."""
    directory = b"".join(_ENTRY.pack(name.encode(), kind, zlib.crc32(data), len(data))
                         for name, (kind, data) in segments.items())
    size = _HEADER.size + len(directory) + sum(len(data) for _, data in segments.values())
    header = _HEADER.pack(MAGIC, VERSION, len(segments), digest, size, 0)
    checksum = zlib.crc32(header + directory)
    return b"".join((header[:-_CHECKSUM.size], _CHECKSUM.pack(checksum), directory,
                     *(data for _, data in segments.values())))


def unpack(raw: bytes, kinds: dict[str, SegmentKind]) -> tuple[int, dict[str, bytes]]:
    """Digest and segments by name of a file that has exactly the segments ``kinds`` names.

    Raises
    ------
    ProgramError
        For a file that is damaged or not of this version.
    """
    if raw[:len(MAGIC)] != MAGIC:
        raise ProgramError(f"program file: begins with {raw[:len(MAGIC)]!r}, not {MAGIC!r}")
    if len(raw) < _HEADER.size:
        raise ProgramError(f"program file: truncated in the header ({len(raw)} bytes)")
    _, version, count, digest, size, checksum = _HEADER.unpack_from(raw)
    if version != VERSION:
        raise ProgramError(f"program file: version {version}, accepted is {VERSION}")
    start = _HEADER.size + count * _ENTRY.size
    if len(raw) < start:
        raise ProgramError(f"program file: truncated in the directory ({len(raw)} bytes)")
    header = raw[:_HEADER.size - _CHECKSUM.size] + bytes(_CHECKSUM.size)
    if zlib.crc32(header + raw[_HEADER.size:start]) != checksum:
        raise ProgramError("program file: the header's checksum is wrong")
    if len(raw) != size:
        raise ProgramError(f"program file: {len(raw)} bytes long, its header says {size}")
    segments: dict[str, bytes] = {}
    for index in range(count):
        field, kind, checksum, length = _ENTRY.unpack_from(raw, _HEADER.size + index * _ENTRY.size)
        name = field.rstrip(b"\0").decode("latin1")
        if kinds.get(name) != kind or name in segments:
            raise ProgramError(f"program file: unexpected segment {name!r} of kind {kind}")
        if length > size - start:
            raise ProgramError(f"program file: segment {name!r} is longer than the file")
        segments[name] = raw[start:start + length]
        start += length
        if zlib.crc32(segments[name]) != checksum:
            raise ProgramError(f"program file: the checksum of segment {name!r} is wrong")
    if start != size or set(segments) != set(kinds):
        raise ProgramError(f"program file: segments {sorted(segments)} fill {start} of {size} "
                           f"bytes, expected are {sorted(kinds)}")
    return digest, segments
