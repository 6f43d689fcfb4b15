"""Large kernels in pieces: each piece at its bound, together the whole function."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sw.drp.chain
from golden.spec.drp.fabric import fabric
from sw.cli import main
from sw.drp.chain import Chain, compile_whole, facts_of
from sw.drp.domain import Grid
from sw.drp.functions import maximum, minimum, total, where
from sw.drp.kernel import kernel
from sw.drp.mapper.search import MapError
from sw.drp.types import In, Out, Table, i16, i32, u8, u8x4

RNG = np.random.default_rng(0)


@kernel
def several(p: In(u8, border="constant", fill=9), q: In(i16, step=2), t: Table(64),
            scale: int = 3) -> tuple[Out(i32), Out(u8, channels=2)]:
    """Windows, a table, a condition handed on, two results."""
    a = sum(p[0, n] * (n + 4) for n in range(-2, 3))
    b = where(a > 300, a - q, q + p[1, 0])
    bright = a > 900
    c = t[b & 63] + (a >> 2)
    d = where(bright, c * scale, c + 5)
    e = minimum(maximum(d ^ a, b), 4000)
    return e + d, (e >> 3, where(bright, c, e))


def arguments():
    return (RNG.integers(0, 256, (5, 9), np.uint8),
            RNG.integers(-300, 300, (10, 18)).astype(np.int16),
            RNG.integers(-99, 99, 64).astype(np.int32))


def test_pieces_are_the_whole():
    given_arrays = arguments()
    compiled = compile_whole(several, fabric("board"), most=10, piece=20, scale=7)
    assert isinstance(compiled, Chain) and len(compiled.pieces) >= 2
    for piece in compiled.pieces:
        assert len(piece.lowered.graph.nodes) <= 25  # constants and lanes' moves come on top
    grid = {"p": Grid(y0=1 << 16)}
    found = compiled.run(*given_arrays, grids=grid)
    wanted = several(*given_arrays, grids=grid, scale=7)
    assert all((a == b).all() for a, b in zip(wanted, found.outputs, strict=True))
    facts = facts_of(compiled)
    assert facts["proven"] and facts["ii"] == sum(part["ii"] for part in facts["pieces"])
    assert facts["nodes"] == sum(part["nodes"] for part in facts["pieces"])
    assert facts["kernel"] == "several" and found.elements == 45 * 3


def test_little_is_handed_on():
    """Two halves that meet in one value: one value is handed on, as a small type."""
    @kernel
    def hourglass(p: In(u8)) -> Out(i32):
        """A neck."""
        neck = minimum(sum(p[0, n] * (n + 7) for n in range(-2, 3)), 200)
        return sum((neck ^ n) * (n + 3) for n in range(1, 5))

    compiled = compile_whole(hourglass, fabric("base"), most=10, piece=22)
    first, second = (piece.kernel for piece in compiled.pieces)
    assert first.results == ("hourglass.1",) and "hourglass.1" in second.streams
    assert first.outs[0].channels == 1 and first.outs[0].type.bytes <= 2
    picture = arguments()[0]
    assert (compiled.run(picture).outputs[0] == hourglass(picture)).all()


STEPS = [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a ^ b, minimum, maximum,
         lambda a, b: where(a > b, a, b + 1), lambda a, b: (a * 3) & b]


@settings(max_examples=3, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 99),
                                st.integers(0, 99)), min_size=7, max_size=9))
def test_random_kernels_in_pieces(steps):
    @kernel
    def made(p: In(u8), q: In(i16)) -> Out(i32):
        """Random."""
        values = [p[0, 0], p[0, 1], q.value, p[-1, 0] + 1]
        for what, left, right in steps:
            values.append(STEPS[what](values[left % len(values)], values[right % len(values)]))
        return values[-1] + values[-2] + values[-4]

    shape = fabric("board")
    p, q = RNG.integers(0, 256, (3, 5), np.uint8), RNG.integers(-999, 999, (3, 5)).astype(np.int16)
    compiled = compile_whole(made, shape, most=5, piece=14)
    assert (compiled.run(p, q).outputs[0] == made(p, q)).all()


def test_what_cannot_be_cut_says_so():
    @kernel
    def folded(x: In(u8, "nx")) -> Out(i32, "n"):
        """A reduction."""
        return total(x * 3 + 1)

    @kernel
    def packed(x: In(u8x4)) -> Out(u8x4):
        """Packed."""
        return (x ^ 3) + 1

    for made in (folded, packed):
        with pytest.raises(MapError, match=r"accepted are 2, and it can't be cut into pieces of"
                                           r" 10 \(a reduction, scan.*write several kernels"):
            compile_whole(made, fabric("board"), most=2, piece=10)


def test_commands(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sw.drp.chain, "MOST_NODES", 8)
    monkeypatch.setattr(sw.drp.chain, "PIECE_NODES", 9)
    path = tmp_path / "mine.py"
    path.write_text('''
from sw.drp.kernel import kernel
from sw.drp.types import In, Out, u8


@kernel
def long(p: In(u8)) -> Out(u8):
    """Thirteen operations in a row."""
    for n in range(7):
        p = (p + 3) ^ (n + 1)
    return p
''')
    assert main(["drp", "compile", str(path), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [part["kernel"] for part in facts["pieces"]] == ["long.1", "long.2"]
    assert main(["drp", "compile", str(path)]) == 0
    assert "long.2: 9 nodes, an iteration every 1 step(s), bound 1" in capsys.readouterr().out
    assert main(["drp", "run", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mismatches"] == 0
    assert main(["drp", "show", str(path)]) == 0
    assert "== long.2\nstep 0:" in capsys.readouterr().out
    assert main(["drp", "show", str(path), "-o", str(tmp_path / "a.png"), "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert files == [str(tmp_path / "a-1.png"), str(tmp_path / "a-2.png")]
    assert all((tmp_path / f"a-{n}.png").stat().st_size > 1000 for n in (1, 2))
