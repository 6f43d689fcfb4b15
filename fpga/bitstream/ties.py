"""Constants at wires beside block RAM, multipliers and pads: bits of the tile that feeds them."""

import re

from fpga.bitstream.wires import Wires
from fpga.decode import Decoded

__all__ = ["Ties"]

_WIRE = re.compile(r"X(\d+)/Y(\d+)/(J(?:[A-D]|CE|CLK|LSR)\d)")
# What a bit ties clocks, resets and enables to is 1, though the first two are said to be 0: in a
# slice, where both values can be had, 0 is that bit and an inverter (WREMUX).
_ALWAYS_ONE = ("JCE", "JCLK", "JLSR")


class Ties:
    """Wires that are tied.

    Parameters
    ----------
    decoded : Decoded
    wires : Wires
    """

    def __init__(self, decoded: Decoded, wires: Wires) -> None:
        self._decoded, self._wires = decoded, wires

    def value(self, wire: int) -> str | None:
        """"0" or "1" for a wire that is tied, None for another one."""
        match = _WIRE.fullmatch(self._wires.name(wire))
        if not match:
            return None
        setting = f"CIB.{match[3]}MUX"
        for kind, number in self._decoded.at[int(match[1]), int(match[2])]:
            group = self._decoded.groups[kind]
            if setting in group.kind.enums:
                found = group.value(number, setting)
                if found in ("0", "1"):
                    return "1" if match[3].startswith(_ALWAYS_ONE) else found
        return None
