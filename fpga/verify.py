"""x"""
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fpga.comparison import Comparison
from fpga.decode import Decoded
from fpga.idle import Idle
from fpga.trellis import Trellis
from fpga.verify_blocks import BlockRules
from fpga.verify_logic import LogicRules
from fpga.verify_pads import PadRules


def with_pads(module: dict[str, Any]) -> dict[str, Any]:
    padded = {bit for cell in module["cells"].values() if cell["type"] == "TRELLIS_IO"
              for bit in cell["connections"]["B"]}
    cells, ports = dict(module["cells"]), {}
    for name, port in module["ports"].items():
        bits = []
        for number, bit in enumerate(port["bits"]):
            if bit not in padded:
                out = port["direction"] == "output"
                bit, net = ("pad", name, number), bit
                pins = {"B": [bit], **({"I": [net], "T": ["0"]} if out else {"O": [net]})}
                cells[f"{name}[{number}]$pad"] = {
                    "type": "TRELLIS_IO", "attributes": {},
                    "parameters": {"DIR": "OUTPUT" if out else "INPUT"}, "connections": pins,
                    "port_directions": {"B": "inout", "I": "input", "T": "input", "O": "output"}}
            bits.append(bit)
        ports[name] = {**port, "bits": bits}
    return {**module, "cells": cells, "ports": ports}


def compare(module, places, constraints, bitstream, device_name, package):
    module = with_pads(module)
    device = Trellis(device_name)
    decoded = Decoded(bitstream, device)
    to = Comparison(module, places, decoded, device)
    logic, blocks = LogicRules(to), BlockRules(to)
    pads = PadRules(to, module["ports"], constraints, package)
    cells = {name: cell["type"] for name, cell in module["cells"].items()}
    rules = {kind: rule for rule in (logic, blocks, pads) for kind in rule.kinds}
    for name, kind in cells.items():
        if kind in pads.kinds:
            pads.claim(name, kind)
    for name, kind in cells.items():
        if kind in rules and kind not in pads.kinds and name not in pads.registers:
            rules[kind].claim(name, kind)
    logic.claim_multiplexers()
    for name, kind in cells.items():
        if kind not in rules:
            to.differ(name, f"is {kind}, for which there is no rule")
        elif name not in pads.registers:
            rules[kind].check(name, kind)
    clash = to.wires.use(to.slices.asked)
    to.wires.explain()
    harmless, others = Idle(to).run()
    return to, clash, harmless, others
