"""Pads of a netlist, and the registers beside them, against the device's."""

import re
from collections import defaultdict

from fpga.bitstream.comparison import Comparison, Place

__all__ = ["PadRules"]

_LOCATE = re.compile(r'LOCATE\s+COMP\s+"([^"]+)"\s+SITE\s+"([^"]+)"')
_BUFFER = re.compile(r'IOBUF\s+PORT\s+"([^"]+)"\s+([^;]+)')
_REFERENCE = re.compile(r"BANKREF(\d+)A?")
_STANDARD = "LVCMOS33"  # unless the constraints say so
_VOLTAGES = {"LVCMOS33": "3V3", "LVTTL33": "3V3", "LVCMOS25": "2V5", "LVCMOS18": "1V8",
             "LVCMOS15": "1V5", "LVCMOS12": "1V2"}
# What constraints or attributes may say of a pad.
_WISHES = ("PULLMODE", "SLEWRATE", "DRIVE", "CLAMP", "OPENDRAIN", "HYSTERESIS")
_REGISTERS = ("TRELLIS_FF", "ODDRX1F")
_DOUBLE = "ODDRX1F"
_LOGIC_DEFAULTS = {"CLKMUX": "CLK", "LSRMUX": "LSR", "CEMUX": "CE", "REGSET": "RESET",
                   "SRMODE": "LSR_OVER_CE", "GSR": "ENABLED"}


