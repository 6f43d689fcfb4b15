"""MAC of the machine: sums, maxima, post-processing, group lists."""

import numpy as np
import pytest

from golden.machine import MachineError, UndefinedError
from golden.machine.post import requantize
from golden.spec import numerics
from golden.spec.config import preset
from golden.spec.isa import ArrayMode, Opcode, PostMode
from golden.spec.registers import Cause
from golden.weights import Block, LaneBlock
from tb.golden.machine_rig import Rig, conv_lane_blocks

CONFIGS = [preset("tiny"), preset("base")]
each_config = pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)


def direct_conv(image, kernel, stride, pad, pad_value):
    """Convolution by its definition: int64 [oh, ow, k]."""
    kh, kw, c, k = kernel.shape
    h, w, _ = image.shape
    oh, ow = (h + 2 * pad - kh) // stride + 1, (w + 2 * pad - kw) // stride + 1
    out = np.zeros((oh, ow, k), np.int64)
    for y in range(oh):
        for x in range(ow):
            for dy in range(kh):
                for dx in range(kw):
                    iy, ix = y * stride + dy - pad, x * stride + dx - pad
                    word = (image[iy, ix] if 0 <= iy < h and 0 <= ix < w
                            else np.full(c, pad_value))
                    out[y, x] += word.astype(np.int64) @ kernel[dy, dx].astype(np.int64)
    return out


def scaled(sums, bias, multiplier, pre, post, zero, least, most):
    """Post-processing by golden.spec.numerics, value by value."""
    out = np.zeros(sums.shape, np.int64)
    for at in np.ndindex(*sums.shape):
        k = at[-1]
        value = numerics.requantize(numerics.wrap32(int(sums[at]) + int(bias[k])),
                                    int(multiplier[k]), int(pre[k]), int(post[k]))
        out[at] = numerics.clamp(value + zero, least, most)
    return out


