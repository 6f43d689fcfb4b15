"""The whole chip on two independent simulators, every bus channel stalling at random.

COCOTB_RANDOM_SEED and NPU_NETWORKS in the environment replace what is set here.
"""

import functools
import os

import pytest

from golden.spec.config import preset
from hw.export import TOP
from sw.engines.rtl.builder import generate_verilog
from tb.cocotb.simulators import SIMULATORS, simulate
from tb.lib.random_graphs import KINDS

PRESET = "tiny"
SEED = 20260
ALL = tuple(f"{kind}{seed}" for kind in KINDS for seed in range(1, 3))
QUICK = {"verilator": ("concat1", "fc1", "conv2", "depthwise1", "residual1"),
         "icarus": ("concat1", "fc1")}
SLOW = {"verilator": tuple(name for name in ALL if name not in QUICK["verilator"]),
        "icarus": ("conv1", "residual1", "depthwise1")}
NETWORK = "network_matches_golden"
# Icarus takes long: with few networks it has one test of each kind.
ONE_EACH = f"{NETWORK}|registers_answer|round=0$|where=load$|what=opcode$"


@pytest.fixture(autouse=True)
def no_waves(monkeypatch):
    """A simulator that records waves is another one than the one that is kept."""
    monkeypatch.delenv("WAVES", raising=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Simulated times of the bench's tests, by name, for a simulator and networks; run once."""
    @functools.cache
    def times(simulator, networks):
        return simulate(
            simulator, generate_verilog(preset(PRESET)), TOP, "tb.cocotb.npu_bench",
            tmp_path_factory.mktemp(simulator), seed=SEED,
            select=ONE_EACH if networks == QUICK["icarus"] else None,
            environment={"NPU_PRESET": PRESET, "NPU_NETWORKS": " ".join(networks)})

    return times


@pytest.mark.parametrize("names", [QUICK, pytest.param(SLOW, marks=pytest.mark.slow)],
                         ids=["quick", "slow"])
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_npu(simulator, names, run):
    networks = tuple(os.environ.get("NPU_NETWORKS", "").split()) or names[simulator]
    ran = " ".join(run(simulator, networks))
    for test in ("registers_answer", "soft_reset", "bus_error", "bad_program"):
        assert test in ran
    assert ran.count(NETWORK) == 2 * len(networks)


def test_simulators_agree_in_every_cycle(run):
    """Equal seeds give equal stalls as long as the chip does the same, and did before."""
    first, second = (
        {name: time for name, time in run(simulator, QUICK["icarus"]).items() if NETWORK in name}
        for simulator in SIMULATORS)
    assert first == second
    assert len(first) == 2 * len(QUICK["icarus"]) and all(first.values())
