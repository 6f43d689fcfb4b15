"""A netlist beside the decoded bitstream that is to be it: nets at wires, and what differs."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fpga.bitstream.slices import PINS, Slices
from fpga.bitstream.tables import Function, Signal, function
from fpga.bitstream.trellis import Trellis
from fpga.bitstream.wires import Wires
from fpga.decode import Decoded

__all__ = ["Comparison", "Place"]

Place = tuple[int, int]  # column and row

_BASE = "BASE_TYPE"
_HANDED_ON = 0b10  # a function's table: as the net it depends on
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
    cells_by_name, ports : dict
        Of the netlist.
    drivers : dict
        By net: cell and pin.
    wires : Wires
    slices : Slices
    differences : list of str
    pins, settings : int
        That were compared.
    memories : set of int
        Contents of block RAM that were compared, by number.
    """

    def __init__(self, module: dict[str, Any], places: Mapping[str, str], decoded: Decoded,
                 device: Trellis) -> None:
        self.cells_by_name: dict[str, Any] = module["cells"]
        self.ports: dict[str, Any] = module["ports"]
        self.decoded, self.device = decoded, device
        self.wires = Wires(decoded, device)
        self._same: dict[Signal, int] = {}
        self.slices = Slices(decoded, self.wires, self._functions())
        self.differences: list[str] = []
        self.pins = self.settings = 0
        self.memories: set[int] = set()
        self._places = places
        self._taken: dict[tuple[int, int, str], str] = {}
        self._driving: dict[int, str] = {}
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

    def is_taken(self, x: int, y: int, what: str) -> bool:
        """Whether a cell has a place."""
        return (x, y, what) in self._taken

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
        return None if found in ("x", "z") else self._same.get(found, found)

    def _functions(self) -> dict[Function, int]:
        """A net for each function that LUTs compute; nets that are the same count as one."""
        luts = [(name, cell["connections"]["Z"][0]) for name, cell in self.cells_by_name.items()
                if cell["type"] == "LUT4"]
        while True:
            found: dict[Function, int] = {}
            count = len(self._same)
            for name, net in luts:
                what = function(self.number(name, "INIT"),
                                [self.bit(name, pin) or "0" for pin in PINS])
                # Constants, and nets that are handed on, are themselves.
                if isinstance(net, int) and what and what[0] and what != (what[0][:1], _HANDED_ON):
                    first = found.setdefault(what, net)
                    if first != net:
                        self._same[net] = first
            if len(self._same) == count:
                return found

    def parameter(self, name: str, parameter: str, default: str) -> str:
        """A parameter, as Yosys writes it."""
        return str(self.cells_by_name[name]["parameters"].get(parameter, default)).strip()

    def number(self, name: str, parameter: str, default: int = 0) -> int:
        """A parameter that is a number: binary digits, or Lattice's other ways to write it."""
        text = self.parameter(name, parameter, "")
        if text.startswith(("0x", "0b")):
            return int(text, 0)
        if len(text) == 32 or (set(text) <= set("01xz") and len(text) > 3):
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

    def expect(self, name: str, places: Iterable[Place], settings: Mapping[str, str]) -> None:
        """Have settings compared, in each of some places where tiles have them.

        Some begin with a kind (BASE_TYPE), whose bits others of the same part overrule, if only by
        what they are unless told otherwise. A setting that no tile there has in that way differs.
        """
        unknown = dict(settings)
        for kind, number in self._tiles(places):
            group = self.decoded.groups[kind]
            wanted = dict(settings)
            parts = tuple(setting.removesuffix(_BASE) for setting in settings
                          if setting.endswith(_BASE))
            if parts:
                wanted |= {setting: option for setting, option in group.kind.defaults.items()
                           if setting.startswith(parts) and setting not in settings}
            over = {bit for setting, option in wanted.items()
                    if setting.startswith(parts) and not setting.endswith(_BASE)
                    for item in group.kind.options(setting, option)
                    for bit in item.ones + item.zeros} if parts else set()
            for setting, option in wanted.items():
                if group.kind.options(setting, option):
                    unknown.pop(setting, None)
                    self.settings += 1
                    but = over if setting.endswith(_BASE) else ()
                    if not group.holds(number, setting, option, but):
                        self.differ(name, f"{setting} isn't {option} in {group.tiles[number].name}")
        for setting, option in unknown.items():
            self.differ(name, f"no tile knows {setting} as {option or 'anything'}")

    def expect_words(self, name: str, places: Iterable[Place], words: Mapping[str, int]) -> None:
        """As `expect`, numbers; of their bits those that a tile has."""
        for kind, number in self._tiles(places):
            group = self.decoded.groups[kind]
            for setting, value in words.items():
                if setting in group.kind.words:
                    self.settings += 1
                    found, there = self._word(kind, number, setting)
                    if found != value & there:
                        self.differ(name, f"{setting} is {found}, not {value & there}, in "
                                          f"{group.tiles[number].name}")

    def word(self, places: Iterable[Place], setting: str) -> int:
        """A number that tiles of some places hold together."""
        found = 0
        for kind, number in self._tiles(places):
            if setting in self.decoded.groups[kind].kind.words:
                found |= self._word(kind, number, setting)[0]
        return found

    def option(self, places: Iterable[Place], setting: str, options: Iterable[str]) -> str:
        """The first of some options that a setting has, in all tiles that know it; "" for none."""
        tiles = self._tiles(places)
        for option in options:
            known = [(kind, number) for kind, number in tiles
                     if self.decoded.groups[kind].kind.options(setting, option)]
            if known and all(self.decoded.groups[kind].fits(number, setting, option)
                             for kind, number in known):
                return option
        return ""

    def _tiles(self, places: Iterable[Place]) -> list[tuple[str, int]]:
        return [tile for place in places for tile in self.decoded.at.get(place, ())]

    def _word(self, kind: str, number: int, setting: str) -> tuple[int, int]:
        """A number, of the bits that a tile has, and which these are."""
        group = self.decoded.groups[kind]
        there = sum(1 << bit for bit, option in enumerate(group.kind.words[setting])
                    if option.ones or option.zeros)
        return group.word(number, setting) & there, there

    def text(self, signal: Signal | None) -> str:
        """A signal for a message."""
        if isinstance(signal, int):
            name, pin = self.drivers.get(signal, (f"net {signal}", ""))
            return f"{name}.{pin}".rstrip(".")
        if isinstance(signal, tuple):
            return f"{self.wires.name(signal[1])}, which no cell drives"
        return f"constant {signal}"
