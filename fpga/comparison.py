"""A netlist beside the decoded bitstream that is to be it: nets at wires, and what differs."""

import re
from collections.abc import Mapping
from typing import Any

from fpga.decode import Decoded
from fpga.slices import Slices
from fpga.tables import Signal
from fpga.trellis import Trellis
from fpga.wires import Wires

__all__ = ["Comparison"]

_PLACE = re.compile(r"X(\d+)/Y(\d+)/(.+)")


class Comparison:
    """What was compared, and what came of it.

    Parameters
    ----------
    module : dict
        The netlist, as Yosys writes it.
    places : mapping
        By cell of the packed netlist: its place, as nextpnr calls it. Only a hint: what it says is
        either true of the bitstream, or a difference is found.
    decoded : Decoded
    device : Trellis

    Members
    -------
    wires : Wires
    slices : Slices
    differences : list of str
    cells, pins : int
        That agree.
    """

    def __init__(self, module: dict[str, Any], places: Mapping[str, str], decoded: Decoded,
                 device: Trellis) -> None:
        self.cells_by_name: dict[str, Any] = module["cells"]
        self.decoded, self.device = decoded, device
        self.wires = Wires(decoded, device)
        self.slices = Slices(decoded, self.wires)
        self.differences: list[str] = []
        self.cells = self.pins = 0
        self._places = places
        self._taken: dict[tuple[int, int, str], str] = {}
        self._driving: dict[int, str] = {}
        self._numbers = {kind: {tile.name: number for number, tile in enumerate(group.tiles)}
                         for kind, group in decoded.groups.items()}
        self.drivers: dict[int, tuple[str, str]] = {
            bit: (name, pin) for name, cell in self.cells_by_name.items()
            for pin, bits in cell["connections"].items()
            if cell["port_directions"].get(pin) == "output" for bit in bits
            if isinstance(bit, int)}

    def differ(self, name: str, text: str) -> None:
        """Have a difference noted, of a cell."""
        self.differences.append(f"{name}: {text}")

    def place(self, name: str) -> tuple[int, int, str] | None:
        """Column, row and rest of the place of a packed cell, if it has one."""
        match = _PLACE.fullmatch(self._places.get(name, ""))
        return (int(match[1]), int(match[2]), match[3]) if match else None

    def take(self, name: str, x: int, y: int, what: str) -> bool:
        """Count a place as a cell's; a difference if another one has it."""
        other = self._taken.setdefault((x, y, what), name)
        if other != name:
            self.differ(name, f"has its place X{x}/Y{y}/{what} in common with {other}")
        return other == name

    def drive(self, name: str, bit: Signal | None, wire: int) -> None:
        """Have a cell's output known: a net, and the wire that it is."""
        if not isinstance(bit, int) or wire < 0:  # nothing is joined to it
            return
        if self.wires.roots[wire] != wire:
            self.differ(name, f"drives {self.wires.name(wire)}, which isn't its own")
        other = self._driving.setdefault(wire, name)
        if other != name:
            self.differ(name, f"drives {self.wires.name(wire)}, as {other} does")
        self.slices.drive(wire, bit)

    def bit(self, name: str, pin: str, number: int = 0) -> Signal | None:
        """Net, or constant, at a pin of the netlist; None where it doesn't matter."""
        bits = self.cells_by_name[name]["connections"].get(pin, ())
        found: Signal = bits[number] if number < len(bits) else "x"
        return None if found in ("x", "z") else found

    def parameter(self, name: str, parameter: str, default: str) -> str:
        """A parameter, as Yosys writes it."""
        return str(self.cells_by_name[name]["parameters"].get(parameter, default)).strip()

    def number(self, name: str, parameter: str, default: int = 0) -> int:
        """A parameter that is a number: binary digits, or Lattice's other ways to write it."""
        text = self.parameter(name, parameter, "")
        if text.startswith(("0x", "0b")):
            return int(text, 0)
        if len(text) == 32 or set(text) <= set("01xz") and len(text) > 3:
            return int(text.replace("x", "0").replace("z", "0"), 2)
        return int(text) if text else default

    def agree(self, name: str, pin: str, wanted: Signal | None, found: Signal | None,
              inverted: bool = False) -> None:
        """Have a pin compared: net of the netlist, and what is there; None matters not."""
        if wanted is None:
            return
        if inverted and found in ("0", "1"):
            inverted, found = False, "10"[int(str(found))]
        if found == wanted and not inverted:
            self.pins += 1
            return
        text = f"{'inverted ' * inverted}{self.text(found)}"
        self.differ(name, f"{pin} is at {text}, in the netlist {self.text(wanted)}")

    def expect(self, name: str, tile: tuple[str, str], setting: str, option: str) -> None:
        """Have a setting compared, of a tile (kind and name), if tiles of its kind have it."""
        kind, place = tile
        group = self.decoded.groups[kind]
        if setting in group.kind.enums and any(
                item.name == option for item in group.kind.enums[setting]):
            if not group.holds(self._numbers[kind][place], setting, option):
                self.differ(name, f"{setting} of {place} isn't {option}")

    def expect_word(self, name: str, tile: tuple[str, str], setting: str, value: int) -> None:
        """As `expect`, a number; of its bits those that this tile has."""
        kind, place = tile
        group = self.decoded.groups[kind]
        options = group.kind.words.get(setting)
        if options is None:
            return
        there = sum(1 << bit for bit, option in enumerate(options) if option.ones or option.zeros)
        found = group.word(self._numbers[kind][place], setting) & there
        if found != value & there:
            self.differ(name, f"{setting} of {place} is {found}, not {value & there}")

    def text(self, signal: Signal | None) -> str:
        if isinstance(signal, int):
            name, pin = self.drivers.get(signal, (f"net {signal}", ""))
            return f"{name}.{pin}".rstrip(".")
        if isinstance(signal, tuple):
            return f"{self.wires.name(signal[1])}, which no cell drives"
        return f"constant {signal}"
