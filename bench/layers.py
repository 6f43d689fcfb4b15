"""Cycles of layers of many kinds on the RTL: ``python bench/layers.py [--preset P] [--json FILE]``.

Each layer has dense weights and stands between two copies, so that its tensors are in the
scratchpad and its row of the log is the array's. *bound* is what its weight rows, or the
post-processing of its outputs, take at least; what lies between is named by the chip's counters.
Every output byte is held against golden.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from golden import executor
from golden.attributes import Attributes, AveragePool, Conv2D, DepthwiseConv2D, MaxPool
from golden.graph import Graph, Node, Quant, Tensor
from golden.spec.config import PRESETS, preset
from golden.spec.numerics import quantize_multiplier
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.engines.rtl.engine import RtlTransport

COPY = MaxPool(window=(1, 1))
WAITS = ("mac_wait_words", "mac_wait_drain", "mac_wait_weights", "mac_wait_semaphore", "mac_idle")


def parameters(rng: np.random.Generator, channels: int, taps: int) -> dict:
    """Bias and requantization of as many channels."""
    parts = np.array([quantize_multiplier(0.01 / taps**0.5)] * channels, dtype=np.int32)
    return {"bias": rng.integers(-5000, 5000, channels).astype(np.int32), "input_zero": 3,
            "output_zero": -5, "multiplier": parts[:, 0], "pre": parts[:, 1], "post": parts[:, 2]}


def conv(inputs: int, outputs: int, window: int, *, stride: int = 1, dilation: int = 1,
         same: bool = True, groups: int = 1) -> Conv2D:
    """A convolution of random weights without zeros."""
    rng = np.random.default_rng(inputs * outputs)
    shape = (outputs, window, window, inputs // groups)
    kernel = rng.integers(1, 128, shape) * rng.choice([-1, 1], shape)
    pad = (window // 2) * dilation if same else 0
    return Conv2D(kernel=kernel.astype(np.int8), window=(window, window), groups=groups,
                  stride=(stride, stride), dilation=(dilation, dilation), pads=(pad,) * 4,
                  **parameters(rng, outputs, window * window * inputs // groups))


def depthwise(channels: int, window: int, stride: int = 1) -> DepthwiseConv2D:
    """A depthwise convolution of random weights without zeros."""
    rng = np.random.default_rng(channels)
    shape = (1, window, window, channels)
    kernel = rng.integers(1, 128, shape) * rng.choice([-1, 1], shape)
    return DepthwiseConv2D(kernel=kernel.astype(np.int8), window=(window, window),
                           stride=(stride, stride), pads=(window // 2,) * 4,
                           **parameters(rng, channels, window * window))


LAYERS: list[tuple[str, int, int, Attributes]] = [  # name, input size and channels, layer
    ("conv 3x3 64>64", 16, 64, conv(64, 64, 3)),
    ("conv 3x3 64>64 stride 2", 16, 64, conv(64, 64, 3, stride=2)),
    ("conv 3x3 64>64 valid", 16, 64, conv(64, 64, 3, same=False)),
    ("conv 3x3 64>64 dilation 2", 16, 64, conv(64, 64, 3, dilation=2)),
    ("conv 5x5 32>32", 16, 32, conv(32, 32, 5)),
    ("conv 1x1 64>128", 16, 64, conv(64, 128, 1)),
    ("conv 1x1 64>64 stride 2", 32, 64, conv(64, 64, 1, stride=2)),
    ("conv 1x1 16>16", 32, 16, conv(16, 16, 1)),
    ("conv 3x3 8>8", 32, 8, conv(8, 8, 3)),
    ("conv 3x3 4>4", 32, 4, conv(4, 4, 3)),
    ("conv 3x3 24>24", 16, 24, conv(24, 24, 3)),
    ("conv 3x3 16>8 stride 2", 32, 16, conv(16, 8, 3, stride=2)),
    ("conv 3x3 64>64 groups 4", 16, 64, conv(64, 64, 3, groups=4)),
    ("conv 3x3 64>64 groups 16", 16, 64, conv(64, 64, 3, groups=16)),
    ("depthwise 3x3 64", 16, 64, depthwise(64, 3)),
    ("depthwise 3x3 64 stride 2", 16, 64, depthwise(64, 3, 2)),
    ("depthwise 5x5 64", 16, 64, depthwise(64, 5)),
    ("depthwise 3x3 8", 32, 8, depthwise(8, 3)),
    ("max pool 2x2 64 stride 2", 16, 64, MaxPool(window=(2, 2), stride=(2, 2))),
    ("max pool 3x3 64 stride 2", 17, 64, MaxPool(window=(3, 3), stride=(2, 2))),
    ("average pool 3x3 64", 16, 64, AveragePool(window=(3, 3), pads=(1, 1, 1, 1))),
]


def network(name: str, size: int, channels: int, layer: Attributes) -> Graph:
    """The layer with copies around it."""
    graph = Graph(name)
    shape: tuple[int, ...] = (1, size, size, channels)
    graph.add(Tensor("t0", shape, "int8", Quant(0.1, 3)))
    for index, attrs in enumerate((COPY, layer, COPY)):
        shape = attrs.shape(shape)
        weighted = isinstance(layer, Conv2D | DepthwiseConv2D) and index
        graph.add(Tensor(f"t{index + 1}", shape, "int8", Quant(0.1, -5 if weighted else 3)))
        graph.nodes.append(Node(f"n{index}", (f"t{index}",), (f"t{index + 1}",), attrs))
    graph.inputs, graph.outputs = ("t0",), ("t3",)
    graph.validate()
    return graph


def measure(transport: RtlTransport, config, graph: Graph) -> dict:
    """Figures of the middle layer."""
    rng = np.random.default_rng(1)
    inputs = {"t0": rng.integers(-128, 128, graph.tensors["t0"].shape).astype(np.int8)}
    program = compile_graph(graph, config)
    device = Device(transport)
    device.load(program)
    result = device.run(inputs)
    if not np.array_equal(result.outputs["t3"], executor.run(graph, inputs)["t3"]):
        raise SystemExit(f"{graph.name}: differs from golden")
    names = [row["tag"] for row in program.layers if row["name"] == "n1"]
    records = {record.tag: record.counters for record in result.log}
    before, after = records[min(names) - 1], records[max(names)]
    spent = {key: after[key] - before[key] for key in ("cycles", "conflicts", *WAITS)}
    macs = sum(row["macs"] for row in program.layers if row["tag"] in names)
    bound = sum(row["ideal_cycles"] for row in program.layers if row["tag"] in names)
    peak = config.lanes * config.columns
    return {"layer": graph.name, "macs": macs, "cycles": spent["cycles"], "bound": bound,
            "of_peak": macs / peak / spent["cycles"],
            "conflicts": spent["conflicts"], "waits": {key: spent[key] for key in WAITS}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="base", choices=PRESETS)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    config = preset(args.preset)
    transport = RtlTransport(config, memory_bytes=1 << 22)
    rows = []
    print(f"{'layer':28}{'cycles':>8}{'bound':>8}{'over':>7}{'of peak':>9}  waits")
    for layer in LAYERS:
        row = measure(transport, config, network(*layer))
        rows.append(row)
        waits = ", ".join(f"{key.removeprefix('mac_wait_')} {count}"
                          for key, count in row["waits"].items() if count)
        print(f"{row['layer']:28}{row['cycles']:8,}{row['bound']:8,}"
              f"{row['cycles'] / row['bound'] - 1:7.1%}{row['of_peak']:9.1%}  {waits}")
    if args.json:
        args.json.write_text(json.dumps({
            "command": f"python bench/layers.py --preset {args.preset}", "rows": rows},
            indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
