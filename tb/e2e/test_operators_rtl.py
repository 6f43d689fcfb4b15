"""Operators of networks on the DRP of the RTL: golden's bytes, and the machine's."""

import numpy as np
import pytest

from golden import executor
from golden.edges import Transpose
from golden.extreme import ArgMax, ReduceMax
from golden.graph import Graph, Node, Quant, Tensor
from golden.layer_norm import QuantizedLayerNorm
from golden.movement import Take
from golden.softmax import QuantizedSoftmax
from golden.spec.config import preset
from sw.compiler import lower_movement
from sw.compiler.compile import compile_graph
from sw.session.engines import open_engine


@pytest.mark.parametrize(("attrs", "shape"), [
    (ArgMax(axis=1, output_type="int32"), (1, 11)),
    (ArgMax(axis=2, output_type="int64"), (1, 3, 7)),
    (QuantizedSoftmax(axis=2, scale=0.05, output_scale=0.01, output_zero=-100), (1, 2, 5, 3)),
    (QuantizedLayerNorm(gain=(0.5, 1.0, -0.3, 1.2, 0.9) * 5, bias=(0.1,) * 25, scale=0.02,
                        epsilon=1e-5, output_scale=0.03, output_zero=4), (1, 3, 25)),
    (ReduceMax(axes=(3,)), (1, 3, 2, 5)), (Transpose(perm=(0, 3, 1, 2)), (1, 5, 6, 3)),
    (Take(indices=(None, (0, 0, 1, 2, 2), (0, 2, 3, 5), None)), (1, 3, 6, 4))])
def test_bytes(monkeypatch, attrs, shape):
    monkeypatch.setattr(lower_movement, "MOST_COPIES", 0)
    # Tables are more than a memory of the small one holds.
    config = preset("base" if isinstance(attrs, QuantizedLayerNorm | QuantizedSoftmax)
                    else "tiny_drp")
    kind = attrs.types()[1]
    graph = Graph("alone", {"x": Tensor("x", shape, "int8", Quant(1.0, 0)),
                            "y": Tensor("y", attrs.shape(shape), kind, Quant(1.0, 0))},
                  [Node("n", ("x",), ("y",), attrs)], ("x",), ("y",))
    program = compile_graph(graph, config)
    assert [row["unit"] for row in program.layers] == ["drp"], program.layers
    x = np.random.default_rng(5).integers(-128, 128, shape, np.int8)
    wanted = executor.run(graph, {"x": x})["y"]
    for name in ("machine", "rtl"):
        engine = open_engine(name, config, program)
        found = engine.run({"x": x}).outputs["y"]
        engine.close()
        np.testing.assert_array_equal(found, wanted)
