"""The example: on small pictures on the chip, at full size in numpy."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from golden.spec.config import preset
from sw.errors import InputError, UsageError
from sw.session import open_model

sys.path.insert(0, str(Path(__file__).parents[3] / "examples"))
import robot_frontend

sys.path.pop(0)


def report(capsys, *arguments):
    assert robot_frontend.main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_pose_is_opencv_s(capsys, tmp_path):
    """From the desk's pictures, with depth; and without, where OpenCV's own is 5 degrees off."""
    picture = tmp_path / "matches.png"
    found = report(capsys, "--engine", "numpy", "-o", str(picture))
    assert found["points"] == [300, 300] and found["inliers"] >= 30
    assert found["between"]["degrees"] < 0.5 and found["between"]["distance"] < 0.02
    angle = found["poses"][0]["angle"]
    assert cv2.imread(str(picture)).shape == (480, 1280, 3)
    here = robot_frontend.HERE
    found = report(capsys, str(here / "desk_1.png"), str(here / "desk_2.png"), "--engine", "numpy",
                   "--camera", "520.9,521.0,325.1,249.7")
    assert not found["depth"] and abs(found["poses"][0]["angle"] - angle) < 1
    assert abs(np.linalg.norm(found["poses"][0]["translation"]) - 1) < 1e-6


@pytest.mark.slow
def test_on_the_chip():
    """A corner of the desk: every array as the kernels mean (the example checks it); kernels and
    network together take less than apart."""
    model = open_model("dscnn")
    (sample,) = model.network.samples(1, model.inputs[0])
    network = robot_frontend.Network(model, sample.inputs)
    chip = robot_frontend.Chip("machine", preset("base"))
    chip.alone(network)
    pictures = [cv2.imread(str(robot_frontend.HERE / f"desk_{number}.png"), 0)[248:296, 200:296]
                for number in (1, 2)]
    frames, matches, steps, together = robot_frontend.front_end(chip, pictures, 8, network)
    assert [len(frame.points) for frame in frames] == [8, 8] and matches.shape == (8, 3)
    assert [step.name for step in steps] == ["corners", "describe", "match"]
    assert [name for name, _ in steps[0].kernels] == [
        "fast_pack", "fast_bright", "fast_dark", "fast_score", "maxima3_bands", "fast_unpack",
        "gaussian3"]
    for step in steps:
        assert 0 < sum(cycles for _, cycles in step.kernels) <= step.cycles
    apart = network.cycles + steps[0].cycles
    assert max(network.cycles, steps[0].cycles) <= together.cycles < 0.8 * apart


@pytest.mark.parametrize(("arguments", "text"), [
    (("a.png", "b.png"), "own pictures need --camera"),
    (("a.png", "--camera", "1,2,3,4"), "1 pictures; accepted are two"),
    (("a.png", "b.png", "--camera", "1,2,3,4"), "a.png: no picture that can be read"),
    (("--points", "3"), "8 to 4096 points"), (("--shrink", "9"), "sizes of 64 pixels"),
    (("--preset", "tiny", "--engine", "machine"), "--preset tiny has no DRP"),
])
def test_refusals(arguments, text):
    with pytest.raises(UsageError, match=text):
        robot_frontend.main(list(arguments))


CAMERA = ("--camera", "520.9,521.0,325.1,249.7")


@pytest.mark.parametrize(("arguments", "text"), [
    (("--preset", "nope"), "invalid choice: 'nope'"),
    (("--camera", "a,b,c,d"), "argument --camera: a,b,c,d, accepted is FX,FY,CX,CY")])
def test_refused_options(capsys, arguments, text):
    with pytest.raises(SystemExit):
        robot_frontend.main(list(arguments))
    assert text in capsys.readouterr().err


def test_refused_frames(tmp_path):
    desk = robot_frontend.HERE / "desk_1.png"
    picture = cv2.imread(str(desk), 0)
    for name, frame in (("small.png", picture[:400]), ("whole.jpg", picture)):
        cv2.imwrite(str(tmp_path / name), frame)
    raw = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(raw[:len(raw) // 2])
    for files, options, error, text in [
            ((desk, desk), (), UsageError, "Sentei: the frames give no pose, 0 of 300 matches"),
            ((desk, tmp_path / "small.png"), (), UsageError,
             r"small.png is \(640, 400\), .*desk_1.png \(640, 480\); accepted is one size"),
            ((desk, desk), ("--depth", str(tmp_path / "small.png")), UsageError, "small.png is"),
            ((desk, tmp_path / "cut.jpg"), (), InputError, "cut.jpg: damaged picture")]:
        with pytest.raises(error, match=text):
            robot_frontend.main([*map(str, files), *CAMERA, *options, "--engine", "numpy"])
