"""Cycles against density: a 3x3 convolution 64 to 64 at 16x16, every block at N = 16 ... 1, RTL.

``python bench/sparsity.py [--json FILE]``. The layer stands between two layers that copy, so that
its tensors are in the scratchpad and its row is the array's. Beside it: doorbell to interrupt of
the convolution alone, from DRAM to DRAM. Every output byte is held against golden.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from golden import executor
from golden.attributes import Conv2D, MaxPool
from golden.graph import Graph, Node, Quant, Tensor
from golden.spec.config import preset
from golden.spec.numerics import quantize_multiplier
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.engines.rtl.engine import RtlTransport

CHANNELS, SIZE, WINDOW = 64, 16, 3


def network(n: int, group: int, resident: bool) -> Graph:
    """The convolution with N nonzero weights in every group of every filter; copies around it."""
    rng = np.random.default_rng(n)
    kernel = rng.integers(1, 128, (CHANNELS, WINDOW, WINDOW, CHANNELS // group, group))
    kernel *= rng.choice([-1, 1], kernel.shape)
    kernel[rng.random(kernel.shape).argsort(axis=-1) >= n] = 0
    parts = np.array([quantize_multiplier(0.002 / n**0.5)] * CHANNELS, dtype=np.int32)
    conv = Conv2D(
        kernel=kernel.reshape(CHANNELS, WINDOW, WINDOW, CHANNELS).astype(np.int8),
        window=(WINDOW, WINDOW), pads=(1, 1, 1, 1), input_zero=3, output_zero=-5,
        bias=rng.integers(-5000, 5000, CHANNELS).astype(np.int32), multiplier=parts[:, 0],
        pre=parts[:, 1], post=parts[:, 2])
    copy = MaxPool(window=(1, 1))
    graph = Graph(f"conv3x3 N={n}")
    chain = [copy, conv, copy] if resident else [conv]
    for index in range(len(chain) + 1):
        zero = 3 if index <= resident else -5
        graph.add(Tensor(f"t{index}", (1, SIZE, SIZE, CHANNELS), "int8", Quant(0.1, zero)))
    graph.nodes = [Node(f"n{i}", (f"t{i}",), (f"t{i + 1}",), attrs)
                   for i, attrs in enumerate(chain)]
    graph.inputs, graph.outputs = ("t0",), (f"t{len(chain)}",)
    graph.validate()
    return graph


def measure(transport: RtlTransport, graph: Graph, config) -> tuple[int, int]:
    """(cycles of the convolution's row, doorbell to interrupt)."""
    rng = np.random.default_rng(1)
    inputs = {"t0": rng.integers(-128, 128, (1, SIZE, SIZE, CHANNELS)).astype(np.int8)}
    device = Device(transport)
    device.load(compile_graph(graph, config))
    result = device.run(inputs)
    expected = executor.run(graph, inputs)
    for name in graph.outputs:
        if not np.array_equal(result.outputs[name], expected[name]):
            raise SystemExit(f"{graph.name}: {name} differs from golden")
    ends = [record.counters["cycles"] for record in result.log]
    return (ends[1] - ends[0] if len(ends) > 1 else ends[0]), result.cycles


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    config = preset("base")
    transport = RtlTransport(config, memory_bytes=1 << 22)
    rows = []
    for n in (16, 8, 4, 2, 1):
        layer, _ = measure(transport, network(n, config.group, True), config)
        _, alone = measure(transport, network(n, config.group, False), config)
        rows.append({"n": n, "layer_cycles": layer, "doorbell_to_interrupt": alone})
    dense = rows[0]["layer_cycles"]
    print(f"{'N':>3}{'layer':>9}{'N/16 of dense':>15}{'over':>7}{'speed-up':>10}"
          f"{'alone, DRAM to DRAM':>21}")
    for row in rows:
        share = dense * row["n"] // 16
        row["speedup"] = dense / row["layer_cycles"]
        print(f"{row['n']:3}{row['layer_cycles']:9,}{share:15,}{row['layer_cycles'] - share:7,}"
              f"{row['speedup']:9.2f}x{row['doorbell_to_interrupt']:21,}")
    if args.json:
        args.json.write_text(json.dumps({"command": "python bench/sparsity.py", "rows": rows},
                                        indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
