"""``sentei drp``: what it prints, and its refusals."""

import json

import numpy as np
import pytest
from PIL import Image

from sw.cli import main

MINE = '''
from sw.drp.functions import absdiff
from sw.drp.kernel import kernel
from sw.drp.types import Gather, In, Out, Table, i16, u8


@kernel
def edges(p: In(u8), scale: int = 1) -> Out(u8, saturate=True):
    """Difference to the left."""
    return absdiff(p, p[0, -1]) * scale
'''
# Beside edges: two results; arrays that aren't streams; a stream along an axis of its own.
OTHERS = MINE + '''

@kernel
def two(p: In(u8)) -> tuple[Out(u8), Out(u8)]:
    return p, 255 - p


@kernel
def looked(t: Table(256), p: In(u8), g: Gather(u8), at: In(i16, channels=2)) -> Out(u8):
    y, x = at
    return t[p] + g.at(y, x)


@kernel
def deep(p: In(u8, "zyx")) -> Out(u8, "zyx"):
    return p
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
    code, out, _ = run(capsys, "show", mine, "-o", str(tmp_path / "map.png"))
    assert out == f"wrote {tmp_path / 'map.png'}\n"
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
    (["compile", "sobl"], 2, "did you mean sobel"),
    (["run", "fast8"], 2, "did you mean fast9"),
    (["compile", "fast9"], 2, "sentei drp run fast9, or of its kernels fast_pack, fast_bright"),
    (["show", "describe"], 2, "describe is a pipeline, kernels that run one after"),
    (["compile", "EMPTY"], 2, "it has no kernels; accepted are functions with @kernel"),
    (["compile", "ENDS"], 2, "ends.py: SystemExit: 0"),
    (["compile", "ITSELF"], 3, "itself.py:10: edges can't call itself; write for over a range"),
    (["show", "MINE", "-o", "m.pdf"], 2, "-o m.pdf: accepted is a file named *.png or *.svg"),
    (["run", "MINE", "-o", "x.xyz"], 2, "-o x.xyz: accepted is a file named *.npy or *.bmp or"),
    (["run", "MINE", "-o", "x"], 2, "-o x: accepted is a file named *.npy or"),
    (["run", "sobel_x", "-o", "x.png"], 2, "-o x.png: the result is int16(24, 32), no gray or RGB"),
    (["run", "integral", "-o", "x.png"], 2, "-o x.png: the result is int32(24, 32), no gray"),
    (["run", "MINE", "--size", "4,4"], 2, "--size 4,4: edges doesn't resize"),
    (["run", "resize_gray", "--size", "100000,9999"], 2, "9999: 999,900,000 elements, accepted"),
    (["run", "MINE", "--input", "none.png"], 4, "none.png: no such file; accepted is a picture or"),
    (["run", "MINE", "--input", "."], 4, ".: a folder; accepted is a picture or .npy"),
    (["run", "fast9", "--input", "none.png"], 4, "none.png: no such file; accepted is a picture"),
    (["run", "MINE", "--input", "CUT"], 4, "cut.jpg: damaged picture"),
    (["run", "MINE", "--input", "DEEP"], 4, "deep.png: a picture of more than 8 bits a pixel"),
    (["run", "resize_gray", "--input", "ROW", "--size", "2,2"], 4, "p is uint8(5,), accepted"),
    (["run", "lookup", "--input", "ROW", "--input", "PICTURE"], 4, "table isn't a gray or RGB"),
    (["compile", "none.py"], 2, "none.py: no such file"),
    (["compile", "MINE:other"], 2, "no kernel other; it has edges"),
    (["compile", "MINE", "--scalar", "x"], 2, "--scalar x: accepted is name=value"),
    (["compile", "MINE", "--scalar", "x=3"], 4, "edges has no scalar x; it has scale"),
    (["run", "MINE", "--input", "a", "--input", "b"], 2, "edges takes 1 arrays (p); accepted is"),
    (["run", "resize_gray", "--input", "PICTURE"], 2, "resize_gray resizes; accepted is --size"),
    (["run", "MINE", "--input", "MINE"], 4, "not a picture that can be read"),
    (["compile", "sobel", "--fabric", "nil"], 2, "invalid choice: 'nil'"),
    (["compile", "WRONG"], 3, "wrong.py:8: the fabric can't do floordiv")])
def test_refusals(capsys, mine, tmp_path, arguments, code, text):
    wrong = tmp_path / "wrong.py"
    wrong.write_text(MINE.replace("\nfrom sw.drp.functions import absdiff", "").replace(
        "absdiff(p, p[0, -1]) * scale", "p // scale").replace('"""Difference to the left."""\n', "")
        .replace("scale: int = 1", "scale: int = 3"))
    names = {"MINE": mine, "WRONG": str(wrong)}
    for name, text_ in (("empty.py", "x = 1"), ("ends.py", "import sys; sys.exit(0)"),
                        ("itself.py", MINE.replace("absdiff(p,", "edges(p,"))):
        (tmp_path / name).write_text(text_)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "picture.png")
    Image.fromarray(np.full((4, 4), 300, np.uint16)).save(tmp_path / "deep.png")
    Image.effect_noise((99, 99), 50).save(tmp_path / "cut.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "cut.jpg").read_bytes()[:900])
    np.save(tmp_path / "row.npy", np.zeros(5, np.uint8))
    names |= {path.stem.upper(): str(path) for path in tmp_path.iterdir() if path.is_file()}
    given = [names.get(item, item.replace("MINE", mine)) for item in arguments]
    found, out, err = run(capsys, *given)
    assert found == code and text in err and err.count("\n") <= 3 and not out


def test_every_result_is_written(capsys, tmp_path):
    (tmp_path / "others.py").write_text(OTHERS)
    given = ["run", f"{tmp_path / 'others.py'}:two", "-o", str(tmp_path / "both.png")]
    files = [tmp_path / f"both-{number}.png" for number in (1, 2)]
    code, out, _ = run(capsys, *given)
    assert code == 0 and out.endswith(f"wrote {files[0]}, {files[1]}\n")
    first, second = (np.array(Image.open(path)) for path in files)
    assert (first == 255 - second).all()
    assert json.loads(run(capsys, *given, "--json")[1])["files"] == [str(path) for path in files]


def test_inputs_of_every_kind(capsys, tmp_path):
    """Streams, tables and gathers in the order of the parameters; axes of any letter."""
    (tmp_path / "others.py").write_text(OTHERS)
    rng = np.random.default_rng(4)
    picture = rng.integers(0, 256, (4, 6), np.uint8)
    table, places = rng.integers(0, 99, 256, np.int32), rng.integers(0, 4, (4, 6, 2), np.int16)
    Image.fromarray(picture).save(tmp_path / "p.png")
    np.save(tmp_path / "t.npy", table)
    np.save(tmp_path / "at.npy", places)
    given = [item for name in ("t.npy", "p.png", "p.png", "at.npy")
             for item in ("--input", str(tmp_path / name))]
    code, *_ = run(capsys, "run", f"{tmp_path / 'others.py'}:looked", *given, "-o",
                   str(tmp_path / "o.NPY"))
    wanted = (table[picture] + picture[places[..., 0], places[..., 1]]) % 256
    assert code == 0 and (np.load(tmp_path / "o.NPY") == wanted).all()
    assert run(capsys, "run", f"{tmp_path / 'others.py'}:deep")[0] == 0


def test_size_without_a_picture(capsys):
    out = run(capsys, "run", "resize_gray", "--size", "3,5", "--json")[1]
    assert json.loads(out)["elements"] == 15
