"""Squeeze-and-excite: feature maps times values that the chip computes, one for each channel."""

import numpy as np
import pytest

from golden.broadcast import Multiply
from golden.external import External
from golden.spec.config import preset
from sw.compiler.lower import lower
from sw.compiler.window import HostOp
from tb.lib.onnx_builder import OnnxBuilder
from tb.sw.onnx_check import check, placed
from tb.sw.test_onnx_operators import feature_map, int8, save
from tb.sw.test_onnx_pointwise import conv, kinds

pytest.importorskip("onnxruntime")
CHANNELS = 20


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def excited(build, rng, data, curve, dtype):
    """A value for each channel by way of two convolutions."""
    mean = build.pair(build.node("GlobalAveragePool", data), 0.02, 10, dtype)
    few = build.pair(build.node("Relu", conv(build, rng, mean, 6, CHANNELS, zero=10, dtype=dtype)),
                     0.02, 5, dtype)
    return build.pair(build.node(curve, conv(build, rng, few, CHANNELS, 6, 0.04, 3, dtype)),
                      1 / 255, 0 if dtype is np.uint8 else -128, dtype)


def flat(build, rng, data, curve, dtype):
    """The same as matrix products, in two axes between."""
    mean = build.pair(build.node("ReduceMean", data, axes=[2, 3], keepdims=0), 0.02, 10, dtype)
    rows = build.node("Gemm", mean, build.weights(int8(rng, CHANNELS, CHANNELS), 0.004), transB=1)
    values = build.pair(build.node(curve, build.pair(rows, 0.05, 7, dtype)), 1 / 255,
                        0 if dtype is np.uint8 else -128, dtype)
    return build.node("Reshape", values, build.constant([1, CHANNELS, 1, 1], np.int64))


@pytest.mark.parametrize(("way", "curve", "dtype", "zero"), [
    (excited, "HardSigmoid", np.int8, -128), (excited, "Sigmoid", np.uint8, 0),
    (flat, "Sigmoid", np.int8, 9)])
def test_gates(way, curve, dtype, zero, rng, tmp_path):
    build = OnnxBuilder()
    data = conv(build, rng, feature_map(build, 5, (9, 7)), CHANNELS, 5, zero=zero, dtype=dtype)
    gate = way(build, rng, data, curve, dtype)
    found = build.pair(build.node("Mul", *([gate, data] if zero == 9 else [data, gate])), 0.02, 4,
                       dtype)
    path = save(tmp_path, build, conv(build, rng, found, 6, CHANNELS, zero=60, dtype=dtype))
    imported = check(path, samples=2, config="base")
    assert len(kinds(imported, Multiply)) == 1 and not kinds(imported, External)
    ops = lower(imported.graph, preset("base")).ops
    chip = [not isinstance(op, HostOp) for op in ops]
    assert all(chip[chip.index(True):len(chip) - chip[::-1].index(True)])  # nothing in between
    assert sum(op.gate is not None for op in ops if not isinstance(op, HostOp)) == 1


def test_other_products(rng, tmp_path):
    build = OnnxBuilder()
    data = feature_map(build, 5, (4, 4))
    rows = build.pair(build.node("ReduceMean", data, axes=[1]), 0.03, 0)
    path = save(tmp_path, build, build.pair(build.node("Mul", data, rows), 0.02))
    placed(path, "products of a feature map and one value a channel")
