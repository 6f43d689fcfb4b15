"""Netlists as nextpnr packs them for an ECP5, written down cell by cell."""

from collections.abc import Mapping
from typing import Any

__all__ = ["Netlist"]

_OUTPUTS = ("F", "OFX", "FCO", "Q")
_MOST_OUTPUTS = ("WDO", "WADO", "DOA", "DOB", "P")  # with a number behind


class Netlist:
    """Cells at nets that have names.

    Members
    -------
    module : dict
        As nextpnr writes it in JSON.
    cells : dict
        Its cells.
    """

    def __init__(self) -> None:
        self.cells: dict[str, Any] = {}
        self.module: dict[str, Any] = {
            "settings": {"arch.type": "lfe5u_25f"}, "attributes": {}, "ports": {},
            "cells": self.cells, "netnames": {}}

    @property
    def netlist(self) -> dict[str, Any]:
        """The whole file."""
        return {"modules": {"top": self.module}}

    def net(self, name: str) -> int:
        """Number of a net."""
        numbers = self.module["netnames"]
        if name not in numbers:
            numbers[name] = {"hide_name": 0, "bits": [100 + len(numbers)],
                             "attributes": {"ROUTING": " "}}
        return int(numbers[name]["bits"][0])

    def clock(self, name: str) -> int:
        """Number of a net that has wires of its own."""
        number = self.net(name)
        self.module["netnames"][name]["attributes"]["ECP5_IS_GLOBAL"] = f"{1:032b}"
        return number

    def add(self, kind: str, name: str, at: str | None = None,
            parameters: Mapping[str, str] | None = None, **pins: str | None) -> str:
        """A cell: names of nets by pin, None for nothing, and its place."""
        self.cells[name] = {
            "hide_name": 0, "type": kind, "parameters": dict(parameters or {}),
            "attributes": {} if at is None else {"NEXTPNR_BEL": at},
            "port_directions": {pin: "output" if _is_output(pin) else "input" for pin in pins},
            "connections": {pin: [] if net is None else [self.net(net)]
                            for pin, net in pins.items()}}
        return name

    def lut(self, name: str, at: str | None = None, mode: str | None = None,
            **pins: str | None) -> str:
        """A LUT whose output F is called as it is, unless F is given."""
        return self.add("TRELLIS_COMB", name, at, {"MODE": mode} if mode else {},
                        **{"F": name, **pins})

    def flipflop(self, name: str, at: str | None = None, parameters: Mapping[str, str] = {},
                 **pins: str | None) -> str:
        """A flip-flop whose output Q is called as it is, fed at DI or M."""
        return self.add("TRELLIS_FF", name, at,
                        {"SD": "1 " if "DI" in pins else "0 ", "CEMUX": "1 ", **parameters},
                        **{"Q": name, "CLK": "clk", **pins})

    def chain(self, name: str, length: int) -> list[str]:
        """So many LUTs along a carry."""
        return [self.lut(f"{name}{number}", mode="CCU2", A=f"{name}{number}.a",
                         FCI=f"{name}{number}.carry" if number else None,
                         FCO=f"{name}{number + 1}.carry") for number in range(length)]

    def pair(self, name: str) -> list[str]:
        """The LUTs of a slice, joined by a multiplexer whose output is called as it is."""
        return [self.lut(f"{name}.0", OFX=name, F1=f"{name}.1", M=f"{name}.m"),
                self.lut(f"{name}.1")]

    def multiplexer(self, name: str, depth: int) -> dict[int, str]:
        """Slices joined by multiplexers, ``2 ** depth``; by slot of a tile where nextpnr has it."""
        if depth == 0:
            return dict(enumerate(self.pair(name)))
        found: dict[int, str] = {}
        for half, pin in enumerate(("FXB", "FXA")):
            inner = self.multiplexer(f"{name}.{pin}", depth - 1)
            found |= {2 ** depth * half + slot: cell for slot, cell in inner.items()}
        root = self.cells[found[2 * depth - 1]]
        for pin, net in (("FXB", f"{name}.FXB"), ("FXA", f"{name}.FXA"), ("M", f"{name}.m"),
                         ("OFX", name)):
            root["connections"][pin] = [self.net(net)]
            root["port_directions"][pin] = "output" if _is_output(pin) else "input"
        return found

    def ram(self, name: str, bits: int = 4, wired: int = 4, **parameters: str) -> dict[int, str]:
        """LUTs of a RAM and its write port, which feeds as many as are wired; by slot."""
        self.add("TRELLIS_RAMW", f"{name}.port", None, {},
                 **{f"WDO{bit}": f"{name}.wd{bit}" for bit in range(4)},
                 **{f"WADO{bit}": f"{name}.wad{bit}" for bit in range(4)},
                 **{f"{pin}{bit}": f"{name}.{pin}{bit}" for pin in "ABCD" for bit in (0, 1)})
        found = {}
        for bit in range(bits):
            found[bit] = self.add(
                "TRELLIS_COMB", f"{name}.{bit}", None, {"MODE": "DPRAM", **parameters},
                F=f"{name}.{bit}", WD=f"{name}.wd{bit}" if bit < wired else None,
                WCK="clk", WRE=f"{name}.we",
                **{f"WAD{line}": f"{name}.wad{line}" for line in range(4)},
                **{pin: f"{name}.r{pin}" for pin in "ABCD"})
        return found


def _is_output(pin: str) -> bool:
    return pin in _OUTPUTS or pin.rstrip("0123456789") in _MOST_OUTPUTS
