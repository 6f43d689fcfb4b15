"""The four networks on the RTL: preset base, its array with quartered memories, a slow DRAM.

Every output byte is golden's, which tb/golden holds against recordings of LiteRT's reference
kernels, layer by layer, and against LiteRT itself where it is installed.
"""

import numpy as np
import pytest

from golden import executor
from golden.spec.config import preset
from sw.engines.machine import MachineTransport
from sw.engines.rtl.engine import RtlTransport
from sw.session import compiled, open_model
from sw.zoo import find
from tb.lib.compare import run_from_clean_memory
from tb.lib.timing import compare_timing

MEMORY = 1 << 22
NETWORKS = ("resnet8", "dscnn", "vww", "autoencoder")
QUICK = {("base", "dscnn"), ("base", "autoencoder"), ("slow", "autoencoder")}
QUARTER = {"drp": "none", "bank_words": 256, "weight_rows": 1024, "list_entries": 1024,
           "parameter_beats": 128, "lane_blocks": 16}
SLOW = {"dram_bytes": 4, "dram_latency": 150}
CONFIGS = {"base": {}, "quartered": QUARTER, "slow": SLOW}
# (samples, simulator: a slow DRAM needs none of its own).
RUNS = {"base": (2, "base"), "quartered": (2, "quartered"), "slow": (1, "base")}
# Most cycles on preset base; tight on purpose: a slower chip is a fault.
LIMITS = {"resnet8": 106_000, "dscnn": 28_000, "vww": 62_000, "autoencoder": 21_000}


@pytest.mark.parametrize(("chip", "network"), [
    pytest.param(chip, network, marks=[] if (chip, network) in QUICK else pytest.mark.slow)
    for chip in CONFIGS for network in NETWORKS])
def test_network(chip, network):
    config = preset("base", **CONFIGS[chip])
    model = open_model(network)
    program = compiled(model, config)
    _, zoo = find(network)
    assert zoo is not None and model.graph is not None
    rtl = RtlTransport(config, memory_bytes=MEMORY)
    for sample in zoo.samples(RUNS[chip][0], model.inputs[0]):
        expected = executor.run(model.graph, sample.inputs)
        found, memory = run_from_clean_memory(rtl, program, sample.inputs)
        for name in model.graph.outputs:
            assert np.array_equal(found.outputs[name], expected[name]), sample.name
    told, same = run_from_clean_memory(MachineTransport(config, memory_bytes=MEMORY), program,
                                       sample.inputs)
    assert memory == same
    compare_timing(config, program.layers, found, told)
    if chip == "base":
        assert found.cycles <= LIMITS[network]
