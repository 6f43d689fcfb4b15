"""Random layers and small networks: golden = machine, its race detector on, through the driver."""

import numpy as np
import pytest

from golden.spec.config import preset
from sw.compiler import compile_graph
from sw.engines.machine import MachineTransport
from sw.errors import ModelError
from sw.session import open_model
from tb.lib.compare import check_graph, run_from_clean_memory
from tb.lib.quick import quick
from tb.lib.random_graphs import KINDS, RandomGraph
from tb.lib.record_networks import MODELS, RECORD

MEMORY = 1 << 22
STARVED = {"weight_rows": 8, "list_entries": 16, "parameter_beats": 20, "lane_blocks": 2}
# (configuration, pixels, channels)
CASES = {
    "tiny": (preset("tiny"), 60, 24),
    "base": (preset("base"), 300, 70),
    "tiny, 64 words": (preset("tiny", bank_words=16, **STARVED), 40, 20),
    "tiny, 128 words": (preset("tiny", bank_words=32, **STARVED), 50, 20),
    "base, 256 words": (preset("base", bank_words=32, weight_rows=32), 300, 70),
    "odd": (preset("tiny", lanes=8, columns=5, drain=4, banks=2), 100, 40),
    "one column": (preset("base", lanes=32, drp="none", columns=1, banks=1), 200, 70),
}
SEEDS = quick(1, range(100, 101), range(101, 104))
# Every lane block of these needs all channels of a pixel's window at once.
WHOLE_WINDOW = {"conv", "fc", "residual", "chain", "gate", "views"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_random_graphs(case, kind, seeds):
    """Every fourth one with zero skipping off; refused only where a window can't fit."""
    config, pixels, channels = CASES[case]
    refused = 0
    for seed in seeds:
        drawn = RandomGraph(seed, kind, config.lanes, pixels, channels)
        try:
            check_graph(config, drawn, MachineTransport(config, memory_bytes=MEMORY), None,
                        dense=seed % 4 == 3)
        except ModelError as error:
            assert "not even one output pixel fits the scratchpad" in str(error)
            assert kind in WHOLE_WINDOW and config.words <= 256, (seed, error)
            refused += 1
    assert refused <= 2 + (kind == "views"), refused  # those have several convolutions


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_networks_on_a_small_chip(name):
    """The four networks through 512 words of scratchpad and 56 rows of weights."""
    config = preset("tiny")
    program = compile_graph(open_model(name).graph, config)
    with np.load(RECORD) as record:
        data, expected = record[f"{name}/inputs"][:1], record[f"{name}/outputs"][:1]
    result, _ = run_from_clean_memory(MachineTransport(config, memory_bytes=MEMORY), program,
                                      [data])
    (found,) = result.outputs.values()
    assert np.array_equal(found, expected)
