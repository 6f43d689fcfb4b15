"""Block RAM, multipliers and PLLs of a netlist against their sites."""

import re
from collections.abc import Iterator

import numpy as np

from fpga.bitstream.comparison import Comparison, Place
from fpga.bitstream.tables import Signal

__all__ = ["BlockRules"]

_SITE = re.compile(r"(EBR|MULT18_|EHXPLL_)(\w+)")
# Columns that a site's tiles are in, from its own.
_MEMORY_TILES = {0: range(0, 2), 1: range(0, 3), 2: range(0, 3), 3: range(0, 3)}
_MULTIPLIER_TILES = {0: range(0, 5), 1: range(-1, 4), 4: range(0, 5), 5: range(-1, 4)}
# As columns and rows from the PLL's own.
_PLL_TILES = {"UL": ((-1, 0), (-1, 1)), "LL": ((0, 1), (1, 1)), "LR": ((0, 1), (-1, 1)),
              "UR": ((1, 0), (1, 1))}
_RIGHT_HALF = 4  # number of the first multiplier in it
_WITH_OUTPUT_RESET = (0, 4)  # multipliers that say which

_PORTS = "AB"
# What of a block RAM's port has an inverter.
_CONTROLS = ("CLK", "CE", "OCE", "WE", "RST")
_SELECTS = 3
_IDENTITY_BITS = 9  # of a block RAM's WID, highest first
# Contents: INITVAL_00 and so on, of 16 words of 18 bits, each in 20.
_ROWS, _WORDS, _WORD, _HALF = 64, 16, 20, 9
# Parameters with what they are unless the netlist says so.
_MEMORY = {"REGMODE_A": "NOREG", "REGMODE_B": "NOREG", "RESETMODE": "SYNC",
           "ASYNC_RESET_RELEASE": "SYNC", "GSR": "DISABLED"}
_WIDTH, _WIDE = 18, "36"
_MULTIPLIER = {
    **{f"REG_{register}_CLK": "NONE"
       for register in ("INPUTA", "INPUTB", "INPUTC", "PIPELINE", "OUTPUT")},
    **{f"REG_{register}_{control}": f"{control}0"
       for register in ("INPUTA", "INPUTB", "PIPELINE") for control in ("CE", "RST")},
    "REG_OUTPUT_RST": "RST0", **{f"CLK{number}_DIV": "ENABLED" for number in range(4)},
    "GSR": "ENABLED", "SOURCEB_MODE": "B_SHIFT", "RESETMODE": "SYNC"}
_PLL_CLOCKS = ("CLKOP", "CLKOS", "CLKOS2", "CLKOS3")
_PLL = {**{f"{clock}_ENABLE": "ENABLED" for clock in _PLL_CLOCKS}, "FEEDBK_PATH": "CLKOP",
        **{f"{clock}_TRIM_{what}": value for clock in _PLL_CLOCKS[:2]
           for what, value in (("POL", "RISING"), ("DELAY", "0"))},
        "STDBY_ENABLE": "DISABLED", "REFIN_RESET": "DISABLED", "SYNC_ENABLE": "DISABLED",
        "INT_LOCK_STICKY": "ENABLED", "DPHASE_SOURCE": "DISABLED", "PLLRST_ENA": "DISABLED",
        "INTFB_WAKE": "DISABLED",
        **{f"OUTDIVIDER_MUX{letter}": f"DIV{letter}" for letter in "ABCD"}}
_PLL_DIVIDERS = {"CLKI_DIV": 1, "CLKFB_DIV": 1, **{f"{clock}_DIV": 8 for clock in _PLL_CLOCKS}}
_PLL_NUMBERS = {**{f"{clock}_{what}PHASE": 0 for clock in _PLL_CLOCKS for what in "CF"},
                "PLL_LOCK_MODE": 0}
# Settings of its analog parts, which attributes give.
_PLL_ANALOG = {"KVCO": 0, "LPF_CAPACITOR": 0, "LPF_RESISTOR": 0, "ICP_CURRENT": 0,
               "FREQ_LOCK_ACCURACY": 0, "MFG_GMC_GAIN": 0, "MFG_GMC_TEST": 14}


