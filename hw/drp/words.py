"""Ports of a tile to the scratchpad, and elements in words."""

from amaranth.hdl import Cat, Mux, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spec.drp.streams import ELEMENT_BYTES, Format
from hw.drp.generator import ADDRESS_BITS

__all__ = ["TileRead", "misplaced", "narrowed", "sizes", "widened", "word_write_layout"]


class TileRead(wiring.Signature):
    """One reader of the scratchpad; as hw.interfaces.WordRead, for a fabric's words.

    ``addr`` is a stream of word addresses, ``data`` the word LATENCY cycles after the transfer.
    """

    LATENCY = 3

    def __init__(self, word_bytes):
        self.bits = 8 * word_bytes
        super().__init__({
            "addr": Out(stream.Signature(unsigned(ADDRESS_BITS - (word_bytes - 1).bit_length()))),
            "data": In(self.bits)})

    def __eq__(self, other):
        return isinstance(other, TileRead) and self.bits == other.bits

    def __repr__(self):
        return f"TileRead({self.bits} bits)"


def word_write_layout(word_bytes):
    """Payload of a stream of writes: word address, bytes that count, word."""
    return data.StructLayout({"addr": ADDRESS_BITS - (word_bytes - 1).bit_length(),
                              "strobe": word_bytes, "data": 8 * word_bytes})


def sizes(kind):
    """Whether elements of a format have 2, and 4 bytes."""
    return tuple(kind.matches(*(item for item in Format if ELEMENT_BYTES[item] == size))
                 for size in (2, 4))


def misplaced(value, kind, size):
    """Whether an address isn't aligned for a format, or is past a memory of so many bytes."""
    half_size, word_size = sizes(kind)
    past = value[size.bit_length() - 1:].any() if not size & (size - 1) else value >= size
    return (value[0] & (half_size | word_size)) | (value[1] & word_size) | past


def widened(word, offset, kind):
    """32 bits of the element at a byte offset of a word."""
    half_size, word_size = sizes(kind)
    four = word.word_select(offset[2:], 32) if len(word) > 32 else word
    two = Mux(offset[1], four[16:], four[:16])
    low = Mux(offset[0] & ~half_size, two[8:], two[:8])
    high = two[8:]
    sign = kind.matches(Format.I8, Format.I16, Format.I8X2)
    pair = kind.matches(Format.I8X2, Format.U8X2)
    low_sign = (sign & low[7]).replicate(8)
    high_sign = (sign & Mux(half_size, high[7], low[7])).replicate(16)
    first = Cat(low, Mux(half_size & ~pair, high, low_sign))
    second = Mux(pair, Cat(high, (sign & high[7]).replicate(8)), high_sign)
    return Mux(word_size, four, Cat(first, second))


def narrowed(value, kind, saturate):
    """Bytes of an element, and again in the bytes above, to fill 32 bits."""
    half_size, word_size = sizes(kind)
    pair = kind.matches(Format.I8X2, Format.U8X2)
    signed_ = kind.matches(Format.I8, Format.I16, Format.I8X2)

    def limited(part, bits):
        """The nearest value of so many bits."""
        far = Mux(signed_, part[bits - 1:] != part[-1].replicate(len(part) - bits + 1),
                  part[bits:].any())
        most = Cat((~part[-1]).replicate(bits - 1), part[-1] ^ ~signed_)
        return Mux(saturate & far, most, part[:bits])

    two = Mux(pair, Cat(limited(value[:16], 8), limited(value[16:], 8)), limited(value, 16))
    one = limited(value, 8)
    lower = Mux(word_size, value[:16], Mux(half_size, two, Cat(one, one)))
    return Cat(lower, Mux(word_size, value[16:], lower))
