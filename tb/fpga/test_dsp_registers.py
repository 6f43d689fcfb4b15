"""Registers packed into multipliers: what moves, what has to stay, what others still hear."""

import pytest

from fpga.dsp_registers import pack_registers

CLOCK, OTHER = 2, 3
PLAIN = {"CEMUX": "1 ", "CLKMUX": "CLK", "LSRMUX": "LSR", "REGSET": "RESET"}
BITS = 3  # of each operand; the rest is tied


class Netlist:
    """x -> register -> multiplier -> register -> y."""

    def __init__(self):
        self.next, self.cells, self.ports = 10, {}, {}
        connections, directions = {}, {}
        self.inputs, self.operands = {}, {}
        for side in "AB":
            for bit in range(18):
                pin = f"{side}{bit}"
                if bit < BITS:
                    self.inputs[pin], self.operands[pin] = self.net(), self.net()
                    self.flip_flop(pin, self.inputs[pin], self.operands[pin])
                connections[pin], directions[pin] = [self.operands.get(pin, "0")], "input"
        self.products = {f"P{bit}": self.net() for bit in range(36)}
        self.outputs = {f"P{bit}": self.net() for bit in range(2 * BITS)}
        for pin, net in self.products.items():
            connections[pin], directions[pin] = [net], "output"
        for pin, net in self.outputs.items():
            self.flip_flop(pin, self.products[pin], net)
        self.cells["m"] = {"type": "MULT18X18D", "parameters": {}, "connections": connections,
                           "port_directions": directions}

    def net(self):
        self.next += 1
        return self.next

    def flip_flop(self, name, d, q):
        self.cells[name] = {
            "type": "TRELLIS_FF", "parameters": dict(PLAIN),
            "connections": {"CLK": [CLOCK], "LSR": ["0"], "DI": [d], "Q": [q]},
            "port_directions": {"CLK": "input", "LSR": "input", "DI": "input", "Q": "output"}}

    def pack(self):
        return pack_registers({"cells": self.cells, "ports": self.ports})["m"]

    def pin(self, name):
        return self.cells["m"]["connections"][name][0]


def test_both_sides_move():
    netlist = Netlist()
    assert netlist.pack() == ("operands", "product")
    assert list(netlist.cells) == ["m"]
    for pin, net in {**netlist.inputs, **netlist.outputs}.items():
        assert netlist.pin(pin) == net
    assert netlist.pin("A17") == "0"
    assert (netlist.pin("CLK0"), netlist.pin("CE0"), netlist.pin("RST0")) == (CLOCK, "1", "0")
    assert netlist.cells["m"]["parameters"] == {
        "REG_INPUTA_CLK": "CLK0", "REG_INPUTB_CLK": "CLK0", "REG_OUTPUT_CLK": "CLK0",
        "GSR": "DISABLED"}


def test_an_operand_that_others_hear_stays_for_them():
    netlist = Netlist()
    netlist.flip_flop("next", netlist.operands["A1"], netlist.net())
    netlist.ports["o"] = {"direction": "output", "bits": [netlist.operands["B2"]]}
    assert netlist.pack() == ("operands", "product")
    assert set(netlist.cells) == {"m", "next", "A1", "B2"}
    assert netlist.pin("A1") == netlist.inputs["A1"]


def test_a_product_that_others_hear_stays():
    netlist = Netlist()
    netlist.flip_flop("next", netlist.products["P1"], netlist.net())
    assert netlist.pack() == ("operands",)
    assert set(netlist.cells) == {"m", "next", *netlist.outputs}
    assert "REG_OUTPUT_CLK" not in netlist.cells["m"]["parameters"]


@pytest.mark.parametrize("parameters, connections", [
    ({"CEMUX": "CE"}, {"CE": [7]}), ({"CEMUX": "INV"}, {"CE": [7]}), ({"REGSET": "SET"}, {}),
    ({}, {"LSR": [7]}), ({"CLKMUX": "INV"}, {}), ({"LSRMUX": "INV"}, {}), ({}, {"CLK": [OTHER]})])
@pytest.mark.parametrize("place, kept", [("A1", ("product",)), ("P1", ("operands",))])
def test_one_that_is_not_plain_keeps_its_side_out(parameters, connections, place, kept):
    netlist = Netlist()
    netlist.cells[place]["parameters"].update(parameters)
    netlist.cells[place]["connections"].update(connections)
    netlist.cells[place]["port_directions"].update(dict.fromkeys(connections, "input"))
    assert netlist.pack() == kept
    assert place in netlist.cells


def test_both_sides_share_a_clock():
    netlist = Netlist()
    for pin in netlist.outputs:
        netlist.cells[pin]["connections"]["CLK"] = [OTHER]
    assert netlist.pack() == ("operands",)


def test_a_register_between_two_multipliers_moves_once():
    netlist = Netlist()
    first = netlist.cells["m"]
    second = {**first, "connections": dict(first["connections"]), "parameters": {},
              "port_directions": dict(first["port_directions"])}
    for pin in netlist.products:
        second["connections"][pin] = [netlist.net()]
    for bit in range(18):
        second["connections"][f"A{bit}"] = [netlist.outputs.get(f"P{bit}", "0")]
        second["connections"][f"B{bit}"] = ["1"]
    netlist.cells["second"] = second
    found = pack_registers({"cells": netlist.cells, "ports": {}})
    assert found["m"] == ("operands", "product")
    assert "operands" not in found["second"]


def test_nothing_to_move():
    netlist = Netlist()
    for pin in netlist.operands:
        del netlist.cells[pin]
    assert netlist.pack() == ("product",)
