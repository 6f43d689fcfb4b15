"""Each block against golden on two independent simulators, every stream stalling at random.

COCOTB_RANDOM_SEED in the environment replaces what is set here.
"""

import pytest

from tb.cocotb.blocks import TOP, blocks_verilog
from tb.cocotb.simulators import simulate

SEED = 20262
BENCHES = ("mac", "post", "memory", "dma", "sequencer", "drp")
TESTS = 4 + 4 + 2 + 3 + 4 + 8 + 2 + 2 + 15 + 2 + 13
# Names of the tests to run: of the random ones some seeds, of the errors all on one simulator.
QUICK = {"verilator": r"^(?!.*seed=[23])", "icarus": r"^(?!.*(seed=[023]|_errors))"}


@pytest.mark.parametrize("select", [
    QUICK, pytest.param(dict.fromkeys(QUICK), marks=pytest.mark.slow)], ids=["quick", "all"])
def test_blocks(select, tmp_path, monkeypatch):
    """Equal seeds take equally long on both: the blocks do the same in every cycle."""
    monkeypatch.delenv("WAVES", raising=False)
    verilog, times = blocks_verilog(), []
    for simulator, names in select.items():
        folder = tmp_path / simulator
        folder.mkdir()
        times.append(simulate(simulator, verilog, TOP,
                              [f"tb.cocotb.{name}_bench" for name in BENCHES], folder, seed=SEED,
                              select=names))
    first, second = times
    assert all(first.values()) and second.items() <= first.items()
    if select is QUICK:
        assert len(first) > 40
        assert {name.split("_")[0] for name in second} == {name.split("_")[0] for name in first}
    else:
        assert len(first) == len(second) == TESTS
