"""The board simulated to its pins, with the production driver and the command line at its port.

Times of the programs are real ones, so they are given much patience; what faults on the wire do
is tested in simulated time.
"""

import json
import random

import numpy as np
import pytest

from golden.spec.config import preset
from hw.sdram.timing import PARTS
from sw.cli import main
from sw.driver.link_transport import LinkTransport
from sw.session.selftest import selftest
from tb.board.board import SimulatedBoard
from tb.board.faults import FaultyLine
from tb.board.server import BoardServer
from tb.lib.tflite_builder import ModelBuilder

CHIP = preset("icesugar_pro")
PART = PARTS["IS42S16160B-7"]
# As many cycles a bit as the link needs: simulated time is dear.
CLOCK, BAUD = 50_000_000, 6_250_000
PATIENCE = 60


@pytest.fixture(scope="module")
def powered():
    board = SimulatedBoard(CHIP, PART, clock_hz=CLOCK, baud=BAUD)
    yield board
    board.close()


@pytest.fixture
def board(powered):
    yield powered
    assert powered.violations == 0  # the model has printed them


@pytest.fixture
def sentei(board, capsys):
    """Runs ``sentei board ACTION``; (exit code, output, errors)."""
    with BoardServer(board) as server:
        def run(action, *arguments):
            code = main(["board", action, *arguments, "--port", server.url, "--patience",
                         str(PATIENCE)])
            return code, *capsys.readouterr()

        run.server = server
        yield run


def test_info_over_a_terminal(board, capsys):
    with BoardServer(board, terminal=True) as server:
        code = main(["board", "info", "--json", "--port", server.url, "--patience", str(PATIENCE)])
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert "icesugar_pro" in found["presets"]
    assert found["digest"] == f"{CHIP.digest():#010x}"
    assert (found["clock_hz"], found["baud"], found["memory_bytes"]) == (CLOCK, BAUD, PART.size)


def test_selftest(sentei):
    code, out, err = sentei("selftest", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["preset"] == "icesugar_pro"
    assert found["memory_bytes"] > 15_000 and found["cycles"] > 1000


def model(path, seed):
    """A small network: a padded, strided convolution, a depthwise one, one by one with zeros."""
    rng, build = np.random.default_rng(seed), ModelBuilder()

    def weights(code, source, shape, axis, out, table, zeros=0.0, **options):
        values = rng.integers(-127, 128, shape).astype(np.int8)
        values[rng.random(shape) < zeros] = 0
        channels = shape[axis]
        scales = tuple(float(x) for x in rng.uniform(0.001, 0.004, channels))
        kernel = build.constant(values, scales=scales, zeros=(0,) * channels, axis=axis)
        bias = build.constant(rng.integers(-2000, 2000, channels).astype(np.int32),
                              scales=tuple(0.05 * x for x in scales), zeros=(0,) * channels)
        result = build.tensor(out, scales=(0.05,), zeros=(-3,))
        build.operator(code, [source, kernel, bias], [result], table=table, StrideH=1, StrideW=1,
                       **options)
        return result

    first = build.tensor((1, 11, 9, 3), scales=(0.05,), zeros=(4,))
    wide = weights("CONV_2D", first, (12, 3, 3, 3), 0, (1, 11, 9, 12), "Conv2DOptions")
    deep = weights("DEPTHWISE_CONV_2D", wide, (1, 3, 3, 12), 3, (1, 11, 9, 12),
                   "DepthwiseConv2DOptions", DepthMultiplier=1)
    last = weights("CONV_2D", deep, (10, 1, 1, 12), 0, (1, 11, 9, 10), "Conv2DOptions", zeros=0.6)
    path.write_bytes(build.finish([first], [last]))
    inputs = path.with_suffix(".npy")
    np.save(inputs, rng.integers(-128, 128, (1, 11, 9, 3)).astype(np.int8))
    return str(path), str(inputs)


def test_a_network_as_litert_has_it(sentei, tmp_path):
    seed = 7
    path, inputs = model(tmp_path / "small.tflite", seed)
    code, out, err = sentei("run", path, "--input", inputs, "--check", "--json")
    assert code == 0, f"seed {seed}: {err}"
    print(out)


def test_another_chip_is_asked_for(sentei):
    code, _, err = sentei("selftest", "--preset", "tiny")
    assert code == 11
    for digest in (CHIP.digest(), preset("tiny").digest()):
        assert f"{digest:#010x}" in err


def test_the_cable_pulled_in_mid_transfer(sentei):
    sentei.server.cut_after = 3000
    code, _, err = sentei("selftest")
    assert code == 10
    assert "line to the board was lost" in err and sentei.server.url in err
    code, out, err = sentei("info")  # in the middle of a frame, for the board
    assert code == 0, err
    assert "icesugar_pro" in out


@pytest.mark.parametrize("seed", [1])
def test_faults_on_the_wire(board, seed):
    """Nothing is done twice: as many writes as without faults, and each byte as written."""
    def tested(line):
        chip = LinkTransport(line, clock=board, config=CHIP, attempts=12, patience=3e-4)
        before = board.writes
        found = selftest(chip, CHIP, blocks=3, seed=seed)
        del found["cycles"]  # a few more or less, as refreshes fall
        done = tuple(after - start for start, after in zip(before, board.writes, strict=True))
        return chip.link, found, done

    _, right, wanted = tested(board)
    line = FaultyLine(board, random.Random(seed), 3e-4)
    board.noise(20)
    try:
        link, found, done = tested(line)
    finally:
        board.noise(0)
    print(f"seed {seed}: {line.counts}, {link.repeated} repeated, {link.dropped} dropped")
    assert found == right, f"seed {seed}: {line.counts}"
    assert done == wanted, f"seed {seed}: {line.counts}"
    assert all(line.counts.values()) and link.repeated and link.dropped, f"seed {seed}"
