"""Random layers and small networks: golden = rtl, and machine = rtl in every byte of memory."""

import pytest

from golden.spec.config import preset
from sw.engines.machine import MachineTransport
from sw.engines.rtl.engine import RtlTransport
from tb.lib.compare import check_graph
from tb.lib.random_graphs import KINDS, RandomGraph

MEMORY = 1 << 22
# (preset, pixels, channels, percent of cycles in which an AXI channel pauses)
CASES = {"tiny": (60, 12, 0), "tiny-stalls": (60, 12, 30),
         "base": (300, 70, 0), "base-stalls": (300, 70, 20)}
SEEDS = 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_random_graphs(case, kind):
    """Each kind with six seeds in four cases; every fourth one with zero skipping off."""
    name = case.split("-")[0]
    pixels, channels, stalls = CASES[case]
    config = preset(name)
    first = 1000 * list(CASES).index(case)
    for seed in range(first, first + SEEDS):
        print(f"seed {seed} kind {kind} case {case}")
        drawn = RandomGraph(seed, kind, config.lanes, pixels, channels)
        rtl = RtlTransport(config, memory_bytes=MEMORY, stall_percent=stalls, seed=seed)
        machine = MachineTransport(config, memory_bytes=MEMORY)
        check_graph(config, drawn, rtl, machine, dense=seed % 4 == 3)
        rtl.close()
