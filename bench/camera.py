"""From a camera's frame to an answer: one after the other, and the next frame beside the network.

``python bench/camera.py [--engine machine|rtl] [--frame 640x480] [--json FILE]``: cycles of the
visual-wake-words network alone, of the frame's conversion and the network in sequence, and of the
network while the DRP converts the frame that comes next. Every answer is held against LiteRT's
bytes for what golden makes of the frame.
"""

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from golden.camera import CameraInput
from golden.graph import Graph, Node, Tensor
from golden.ops.camera import camera_input
from golden.spec.config import preset
from sw.compiler import compile_graph
from sw.inputs import Pictures
from sw.inputs.camera import Camera
from sw.reference import run_litert
from sw.session import open_model
from sw.session.camera import with_camera
from sw.session.engines import open_engine
from sw.zoo import find


def beside(graph: Graph, camera: Camera) -> Graph:
    """The network, and the frame that comes next as a second input and output."""
    (name,) = graph.inputs
    _, height, width, _ = graph.tensors[name].shape
    frame = Tensor("camera", camera.shape, "uint8")
    following = dataclasses.replace(graph.tensors[name], name="next")
    node = Node("camera_input", ("camera",), ("next",), CameraInput(height=height, width=width))
    return dataclasses.replace(
        graph, tensors={"camera": frame, "next": following, **graph.tensors},
        nodes=[node, *graph.nodes], inputs=(name, "camera"), outputs=(*graph.outputs, "next"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("machine", "rtl"), default="rtl")
    parser.add_argument("--frame", default="640x480", metavar="WxH")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    config, camera = preset("base"), Camera.parse(f"nv12:{arguments.frame}")
    model = open_model("vww")
    path, network = find("vww")
    assert model.graph is not None and network is not None
    (name,) = model.graph.inputs
    picture, _ = network.pictures[0]
    frame = camera.frame(Pictures().open(picture))
    image = camera_input(frame, CameraInput(height=96, width=96))
    (answer,) = run_litert(path, [image])
    cycles = {}
    for what, graph, inputs, wanted in (
            ("network alone", model.graph, {name: image}, [answer]),
            ("frame, then network", with_camera(model, camera).graph, {"camera": frame},
             [answer]),
            ("network beside the next frame", beside(model.graph, camera),
             {name: image, "camera": frame}, [answer, image])):
        engine = open_engine(arguments.engine, config, compile_graph(graph, config))
        result = engine.run(inputs)
        engine.close()
        for found, one in zip(result.outputs.values(), wanted, strict=True):
            np.testing.assert_array_equal(found, one)
        cycles[what] = result.cycles
    both = cycles["frame, then network"] / cycles["network beside the next frame"]
    table = Table(title=f"{network.name}, NV12 {arguments.frame}, {arguments.engine}, base")
    table.add_column("what")
    table.add_column("cycles", justify="right")
    for what, count in cycles.items():
        table.add_row(what, f"{count:,}")
    table.add_row("overlap gains", f"{both:.2f}x")
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps({
            "command": f"python bench/camera.py --engine {arguments.engine} --frame "
            f"{arguments.frame}", "engine": arguments.engine, "cycles": cycles,
            "gain": both}, indent=1) + "\n")


if __name__ == "__main__":
    main()
