"""Sizes at the edges of the instruction set's fields: golden = machine, or a named refusal."""

import time

import numpy as np
import pytest

from golden.attributes import AveragePool, Conv2D, FullyConnected, MaxPool, Mean, Pad
from golden.extreme import ReduceMax
from golden.graph import Graph
from golden.spec.config import preset
from golden.spec.isa import INSTRUCTION_BYTES, Opcode, Target, decode
from golden.spec.numerics import quantize_multiplier
from golden.spec.program import ChipStep, HostStep
from sw.compiler import compile_graph, emit
from sw.engines.machine import MachineTransport
from sw.errors import ModelError
from tb.lib.compare import check_graph
from tb.lib.random_graphs import RandomGraph

BASE = preset("base")


class Drawn(RandomGraph):
    """One layer of given sizes, or one of given attributes."""

    def __init__(self, shape, attrs=None, *, outputs=8, window=None, stride=(1, 1), pad_right=0):
        self.rng, self.lanes = np.random.default_rng(7), 16
        self.count, self.graph = 0, Graph("large")
        name = self.start(shape)
        zero = self.quant_zero(name)
        if pad_right:
            name = self.node(Pad(pads=((0, 0), (1, 1), (1, pad_right), (0, 0)), value=zero), name,
                             zero=zero)
        if attrs is not None:
            pass
        elif window is None:
            kernel = self.kernel(outputs, shape[-1])
            attrs = FullyConnected(kernel=kernel, input_zero=zero, output_zero=5,
                                   **self.scales(outputs, shape[-1]))
        else:
            kernel = self.kernel(outputs, *window, shape[-1])
            attrs = Conv2D(kernel=kernel, window=window, stride=stride, input_zero=zero,
                           output_zero=5, **self.scales(outputs, kernel[0].size))
        same = isinstance(attrs, MaxPool)  # one quantization on both sides
        self.graph.outputs = (self.node(attrs, name, zero=zero if same else 5),)
        self.graph.validate()
        self.inputs = {name: self.values(self.graph.tensors[name].shape)
                       for name in self.graph.inputs}

    def kernel(self, *shape):
        return self.rng.integers(-127, 128, shape).astype(np.int8)


CASES = {
    # A strip's input is longer than a count although its output isn't.
    "strided row": (BASE, {"shape": (1, 1, 6000, 1), "window": (1, 20), "stride": (1, 10)}),
    "long row": (preset("base", bank_words=8192),
                 {"shape": (1, 1, 9000, 16), "window": (1, 3)}),
    # Gathered columns that lie wholly in the padding.
    "padding only": (preset("base", bank_words=16),
                     {"shape": (1, 6, 8, 3), "window": (3, 3), "pad_right": 400}),
    "padding only, tiny": (preset("tiny", bank_words=32),
                           {"shape": (1, 5, 3, 1), "window": (3, 3), "pad_right": 60}),
    "padding only, long": (BASE, {"shape": (1, 6, 8, 3), "window": (3, 3), "pad_right": 3000}),
}


@pytest.mark.parametrize("case", CASES)
def test_large(case):
    config, sizes = CASES[case]
    check_graph(config, Drawn(**sizes), MachineTransport(config, memory_bytes=1 << 22), None)


def test_weights_in_runs(monkeypatch):
    """A stream beyond a run's length goes in runs and a rest, to the same result."""
    monkeypatch.setattr(emit, "WEIGHT_RUN", 1 << 10)
    drawn = Drawn((1, 1, 1, 300), outputs=40)
    check_graph(BASE, drawn, MachineTransport(BASE, memory_bytes=1 << 22), None)
    program = compile_graph(drawn.graph, BASE)
    step = next(step for step in program.steps if isinstance(step, ChipStep))
    code = program.constants[step.offset:step.offset + step.bytes]
    loads = [fields for opcode, fields in (
        decode(code[at:at + INSTRUCTION_BYTES]) for at in range(0, len(code), INSTRUCTION_BYTES))
        if opcode == Opcode.LOAD and fields["target"] == Target.WEIGHTS]
    assert [fields["runs"] > 1 for fields in loads] == [True, False]
    assert loads[0]["run_bytes"] == loads[0]["run_stride"] == 1 << 10


def test_many_lane_blocks_compile_soon():
    """50,000 outputs: the search for parts must not look at every size."""
    started = time.process_time()
    compile_graph(Drawn((1, 1, 1, 10), outputs=50_000).graph, BASE)
    assert time.process_time() - started < 8


def test_beyond_the_fields():
    """More channel groups than an instruction counts: refused, by node and field."""
    with pytest.raises(ModelError, match=r"node 'n2' \(FullyConnected\).*LOAD.count0 is 4375"):
        compile_graph(Drawn((1, 1, 1, 70_000), outputs=4).graph, BASE)


@pytest.mark.parametrize("attrs", [
    MaxPool(window=(12, 12), stride=(1, 1)), AveragePool(window=(12, 12), stride=(2, 1)),
    MaxPool(window=(1, 1), stride=(64, 1))])
def test_pooling_beyond_the_chip(attrs):
    """A window that the scratchpad can't hold, or too long a stride: on the host, with a reason."""
    config = preset("base", bank_words=16)
    drawn = Drawn((1, 14, 13, 20), attrs)
    check_graph(config, drawn, MachineTransport(config, memory_bytes=1 << 22), None)
    program = compile_graph(drawn.graph, config)
    assert [type(step) for step in program.steps] == [HostStep]
    (row,) = program.layers
    assert row["unit"] == "host"
    assert "beyond" in row["why"] or "the scratchpad has 128" in row["why"]


def over(shape, kind, scale):
    """The mean or the largest value of all pixels, of a mean scaled so that it uses all codes."""
    return Drawn(shape, kind(axes=(1, 2), keep_dims=True) if kind is ReduceMax else kind(
        axes=(1, 2), keep_dims=True, input_zero=-7, output_zero=5,
        scale=quantize_multiplier(scale / shape[1] / shape[2])))


@pytest.mark.parametrize("kind", [Mean, ReduceMax])
@pytest.mark.parametrize("shape, scale", [((1, 14, 13, 20), 18.0), ((1, 16, 63, 5), 0.9),
                                          ((1, 20, 126, 17), 40.0)])
@pytest.mark.parametrize("values", ["random", -128, 127])
def test_means_beyond_the_scratchpad(kind, shape, scale, values):
    """Of parts of rows first, exactly: sums as two digits, at their ends too."""
    config = preset("base", bank_words=16)
    drawn = over(shape, kind, scale)
    if values != "random":
        for given in drawn.inputs.values():
            given[:] = values
    check_graph(config, drawn, MachineTransport(config, memory_bytes=1 << 22), None)
    program = compile_graph(drawn.graph, config)
    assert not any(isinstance(step, HostStep) for step in program.steps)
    assert {row["unit"] for row in program.layers} == {"mac"} and len(program.layers) > 1


@pytest.mark.parametrize("shape", [(1, 3, 127, 8), (1, 127, 4, 8)])
def test_means_without_parts(shape):
    """Rows that don't fall into equal parts, or too many of them: on the host."""
    config = preset("base", bank_words=16)
    drawn = over(shape, Mean, 1.0)
    program = compile_graph(drawn.graph, config)
    assert [type(step) for step in program.steps] == [HostStep]
    assert "the scratchpad has 128" in program.layers[0]["why"]
