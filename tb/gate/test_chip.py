"""The whole chip as a netlist of ECP5's cells, in Verilator, from any state that power-up leaves.

Every flip-flop and memory begins at random, anew for every seed: reset alone must do.
"""

import numpy as np
import pytest

from golden.spec.config import preset
from sw.driver.device import Device
from sw.engines.rtl.engine import RtlTransport
from tb.gate.netlists import chip_netlist
from tb.gate.network import GateNetwork, block_sizes
from tb.lib.quick import quick

MEMORY = 1 << 16
# (seed, percent of cycles in which an AXI channel pauses)
STARTS = quick(2, (0, 0), (1, 20), (2, 40), (3, 0))


@pytest.fixture(scope="module")
def gates():
    return chip_netlist(preset("tiny"))


@pytest.fixture(scope="module")
def network():
    return GateNetwork(preset("tiny"))


def test_the_network_has_blocks_of_every_size(network):
    config = preset("tiny")
    assert block_sizes(config, network.program) == set(range(config.group + 1))


@pytest.mark.parametrize(("seed", "stalls"), STARTS)
def test_network_matches_golden(gates, network, seed, stalls):
    config = preset("tiny")
    chip = RtlTransport(config, memory_bytes=MEMORY, verilog=gates, random_start=True, seed=seed,
                        stall_percent=stalls)
    device = Device(chip)
    device.load(network.program)
    result = device.run(network.inputs)
    chip.close()
    for name, expected in network.expected.items():
        wrong = np.count_nonzero(result.outputs[name] != expected)
        assert not wrong, f"seed {seed}: {wrong} of {expected.size} bytes of {name} differ"
