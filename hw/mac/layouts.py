"""Records that the parts of the MAC unit hand to each other."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from golden.spec.isa import MAC
from golden.spec.layout import BLOCK_HEADER

__all__ = ["TOKEN_FLAGS", "fetched_layout", "slots", "token_layout", "window_tile_layout"]

_BITS = {field.name: field.bits for field in MAC.fields}


def slots(config):
    """Entries whose words can wait in front of each column.

    A column reads its word ``columns - 1`` cycles after the first one does; more where that skew
    would leave too few places to fetch ahead.
    """
    return 16 if config.columns <= 8 else 32


def window_tile_layout(config):
    """Q windows and what is the same for all of them.

    ``columns``: for each column the word address of its window's position; the first and the
    last distances in rows and columns from there that lie inside the input; and ``present``,
    which is 0 where no byte can be read: no output pixel, or no such distances. ``count`` is the
    number of output pixels.
    """
    column = data.StructLayout({
        "base": unsigned(config.address_bits),
        **{name: BLOCK_HEADER.field(name[:2]).bits
           for name in ("dy_first", "dy_last", "dx_first", "dx_last")}, "present": 1})
    return data.StructLayout({
        "columns": data.ArrayLayout(column, config.columns),
        "pad_value": unsigned(_BITS["pad_value"]), "max": 1, "count": range(config.columns + 1)})


def fetched_layout(config):
    """An entry whose words are all there: N rows, last of its tile, mode and pixels of its tile."""
    return data.StructLayout({
        "n": range(config.group + 1), "last": 1, "max": 1, "count": range(config.columns + 1)})


# What a column does in one cycle. ``pop``: take the word that was read first. ``add``: use the row.
# ``last``: hand the accumulators over (after adding) and clear them. ``max``: ArrayMode.MAX, in
# which a tile's last token adds nothing.
# All 0 is a bubble; without ``add`` the row's values are 0.
TOKEN_FLAGS = data.StructLayout({"pop": 1, "add": 1, "last": 1, "max": 1})


def token_layout(config):
    """What is handed from column to column, one cycle each.

    ``next`` belongs to the token of the cycle to come, whose word is then there to be taken:
    whether that one has ``pop``, and which slot.
    """
    return data.StructLayout({
        "flags": TOKEN_FLAGS,
        "next": data.StructLayout({"pop": 1, "slot": range(slots(config))}),
        "value": data.ArrayLayout(signed(8), config.lanes),
        "index": data.ArrayLayout(unsigned(config.index_bits), config.lanes)})
