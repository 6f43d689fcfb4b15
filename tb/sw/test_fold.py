"""Folded feature maps: equal bytes, fewer cycles, and what can't be folded stays."""

import numpy as np
import pytest

from golden.attributes import AveragePool, MaxPool
from golden.spec.config import preset
from sw.compiler import compile_graph, lower
from sw.engines.machine import MachineTransport
from tb.lib.compare import check_graph, run_from_clean_memory
from tb.lib.graph_builder import Builder
from tb.lib.quick import quick

TINY, BASE = preset("tiny"), preset("base")
MEMORY = 1 << 22
CHIPS = {"base": BASE, "tiny": TINY, "wide": BASE.replace(lanes=32, drp="none", drain=16),
         "odd": BASE.replace(columns=5, banks=4)}


def _shapes(built, config=BASE):
    """(height, width, channels) of every feature map as the chip has it."""
    return {name: (tensor.height, tensor.width, tensor.channels)
            for name, tensor in lower.lower(built.graph, config).tensors.items()}


def _cycles(built, config):
    transport = MachineTransport(config, memory_bytes=MEMORY)
    program = compile_graph(built.graph, config)
    return run_from_clean_memory(transport, program, built.inputs)[0].cycles


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize("width", [16, 24, 14, 15])
@pytest.mark.parametrize("depth", [2, 3, 8])
def test_networks(depth, width, chip):
    """Every operator that reads or writes a folded feature map gives the executor's bytes."""
    built = Builder((1, 9, width, depth))
    second = built.depthwise(built.conv("t0", depth, 3, pad=1), (3, 3), pads=(1, 1, 1, 1))
    joined = built.sum(built.conv(second, 2 * depth), built.conv(second, 2 * depth))
    pooled = built.add(MaxPool(window=(2, 2), stride=(2, 2)), joined)
    strided = built.conv(joined, depth, 3, pad=1, stride=2)
    averaged = built.add(AveragePool(window=(3, 3), pads=(1, 1, 1, 1)), strided)
    built.finish(averaged, built.clamp(pooled), joined)
    for dense in (False, True):
        check_graph(CHIPS[chip], built, MachineTransport(CHIPS[chip], memory_bytes=MEMORY), None,
                    dense=dense)


def test_narrow_chain():
    """8 channels fill 16 lanes as two pixels, and the input's windows are gathered for both."""
    built = Builder((1, 32, 32, 3))
    first = built.conv("t0", 8, 3, pad=1, stride=2)
    second = built.depthwise(first, (3, 3), pads=(1, 1, 1, 1))
    built.finish(built.conv(second, 16))
    shapes = _shapes(built)
    assert shapes[first] == shapes[second] == (16, 8, 16)
    gathered = next(shape for name, shape in shapes.items() if name.startswith("t0@"))
    assert gathered == (32, 8, 15)  # five columns of three channels


def test_stride_between_pixels_becomes_one_between_words():
    built = Builder((1, 32, 32, 16))
    first = built.conv("t0", 16)
    built.finish(built.depthwise(first, (3, 3), stride=(2, 2), pads=(0, 1, 0, 1)))
    lowered = lower.lower(built.graph, BASE)
    assert lowered.tensors[first].channels == 32
    assert lowered.ops[1].stride_x == 1


@pytest.mark.parametrize("name", ["t0", "first", "last"])
def test_what_stays(name):
    """An odd width, wide feature maps, and a maximum that would see other pixels' lanes."""
    built = {"t0": Builder((1, 16, 15, 8)), "first": Builder((1, 16, 16, 16)),
             "last": Builder((1, 16, 16, 8))}[name]
    if name == "last":
        built.finish(built.add(MaxPool(window=(3, 3), pads=(1, 1, 1, 1)), "t0"))
    else:
        built.finish(built.conv("t0", 16, 3, pad=1))
    for tensor, shape in _shapes(built).items():
        assert shape[1:] == built.graph.tensors[tensor].shape[2:], tensor


@pytest.mark.parametrize("seed", quick(6, *range(20)))
def test_never_slower(seed, monkeypatch):
    """Folding only where it saves cycles, as the machine counts them."""
    rng = np.random.default_rng(seed)
    built = Builder((1, int(rng.integers(8, 20)), 4 * int(rng.integers(2, 8)),
                     int(rng.choice([1, 3, 4, 8, 16]))))
    name = "t0"
    for _ in range(3):
        if rng.integers(2):
            name = built.conv(name, int(rng.choice([4, 8, 12, 16, 24])), 3, 1,
                              int(rng.integers(1, 3)))
        else:
            name = built.depthwise(name, (3, 3), pads=(1, 1, 1, 1))
    built.finish(name)
    folded = _cycles(built, BASE)
    monkeypatch.setattr(lower, "fold_narrow", lambda *_, **__: None)
    plain = _cycles(built, BASE)
    assert folded <= plain + 20, (seed, folded, plain)
