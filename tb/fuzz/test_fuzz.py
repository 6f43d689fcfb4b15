"""The campaign itself: it holds on a correct chip, and catches, shrinks and saves a fault."""

import json
import sys

import numpy as np
import pytest

from golden import executor
from golden.attributes import Window
from sw.engines.rtl.engine import RtlTransport
from tb.fuzz import __main__ as command
from tb.fuzz import check as check_module
from tb.fuzz.archive import load_case, save_case
from tb.fuzz.base_campaign import Failure
from tb.fuzz.campaign import Campaign
from tb.fuzz.case import Case
from tb.fuzz.check import MEMORY, Engines, check
from tb.fuzz.chips import CHIPS
from tb.fuzz.coverage import BINS, Bins, Coverage
from tb.fuzz.graphs import FUZZ_KINDS
from tb.fuzz.page import REASONS, page, table
from tb.fuzz.shrink import shrink


class Flipping(RtlTransport):
    """A chip whose every read from DRAM has one wrong bit, in its last byte."""

    def read(self, address, size):
        data = super().read(address, size)
        return data[:-1] + bytes([data[-1] ^ 1]) if data else data


class Planted(Engines):
    """The wrong chip for networks with a row stride of 3 or more, a correct one for others."""

    def rtl(self, case):
        good = super().rtl(case)
        if not strides(case.graph):
            return good
        return Flipping(case.config, memory_bytes=MEMORY, verilog=self.verilog[case.chip],
                        stall_percent=case.stall_percent, seed=case.stall_seed)


def strides(graph):
    return [node for node in graph.nodes
            if isinstance(node.attrs, Window) and node.attrs.stride[0] >= 3]


def test_smoke(tmp_path):
    campaign = Campaign(chips=("tiny",), folder=tmp_path)
    campaign.run(30, 500)
    account = campaign.account()
    assert account["cases"] == 30 and account["mismatches"] == 0, account["failures"]
    assert account["points_hit"] >= 120 and account["cycles"] > 10_000
    assert account["chips"]["tiny"]["machine_over_rtl"]["runs"] > 0
    account = json.loads(json.dumps({"command": "x", "commit": "y", **account}))
    hole = "rows of the last index beat: 3 of 4"
    assert hole in account["holes"] and "mismatches" in table(account)
    assert f"({REASONS[hole]})" in page(account)


def test_planted_fault_is_caught_shrunk_and_saved(tmp_path):
    planted = Planted()
    campaign = Campaign(chips=("tiny",), engines=planted, folder=tmp_path, most_failures=1,
                        shrink_seconds=30)
    number = next(n for n in range(1000) for case in [Case.draw("tiny", n)]
                  if case.kind == "network" and strides(case.graph) and len(case.inputs) == 2
                  and case.stall_percent and len(case.graph.nodes) > 3)
    campaign.run(5, number)
    (failure,) = campaign.failures
    assert failure["case"] == f"tiny-{number}" and failure["kind"] == "golden and rtl"
    path = tmp_path / f"tiny-{number}.json"
    small = load_case(path)
    (node,) = small.graph.nodes
    assert node.attrs.stride == (3, 1) and node.attrs.window == (1, 1), node
    assert [small.graph.tensors[name].shape for name in small.graph.inputs] == [(1, 1, 1, 1)]
    assert (len(small.inputs), small.stall_percent, small.dense) == (1, 0, False)
    assert (small.dram_bytes, small.dram_latency) == (
        CHIPS["tiny"].dram_bytes, CHIPS["tiny"].dram_latency)
    with pytest.raises(Failure, match="1 of 1 bytes"):
        check(small, planted)
    check(small, Engines())
    assert str(path) in json.loads(path.read_text())["command"]


def test_command(tmp_path, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["fuzz", *arguments])
        return command.main()

    monkeypatch.chdir(tmp_path)
    path = tmp_path / "account.json"
    assert run("--count", "3", "--seed", "7", "--preset", "tiny", "--json", str(path)) == 0
    assert json.loads(path.read_text())["cases"] == 3
    assert run("--page", str(path)) == 0
    assert "**3 cases, 0 mismatches**" in capsys.readouterr().out
    assert run("--case", "tiny-7") == 0
    monkeypatch.setattr(check_module, "RtlTransport", Flipping)
    assert run("--case", "tiny-7", "--shrink-seconds", "1") == 1
    assert "--case build/fuzz/tiny-7.json" in capsys.readouterr().out
    assert run("--case", "build/fuzz/tiny-7.json", "--shrink-seconds", "1") == 1
    for wrong in ("nochip-7", "tiny-x", "none.json"):
        with pytest.raises(SystemExit) as exit:
            run("--case", wrong)
        assert exit.value.code == 2


@pytest.mark.parametrize("kind", FUZZ_KINDS)
def test_shrunk_cases_stay_valid(kind):
    """Every case tried runs on golden; the search ends at the one operator that matters."""
    number = next(n for n in range(1000) if Case.draw("tiny", n).kind == kind)
    case = Case.draw("tiny", number)
    wanted = case.graph.nodes[-1].op

    def fails(candidate):
        candidate.graph.validate()
        for inputs in candidate.inputs:
            found = executor.run(candidate.graph, inputs)
            assert set(found) == set(candidate.graph.outputs)
        return any(node.op == wanted for node in candidate.graph.nodes)

    small = shrink(case, fails, seconds=20)
    assert [node.op for node in small.graph.nodes] == [wanted], f"tiny-{number}"
    # A reshape's sizes are its own, and two rows are interpolated; of every other operator one
    # value of each input is left.
    shapes = [small.graph.tensors[name].shape for name in small.graph.inputs]
    assert wanted in ("Reshape", "ResizeLinear") or all(set(shape) == {1} for shape in shapes), (
        shapes)
    assert len(small.inputs) == 1


def test_cases_follow_from_their_names(tmp_path):
    for name in ("tiny-3", "base-4", "odd-11"):
        first, again = Case.named(name), Case.named(name)
        save_case(first, tmp_path / "case.json", note="x")
        third = load_case(tmp_path / "case.json")
        for other in (again, third):
            assert str(other) == str(first) and other.config == first.config
            for one, two in zip(first.inputs, other.inputs, strict=True):
                expected, found = (executor.run(case.graph, inputs) for case, inputs in (
                    (first, one), (other, two)))
                assert all(np.array_equal(expected[key], found[key]) for key in expected)
    (tmp_path / "case.json").write_text('{"graph": 3}')
    with pytest.raises(ValueError, match="is not a case"):
        load_case(tmp_path / "case.json")


def test_coverage_lists_holes_and_refuses_unknown_points():
    coverage = Coverage({"tiny": CHIPS["tiny"]})
    hit, total = coverage.summary()
    assert hit == 0 and total == len(coverage.holes()) > 200
    coverage.add([("weights N", "3 of 4"), ("weights N", "3 of 4")])
    assert coverage.summary() == (1, total) and "weights N: 3 of 4" not in coverage.holes()
    assert coverage.hits["weights N"]["3 of 4"] == 1
    with pytest.raises(KeyError, match="no point '5 of 4'"):
        coverage.add([("weights N", "5 of 4")])
    bins = Bins((0, 1, 2, 8))
    assert [bins.label(value) for value in (0, 1, 7, 8, 99)] == [
        "0", "1", "2 to 7", "8 or more", "8 or more"]
    assert all(list(bins.edges) == sorted(set(bins.edges)) for bins in BINS.values())