class PadRules:
    """Cells that become pads, and flip-flops that lie beside them.

    Parameters
    ----------
    comparison : Comparison
    constraints : str
        The design's LPF file.
    package : str

    Members
    -------
    registers : dict of str to str
        Pad by name of a flip-flop, or another register, that lies beside it.
    """

    def __init__(self, comparison: Comparison, constraints: str, package: str) -> None:
        self._to = comparison
        self._pins = comparison.device.pads["packages"][package]
        self._banks = {(pad["col"], pad["row"], pad["pio"]): pad["bank"]
                       for pad in comparison.device.pads["pio_metadata"]}
        self._references: dict[str, list[Place]] = defaultdict(list)
        for tile in comparison.device.tiles:
            match = _REFERENCE.fullmatch(tile.kind)
            if match:
                self._references[match[1]].append((tile.x, tile.y))
        self._sites = dict(_LOCATE.findall(constraints))
        self._wishes = {name: dict(item.split("=") for item in text.split())
                        for name, text in _BUFFER.findall(constraints)}
        self._names = {bit: name if len(port["bits"]) == 1 else f"{name}[{number}]"
                       for name, port in comparison.ports.items()
                       for number, bit in enumerate(port["bits"])}
        self._readers: dict[int, list[str]] = {}
        for name, cell in comparison.cells_by_name.items():
            if cell["type"] == "TRELLIS_FF":
                for bit in cell["connections"].get("DI", ()):
                    self._readers.setdefault(bit, []).append(name)
        self._places: dict[str, tuple[int, int, str]] = {}
        self._beside: dict[str, dict[str, str]] = {}
        self.registers: dict[str, str] = {}

    @property
    def kinds(self) -> set[str]:
        """Types of cells that there are rules for, flip-flops beside pads apart."""
        return {"TRELLIS_IO", _DOUBLE}

    def claim(self, name: str, kind: str) -> None:
        """Have a pad's place and what it drives known, and the registers beside it."""
        if kind != "TRELLIS_IO":
            return
        bit = self._to.bit(name, "B")
        pin = self._pins.get(self._sites.get(self._names.get(bit, "")))  # type: ignore[arg-type]
        if pin is None:
            self._to.differ(name, "has no pin by the constraints")
            return
        x, y, letter = pin["col"], pin["row"], pin["pio"]
        self._places[name] = x, y, letter
        self._to.take(name, x, y, f"PIO{letter}")
        self._to.drive(name, self._to.bit(name, "O"), self._wire(x, y, f"JPADDI{letter}_PIO"))
        self._beside[name] = {}
        for port in ("I", "T"):
            bit = self._to.bit(name, port)
            driver = self._to.drivers.get(bit, ("", ""))[0]  # type: ignore[arg-type]
            self._lay_beside(name, port, driver)
        for reader in self._readers.get(self._to.bit(name, "O"), ()):  # type: ignore[arg-type]
            if self._lay_beside(name, "O", reader):
                self._to.drive(reader, self._to.bit(reader, "Q"),
                               self._logic(x, y, f"JINFF{letter}"))

    def check(self, name: str, kind: str) -> None:
        """Compare a cell."""
        if kind == _DOUBLE:
            if name not in self.registers:
                self._to.differ(name, "feeds no pad")
            return
        if name not in self._places:
            return
        x, y, letter = self._places[name]
        pad, beside = f"PIO{letter}", self._beside[name]
        places = self._tiles(x, y, letter)
        wishes = dict(self._to.cells_by_name[name]["attributes"])
        wishes.update(self._wishes.get(self._names.get(self._to.bit(name, "B"), ""), {}))
        direction = self._to.parameter(name, "DIR", "INPUT")
        kind = f"{direction}_{wishes.get('IO_TYPE', _STANDARD)}"
        settings = {f"{pad}.BASE_TYPE": kind}
        settings |= {f"{pad}.{wish}": str(wishes[wish]) for wish in _WISHES if wish in wishes}
        if direction != "OUTPUT":
            settings.setdefault(f"{pad}.HYSTERESIS", "ON")
        ways: tuple[str, ...] = ("OREG", "ODDR")
        if "I" in beside:
            ways = ("ODDR",) if self._is_double(beside) else ("OREG",)
        settings |= {f"{pad}.DATAMUX_{way}": "IOLDO" if "I" in beside else "PADDO" for way in ways}
        settings[f"{pad}.TRIMUX_TSREG"] = "IOLTO" if "T" in beside else "PADDT"
        self._to.expect(name, places, settings)
        self._check_bank(name, x, y, letter, str(wishes.get("IO_TYPE", _STANDARD)), direction)
        if direction != "INPUT":
            for port, wire in (("I", "PADDO"), ("T", "PADDT")):
                net = self._to.bit(name, port)
                if port not in beside:
                    found = self._to.slices.at(self._wire(x, y, f"{wire}{letter}_PIO"))
                    self._to.agree(name, port, net if net is not None or port == "I" else "0",
                                   found)
        if beside:
            self._check_registers(name, x, y, letter, places)

    def _check_bank(self, name: str, x: int, y: int, letter: str, standard: str, direction: str
                    ) -> None:
        """That the voltage of a bank of pads is that of its outputs."""
        bank = self._banks.get((x, y, letter))
        voltage = _VOLTAGES.get(standard)
        if bank is None or direction == "INPUT":
            return
        if voltage is None:
            self._to.differ(name, f"is {standard}, of which no rule knows the voltage")
            return
        self._to.expect(name, self._references[str(bank)], {"BANK.VCCIO": voltage})

    def _kind(self, name: str) -> str:
        return str(self._to.cells_by_name[name]["type"])

    def _is_double(self, beside: dict[str, str]) -> bool:
        """Whether a pad's data comes from a register of two bits a clock."""
        return "I" in beside and self._kind(beside["I"]) == _DOUBLE

    def _lay_beside(self, name: str, port: str, register: str) -> bool:
        """Whether a register is of a kind that can lie beside a pad, and has no other place."""
        if not register or self._kind(register) not in _REGISTERS or self._to.place(register):
            return False
        self._beside[name][port] = register
        self.registers[register] = name
        return True

    def _check_registers(self, name: str, x: int, y: int, letter: str, places: list[Place]) -> None:
        """Registers share clock, reset and enable, each with what of it is in use."""
        beside, logic = self._beside[name], f"IOLOGIC{letter}"
        values = {parameter: {self._to.parameter(register, parameter, default)
                              for register in beside.values()
                              if self._kind(register) != _DOUBLE}
                  for parameter, default in _LOGIC_DEFAULTS.items()}
        double = self._is_double(beside)
        settings = {"MODE": "IDDRX1_ODDRX1" if double else "IREG_OREG",
                    "CEOMUX": "CEMUX", "CLKIMUX": "CLK", "CLKOMUX": "CLK", "CEMUX": "CE",
                    "LSRMUX": "LSR", "LSROMUX": "LSRMUX",
                    "LSRIMUX": "LSRMUX" if "O" in beside else "0"}
        for register, port in (("OUTREG", "I"), ("TSREG", "T"), ("FF", "O")):
            if port in beside and self._kind(beside[port]) != _DOUBLE:
                settings[f"{register}.REGSET"] = self._to.parameter(beside[port], "REGSET", "RESET")
        for parameter, several in values.items():
            if parameter == "REGSET" or not several:
                continue
            if len(several) > 1:
                self._to.differ(name, f"registers beside it differ in {parameter}")
            value = several.pop()
            for setting in (("CLKIMUX", "CLKOMUX") if parameter == "CLKMUX" else (parameter,)):
                settings[setting] = value
        if double:
            settings["SRMODE"], settings["GSR"] = "ASYNC", self._to.parameter(
                beside["I"], "GSR", "DISABLED")
        self._to.expect(name, places, {f"{logic}.{setting}": value
                                       for setting, value in settings.items()})
        data = {"I": {"DI": "TXDATA0"}, "T": {"DI": "TSDATA0"}}
        if double:
            data["I"] = {"D0": "TXDATA0", "D1": "TXDATA1"}
        for port, register in beside.items():
            controls = ({"SCLK": "CLK", "RST": "LSR"} if self._kind(register) == _DOUBLE
                        else {"CLK": "CLK", "LSR": "LSR", "CE": "CE"})
            for pin, wire in {**controls, **data.get(port, {})}.items():
                self._to.agree(register, pin, self._to.bit(register, pin),
                               self._to.slices.at(self._logic(x, y, f"J{wire}{letter}")))
            if port == "O":
                found = self._to.slices.at(self._logic(x, y, f"PADDI{letter}"))
                self._to.agree(register, "DI", self._to.bit(register, "DI"), found)
            else:
                self._check_way_out(name, x, y, letter, "O" if port == "I" else "T")

    def _check_way_out(self, name: str, x: int, y: int, letter: str, what: str) -> None:
        """That a pad's data, or whether it drives, comes from the register beside it."""
        wires = self._to.wires
        end = self._wire(x, y, f"IOL{'D' if what == 'O' else 'T'}O{letter}_PIO")
        start = self._logic(x, y, f"IOL{'D' if what == 'O' else 'T'}O{letter}")
        self._to.slices.asked.append(end)
        if end < 0 or wires.roots[end] != start:
            self._to.differ(name, "isn't joined with the registers beside it")

    def _wire(self, x: int, y: int, name: str) -> int:
        return self._to.wires.number(x, y, name)

    def _logic(self, x: int, y: int, name: str) -> int:
        """Of the two kinds of register blocks, pads have one."""
        found = self._wire(x, y, f"{name}_IOLOGIC")
        return found if found >= 0 else self._wire(x, y, f"{name}_SIOLOGIC")

    def _tiles(self, x: int, y: int, letter: str) -> list[Place]:
        """Where a pad's settings are: in its tile, and that of its wires."""
        device = self._to.device
        if y in (0, device.rows - 1):
            x += letter == "B"
            return [(x, 0), (x, 1)] if y == 0 else [(x, y)]
        return [(x, y + 1), (x, y + 2 if letter in "CD" else y)]
