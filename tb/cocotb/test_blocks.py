"""Each block against golden on two independent simulators, every stream stalling at random.

COCOTB_RANDOM_SEED in the environment replaces what is set here.
"""

from tb.cocotb.blocks import TOP, blocks_verilog
from tb.cocotb.simulators import SIMULATORS, simulate

SEED = 20262
BENCHES = ("mac", "post", "memory", "dma", "sequencer", "drp")


def test_blocks(tmp_path, monkeypatch):
    """Equal seeds take equally long on both: the blocks do the same in every cycle."""
    monkeypatch.delenv("WAVES", raising=False)
    verilog, times = blocks_verilog(), []
    for simulator in SIMULATORS:
        folder = tmp_path / simulator
        folder.mkdir()
        times.append(simulate(simulator, verilog, TOP,
                              [f"tb.cocotb.{name}_bench" for name in BENCHES], folder, seed=SEED))
    assert times[0] == times[1]
    assert len(times[0]) == 4 + 4 + 2 + 3 + 4 + 8 + 2 + 2 + 15 + 2 + 13 and all(times[0].values())
