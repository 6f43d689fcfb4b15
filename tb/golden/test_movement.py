"""Tables, parts, blocks and transposed convolution against their definitions, value by value."""

from itertools import product

import numpy as np
import pytest

from golden.attributes import GraphError
from golden.executor import run_node
from golden.graph import Node
from golden.lookup import Lookup
from golden.movement import DepthToSpace, SpaceToDepth, Take
from golden.resize import ResizeLinear
from golden.spec.numerics import clamp, quantize_multiplier, requantize
from golden.transposed import TransposedConv2D


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def run(attrs, x):
    found = run_node(Node("n", ("x",), ("y",), attrs), x)
    assert found.shape == attrs.shape(x.shape)
    return found


def image(rng, *shape):
    return rng.integers(-128, 128, shape).astype(np.int8)


def test_lookup(rng):
    x, table = image(rng, 1, 3, 4, 5), image(rng, 256)
    found = run(Lookup(table=table), x)
    assert all(found[at] == table[int(x[at]) + 128] for at in np.ndindex(x.shape))
    with pytest.raises(GraphError, match=r"must be int8\(256,\)"):
        Lookup(table=table[1:]).shape((1, 2))


def test_take(rng):
    x = image(rng, 1, 3, 4, 5)
    found = run(Take(indices=(None, (2, 0, 0), None, (4, 1))), x)
    for y, row in enumerate((2, 0, 0)):
        for c, channel in enumerate((4, 1)):
            assert np.array_equal(found[0, y, :, c], x[0, row, :, channel])
    for indices in (((0,), None), (None,), (None, (2,)), (None, ())):
        with pytest.raises(GraphError, match="indices"):
            Take(indices=indices).shape((1, 2))


def test_blocks(rng):
    x, block = image(rng, 1, 2, 3, 18), 3
    found = run(DepthToSpace(block=block), x)
    for y, column, c in np.ndindex(6, 9, 2):
        place = (y % block * block + column % block) * 2 + c
        assert found[0, y, column, c] == x[0, y // block, column // block, place]
    assert np.array_equal(run(SpaceToDepth(block=block), found), x)
    for kind, shape in ((DepthToSpace, (1, 2, 2, 5)), (SpaceToDepth, (1, 4, 3, 1)),
                        (SpaceToDepth, (1, 4))):
        with pytest.raises(GraphError, match="input"):
            kind(block=2).shape(shape)


@pytest.mark.parametrize(("stride", "pads", "groups", "window"), [
    ((1, 1), (0, 0, 0, 0), 1, (3, 3)), ((2, 2), (1, 1, 1, 1), 1, (4, 4)),
    ((3, 2), (0, -2, 1, -1), 2, (2, 3)), ((2, 3), (2, 0, 0, 1), 3, (3, 1))])
def test_transposed_convolution(stride, pads, groups, window, rng):
    x, outputs = image(rng, 1, 4, 3, 6), 6
    kernel = image(rng, outputs, *window, 6 // groups)
    multiplier, pre, post = (np.full(outputs, value, np.int32)
                             for value in quantize_multiplier(0.004))
    common = {"bias": rng.integers(-500, 500, outputs).astype(np.int32), "multiplier": multiplier,
              "pre": pre, "post": post, "output_zero": -5}
    attrs = TransposedConv2D(kernel=kernel, stride=stride, pads=pads, groups=groups, input_zero=7,
                             **common)
    _, height, width, _ = attrs.shape(x.shape)
    sums = np.zeros((1, height, width, outputs), np.int64)
    for i, j, o, ky, kx, d in np.ndindex(4, 3, outputs, *window, 6 // groups):
        y, column = i * stride[0] + ky - pads[0], j * stride[1] + kx - pads[2]
        if 0 <= y < height and 0 <= column < width:
            channel = o // (outputs // groups) * (6 // groups) + d
            sums[0, y, column, o] += (int(x[0, i, j, channel]) - 7) * int(kernel[o, ky, kx, d])
    found = run(attrs, x)
    for at in np.ndindex(sums.shape):
        scaled = requantize(int(sums[at]) + int(common["bias"][at[3]]),
                            *(int(common[name][at[3]]) for name in ("multiplier", "pre", "post")))
        assert found[at] == clamp(scaled - 5, -128, 127)


def test_transposed_convolution_refuses(rng):
    zeros = np.zeros(4, np.int32)
    attrs = {"kernel": image(rng, 4, 2, 2, 3), "bias": zeros, "multiplier": zeros, "pre": zeros,
             "post": zeros, "input_zero": 0, "output_zero": 0}
    for change, shape, text in (
            ({}, (1, 3, 3, 4), "does not fit"), ({"stride": (0, 1)}, (1, 3, 3, 3), "stride"),
            ({"pads": (-1, 0, 0, 0)}, (1, 3, 3, 3), "pads"),
            ({"pads": (2, 2, 0, 0)}, (1, 3, 3, 3), "leave 0 x 4"), ({}, (3, 3), "must be")):
        with pytest.raises(GraphError, match=text):
            TransposedConv2D(**{**attrs, **change}).shape(shape)


def test_linear_interpolation(rng):
    x = image(rng, 1, 3, 4, 5)
    rows, columns = (0, 1, 3, 4), (0, 0, 2, 9, 7)
    found = run(ResizeLinear(rows=rows, columns=columns, parts=(2, 3), input_zero=4,
                             scale=quantize_multiplier(0.2), output_zero=-6, least=-90), x)
    for (i, y), (j, column), c in product(enumerate(rows), enumerate(columns), range(5)):
        total = sum((int(x[0, k, m, c]) - 4) * max(2 - abs(y - 2 * k), 0)
                    * max(3 - abs(column - 3 * m), 0) for k, m in np.ndindex(3, 4))
        assert found[0, i, j, c] == clamp(requantize(total, *quantize_multiplier(0.2)) - 6, -90,
                                          127)
    for rows, parts, shape in (((), (1, 1), (1, 2, 2, 1)), ((3,), (2, 1), (1, 2, 2, 1)),
                               ((-1,), (2, 1), (1, 2, 2, 1)), ((0,), (0, 1), (1, 2, 2, 1)),
                               ((0,), (1, 1), (1, 2))):
        with pytest.raises(GraphError, match="must be"):
            ResizeLinear(rows=rows, columns=(0,), parts=parts, input_zero=0, output_zero=0,
                         scale=(1, 0, 0)).shape(shape)
