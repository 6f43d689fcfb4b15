"""The whole chip as a netlist of ECP5's cells in Icarus, where power-up leaves X."""

import pytest

from golden.spec.config import preset
from hw.export import TOP
from tb.cocotb.simulators import simulate
from tb.gate.netlists import chip_netlist

# Units are in reset until then. Any later, and X that the chip rightly ignores spread: gates that
# two of them reach forget that they are the same.
SETTLE = "`define SETTLE #42\n"

pytestmark = pytest.mark.slow


def test_no_output_is_unknown_and_bytes_match_golden(tmp_path, monkeypatch):
    monkeypatch.delenv("WAVES", raising=False)
    verilog = SETTLE + chip_netlist(preset("tiny"), cautious=True)
    assert simulate("icarus", verilog, TOP, "tb.gate.chip_bench", tmp_path, seed=3,
                    environment={"GATE_PRESET": "tiny", "GATE_NETWORK": "GateNetwork"})
