"""``sentei drp``: what it prints, and its refusals."""

import json

import numpy as np
import pytest
from PIL import Image

from sw.cli import main

MINE = '''
from sw.drp.functions import absdiff
from sw.drp.kernel import kernel
from sw.drp.types import In, Out, u8


@kernel
def edges(p: In(u8), scale: int = 1) -> Out(u8, saturate=True):
    """Difference to the left."""
    return absdiff(p, p[0, -1]) * scale
'''


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return str(path)


def run(capsys, *arguments):
    code = main(["drp", *arguments])
    caught = capsys.readouterr()
    return code, caught.out, caught.err


def test_compile_and_cache(capsys, mine):
    found = [json.loads(run(capsys, "compile", mine, "--json")[1]) for _ in range(2)]
    for facts, cached in zip(found, (False, True), strict=True):
        assert facts["kernel"] == "edges" and facts["cached"] is cached
        assert facts["ii"] == 1 and facts["proven"] is True
        assert facts["bounds"] == {"resource": 1, "recurrence": 1, "memory": 1}
        assert {"latency", "utilization", "seconds"} <= set(facts)
    code, out, _ = run(capsys, "compile", mine)
    assert code == 0 and "proven optimal" in out and "(cached)" in out


def test_run_on_a_picture(capsys, mine, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (5, 9), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    code, out, _ = run(capsys, "run", mine, "--input", str(tmp_path / "a.png"), "--scalar",
                       "scale=2", "--json", "-o", str(tmp_path / "b.png"))
    facts = json.loads(out)
    assert code == 0 and facts["mismatches"] == 0 and facts["elements"] == 45
    assert facts["engine"] == "simulator" and facts["cycles"] >= 5 * 3
    wide = np.pad(picture.astype(int), ((0, 0), (1, 0)), mode="edge")
    wanted = np.minimum(abs(wide[:, 1:] - wide[:, :-1]) * 2, 255)
    with Image.open(tmp_path / "b.png") as edges:
        assert (np.array(edges) == wanted).all()


def test_show(capsys, mine, tmp_path):
    code, out, _ = run(capsys, "show", mine)
    assert code == 0 and "step 0: in" in out and "absdiff" in out and "push" in out
    code, _, _ = run(capsys, "show", mine, "-o", str(tmp_path / "map.png"))
    with Image.open(tmp_path / "map.png") as picture:
        assert code == 0 and picture.width > 200


def test_pipelines(capsys, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (8, 12), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    code, out, _ = run(capsys, "run", "integral", "--input", str(tmp_path / "a.png"), "--json",
                       "-o", str(tmp_path / "b.npy"))
    facts = json.loads(out)
    assert code == 0 and facts["mismatches"] == 0 and facts["elements"] == 96
    assert [call["kernel"] for call in facts["calls"]] == ["integral_rows", "integral_columns"]
    assert facts["cycles"] == sum(call["cycles"] for call in facts["calls"])
    assert (np.load(tmp_path / "b.npy") == picture.cumsum(0).cumsum(1)).all()


def test_a_memory_s_states_are_shown(capsys, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (3, 7), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    code, out, _ = run(capsys, "run", "histogram", "--input", str(tmp_path / "a.png"), "--json")
    assert code == 0 and json.loads(out)["mismatches"] == 0
    _, out, _ = run(capsys, "show", "histogram")
    assert all(f"== histogram, state {n}" in out for n in range(3))
    assert "store 0" in out and "add_to" in out and "lookup 0" in out


@pytest.mark.parametrize(("arguments", "code", "text"), [
    (["run", "fast9", "--scalar", "threshold=5"], 2, "accepted are --input and --output"),
    (["run", "layer_norm", "--input", "a", "--input", "b"], 2, "layer_norm takes 2 arrays"),
    (["compile", "nonesuch"], 2, "nonesuch: no kernel of the library; accepted is FILE.py"),
    (["compile", "none.py"], 2, "none.py: no such file"),
    (["compile", "MINE:other"], 2, "no kernel other; it has edges"),
    (["compile", "MINE", "--scalar", "x"], 2, "--scalar x: accepted is name=value"),
    (["compile", "MINE", "--scalar", "x=3"], 4, "edges has no scalar x; it has scale"),
    (["run", "MINE", "--input", "a", "--input", "b"], 2, "edges takes 1 streams"),
    (["run", "resize_gray", "--input", "PICTURE"], 2, "resize_gray resizes; accepted is --size"),
    (["run", "MINE", "--input", "MINE"], 4, "not a picture that can be read"),
    (["compile", "sobel", "--fabric", "nil"], 2, "invalid choice: 'nil'"),
    (["compile", "WRONG"], 3, "wrong.py:8: the fabric can't do floordiv")])
def test_refusals(capsys, mine, tmp_path, arguments, code, text):
    wrong = tmp_path / "wrong.py"
    wrong.write_text(MINE.replace("\nfrom sw.drp.functions import absdiff", "").replace(
        "absdiff(p, p[0, -1]) * scale", "p // scale").replace('"""Difference to the left."""\n', "")
        .replace("scale: int = 1", "scale: int = 3"))
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "p.png")
    names = {"MINE": mine, "WRONG": str(wrong), "PICTURE": str(tmp_path / "p.png")}
    given = [names.get(item, item.replace("MINE", mine)) for item in arguments]
    found, out, err = run(capsys, *given)
    assert found == code and text in err and err.count("\n") <= 3 and not out
