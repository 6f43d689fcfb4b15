"""Each block against golden on two independent simulators, every stream stalling at random.

COCOTB_RANDOM_SEED in the environment replaces what is set here.
"""

import pytest

from tb.cocotb.blocks import TOP, blocks_verilog
from tb.cocotb.simulators import SIMULATORS, simulate
from tb.lib.quick import quick

SEED = 20262
BENCHES = ("mac", "post", "memory", "dma", "sequencer", "drp")
TESTS = 4 + 4 + 2 + 3 + 4 + 8 + 2 + 2 + 15 + 2 + 13
# Names of tests: some random ones of each block; those, and every error.
FEW = r"^(?!.*(seed=[023]|_errors))"
MORE = r"^(?!.*seed=[23])"


@pytest.fixture(scope="module")
def verilog():
    return blocks_verilog()


@pytest.fixture(autouse=True)
def no_waves(monkeypatch):
    monkeypatch.delenv("WAVES", raising=False)


def run(simulator, verilog, folder, names):
    folder.mkdir()
    return simulate(simulator, verilog, TOP, [f"tb.cocotb.{name}_bench" for name in BENCHES],
                    folder, seed=SEED, select=names)


def test_verilator(verilog, tmp_path):
    times = run("verilator", verilog, tmp_path / "verilator", MORE)
    assert len(times) > 40 and all(times.values())


@pytest.mark.parametrize("names", quick(1, FEW, None), ids=["few", "all"])
def test_blocks(verilog, tmp_path, names):
    """Equal seeds take equally long on both: the blocks do the same in every cycle."""
    first, second = (run(simulator, verilog, tmp_path / simulator, names)
                     for simulator in SIMULATORS)
    assert first == second
    assert len(first) == TESTS if names is None else len(first) >= 10
    assert all(first.values())
