"""Random chains of operators: golden = rtl, and machine = rtl in every byte of memory."""

import pytest

from golden.spec.config import preset
from sw.engines.machine import MachineTransport
from sw.engines.rtl.engine import RtlTransport
from sw.errors import ModelError
from tb.lib.compare import check_graph
from tb.lib.random_chains import RandomChain, force_chains

MEMORY = 1 << 23
# (preset, seeds, rows, columns, channels, percent of cycles in which an AXI channel pauses)
CASES = {"tiny-stalls": ("tiny", range(10, 15), 30, 9, 48, 30),
         "base": ("base", range(1), 60, 48, 160, 0)}
SLOW = {"tiny": ("tiny", range(10), 24, 9, 40, 0),
        "tiny-more-stalls": ("tiny", range(15, 20), 30, 9, 48, 30),
        "base-more": ("base", range(1, 3), 60, 48, 160, 0)}


@pytest.mark.parametrize("case", [
    *CASES, *(pytest.param(case, marks=pytest.mark.slow) for case in SLOW)])
def test_random_chains(case, monkeypatch):
    """Operators that take turns on sliding buffers, in parts or not."""
    name, seeds, rows, columns, channels, stalls = (CASES | SLOW)[case]
    config, chained = preset(name), 0
    for seed in seeds:
        print(f"seed {seed} case {case}")
        plans = force_chains(monkeypatch, seed)
        drawn = RandomChain(seed, config.lanes, rows, columns, channels)
        rtl = RtlTransport(config, memory_bytes=MEMORY, stall_percent=stalls, seed=seed)
        try:
            check_graph(config, drawn, rtl, MachineTransport(config, memory_bytes=MEMORY))
        except ModelError as error:
            assert "not even one output pixel" in str(error), seed
        finally:
            rtl.close()
        chained += sum(bool(plan.turns) for plan in plans)
    assert chained >= len(seeds) // 3, chained
