"""Logic of a netlist against slices: LUTs, wide multiplexers, carry chains, LUT RAM, flip-flops."""

import re

from fpga.bitstream.comparison import Comparison
from fpga.bitstream.slices import PINS, SLICES
from fpga.bitstream.tables import Signal, Tables
from fpga.cells import PORT_SLOTS

__all__ = ["LogicRules"]

_SLOT = re.compile(r"SLICE([ABCD])\.(?:K|FF)([01])")
# nextpnr's names for the parts of a cell that it packs.
_CARRY, _RAM, _PORT = ("$CCU2_COMB{}", "$DPRAM_COMB{}", "$RAMW_SLICE")
_RAM_BITS, _RAM_LINES = 4, 4
# Where a LUT RAM's write port has data and addresses, and where reading has these: pin, slot.
_DATA = (("C", 5), ("A", 5), ("D", 5), ("B", 5))
_ADDRESSES = (("D", 4), ("B", 4), ("C", 4), ("A", 4))


class LogicRules:
    """Cells that become slices.

    Parameters
    ----------
    comparison : Comparison
    """

    def __init__(self, comparison: Comparison) -> None:
        self._to, self._slices = comparison, comparison.slices
        self._slots: dict[str, tuple[int, int, int]] = {}
        self._lone: dict[Signal, tuple[int, int, int]] = {}  # slot by net that a LUT drives
        self._muxes: dict[str, tuple[int, int, int]] = {}  # column, row, slice
        self._claims = {"LUT4": self._claim_lut, "TRELLIS_FF": self._claim_flipflop,
                        "CCU2C": self._claim_carry, "TRELLIS_DPR16X4": self._claim_ram}
        self._checks = {"LUT4": self._check_lut, "TRELLIS_FF": self._check_flipflop,
                        "CCU2C": self._check_carry, "TRELLIS_DPR16X4": self._check_ram,
                        "PFUMX": self._check_pair, "L6MUX21": self._check_wide}

    @property
    def kinds(self) -> set[str]:
        """Types of cells that there are rules for."""
        return set(self._checks)

    def claim(self, name: str, kind: str) -> None:
        """Have a cell's place and what it drives known."""
        if kind in self._claims:
            self._claims[kind](name)

    def claim_multiplexers(self) -> None:
        """As `claim`, for wide multiplexers: their place follows from that of what they join."""
        cells = self._to.cells_by_name
        for name, cell in cells.items():
            if cell["type"] == "PFUMX":
                self._claim_pair(name)
        waiting = [name for name, cell in cells.items() if cell["type"] == "L6MUX21"]
        places = {(x, y) for x, y, _ in self._muxes.values()}
        while waiting:
            found: dict[tuple[Signal | None, Signal | None], tuple[int, int, int]] = {}
            for x, y in sorted(places):
                for number, letter in enumerate(SLICES):
                    pair = tuple(self._slices.driven(self._slices.wire(x, y, f"{pin}{letter}"))
                                 for pin in ("FXA", "FXB"))
                    found[pair[0], pair[1]] = x, y, number
            left = []
            for name in waiting:
                at = found.get((self._to.bit(name, "D0"), self._to.bit(name, "D1")))
                if at is None:
                    left.append(name)
                    continue
                self._muxes[name] = at
                if self._to.take(name, at[0], at[1], f"FX{SLICES[at[2]]}"):
                    self._to.drive(name, self._to.bit(name, "Z"), self._slices.outputs(*at)[1])
            if len(left) == len(waiting):
                break
            waiting = left

    def check(self, name: str, kind: str) -> None:
        """Compare a cell."""
        self._checks[kind](name)

    def _slot(self, name: str, part: str, what: str) -> tuple[int, int, int] | None:
        """Slot of a part, taken for the cell."""
        at = self._to.place(part)
        match = _SLOT.fullmatch(at[2]) if at else None
        if at is None or match is None or not self._slices.is_logic(at[0], at[1]):
            self._to.differ(name, "has no place in a slice")
            return None
        slot = 2 * SLICES.index(match[1]) + int(match[2])
        self._slots[part] = at[0], at[1], slot
        self._to.take(name, at[0], at[1], f"{what}{slot}")
        return self._slots[part]

    def _claim_lut(self, name: str) -> None:
        at = self._slot(name, name, "K")
        if at is not None:
            self._to.drive(name, self._to.bit(name, "Z"),
                           self._slices.wire(*at[:2], f"F{at[2]}"))
            self._lone[self._to.cells_by_name[name]["connections"]["Z"][0]] = at

    def _check_lut(self, name: str) -> None:
        at = self._slots.get(name)
        if at is None:
            return
        mode = self._slices.mode(*at)
        if mode != "LOGIC":
            self._to.differ(name, f"is in a slice of mode {mode}")
        wanted = [self._to.bit(name, pin) or "0" for pin in PINS]
        found = self._slices.inputs(*at)
        tables = Tables(wanted + found)
        if tables.lut(self._to.number(name, "INIT"), wanted) != tables.lut(
                self._slices.content(*at), found):
            self._to.differ(name, self._function(name, wanted, found))
        else:
            self._to.pins += len(PINS)

    def _function(self, name: str, wanted: list[Signal], found: list[Signal]) -> str:
        if sorted(map(str, wanted)) != sorted(map(str, found)):
            nets = ", ".join(sorted(self._to.text(item) for item in {*found} - {"0", "1"}))
            return f"is another function: of {nets or 'nothing'}"
        return "is another function of the same nets"

    def _claim_pair(self, name: str) -> None:
        """A PFUMX is in the slice of the LUTs it joins."""
        pins = self._to.cells_by_name[name]["connections"]
        low, high = (self._lone.get(pins[pin][0]) for pin in ("BLUT", "ALUT"))
        if low is None or high is None or (low[0], low[1], low[2] + 1) != high or low[2] % 2:
            self._to.differ(name, "joins LUTs that aren't those of a slice")
            return
        at = low[0], low[1], low[2] // 2
        self._muxes[name] = at
        self._to.take(name, *at[:2], f"F5{SLICES[at[2]]}")
        self._to.drive(name, self._to.bit(name, "Z"), self._slices.outputs(*at)[0])

    def _check_pair(self, name: str) -> None:
        if name in self._muxes:
            x, y, number = self._muxes[name]
            self._check_select(name, "C0", x, y, 2 * number)
            self._to.pins += 2

    def _check_wide(self, name: str) -> None:
        at = self._muxes.get(name)
        if at is None:
            self._to.differ(name, "no slice joins what it joins")
            return
        x, y, number = at
        self._to.slices.asked += [self._slices.wire(x, y, f"{pin}{SLICES[number]}")
                                  for pin in ("FXA", "FXB")]
        self._check_select(name, "SD", x, y, 2 * number + 1)
        self._to.pins += 2

    def _check_select(self, name: str, pin: str, x: int, y: int, slot: int) -> None:
        """A wide multiplexer's select is the input M of a slot."""
        if self._slices.mode(x, y, slot) != "LOGIC":
            self._to.differ(name, "is in a slice that is no logic")
        self._to.agree(name, pin, self._to.bit(name, pin), self._at_m(x, y, slot))

    def _at_m(self, x: int, y: int, slot: int) -> Signal:
        if self._slices.value(x, y, f"SLICE{SLICES[slot // 2]}.M{slot % 2}MUX") == "1":
            return "1"
        return self._slices.at(self._slices.wire(x, y, f"M{slot}"))

    def _claim_carry(self, name: str) -> None:
        slots = [self._slot(name, name + _CARRY.format(half), "K") for half in (0, 1)]
        if None in slots:
            return
        x, y, slot = slots[0]  # type: ignore[misc]
        if slots[1] != (x, y, slot + 1) or slot % 2:
            self._to.differ(name, "isn't in one slice")
            return
        for pin, wire in zip(("S0", "S1"), self._slices.outputs(x, y, slot // 2), strict=True):
            self._to.drive(name, self._to.bit(name, pin), wire)
        self._to.drive(name, self._to.bit(name, "COUT"), self._slices.carries(x, y, slot // 2)[1])

    def _check_carry(self, name: str) -> None:
        at = self._slots.get(name + _CARRY.format(0))
        if at is None:
            return
        x, y, low = at
        if self._slices.mode(x, y, low) != "CCU2":
            self._to.differ(name, "is in a slice without carry")
        into = self._to.bit(name, "CIN")
        self._to.agree(name, "CIN", into, self._slices.at(self._slices.carries(x, y, low // 2)[0]))
        for half in (0, 1):
            joined = self._to.parameter(name, f"INJECT1_{half}", "YES") == "NO"
            wanted = [self._to.bit(name, f"{pin}{half}") or "0" for pin in PINS]
            found = self._slices.inputs(x, y, low + half)
            tables = Tables([*wanted, *found, "carry"])
            carry = tables.of("carry")
            if tables.carry(self._to.number(name, f"INIT{half}"), wanted, joined, carry
                            ) != tables.carry(self._slices.content(x, y, low + half), found,
                                              self._slices.joined(x, y, low + half), carry):
                self._to.differ(name, f"half {half} {self._function(name, wanted, found)}")
            else:
                self._to.pins += len(PINS)

    def _claim_flipflop(self, name: str) -> None:
        at = self._slot(name, name, "FF")
        if at is not None:
            self._to.drive(name, self._to.bit(name, "Q"), self._slices.wire(*at[:2], f"Q{at[2]}"))

    def _check_flipflop(self, name: str) -> None:
        if name not in self._slots:
            return
        x, y, slot = self._slots[name]
        of, letter, number = self._slices, SLICES[slot // 2], slot // 2
        beside = of.value(x, y, f"SLICE{letter}.REG{slot % 2}.SD") == "1"
        data = self._to.bit(name, "DI")
        if data is None:
            data = self._to.bit(name, "M")
        self._to.agree(name, "DI", data, of.at(of.wire(x, y, f"DI{slot}")) if beside
                       else self._at_m(x, y, slot))
        for pin, lines in (("CLK", "CLKMUX"), ("LSR", "LSRMUX")):
            self._check_control(name, pin, lines, x, y, number)
        wanted = self._to.parameter(name, "CEMUX", "CE")
        found = of.value(x, y, f"SLICE{letter}.CEMUX")
        enable = of.at(of.wire(x, y, f"CE{number}")) if found in ("CE", "INV") else found
        net = self._to.bit(name, "CE") if wanted in ("CE", "INV") else wanted
        self._to.agree(name, "CE", net, enable, (wanted == "INV") != (found == "INV"))
        for setting, parameter, default in ((f"REG{slot % 2}.REGSET", "REGSET", "RESET"),
                                            (f"REG{slot % 2}.LSRMODE", "LSRMODE", "LSR"),
                                            ("GSR", "GSR", "ENABLED")):
            value = of.value(x, y, f"SLICE{letter}.{setting}")
            if value != self._to.parameter(name, parameter, default):
                self._to.differ(name, f"{parameter} is {value}")

    def _check_control(self, name: str, pin: str, mode: str, x: int, y: int, number: int) -> None:
        """Clock or reset: one of two wires of the tile, each with a mode."""
        of, wires = self._slices, self._to.wires
        driver = self._line(x, y, pin, number)
        wanted = self._to.bit(name, pin)
        inverted = self._to.parameter(name, mode, pin) == "INV"
        if driver is None:
            # A reset that nothing drives is none, whatever its mode.
            for line in (0, 1) if pin == "LSR" else ():
                if not wires.is_driven(wires.number(x, y, f"{pin}{line}")):
                    of.value(x, y, f"{pin}{line}.SRMODE")
            self._to.agree(name, pin, wanted, "0" if pin == "LSR" else None, inverted)
            return
        line = wires.number(x, y, f"{pin}{driver}")
        of.asked.append(of.wire(x, y, f"{pin}{number}"))
        if pin == "LSR" and not wires.is_driven(line):
            self._to.agree(name, pin, wanted, "0", inverted)
            return
        found = of.value(x, y, f"{pin}{driver}.{mode}") == "INV"
        self._to.agree(name, pin, wanted, of.at(line), found != inverted)
        if pin == "LSR":
            value = of.value(x, y, f"LSR{driver}.SRMODE")
            if value != self._to.parameter(name, "SRMODE", "LSR_OVER_CE"):
                self._to.differ(name, f"SRMODE is {value}")

    def _line(self, x: int, y: int, pin: str, number: int) -> int | None:
        """Which of a tile's two wires a slice's clock or reset comes from."""
        wires = self._to.wires
        inner = wires.number(x, y, f"MUX{pin}{number}")
        if inner < 0:
            return None
        return next((line for line in (0, 1)
                     if wires.drivers[inner] == wires.number(x, y, f"{pin}{line}")), None)

    def _claim_ram(self, name: str) -> None:
        port = self._to.place(name + _PORT)
        if port is None or port[2] != "SLICEC.RAMW" or not self._slices.is_logic(*port[:2]):
            self._to.differ(name, "has no write port in a slice")
            return
        x, y, _ = port
        for slot in PORT_SLOTS:
            self._to.take(name, x, y, f"K{slot}")
        for bit in range(_RAM_BITS):
            net = self._to.bit(name, "DO", bit)
            if net is None:
                continue
            self._to.take(name, x, y, f"K{bit}")
            self._to.drive(name, net, self._slices.wire(x, y, f"F{bit}"))
        self._slots[name] = x, y, 0

    def _check_ram(self, name: str) -> None:
        if name not in self._slots:
            return
        x, y, _ = self._slots[name]
        of, to = self._slices, self._to
        bits = [bit for bit in range(_RAM_BITS) if to.bit(name, "DO", bit) is not None]
        contents = {bit: of.content(x, y, bit) for bit in bits}
        if of.mode(x, y, PORT_SLOTS[0]) != "RAMW" or any(
                of.mode(x, y, bit) != "DPRAM" for bit in bits):
            to.differ(name, "is in slices that are no RAM")
        written = [of.input(x, y, slot, pin) for pin, slot in _ADDRESSES]
        for slot in PORT_SLOTS:
            of.content(x, y, slot)  # a write port has none
        for bit in bits:
            pin, slot = _DATA[bit]
            to.agree(name, f"DI[{bit}]", to.bit(name, "DI", bit), of.input(x, y, slot, pin))
            read = [of.input(x, y, bit, pin) for pin, _ in _ADDRESSES]
            lines = self._lines(name, read, written)
            if lines is None:
                to.differ(name, f"bit {bit} is read or written at other addresses")
                continue
            to.pins += 2 * _RAM_LINES
            if not self._same_content(name, bit, contents[bit], lines):
                to.differ(name, f"bit {bit} has other contents at first")
        clock, enable = to.wires.number(x, y, "CLK1"), to.wires.number(x, y, "LSR1")
        mode = of.value(x, y, "CLK1.CLKMUX")
        inverted = to.parameter(name, "WCKMUX", "WCK") == "INV"
        to.agree(name, "WCK", to.bit(name, "WCK"), of.at(clock), (mode == "INV") != inverted)
        mode = of.value(x, y, "SLICEA.WREMUX")
        inverted = to.parameter(name, "WREMUX", "WRE") == "INV"
        found = of.at(enable) if mode in ("WRE", "INV") else mode
        to.agree(name, "WRE", to.bit(name, "WRE"), found, (mode == "INV") != inverted)

    def _lines(self, name: str, read: list[Signal], written: list[Signal]
               ) -> list[int | str] | None:
        """What each address line is: a number of the netlist's, or a constant; None if it can't be.

        Lines may be exchanged, or stand more than once, if reading and writing do so alike.
        """
        wanted = [(self._to.bit(name, "RAD", line) or "0", self._to.bit(name, "WAD", line) or "0")
                  for line in range(_RAM_LINES)]
        found: list[int | str] = []
        for place, pair in enumerate(zip(read, written, strict=True)):
            # Itself, if it can be: the same nets may stand at two of the netlist's lines.
            order = [place, *(line for line in range(_RAM_LINES) if line != place)]
            match = next((line for line in order if wanted[line] == pair), None)
            if match is not None:
                found.append(match)
            elif pair in (("0", "0"), ("1", "1")):
                found.append(str(pair[0]))
            else:
                return None
        needed = {wanted[line] for line in range(_RAM_LINES)} - {("0", "0"), ("1", "1")}
        return found if needed <= {wanted[line] for line in found if isinstance(line, int)
                                   } else None

    def _same_content(self, name: str, bit: int, content: int, lines: list[int | str]) -> bool:
        first = self._to.number(name, "INITVAL")
        pins = [PINS.index(pin) for pin, _ in _ADDRESSES]
        for address in range(1 << _RAM_LINES):
            if any(self._to.bit(name, "RAD", line) in ("0", "1")
                   and str(address >> line & 1) != self._to.bit(name, "RAD", line)
                   for line in range(_RAM_LINES)):
                continue
            place = sum((int(line) if isinstance(line, str) else address >> line & 1) << pin
                        for pin, line in zip(pins, lines, strict=True))
            if content >> place & 1 != first >> _RAM_BITS * address + bit & 1:
                return False
        return True
