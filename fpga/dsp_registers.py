"""Flip-flops at the pins of DSP blocks, moved into the blocks' own registers.

Yosys infers ECP5's multiplier without them. Between its own registers a multiplier leaves the clock
period to the routes that lead there, and the fabric's flip-flops to others.
"""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

__all__ = ["pack_registers"]

_TYPE = "MULT18X18D"
_OPERANDS = tuple(f"{side}{bit}" for side in "AB" for bit in range(18))
_PRODUCT = tuple(f"P{bit}" for bit in range(36))
# Of a block's four sets of clock, enable and reset; nextpnr knows the timing of the first only.
_CLOCK, _TIED = "CLK0", {"CE0": "1", "RST0": "0"}


def pack_registers(module: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Move them, in place.

    The operands' go in if a flip-flop drives each bit that is no constant; one that others listen
    to as well stays for those. The product's go in if nothing else listens. Flip-flops with
    enable, reset or inverted clock stay.

    Parameters
    ----------
    module : dict
        Flat netlist of ECP5's cells, as Yosys writes it in JSON.

    Returns
    -------
    dict of str to tuple of str
        By multiplier: which of its registers are in use, of "operands" and "product".
    """
    netlist = _Netlist(module)
    found = {}
    for name in [name for name, cell in module["cells"].items() if cell["type"] == _TYPE]:
        used = {"operands": netlist.take_operands(name), "product": netlist.take_product(name)}
        found[name] = tuple(kind for kind, taken in used.items() if taken)
    return found


class _Netlist:
    """Cells, and who drives and who listens to each net."""

    def __init__(self, module: dict[str, Any]) -> None:
        self._cells = module["cells"]
        self._driver: dict[int | str, str] = {}
        self._listeners: dict[int | str, set[tuple[str, str]]] = defaultdict(set)
        for name, cell in self._cells.items():
            for pin, bits in cell["connections"].items():
                for bit in bits:
                    if cell["port_directions"][pin] == "output":
                        self._driver[bit] = name
                    else:
                        self._listeners[bit].add((name, pin))
        for name, port in module["ports"].items():
            for bit in port["bits"]:
                self._listeners[bit].add((name, "port"))

    def take_operands(self, name: str) -> bool:
        """Whether they are in the block now; if not, nothing has changed."""
        nets = self._nets(name, _OPERANDS)
        registers = {self._driver.get(net, "") for net in nets.values()}
        if not self._fit(name, registers):
            return False
        for pin, net in nets.items():
            self._listeners[net].discard((name, pin))
            source = self._net(self._driver[net], "DI")
            self._cells[name]["connections"][pin] = [source]
            self._listeners[source].add((name, pin))
        self._clock(name, next(iter(registers)), ("REG_INPUTA_CLK", "REG_INPUTB_CLK"))
        for register in registers:
            if not self._listeners[self._net(register, "Q")]:
                self._remove(register)
        return True

    def take_product(self, name: str) -> bool:
        """Likewise."""
        listeners = {pin: self._listeners[net] for pin, net in self._nets(name, _PRODUCT).items()
                     if self._listeners[net]}
        if any(len(found) > 1 or next(iter(found))[1] != "DI" for found in listeners.values()):
            return False
        registers = {pin: next(iter(found))[0] for pin, found in listeners.items()}
        if not self._fit(name, registers.values()):
            return False
        self._clock(name, next(iter(registers.values())), ("REG_OUTPUT_CLK",))
        for pin, register in registers.items():
            target = self._net(register, "Q")
            self._remove(register)
            self._cells[name]["connections"][pin] = [target]
            self._driver[target] = name
        return True

    def _net(self, name: str, pin: str) -> int | str:
        """What a pin is connected to; a constant is a text."""
        return self._cells[name]["connections"].get(pin, ["x"])[0]

    def _nets(self, name: str, pins: Collection[str]) -> dict[str, int | str]:
        nets = {pin: self._net(name, pin) for pin in pins}
        return {pin: net for pin, net in nets.items() if isinstance(net, int)}

    def _fit(self, name: str, registers: Collection[str]) -> bool:
        """Whether all of them can share one register of a block."""
        clocks = {self._net(register, "CLK") for register in registers if self._plain(register)}
        present = {net for net in [self._net(name, _CLOCK)] if isinstance(net, int)}
        return all(map(self._plain, registers)) and len(clocks) == len(clocks | present) == 1

    def _plain(self, name: str) -> bool:
        """Whether it is a flip-flop that takes its input at each rising edge, come what may."""
        cell = self._cells.get(name)
        if cell is None or cell["type"] != "TRELLIS_FF":
            return False
        parameters = {key: value.strip() for key, value in cell["parameters"].items()}
        enabled = parameters["CEMUX"] == "1" or (
            parameters["CEMUX"] == "CE" and self._net(name, "CE") == "1")
        # Registers of multipliers begin with 0.
        return (enabled and parameters["CLKMUX"] == "CLK" and parameters["LSRMUX"] == "LSR"
                and parameters["REGSET"] == "RESET" and self._net(name, "LSR") == "0")

    def _clock(self, name: str, like: str, parameters: Collection[str]) -> None:
        cell = self._cells[name]
        for pin, net in {_CLOCK: self._net(like, "CLK"), **_TIED}.items():
            cell["connections"][pin] = [net]
            cell["port_directions"][pin] = "input"
            self._listeners[net].add((name, pin))
        cell["parameters"].update(dict.fromkeys(parameters, _CLOCK), GSR="DISABLED")

    def _remove(self, name: str) -> None:
        for pin, bits in self._cells.pop(name)["connections"].items():
            for bit in bits:
                self._listeners[bit].discard((name, pin))
