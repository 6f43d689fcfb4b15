"""A model file held against ONNX Runtime node by node, and the chip against golden."""

import numpy as np

from golden import executor
from golden.spec.config import preset
from sw.compiler import compile_graph
from sw.frontend.onnx import import_model, load
from sw.onnx_runtime import run_external
from sw.reference_onnx import OnnxReference, node_differences, summed
from sw.session import open_engine

__all__ = ["check", "placed", "random_inputs"]


def random_inputs(graph, rng, spread=1.0):
    """One sample: normal reals, any integers."""
    inputs = {}
    for name in graph.inputs:
        tensor = graph.tensors[name]
        if tensor.dtype == "float32":
            inputs[name] = (spread * rng.standard_normal(tensor.shape)).astype(np.float32)
        else:
            limits = np.iinfo(tensor.dtype)
            inputs[name] = rng.integers(limits.min, limits.max + 1, tensor.shape).astype(
                tensor.dtype)
    return inputs


def placed(path, *words):
    """What the chip can't do is a section of the host's, which says why in these words."""
    reasons = "; ".join(why for node in load(path).nodes if node.op == "External"
                        for _, _, why in node.attrs.parts)
    for word in words:
        assert word in reasons, reasons


def check(path, *, seed=0, samples=3, chip=True, shapes=None, share=0.02, spread=1.0,
          config="tiny"):
    """Every node within 1 of ONNX Runtime's for the same inputs; the machine equal to golden.

    ``share`` is how many values may differ at all. Returns the imported network.
    """
    rng = np.random.default_rng(seed)
    imported = import_model(path, shapes)
    graph = imported.graph
    runtime = OnnxReference(path, shapes, keep_all=True)
    found, last = [], {}
    for _ in range(samples):
        last = random_inputs(graph, rng, spread)
        trace = runtime.run(last)
        found += node_differences(imported, last, trace)
        for name, value in executor.run(graph, last, external=run_external).items():
            assert value.shape == trace[name].shape and value.dtype == trace[name].dtype, name
    largest, different, compared = summed(found)
    assert compared, f"nothing compared in {graph}"
    worst = [item for item in found if item.exact and item.largest > 1]
    assert largest <= 1, (seed, worst, str(graph))
    assert different <= share * compared, (seed, different, compared, str(graph))
    if chip:
        engine = open_engine("machine", preset(config), compile_graph(graph, preset(config)))
        result = engine.run(last).outputs
        for name, value in executor.run(graph, last, external=run_external).items():
            assert np.array_equal(result[name], value), (seed, name, str(graph))
    return imported