class BlockRules:
    """Cells that become block RAM, multipliers or PLLs.

    Parameters
    ----------
    comparison : Comparison
    """

    def __init__(self, comparison: Comparison) -> None:
        self._to = comparison
        self._sites: dict[str, tuple[int, int, str]] = {}
        self._checks = {"DP16KD": self._check_memory, "MULT18X18D": self._check_multiplier,
                        "EHXPLLL": self._check_pll}
        self._suffixes = {"DP16KD": "EBR", "MULT18X18D": "MULT18", "EHXPLLL": "PLL"}

    @property
    def kinds(self) -> set[str]:
        """Types of cells that there are rules for."""
        return set(self._checks)

    def claim(self, name: str, kind: str) -> None:
        """Have a cell's place and what it drives known."""
        at = self._to.place(name)
        match = _SITE.fullmatch(at[2]) if at else None
        if at is None or match is None:
            self._to.differ(name, "has no place")
            return
        self._sites[name] = at[0], at[1], match[2]
        self._to.take(name, *at)
        cell = self._to.cells_by_name[name]
        for pin, direction in cell["port_directions"].items():
            if direction == "output":
                self._to.drive(name, self._to.bit(name, pin), self._wire(name, kind, pin))

    def check(self, name: str, kind: str) -> None:
        """Compare a cell."""
        if name in self._sites:
            self._checks[kind](name)

    def _wire(self, name: str, kind: str, pin: str) -> int:
        x, y, _ = self._sites[name]
        lead = "" if pin in ("CLKI", "CLKFB", "CLKINTFB") else "J"
        return self._to.wires.number(x, y, f"{lead}{pin}_{self._suffixes[kind]}")

    def _at(self, name: str, kind: str, pin: str) -> Signal:
        return self._to.slices.at(self._wire(name, kind, pin))

    def _check_pins(self, name: str, kind: str, pins: Iterator[str]) -> None:
        """Compare inputs without inverters, those that the netlist doesn't name included."""
        for pin in pins:
            self._to.agree(name, pin, self._to.bit(name, pin), self._at(name, kind, pin))

    def _check_memory(self, name: str) -> None:
        kind = "DP16KD"
        x, y, text = self._sites[name]
        number = int(text)
        site, places = f"EBR{number}", [(x + step, y) for step in _MEMORY_TILES[number]]
        widths = {port: str(self._to.number(name, f"DATA_WIDTH_{port}", _WIDTH))
                  for port in _PORTS}
        one_way = widths["A"] == _WIDE  # a mode in which one port only writes, the other one reads
        settings = {f"{site}.MODE": "PDPW16KD" if one_way else kind}
        settings |= {f"{site}.{parameter}": self._to.parameter(name, parameter, default)
                     for parameter, default in _MEMORY.items()}
        if one_way:
            settings[f"{site}.PDPW16KD.DATA_WIDTH_R"] = widths["B"]
        else:
            for port, width in widths.items():
                mode = self._to.parameter(name, f"WRITEMODE_{port}", "NORMAL")
                settings |= {f"{site}.{kind}.DATA_WIDTH_{port}": width,
                             f"{site}.{kind}.WRITEMODE_{port}": mode}
        for port in _PORTS:
            for control in _CONTROLS:
                pin = f"{control}{port}"
                if one_way and control == "WE":
                    self._at(name, kind, pin)
                    self._to.agree(name, pin, self._to.bit(name, pin), "1" if port == "A" else "0")
                    continue
                found = self._to.option(places, f"{site}.{pin}MUX", ("INV", pin))
                settings[f"{site}.{pin}MUX"] = found
                inverted = self._to.parameter(name, f"{pin}MUX", pin) == "INV"
                self._to.agree(name, pin, self._to.bit(name, pin), self._at(name, kind, pin),
                               inverted != (found == "INV"))
            self._check_selects(name, port, site, places)
            # Words of 36 bits begin at line 5, and lines 0 to 3 choose bytes: 4 is at nothing.
            self._check_pins(name, kind, (f"AD{port}{line}" for line in range(14)
                                          if not (one_way and port == "A" and line == 4)))
            self._check_pins(name, kind, (f"DI{port}{line}" for line in range(18)))
        self._to.expect(name, places, settings)
        self._check_content(name, site, places)

    def _check_selects(self, name: str, port: str, site: str, places: list[Place]) -> None:
        """A block RAM is selected if each select is as its bit of CSDECODE."""
        found = self._to.word(places, f"{site}.CSDECODE_{port}")
        wanted = self._to.number(name, f"CSDECODE_{port}")
        for line in range(_SELECTS):
            pin = f"CS{port}{line}"
            net, signal = self._to.bit(name, pin), self._at(name, "DP16KD", pin)
            self._to.agree(name, pin, net, signal, (wanted ^ found) >> line & 1 == 1)

    def _check_content(self, name: str, site: str, places: list[Place]) -> None:
        identity = self._to.word(places, f"{site}.WID")
        number = int(f"{identity:0{_IDENTITY_BITS}b}"[::-1], 2)
        found = self._to.decoded.memories.get(number)
        wanted = np.array([
            row >> _WORD * word + _HALF * half & (1 << _HALF) - 1
            for place in range(_ROWS)
            for row in [self._to.number(name, f"INITVAL_{place:02X}")]
            for word in range(_WORDS) for half in (0, 1)])
        if found is None:
            self._to.differ(name, f"number {number}: no contents have that number")
        elif not np.array_equal(found, wanted):
            at = int(np.flatnonzero(found != wanted)[0])
            self._to.differ(name, f"contents differ, first in 9 bits at {at}: {found[at]}, not "
                                  f"{wanted[at]}")
        self._to.memories.add(number)

    def _check_multiplier(self, name: str) -> None:
        kind = "MULT18X18D"
        x, y, text = self._sites[name]
        number = int(text)
        site, places = f"MULT18_{number}", [(x + step, y) for step in _MULTIPLIER_TILES[number]]
        settings = {f"{site}.{parameter}": self._to.parameter(name, parameter, default)
                    for parameter, default in _MULTIPLIER.items()
                    if parameter != "REG_OUTPUT_RST" or number in _WITH_OUTPUT_RESET}
        settings[f"{site}.MODE"] = kind
        if settings[f"{site}.REG_OUTPUT_CLK"] == "NONE":
            settings[f"{site}.CIBOUT_BYP"] = "ON"
        settings[f"DSP_{'LEFT' if number < _RIGHT_HALF else 'RIGHT'}.CIBOUT"] = "ON"
        pins = [f"{control}{line}" for control in ("CLK", "CE", "RST") for line in range(4)]
        settings.update({f"{site}.{pin}MUX": pin for pin in pins})
        self._check_pins(name, kind, iter(pins))
        self._check_pins(name, kind, (f"{what}{of}" for what in ("SIGNED", "SOURCE")
                                      for of in "AB"))
        self._check_pins(name, kind, (f"{of}{line}" for of in "ABC" for line in range(18)))
        self._to.expect(name, places, settings)

    def _check_pll(self, name: str) -> None:
        x, y, corner = self._sites[name]
        places = [(x + right, y + down) for right, down in _PLL_TILES[corner]]
        settings = {parameter: self._to.parameter(name, parameter, default)
                    for parameter, default in _PLL.items()}
        self._to.expect(name, places, {"MODE": "EHXPLLL", **settings})
        attributes = self._to.cells_by_name[name]["attributes"]
        self._to.expect_words(name, places, {
            **{parameter: self._to.number(name, parameter, default) - 1
               for parameter, default in _PLL_DIVIDERS.items()},
            **{parameter: self._to.number(name, parameter, default)
               for parameter, default in _PLL_NUMBERS.items()},
            **{parameter: int(attributes.get(parameter, default))
               for parameter, default in _PLL_ANALOG.items()}})
        self._check_pins(name, "EHXPLLL", (
            pin for pin, direction in
            self._to.cells_by_name[name]["port_directions"].items() if direction == "input"))
