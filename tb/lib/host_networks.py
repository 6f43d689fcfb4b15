"""Quantized ONNX networks with operators that no chip of ours has."""

import numpy as np
from onnx import TensorProto, helper

from tb.lib.onnx_builder import OnnxBuilder

__all__ = ["blocks", "branch", "conv", "ends", "middle", "results", "unsigned"]


def conv(build, data, rng, channels, *, scale=0.05, zero=0, dtype=np.int8):
    """A quantized 3x3 convolution and its pair."""
    kernel = build.weights(rng.integers(-100, 101, (*channels, 3, 3)).astype(np.int8), 0.004)
    return build.pair(build.node("Conv", data, kernel), scale, zero, dtype)


def ends(rng, opset=17):
    """A float head and a float tail, of two outputs, one of them integers."""
    build = OnnxBuilder(opset)
    data = build.node("Sub", build.input([1, 3, 8, 7]), build.constant(
        rng.standard_normal((1, 3, 1, 1)), np.float32))
    data = build.pair(build.node("Sin", data), 0.008)
    data = conv(build, conv(build, data, rng, (4, 3)), rng, (6, 4))
    flat = build.node("Softmax", build.node("Flatten", build.node("Sinh", data)))
    build.output(build.node("TopK", flat, build.constant([3], np.int64), outputs=2), rank=2)
    build.output(f"{build.nodes[-1].name}_1", TensorProto.INT64, 2)
    return build


def middle(rng):
    """One operator between two convolutions."""
    build = OnnxBuilder()
    data = conv(build, build.pair(build.input([1, 3, 8, 7]), 0.03), rng, (4, 3))
    data = build.pair(build.node("LpNormalization", data, axis=1), 1 / 128)
    build.output(conv(build, data, rng, (5, 4)))
    return build


def unsigned(rng):
    """uint8 into and out of a section, its own integers in between, and a uint8 output."""
    build = OnnxBuilder()
    data = conv(build, build.pair(build.input([1, 3, 8, 7]), 0.03, 128, np.uint8), rng, (4, 3),
                zero=100, dtype=np.uint8)
    codes = build.quantize(build.node("LpNormalization", data, axis=1), 1 / 128, 128, np.uint8)
    codes = build.node("BitShift", codes, build.constant([1], np.uint8), direction="RIGHT")
    build.output(codes, TensorProto.UINT8)
    data = build.node("DequantizeLinear", codes, *build.parameters(1 / 64, 64, np.uint8))
    build.output(conv(build, data, rng, (5, 4), zero=120, dtype=np.uint8))
    return build


def branch(rng):
    """A choice between two graphs that take a tensor from outside; both ways hold a float Conv."""
    build = OnnxBuilder()
    data = conv(build, build.pair(build.input([1, 3, 8, 7]), 0.03), rng, (4, 3))
    kernel = build.constant(rng.standard_normal((2, 4, 3, 3)), np.float32)
    ways = [helper.make_graph([helper.make_node(op, inputs, [op.lower()])], op, [], [
        helper.make_tensor_value_info(op.lower(), TensorProto.FLOAT, None)])
        for op, inputs in (("Conv", [data, kernel]), ("ConvTranspose", [data, kernel]))]
    largest = build.node("ReduceMax", data, keepdims=0)
    chosen = build.node("Greater", largest, build.constant(np.float32(1e9)))
    # Of one size both ways, which shape inference must see.
    ways[1].node[0].input[1] = build.constant(rng.standard_normal((4, 2, 1, 1)), np.float32)
    ways[1].node[0].attribute.append(helper.make_attribute("pads", [1, 1, 1, 1]))
    build.output(build.node("If", chosen, then_branch=ways[0], else_branch=ways[1]))
    return build


def results(rng):
    """Two results of one section into convolutions with few weights, whose channels the compiler
    would like in another order."""
    build = OnnxBuilder()
    data = build.pair(build.input([1, 16, 6, 5]), 0.03)
    first = build.node("LpNormalization", data, axis=1)
    ends = []
    for name in (first, build.node("LRN", first, size=3, alpha=3.0)):
        kernel = rng.integers(-100, 101, (16, 16, 3, 3)) * (rng.random((1, 16, 1, 1)) < 0.5)
        product = build.node("Conv", build.pair(name, 1 / 128),
                             build.weights(kernel.astype(np.int8), 0.004))
        ends.append(build.pair(product, 0.01))
    build.output(build.node("Concat", *ends, axis=1))
    return build


def blocks(rng):
    """Pixels made of channels, channels last at once for an output and read by the host too."""
    build = OnnxBuilder()
    data = conv(build, build.pair(build.input([1, 3, 6, 5]), 0.03), rng, (12, 3))
    wide = build.node("DepthToSpace", data, blocksize=2)
    last = build.node("Transpose", wide, perm=[0, 2, 3, 1])
    build.output(build.node("Reshape", last, build.constant([1, -1, 3], np.int64)), rank=3)
    build.output(build.node("Sin", build.node("DepthToSpace", data, blocksize=2, mode="CRD")))
    return build
