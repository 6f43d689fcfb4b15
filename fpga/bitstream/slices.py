"""Slices of a decoded bitstream: what their LUTs compute, and where their signals are.

Slots are counted 0 to 7 in a tile, two to a slice: a LUT and a flip-flop each.
"""

from collections.abc import Mapping

from fpga.bitstream.tables import Function, Signal, Tables, function
from fpga.bitstream.ties import Ties
from fpga.bitstream.wires import Wires
from fpga.cells import SLOTS
from fpga.decode import Decoded

__all__ = ["LOGIC", "PINS", "SLICES", "Slices"]

PINS, SLICES = "ABCD", "ABCD"
LOGIC = "PLC2"  # kind of its tiles


class Slices:
    """Logic of a device.

    Parameters
    ----------
    decoded : Decoded
    wires : Wires
    functions : mapping
        Nets of the netlist that LUTs drive, by what these compute.

    Members
    -------
    asked : list of int
        Wires whose signals were asked for.
    """

    def __init__(self, decoded: Decoded, wires: Wires, functions: Mapping[Function, int]) -> None:
        self._functions = functions
        self._ties = Ties(decoded, wires)
        self._group = decoded.groups[LOGIC]
        self._wires = wires
        self._tiles = {(tile.x, tile.y): number for number, tile in enumerate(self._group.tiles)}
        self._signals: dict[int, Signal] = {}
        self._outputs: dict[int, tuple[int, int, str, int]] = {}
        self.asked: list[int] = []
        self._known: dict[int, Signal] = {}

    def is_logic(self, x: int, y: int) -> bool:
        """Whether a tile has slices."""
        return (x, y) in self._tiles

    def value(self, x: int, y: int, setting: str) -> str:
        """A setting of a tile."""
        return self._group.value(self._tiles[x, y], setting)

    def mode(self, x: int, y: int, slot: int) -> str:
        """LOGIC, CCU2, DPRAM or RAMW."""
        return self.value(x, y, f"SLICE{SLICES[slot // 2]}.MODE")

    def content(self, x: int, y: int, slot: int) -> int:
        """Of a LUT, 16 bits; input A counts 1."""
        return self._group.word(self._tiles[x, y], f"SLICE{SLICES[slot // 2]}.K{slot % 2}.INIT")

    def joined(self, x: int, y: int, slot: int) -> bool:
        """Whether the carry counts for the sum of a slot."""
        return self.value(x, y, f"SLICE{SLICES[slot // 2]}.CCU2.INJECT1_{slot % 2}") == "NO"

    def wire(self, x: int, y: int, name: str) -> int:
        """Number of a slice's wire."""
        return self._wires.number(x, y, f"{name}_SLICE")

    def outputs(self, x: int, y: int, number: int) -> tuple[int, int]:
        """Wires of a slice's wide multiplexers or sums: of its two LUTs, and of the upper one."""
        return (self.wire(x, y, f"F5{SLICES[number]}"), self.wire(x, y, f"FX{SLICES[number]}"))

    def carries(self, x: int, y: int, number: int) -> tuple[int, int]:
        """Wires of a slice's carry, in and out."""
        letter = SLICES[number]
        return (self.wire(x, y, "FCI" if number == 0 else f"FCI{letter}"),
                self.wire(x, y, "FCO" if number == len(SLICES) - 1 else f"FCO{letter}"))

    def drive(self, wire: int, net: Signal) -> None:
        """Have a wire that a cell of the netlist drives known."""
        self._known[wire] = net

    def driven(self, wire: int) -> Signal | None:
        """Net that a cell of the netlist drives at what a wire comes from."""
        return self._known.get(self._wires.roots[wire]) if wire >= 0 else None

    def inputs(self, x: int, y: int, slot: int) -> list[Signal]:
        """What is at a LUT's inputs."""
        return [self.input(x, y, slot, pin) for pin in PINS]

    def input(self, x: int, y: int, slot: int, pin: str) -> Signal:
        """What is at a LUT's input."""
        tied = self.value(x, y, f"SLICE{SLICES[slot // 2]}.{pin}{slot % 2}MUX") == "1"
        wire = self.wire(x, y, f"{pin}{slot}")
        if not tied:
            return self.at(wire)
        # Its own wire is fed by one that switches could drive, too.
        inner = self._wires.drivers[wire]
        return ("?", wire) if self._wires.is_driven(inner) else "1"

    def at(self, wire: int) -> Signal:
        """What is at a wire; LUTs that aren't of the netlist are copies of others, or hand on."""
        if wire < 0:
            return "?", wire
        self.asked.append(wire)
        root = self._wires.roots[wire]
        if root < 0:
            return "?", wire  # a loop
        found = self._known.get(root)
        if found is None:
            found = self._signals.get(root)
        if found is None:
            self._signals[root] = "?", root  # until known: there may be loops
            found = self._signals[root] = self._handed_on(root)
        return found

    def _handed_on(self, root: int) -> Signal:
        if not self._outputs:
            self._find_outputs()
        at = self._outputs.get(root)
        if at is None:
            return self._ties.value(root) or ("?", root)
        x, y, what, slot = at
        mode = self.mode(x, y, slot)
        if mode == "CCU2" and what != "lut":
            return self._of_carry(x, y, what, slot) or ("?", root)
        if mode == "LOGIC" and what == "lut":
            content, inputs = self.content(x, y, slot), self.inputs(x, y, slot)
            tables = Tables(inputs)
            same = function(content, inputs)
            copied = self._functions.get(same) if same else None
            return copied or tables.signal(tables.lut(content, inputs)) or ("?", root)
        return "?", root

    def _of_carry(self, x: int, y: int, what: str, last: int) -> Signal | None:
        """Sum or carry of a slot, if it is no more than some signal."""
        slots = range(last // 2 * 2, last // 2 * 2 + 2)
        into = self.at(self.carries(x, y, last // 2)[0])
        inputs = {slot: self.inputs(x, y, slot) for slot in slots}
        tables = Tables([into, *(item for of in inputs.values() for item in of)])
        out, found = tables.of(into), {}
        for slot in slots:
            total, out = tables.carry(self.content(x, y, slot), inputs[slot],
                                      self.joined(x, y, slot), out)
            found["sum", slot], found["carry", slot] = total, out
        return tables.signal(found[what, last])

    def _find_outputs(self) -> None:
        for x, y in self._tiles:
            for slot in range(SLOTS):
                self._outputs[self.wire(x, y, f"F{slot}")] = x, y, "lut", slot
            for number in range(len(SLICES)):
                for half, wire in enumerate(self.outputs(x, y, number)):
                    self._outputs[wire] = x, y, "sum", 2 * number + half
                self._outputs[self.carries(x, y, number)[1]] = x, y, "carry", 2 * number + 1

