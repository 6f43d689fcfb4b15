"""The whole chip on two independent simulators, every bus channel stalling at random.

COCOTB_RANDOM_SEED and NPU_NETWORKS in the environment replace what is set here.
"""

import os

import pytest

from golden.spec.config import preset
from hw.export import TOP
from sw.engines.rtl.builder import generate_verilog
from tb.cocotb.simulators import SIMULATORS, simulate
from tb.lib.random_graphs import KINDS

PRESET = "tiny"
SEED = 20260
NETWORKS = {"verilator": [f"{kind}{seed}" for kind in KINDS for seed in range(1, 3)],
            "icarus": ["residual1", "depthwise1", "fc1"]}


@pytest.fixture(autouse=True)
def no_waves(monkeypatch):
    """A simulator that records waves is another one than the one that is kept."""
    monkeypatch.delenv("WAVES", raising=False)


def run(simulator, folder, networks, **options):
    folder.mkdir(exist_ok=True)
    return simulate(simulator, generate_verilog(preset(PRESET)), TOP, "tb.cocotb.npu_bench",
                    folder, seed=SEED, **options,
                    environment={"NPU_PRESET": PRESET, "NPU_NETWORKS": " ".join(networks)})


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_npu(simulator, tmp_path):
    networks = os.environ.get("NPU_NETWORKS", " ".join(NETWORKS[simulator])).split()
    names = " ".join(run(simulator, tmp_path, networks))
    for test in ("registers_answer", "soft_reset", "bus_error", "bad_program"):
        assert test in names
    assert names.count("network_matches_golden") == 2 * len(networks)


def test_simulators_agree_in_every_cycle(tmp_path):
    """Equal seeds give equal stalls as long as the chip does the same."""
    first, second = (
        run(simulator, tmp_path / simulator, ["conv3", "concat1"], select="network_matches_golden")
        for simulator in SIMULATORS)
    assert first == second
    assert first and all(first.values())
