"""The bus agents find what they are there to find, on a small design that breaks rules."""

from golden.spec.config import preset
from tb.cocotb.simulators import simulate
from tb.sw.copier import copier_verilog


def test_agents(tmp_path, monkeypatch):
    monkeypatch.delenv("WAVES", raising=False)
    done = simulate("icarus", copier_verilog(preset("tiny").group), "npu",
                    "tb.cocotb.agents_bench", tmp_path, seed=20261)
    assert len(done) == 8 + 4 + 1 + 7
