"""Random TensorFlow Lite operators of int8 and uint8, compiled: golden = machine."""

import numpy as np
import pytest

from golden.executor import run
from golden.spec.config import preset
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.engines.machine import MachineTransport
from sw.errors import ModelError
from sw.frontend.tflite import load
from tb.lib.quick import quick
from tb.lib.random_models import MAKERS, random_model


@pytest.mark.parametrize("legacy", [False, True], ids=["int8", "uint8"])
@pytest.mark.parametrize("kind", [kind for kind in MAKERS if kind != "transposed"])
@pytest.mark.parametrize("seeds", quick(1, range(100, 101), range(101, 103)), ids=str)
def test_random_operators(kind, legacy, seeds, tmp_path):
    config = preset("base" if kind == "fully_connected" else "tiny")
    path = tmp_path / "model.tflite"
    for seed in seeds:
        print(f"seed {seed} kind {kind}")
        model = random_model(kind, seed, legacy)
        path.write_bytes(model.raw)
        try:
            graph = load(path)
        except ModelError as error:
            assert legacy and "RESIZE_BILINEAR): of UINT8" in str(error), seed
            continue
        inputs = {name: array[:graph.tensors[name].shape[0]]
                  for name, array in zip(graph.inputs, model.inputs, strict=True)}
        device = Device(MachineTransport(config, memory_bytes=1 << 20))
        device.load(compile_graph(graph, config))
        found = device.run(inputs).outputs
        for name, expected in run(graph, inputs).items():
            assert np.array_equal(found[name], expected), seed
