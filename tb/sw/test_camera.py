"""Networks from a camera's frame on: the frame, the operator, the chip, what is refused."""

import json

import cv2
import numpy as np
import pytest
from PIL import Image

from golden.camera import CameraInput
from golden.graph import Graph, GraphError, Node, Tensor
from golden.ops.camera import camera_input
from golden.spec.config import preset
from golden.spec.isa import INSTRUCTION_BYTES, Opcode
from sw import cli
from sw.compiler import compile_graph
from sw.drp.domain import Grid
from sw.drp.library import LIBRARY
from sw.engines.machine import MachineTransport
from sw.errors import UsageError
from sw.inputs.camera import Camera
from sw.reference import run_litert
from sw.session import open_model
from sw.session.camera import with_camera
from sw.session.engines import open_engine
from sw.zoo import find


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def picture():
    """Smooth colours, so that what is between pixels doesn't matter much."""
    y, x = np.mgrid[:60, :80]
    return Image.fromarray(np.stack([3 * x, 4 * y, 255 - 2 * x], -1).astype(np.uint8))


def test_frame_is_what_opencv_takes_for_one(picture):
    """Back to RGB by OpenCV, within what video levels and shared colours lose."""
    camera = Camera(48, 64)
    frame = camera.frame(picture)
    assert frame.shape == camera.shape == (72, 64) and frame.dtype == np.uint8
    back = cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_NV12).astype(int)
    wanted = np.asarray(picture.resize((64, 48), Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(back - wanted).max() <= 12 and np.abs(back - wanted).mean() < 3


@pytest.mark.parametrize(("given", "wanted"), [
    ((48, 64), (20, 30)), ((480, 640), (96, 96)), ((30, 20), (60, 50)), ((2, 2), (1, 1))])
def test_golden_is_the_kernel(rng, given, wanted):
    """Two statements of the same operator."""
    height, width = given
    frame = rng.integers(0, 256, (height * 3 // 2, width)).astype(np.uint8)
    found = camera_input(frame, CameraInput(height=wanted[0], width=wanted[1]))
    bright, colours = frame[:height], frame[height:].reshape(height // 2, width // 2, 2)
    kernel = LIBRARY["nv12_input"](
        bright, colours, sizes=dict(zip("yx", wanted, strict=True)),
        grids={"y": Grid.resize(given, wanted),
               "uv": Grid.resize((height // 2, width // 2), wanted)})
    np.testing.assert_array_equal(found[0], kernel)


def test_golden_is_near_opencv(picture):
    frame = Camera(480, 640).frame(picture)
    found = camera_input(frame, CameraInput(height=96, width=96))[0].astype(int) + 128
    rgb = cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_NV12)
    wanted = cv2.resize(rgb, (96, 96), interpolation=cv2.INTER_LINEAR).astype(int)
    assert np.abs(found - wanted).max() <= 6


@pytest.mark.parametrize("shape", [(7, 4), (6, 3), (1, 6, 4)])
def test_no_frame(shape):
    with pytest.raises(GraphError, match="a frame has shape"):
        CameraInput(height=4, width=4).shape(shape)


def test_on_the_chip(picture):
    """From a frame to LiteRT's bytes in one step of the chip, in strips, without the host."""
    config, camera = preset("base"), Camera(120, 160)
    path, _ = find("vww")
    model = with_camera(open_model("vww"), camera)
    program = compile_graph(model.graph, config)
    assert len(program.steps) == 1
    rows = {row["name"]: row["unit"] for row in program.layers}
    assert rows["camera_input"] == "drp" and "host" not in rows.values()
    (step,) = program.steps
    opcodes = program.constants[step.offset:step.offset + step.bytes:INSTRUCTION_BYTES]
    assert opcodes.count(Opcode.DRP) > 4
    frame = camera.frame(picture)
    engine = open_engine("machine", config, program, transport=MachineTransport(config))
    (found,) = engine.run({"camera": frame}).outputs.values()
    image = camera_input(frame, CameraInput(height=96, width=96))
    np.testing.assert_array_equal(found, run_litert(path, [image])[0])


def test_nothing_beside_it(rng):
    """A network that is only a camera, and one whose camera comes last, do it all the same."""
    config = preset("base")
    frame = rng.integers(0, 256, (72, 64)).astype(np.uint8)
    node = Node("n", ("frame",), ("picture",), CameraInput(height=16, width=16))
    graph = Graph("camera", {"frame": Tensor("frame", (72, 64), "uint8"),
                             "picture": Tensor("picture", (1, 16, 16, 3))},
                  [node], ("frame",), ("picture",))
    engine = open_engine("machine", config, compile_graph(graph, config))
    (found,) = engine.run({"frame": frame}).outputs.values()
    np.testing.assert_array_equal(found, camera_input(frame, node.attrs))


def test_without_a_drp_the_host_does_it():
    program = compile_graph(with_camera(open_model("vww"), Camera(48, 64)).graph,
                            preset("base", drp="none"))
    hosts = [row for row in program.layers if row["unit"] == "host"]
    assert hosts[0]["name"] == "camera_input"
    assert hosts[0]["why"] == "CameraInput needs the DRP; chip base has no DRP"


@pytest.mark.parametrize(("arguments", "text"), [
    (("vww", "--camera", "yuy2"), "no format 'yuy2'; formats are nv12"),
    (("vww", "--camera", "nv12:641x480"), "both even and 2 to 4096"),
    (("vww", "--camera", "nv12:x"), "accepted is nv12:WIDTHxHEIGHT"),
    (("vww", "--camera", "nv12:"), "accepted is nv12:WIDTHxHEIGHT"),
    (("vww", "--camera", "nv12", "--mean", "3"), "--mean: with --camera the chip makes"),
    (("vww", "--camera", "nv12", "--resize", "crop"), "--resize: with --camera the chip makes"),
    (("vww", "--camera", "nv12", "--input", "a.png", "--samples", "2"), "accepted is one of them"),
    (("dscnn", "--camera", "nv12"), "accepted is one int8 picture"),
])
def test_refusals(capsys, arguments, text):
    assert cli.main(["run", *arguments]) == UsageError.exit_code
    assert text in capsys.readouterr().err


def test_command(capsys):
    """Bundled pictures; every byte of the answer as LiteRT's for what the camera saw."""
    assert cli.main(["run", "vww", "--camera", "nv12:160x120", "--samples", "2", "--check",
                     "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["bytes_different"] == 0 and report["samples"] == 2
