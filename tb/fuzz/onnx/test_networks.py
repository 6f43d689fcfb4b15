"""Random ONNX networks: golden = machine, each node within 1 of ONNX Runtime's, none refused that
may not be; and the campaign itself, which catches, shrinks and saves a fault."""

import json
import sys

import onnx
import pytest

from sw.engines.machine import MachineTransport
from sw.frontend.onnx.operators import CONVERTERS
from tb.fuzz.onnx import __main__ as command
from tb.fuzz.onnx import campaign as module
from tb.fuzz.onnx.campaign import Campaign
from tb.fuzz.onnx.case import Case
from tb.fuzz.onnx.network import LEAST_OPSET, draw
from tb.lib.quick import quick

QUICK, CHUNKS, EACH = 4, 10, 20


@pytest.mark.parametrize("chunk", quick(QUICK, *range(CHUNKS)))
def test_networks(chunk, tmp_path):
    campaign = Campaign(folder=tmp_path, most_failures=1, shrink_seconds=20)
    campaign.run(EACH, 100_000 + chunk * 2 * EACH)
    account = campaign.account()
    assert not account["failures"], account["failures"]
    assert account["cases"] == EACH and sum(account["refused"].values()) < EACH // 4
    assert account["one_off"] <= 0.03 * account["compared"]


def test_every_operator_and_opset_is_drawn():
    seen, opsets = set(), set()
    for seed in range(1000):
        drawn = draw(seed)
        opsets.add(drawn.opset)
        seen.update((node.domain, node.op_type) for node in drawn.model.graph.node)
    assert CONVERTERS.keys() <= seen, CONVERTERS.keys() - seen
    assert opsets == set(range(LEAST_OPSET, onnx.defs.onnx_opset_version() + 1))


class Flipping(MachineTransport):
    """A chip whose every read from DRAM has one wrong bit, in its last byte."""

    def read(self, address, size):
        data = super().read(address, size)
        return data[:-1] + bytes([data[-1] ^ 1]) if data else data


def test_planted_fault_is_caught_shrunk_and_saved(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(module, "MachineTransport", Flipping)
    monkeypatch.chdir(tmp_path)
    number = next(n for n in range(100) if len(Case.draw("base", n).model.graph.node) > 30
                  and Case.draw("base", n).form == "pairs")
    case = Case.draw("base", number)
    assert run(monkeypatch, "--case", case.name, "--shrink-seconds", "3") == 1
    path = f"build/fuzz/onnx/{case.name}.onnx"
    assert f"--case {path}" in capsys.readouterr().out
    small = Case.named(path)
    assert (small.chip, small.seed, small.form) == (case.chip, case.seed, case.form)
    assert len(small.model.graph.node) < len(case.model.graph.node) / 2
    assert run(monkeypatch, "--case", path, "--shrink-seconds", "0") == 1
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, "--case", path) == 0


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["fuzz", *arguments])
    return command.main()


def test_command(tmp_path, monkeypatch, capsys):
    path = tmp_path / "account.json"
    assert run(monkeypatch, "--count", "3", "--preset", "tiny", "--json", str(path)) == 0
    account = json.loads(path.read_text())
    assert account["cases"] == sum(account["chip"].values()) == 3 and account["chip"]["tiny"] == 3
    assert sum(sum(places.values()) for places in account["operators"].values()) > 10
    capsys.readouterr()
    assert run(monkeypatch, "--page", str(path)) == 0
    assert "**3 networks, 0 mismatches**" in capsys.readouterr().out
    (tmp_path / "other.onnx").write_bytes(Case.draw("tiny", 0).model.SerializeToString())
    for wrong in ("nochip-7", "tiny-x", "none.onnx", str(tmp_path / "other.onnx")):
        with pytest.raises(SystemExit) as exit:
            run(monkeypatch, "--case", wrong)
        assert exit.value.code == 2


def test_cases_follow_from_their_names(tmp_path):
    first, again = Case.named("odd-11"), Case.named("odd-11")
    assert str(first) == str(again)
    first.save(tmp_path / "case.onnx")
    loaded = Case.named(str(tmp_path / "case.onnx"))
    assert str(loaded) == str(first) and loaded.shapes == first.shapes
    assert loaded.model.graph == first.model.graph == again.model.graph
