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
SEEDS = 3  # of each kind and case; the first one of those with stalls is quick


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("case", "seeds"), [
    *((case, (0,)) for case in CASES if "stalls" in case),
    *(pytest.param(case, range("stalls" in case, SEEDS), marks=pytest.mark.slow)
      for case in CASES)],
    ids=lambda item: item if isinstance(item, str) else f"{item[0]}-{item[-1]}")
def test_random_graphs(case, seeds, kind):
    """Every fourth one with zero skipping off, stalls or not."""
    name = case.split("-")[0]
    pixels, channels, stalls = CASES[case]
    config = preset(name)
    first = 1000 * list(CASES).index(case) + KINDS.index(kind) % 4
    for seed in (first + seed for seed in seeds):
        print(f"seed {seed} kind {kind} case {case}")
        drawn = RandomGraph(seed, kind, config.lanes, pixels, channels)
        rtl = RtlTransport(config, memory_bytes=MEMORY, stall_percent=stalls, seed=seed)
        machine = MachineTransport(config, memory_bytes=MEMORY)
        check_graph(config, drawn, rtl, machine, dense=seed % 4 == 3)
        rtl.close()