@each_config
@pytest.mark.parametrize("seed", range(8))
def test_convolution(config, seed):
    rng = np.random.default_rng(seed)
    kh, kw = rng.integers(1, 4, 2)
    stride, pad = int(rng.integers(1, 3)), int(rng.integers(0, 2))
    h, w = rng.integers(3, 6, 2)
    c, k = rng.integers(1, 2 * config.group + 1, 2)
    if kh * kw > 6:  # several tiles need a whole lane block in the rings
        c = min(c, config.group)
    image = rng.integers(-128, 128, (h, w, c)).astype(np.int8)
    kernel = rng.integers(-128, 128, (kh, kw, c, k)).astype(np.int8)
    kernel[rng.random(kernel.shape) < rng.choice([0, 0.5, 0.9])] = 0
    pad_value = int(rng.integers(-128, 128))
    bias = rng.integers(-9999, 9999, k)
    multiplier, pre = rng.integers(1 << 30, 1 << 31, k), rng.integers(0, 3, k)
    post = rng.integers(7, 12, k)
    zero, least, most = -3, -100, 90
    sums = direct_conv(image, kernel, stride, pad, pad_value)
    oh, ow, _ = sums.shape
    lanes = conv_lane_blocks(config, kernel, (h, w), bias, multiplier, pre, post)

    rig = Rig(config)
    rig.load_nhwc(image, 0, fill=0x55)
    rig.add(Opcode.SYNC)  # not after the weights: they needn't fit into the rings
    rig.load_weights(lanes)
    out = 2 * h * w
    rig.add(Opcode.MAC, **rig.mac(
        in_base=0, in_shape=(h, w), out_base=out, out_shape=(oh, ow), blocks=len(lanes),
        stride=stride, pad=(pad, pad), pad_value=pad_value, zero=zero, least=least, most=most))
    at = rig.store_nhwc(out, oh, ow, k)
    counters = rig.run()
    want = scaled(sums, bias, multiplier, pre, post, zero, least, most)
    np.testing.assert_array_equal(rig.read(at, oh, ow, k), want, f"seed {seed}")
    rows = sum(len(block.values) for lane in lanes for block in lane.blocks)
    assert counters["row_columns"] == rows * oh * ow
    assert counters["mac_busy"] == rows * -(-oh * ow // config.columns)


@each_config
def test_depthwise_diagonal_with_table(config):
    rng = np.random.default_rng(1)
    h, w, lanes = 4, 5, config.lanes
    image = rng.integers(-128, 128, (h, w, 2 * lanes)).astype(np.int8)
    kernel = rng.integers(-128, 128, (3, 3, 2 * lanes)).astype(np.int8)
    table, shift = rng.integers(-128, 128, 512), 5
    table[7] += 0x5600  # only the low byte counts
    sums = np.zeros((h, w, 2 * lanes), np.int64)
    padded = np.pad(image.astype(np.int64), ((1, 1), (1, 1), (0, 0)), constant_values=7)
    for dy in range(3):
        for dx in range(3):
            sums += padded[dy:dy + h, dx:dx + w] * kernel[dy, dx]
    factors = [np.full(lanes, value) for value in (1 << 30, 0, shift)]
    blocks = [LaneBlock(np.zeros(lanes), *factors, [
        Block(b * h * w + dy * w + dx, dy, dx, kernel[dy, dx, None, b * lanes:(b + 1) * lanes],
              np.arange(lanes)[None]) for dy in range(3) for dx in range(3)]) for b in range(2)]
    rig = Rig(config)
    rig.load_table(table)
    rig.load_nhwc(image, 0)
    rig.load_weights(blocks)
    rig.then(Opcode.MAC, **rig.mac(
        in_base=0, in_shape=(h, w), out_base=60, out_shape=(h, w), blocks=2, pad=(1, 1),
        pad_value=7, post_mode=PostMode.TABLE, zero=-30, least=-250, most=255))
    at = rig.store_nhwc(60, h, w, 2 * lanes)
    rig.run()
    size = 2 * lanes
    q = scaled(sums, *(np.full(size, value) for value in (0, 1 << 30, 0, shift)), -30, -250, 255)
    assert q.min() < -200 and q.max() > 200
    want = table[q % 512].astype(np.int8)
    np.testing.assert_array_equal(rig.read(at, h, w, size), want)


@each_config
def test_maximum(config):
    rng = np.random.default_rng(2)
    h, w, lanes = 6, 7, config.lanes
    image = rng.integers(-128, 0, (h, w, lanes)).astype(np.int8)
    lane = LaneBlock(np.zeros(lanes), *(np.full(lanes, value) for value in numerics.IDENTITY), [
        Block(dy * w + dx, dy, dx, np.ones((n, lanes), np.int8), np.tile(np.arange(lanes), (n, 1)))
        for dy, dx, n in ((0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1), (0, 0, 0))])
    rig = Rig(config)
    rig.load_nhwc(image, 0)
    rig.load_weights([lane])
    rig.then(Opcode.MAC, **rig.mac(
        in_base=0, in_shape=(h, w), out_base=50, out_shape=(3, 4), blocks=1, stride=2,
        array_mode=ArrayMode.MAX, pad_value=-128))
    at = rig.store_nhwc(50, 3, 4, lanes)
    rig.run()
    padded = np.pad(image, ((0, 0), (0, 1), (0, 0)), constant_values=-128)
    want = padded.reshape(3, 2, 4, 2, lanes).max(axis=(1, 3))
    np.testing.assert_array_equal(rig.read(at, 3, 4, lanes), want)


@each_config
def test_residual_add(config):
    rng = np.random.default_rng(3)
    h, w, lanes = 3, 3, config.lanes
    image, residual = rng.integers(-128, 128, (2, h, w, lanes)).astype(np.int8)
    table = rng.integers(-1 << 27, 1 << 27, 512)
    lane = LaneBlock(np.full(lanes, 3), *(np.full(lanes, value) for value in numerics.IDENTITY),
                     [Block(0, 0, 0, np.eye(lanes, dtype=np.int8),
                            np.repeat(np.arange(lanes)[:, None], lanes, 1))])
    rig = Rig(config)
    rig.load_table(table)
    rig.load_nhwc(image, 0)
    rig.load_nhwc(residual, 20)
    rig.load_weights([lane])
    # The sum replaces the residual.
    rig.then(Opcode.MAC, **rig.mac(
        in_base=0, in_shape=(h, w), out_base=20, out_shape=(h, w), blocks=1,
        post_mode=PostMode.ADD, res_base=20, res_row_step=1, zero=1, least=-90, most=80,
        add_multiplier=1518500250, add_pre=1, add_post=20, add_zero=-5, add_least=-120,
        add_most=100))
    at = rig.store_nhwc(20, h, w, lanes)
    rig.run()
    got = rig.read(at, h, w, lanes)
    for index in np.ndindex(h, w, lanes):
        q = numerics.clamp(int(image[index]) + 3 + 1, -90, 80)
        value = numerics.requantize(
            int(table[q % 256]) + int(table[256 + int(residual[index]) % 256]),
            1518500250, 1, 20)
        assert got[index] == numerics.clamp(value - 5, -120, 100), index


@each_config
def test_empty_lane_block_drains_its_bias_in_all_lanes(config):
    lanes = config.lanes
    bias = np.arange(lanes) - 2
    rig = Rig(config)
    rig.load_weights([LaneBlock(
        bias, *(np.full(lanes, value) for value in numerics.IDENTITY), [])])
    rig.add(Opcode.MAC, **rig.mac(in_base=0, in_shape=(1, 5), out_base=4, out_shape=(1, 5),
                                  blocks=1))
    counters = rig.run()
    words = rig.machine.chip.words.view(np.int8)
    np.testing.assert_array_equal(words[4:9], np.tile(bias, (5, 1)))
    assert counters["mac_busy"] == counters["row_columns"] == 0


@each_config
def test_keep_and_strips(config):
    """Two strips with one weight load: the first keeps the weights, addresses wrap in a ring."""
    rng = np.random.default_rng(4)
    h, w, lanes = 4, 3, config.lanes
    image = rng.integers(-128, 128, (h, w, lanes)).astype(np.int8)
    kernel = rng.integers(-128, 128, (1, 1, lanes, 2 * lanes)).astype(np.int8)
    size = 2 * lanes
    blocks = conv_lane_blocks(config, kernel, (h, w), np.zeros(size), post=np.full(size, 8))
    rig = Rig(config)
    base = config.words - 6  # the second strip's words are at 0 again
    rig.load_words(image[:2], base)
    rig.load_words(image[2:], 0)
    rig.load_weights(blocks)
    for strip in range(2):
        rig.then(Opcode.MAC, **rig.mac(
            in_base=(base + strip * 6) & 0xFFFF, in_shape=(2, w), out_base=30 + strip * 6,
            out_shape=(2, w), blocks=2, keep=1 - strip, out_block_step=h * w))
    at = rig.store_nhwc(30, h, w, size)
    rig.run()
    sums = direct_conv(image, kernel, 1, 0, 0)
    want = scaled(sums, *(np.full(size, value) for value in (0, 1 << 30, 1, 8)), 0, -128, 127)
    np.testing.assert_array_equal(rig.read(at, h, w, size), want)


@pytest.mark.parametrize("seed", range(3))
def test_requantize_is_the_specification(seed):
    rng = np.random.default_rng(seed)
    value = rng.integers(-1 << 31, 1 << 31, 2000) >> rng.integers(0, 32, 2000)
    multiplier, pre = rng.integers(0, 1 << 31, 2000), rng.integers(0, 32, 2000)
    post = rng.integers(0, 32, 2000)
    post[::2] = numerics.ROUND_ONCE + rng.integers(1, 32, 1000)
    want = [numerics.requantize(*map(int, args))
            for args in zip(value, multiplier, pre, post, strict=True)]
    np.testing.assert_array_equal(requantize(value, multiplier, pre, post), want)


def test_streaming_lane_block_larger_than_the_ring():
    config = preset("tiny")
    rng = np.random.default_rng(5)
    groups = 30  # 120 rows, the ring has 56; 30 entries, the ring has 24
    image = rng.integers(-128, 128, (1, 1, 4 * groups)).astype(np.int8)
    kernel = rng.integers(1, 128, (1, 1, 4 * groups, 4)).astype(np.int8)
    blocks = conv_lane_blocks(config, kernel, (1, 1), np.zeros(4), post=np.full(4, 13))
    rig = Rig(config)
    rig.load_nhwc(image, 0)
    rig.add(Opcode.SYNC)
    rig.load_weights(blocks)
    rig.add(Opcode.MAC, **rig.mac(in_base=0, in_shape=(1, 1), out_base=40, out_shape=(1, 1),
                                  blocks=1))
    at = rig.store_nhwc(40, 1, 1, 4)
    rig.run()
    sums = direct_conv(image, kernel, 1, 0, 0)
    want = scaled(sums, *(np.full(4, value) for value in (0, 1 << 30, 1, 13)), 0, -128, 127)
    np.testing.assert_array_equal(rig.read(at, 1, 1, 4), want)


def test_replaying_more_than_the_ring_holds_is_a_deadlock():
    config = preset("tiny")
    kernel = np.ones((1, 1, 120, 4), np.int8)
    blocks = conv_lane_blocks(config, kernel, (1, 4), np.zeros(4))
    rig = Rig(config, check_races=False)
    rig.load_weights(blocks)
    rig.add(Opcode.MAC, tag=9, **rig.mac(in_base=0, in_shape=(1, 4), out_base=124,
                                         out_shape=(1, 4), blocks=1))
    with pytest.raises(MachineError, match="doesn't end") as caught:
        rig.run()
    assert caught.value.cause == Cause.WATCHDOG


@pytest.mark.parametrize("change, kind, text", [
    (dict(out_base=511), MachineError, "ADDRESS in unit MAC, tag 3, address 0x200"),
    (dict(tiles=1), UndefinedError, "tiles is 1, must be 2"),
    (dict(blocks=0), UndefinedError, "blocks is 0"),
    (dict(post_mode=3), UndefinedError, "post_mode is 3"),
    (dict(out_base=2), UndefinedError, "reads word 2, written by instruction"),
])
def test_refused(change, kind, text):
    config = preset("tiny")
    rig = Rig(config)
    rig.load_words(np.zeros((4, 4), np.int8), 0)
    rig.load_weights(conv_lane_blocks(config, np.ones((1, 1, 4, 4), np.int8), (1, 4), np.zeros(4)))
    rig.then(Opcode.MAC, tag=3, **rig.mac(in_base=0, in_shape=(1, 4), out_base=8,
                                          out_shape=(1, 4), blocks=1) | change)
    with pytest.raises(kind, match=text):
        rig.run()


def test_weights_left_over():
    config = preset("tiny")
    rig = Rig(config)
    rig.load_weights(conv_lane_blocks(config, np.ones((1, 1, 4, 4), np.int8), (1, 4), np.zeros(4)))
    with pytest.raises(UndefinedError, match="1 lane blocks at END"):
        rig.run()
