"""Cocotb test of the whole chip as a netlist, run by test_unknown.py inside Icarus.

GATE_PRESET names the preset, GATE_NETWORK the class of tb.gate.network.
"""

import os

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge

from golden.spec.config import preset
from hw.export import sidecar
from sw.driver.device import Device
from tb.cocotb import chip as cocotb_chip
from tb.cocotb.chip import Chip
from tb.gate import network as networks

CONFIG = preset(os.environ["GATE_PRESET"])
SEED = os.environ["COCOTB_RANDOM_SEED"]
cocotb_chip.RESET_CYCLES = 5  # the first edge comes with rst, valid is known three later


class Watch:
    """Refuses an X on an output at any clock edge since reset.

    Payloads may be unknown while they are not valid: memories that nothing has written yet are read
    ahead.

    Members
    -------
    edges : int
        Seen.
    failure : str
        Empty as long as there is none.
    """

    def __init__(self, dut):
        self.dut, self.edges, self.failure = dut, 0, ""
        self.outputs = {port["name"]: getattr(dut, port["name"])
                        for port in sidecar(CONFIG, "")["ports"] if port["direction"] == "output"}
        assert {"irq", "axi__w__valid", "axi__w__payload"} <= set(self.outputs)

    async def run(self):
        while True:
            await RisingEdge(self.dut.clk)
            for name, pin in self.outputs.items():
                if not pin.value.is_resolvable and not self._idle(name):
                    self.failure = self.failure or (
                        f"{name} is {pin.value} at edge {self.edges} since reset")
            self.edges += 1

    def _idle(self, name):
        """Whether it is a payload and not valid."""
        valid = self.outputs[name.replace("__payload", "__valid")].value
        return name.endswith("__payload") and valid.is_resolvable and not int(valid)


@cocotb.test()
async def network_matches_golden(dut):
    chip, watch = Chip(dut, CONFIG, SEED), Watch(dut)
    await chip.power_on()
    cocotb.start_soon(watch.run())
    network = getattr(networks, os.environ["GATE_NETWORK"])(CONFIG)

    def run():
        device = Device(chip)
        device.load(network.program)
        return device.run(network.inputs)

    try:
        result = await chip.use(run)
    finally:
        assert not watch.failure, watch.failure
    for name, expected in network.expected.items():
        wrong = np.count_nonzero(result.outputs[name] != expected)
        assert not wrong, f"{wrong} of {expected.size} bytes of {name} differ"
    assert watch.edges > result.cycles > 0
    dut._log.info("%d cycles, %d edges without X", result.cycles, watch.edges)
