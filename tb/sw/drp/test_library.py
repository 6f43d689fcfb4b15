"""Library kernels: the simulated tile against their references, and those against others."""

import dataclasses

import numpy as np
import pytest

from golden.attributes import Add, Mean, Softmax
from golden.drp.stream import ONE
from golden.layer_norm import QuantizedLayerNorm
from golden.ops import elementwise, pooling, softmax
from golden.ops.layer_norm import quantized_layer_norm
from golden.spec.drp.fabric import fabric
from golden.spec.numerics import quantize_multiplier, requantize
from sw.drp.compiler import compile_kernel
from sw.drp.domain import Grid
from sw.drp.library import LIBRARY, network, pipelines
from sw.drp.library.samples import sample
from sw.drp.pipeline import Simulated
from sw.errors import InputError

# Mapped in about a second each; the others by `sentei drp list` and bench.
QUICK = ["quantized_add", "quantized_mul", "max_pool_3x3s2", "max_pool_2x2s2",
         "average_pool_2x2s2", "global_mean", "argmax", "softmax_largest", "softmax_sum",
         "softmax_scale", "rgb_to_gray", "normalize", "nearest", "sobel_x", "threshold",
         "nv12_to_rgb", "integral_rows", "integral_columns", "box3", "lookup", "concat",
         "transpose", "global_largest", "depth_mean", "depth_largest", "top2", "layer_norm_sums",
         "layer_norm_scale", "swap_red_blue", "flip_sign",
         "nearest_channels", "low_byte", "histogram", "fast_pack", "fast_score", "maxima3_bands",
         "fast_unpack", "nearest_two"]
SLOW = [name for name in LIBRARY if name not in QUICK]


def check(name, shape):
    kernel = LIBRARY[name]
    compiled = compile_kernel(kernel, shape)
    assert compiled.mapping.ii >= compiled.bounds.ii
    for height, width in ((1, 1), (5, 7), (3, 18)):
        call = sample(kernel, np.random.default_rng(height), height, width)
        wanted = kernel(*call.arrays, sizes=call.sizes, grids=call.grids)
        found = compiled.run(*call.arrays, sizes=call.sizes, grids=call.grids)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        for a, b in zip(wanted, found.outputs, strict=True):
            assert a.dtype == b.dtype and (a == b).all(), (name, height, width)
    return compiled


@pytest.mark.parametrize("name", QUICK)
def test_simulator_equals_reference(name):
    assert check(name, fabric("base")).proven


@pytest.mark.parametrize("name", ["quantized_add", "sobel", "threshold", "max_pool_2x2s2"])
def test_one_lane(name):
    check(name, fabric("board"))


def test_a_small_fabric():
    check("sobel_x", fabric("tiny"))


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_simulator_equals_reference_slow(name):
    check(name, fabric("base"))


# ---- against golden's operators


def scale(real):
    return quantize_multiplier(real)


def test_quantized_add_is_golden_s():
    rng = np.random.default_rng(4)
    a, b = rng.integers(-128, 128, (2, 999), np.int8)
    attrs = Add(input_zeros=(3, -9), input_scales=(scale(0.37), scale(0.5)),
                output_scale=scale(0.8 / 2**19), output_zero=11, least=-100, most=120)
    tables = [network.add_table(zero, found, attrs.left_shift) for zero, found in
              zip(attrs.input_zeros, attrs.input_scales, strict=True)]
    multiplier, pre, post = attrs.output_scale
    assert pre == 0
    found = network.quantized_add(a, b, *tables, multiplier=multiplier, shift=post, zero=11,
                                  least=-100, most=120)
    assert (found == elementwise.add(a, b, attrs)).all()


def test_average_pool_is_golden_s():
    from golden.attributes import AveragePool

    x = np.random.default_rng(5).integers(-128, 128, (1, 9, 11, 16), np.int8)
    fields = {item.name for item in dataclasses.fields(AveragePool)}
    options = {"window": (3, 3), "stride": (1, 1), "pads": (0, 0, 0, 0), "dilation": (1, 1),
               "origin": 0}
    attrs = AveragePool(**{name: value for name, value in options.items() if name in fields})
    kernel = network.average_pool(3, 1)
    found = kernel(x[0], sizes={"y": 7, "x": 9}, grids={"x": Grid()})
    assert (found == pooling.average_pool(x, attrs)[0]).all()


def test_global_mean_is_golden_s():
    x = np.random.default_rng(6).integers(-128, 128, (6, 7, 16), np.int8)
    multiplier, pre, post = scale(0.9 / 42)
    attrs = Mean(axes=(1, 2), keep_dims=False, input_zero=5, scale=(multiplier, pre, post),
                 output_zero=-3)
    found = network.global_mean(x, offset=-5 * 42, pre=pre, multiplier=multiplier, shift=post,
                                zero=-3)
    assert (found == pooling.mean(x[None], attrs)[0]).all()


@pytest.mark.parametrize("shape", [(20, 12), (3, 1000)])
def test_softmax_is_golden_s(shape):
    """Of equal values, too: 1000 of them are shifted by more than 31 bits."""
    x = np.random.default_rng(7).integers(-128, 128, shape, np.int8)
    x[0] = 5
    multiplier, pre, _ = scale(0.05 * (1 << 26))
    attrs = Softmax(multiplier=multiplier, pre=pre, least_difference=-200)
    table = softmax.exponentials(attrs).astype(np.int32)
    most = network.softmax_largest(x)
    sums = network.softmax_sum(x, most, table)
    inverse, shift = network.softmax_inverse(sums)
    assert (network.softmax_scale(x, most, inverse, shift, table)
            == softmax.softmax(x, attrs)).all()


def test_argmax_takes_the_first():
    x = np.array([[1, 5, 5, -3], [-128, -128, -128, -128]], np.int8)
    assert network.argmax(x).tolist() == [1, 0]


def test_max_pool_ignores_padding():
    x = np.random.default_rng(8).integers(-128, 0, (7, 6, 16), np.int8)
    grid = Grid(y0=-ONE, x0=-ONE, dy=2 * ONE, dx=2 * ONE)
    found = network.max_pool(3, 2)(x, sizes={"y": 4, "x": 3}, grids={"x": grid})
    wide = np.pad(x, ((1, 2), (1, 2), (0, 0)), constant_values=-128)
    views = np.lib.stride_tricks.sliding_window_view(wide, (3, 3), axis=(0, 1))[::2, ::2]
    assert (found == views.max(axis=(3, 4))[:4, :3]).all()


def test_concat_rescales_as_golden_s():
    rng = np.random.default_rng(9)
    a, b = rng.integers(-128, 128, (3, 16), np.int8), rng.integers(-128, 128, (3, 5), np.int8)
    scales = [(scale(0.6), 3), (scale(0.25), -9)]
    tables = [network.rescale_table(found, zero, 11) for found, zero in scales]
    found = network.concat(a, b, *tables, split=16, sizes={"x": 21},
                           grids={"a": Grid(), "b": Grid(x0=-16 * ONE)})
    wanted = [np.clip([[requantize(int(value) - zero, *factor) + 11 for value in row]
                       for row in part], -128, 127)
              for part, (factor, zero) in zip((a, b), scales, strict=True)]
    assert (found == np.concatenate(wanted, 1)).all()


def test_movements_and_reductions():
    x = np.random.default_rng(10).integers(-128, 128, (6, 8, 4), np.int8)
    deep = network.transpose(x.reshape(3, 2, 4, 8)).reshape(3, 4, 16)
    wanted = x.reshape(3, 2, 4, 2, 4).transpose(0, 2, 1, 3, 4).reshape(3, 4, 16)
    assert (deep == wanted).all()
    back = network.transpose(deep.reshape(3, 4, 2, 8)).reshape(6, 8, 4)
    assert (back == x).all()
    assert (network.global_largest(x) == x.max((0, 1))).all()
    assert (network.depth_largest(x) == x.max(2)).all()
    mean = network.depth_mean(x, multiplier=1 << 29)
    assert abs(mean - x.mean(2)).max() <= 0.5
    order = np.argsort(-x.reshape(24, 8).astype(int), axis=1, kind="stable")[:, :2]
    assert (network.top2(x.reshape(24, 8)) == order).all()


@pytest.mark.parametrize(("count", "input_scale"), [
    (1, 0.1), (7, 0.1), (64, 0.05), (513, 0.02), (768, 0.02), (1024, 0.001), (4096, 0.05)])
def test_layer_norm_is_golden_s(count, input_scale):
    """Rows of all kinds: constant, of small variance, of large."""
    rng = np.random.default_rng(count)
    x = rng.integers(-128, 128, (8, count)).astype(np.int8)
    x[0], x[1], x[2] = 3, x[1] >> 6, np.where(np.arange(count) % 2, 127, -128)
    x[3], x[4] = 100, -128
    x[3, 0], x[4, count // 2] = 99, 127
    attrs = QuantizedLayerNorm(
        gain=tuple(rng.normal(1, 0.5, count)), bias=tuple(rng.normal(0, 0.5, count)),
        scale=input_scale, epsilon=1e-5, output_scale=0.03, output_zero=-7)
    assert (pipelines.layer_norm(x, attrs.factors) == quantized_layer_norm(x, attrs)).all()


# ---- against OpenCV, all exact but bilinear

cv2 = pytest.importorskip("cv2")
PICTURE = np.random.default_rng(1).integers(0, 256, (21, 34), np.uint8)
REPLICATE = cv2.BORDER_REPLICATE


def slope(dx, dy):
    return cv2.Sobel(PICTURE, cv2.CV_16S, dx, dy, borderType=REPLICATE).astype(int)


@pytest.mark.parametrize(("name", "wanted"), [
    ("box3", lambda: cv2.blur(PICTURE, (3, 3), borderType=REPLICATE)),
    ("gaussian3", lambda: cv2.GaussianBlur(PICTURE, (3, 3), 0, borderType=REPLICATE)),
    ("sobel_x", lambda: slope(1, 0)),
    ("sobel", lambda: np.minimum(abs(slope(1, 0)) + abs(slope(0, 1)), 255)),
    ("gradient", lambda: slope(1, 0)**2 + slope(0, 1)**2),
    ("median3", lambda: cv2.medianBlur(PICTURE, 3)),
    ("threshold", lambda: cv2.threshold(PICTURE, 128, 255, cv2.THRESH_BINARY)[1])])
def test_filters_are_opencv_s(name, wanted):
    assert (LIBRARY[name](PICTURE) == wanted()).all()


def test_integral_is_opencv_s():
    rows = LIBRARY["integral_rows"](PICTURE)
    assert (LIBRARY["integral_columns"](rows) == cv2.integral(PICTURE)[1:, 1:]).all()


def test_colours_are_opencv_s():
    rng = np.random.default_rng(2)
    rgb = rng.integers(0, 256, (20, 34, 3), np.uint8)
    assert (LIBRARY["rgb_to_gray"](rgb) == cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)).all()
    frame = rng.integers(0, 256, (30, 34), np.uint8)
    half = Grid(dy=ONE // 2, dx=ONE // 2)
    found = LIBRARY["nv12_to_rgb"](frame[:20], frame[20:].reshape(10, 17, 2), grids={"uv": half})
    assert (found == cv2.cvtColor(frame, cv2.COLOR_YUV2RGB_NV12)).all()
    pairs = rng.integers(0, 256, (20, 17, 4), np.uint8)
    found = LIBRARY["yuyv_to_rgb"](pairs).reshape(20, 34, 3)
    wanted = cv2.cvtColor(pairs.reshape(20, 34, 2), cv2.COLOR_YUV2RGB_YUYV)
    assert (found == wanted).all()


@pytest.mark.parametrize("size", [(14, 42), (40, 20), (63, 50)])
def test_resizing_is_opencv_s(size):
    sizes = {"y": size[0], "x": size[1]}
    grids = {"p": Grid.resize(PICTURE.shape, size)}
    found = LIBRARY["resize_gray"](PICTURE, sizes=sizes, grids=grids).astype(int)
    assert abs(found - cv2.resize(PICTURE, size[::-1])).max() <= 1
    corners = {"p": Grid.resize(PICTURE.shape, size, centers=False)}
    found = LIBRARY["nearest"](PICTURE, sizes=sizes, grids=corners)
    assert (found == cv2.resize(PICTURE, size[::-1], interpolation=cv2.INTER_NEAREST)).all()


def test_camera_to_network_is_its_parts():
    rng = np.random.default_rng(3)
    bright = rng.integers(0, 256, (24, 40), np.uint8)
    colour = rng.integers(0, 256, (12, 20, 2), np.uint8)
    sizes = {"y": 9, "x": 13}
    grids = {"y": Grid.resize((24, 40), (9, 13)), "uv": Grid.resize((12, 20), (9, 13))}
    found = LIBRARY["nv12_input"](bright, colour, sizes=sizes, grids=grids)
    small = LIBRARY["resize_gray"](bright, sizes=sizes, grids={"p": grids["y"]})
    chosen = np.stack([LIBRARY["nearest"](np.ascontiguousarray(colour[..., part]), sizes=sizes,
                                          grids={"p": grids["uv"]}) for part in (0, 1)], -1)
    rgb = LIBRARY["nv12_to_rgb"](small, chosen, grids={"uv": Grid()})
    assert (found == (rgb.astype(int) - 128)).all()


def test_maxima_against_dilation():
    score = np.random.default_rng(4).integers(-50, 50, (13, 17)).astype(np.int32)
    highest = cv2.dilate(score.astype(np.float32), np.ones((3, 3)), borderType=REPLICATE)
    assert (LIBRARY["maxima3"](score) == np.where(score >= highest, score, 0)).all()


def blocks(height, width):
    """A picture with corners."""
    rng = np.random.default_rng(12)
    small = rng.integers(0, 246, (height // 4, width // 4), np.uint8)
    return np.kron(small, np.ones((4, 4), np.uint8)) + rng.integers(0, 10, (height, width),
                                                                    np.uint8)


@pytest.mark.parametrize("threshold", [10, 20])
def test_fast9_is_opencv_s(threshold):
    """All but the outermost 4 rows and columns."""
    picture = blocks(64, 80)
    detector = cv2.FastFeatureDetector_create(threshold, True,
                                              cv2.FAST_FEATURE_DETECTOR_TYPE_9_16)
    wanted = np.zeros_like(picture)
    for point in detector.detect(picture):
        wanted[int(point.pt[1]), int(point.pt[0])] = point.response
    inside = slice(4, -4), slice(4, -4)
    found = pipelines.fast9(picture, threshold=threshold)
    assert (found[inside] == wanted[inside]).all() and (wanted > 0).sum() > 100
    with pytest.raises(InputError, match="fast9 on 63 rows, accepted is a multiple of 4"):
        pipelines.fast9(picture[:63])


@pytest.mark.parametrize(("code", "row", "column"), [("RGGB", 0, 0), ("BGGR", 1, 1),
                                                     ("GRBG", 0, 1), ("GBRG", 1, 0)])
def test_bayer_is_opencv_s(code, row, column):
    """All but the frame."""
    found = LIBRARY["bayer_to_rgb"](PICTURE, red_row=row, red_column=column)
    wanted = cv2.cvtColor(PICTURE, getattr(cv2, f"COLOR_Bayer{code}2RGB"))
    assert (found[1:-1, 1:-1] == wanted[1:-1, 1:-1]).all()


def test_letterbox_is_opencv_s():
    """Bilinear within 1, the frame exact."""
    rgb = np.random.default_rng(13).integers(0, 256, (30, 40, 3), np.uint8)
    identity = (np.arange(256) - 128).astype(np.int32)
    for inner, top, left in (((18, 24), 3, 0), ((24, 24), 0, 0), ((60, 80), -10, -21)):
        grid = Grid.resize((30, 40), inner)
        grid = dataclasses.replace(grid, y0=grid.y0 - top * grid.dy, x0=grid.x0 - left * grid.dx)
        half = dataclasses.replace(grid, y0=grid.y0 + ONE // 2, x0=grid.x0 + ONE // 2)
        found = LIBRARY["letterbox"](rgb, rgb, *[identity] * 3, sizes={"y": 24, "x": 24},
                                     grids={"p": grid, "inside": half})
        wanted = np.full((24, 24, 3), 114)
        whole = cv2.resize(rgb, inner[::-1])
        wanted[max(top, 0):max(top, 0) + inner[0]] = whole[
            max(-top, 0):max(-top, 0) + 24, max(-left, 0):max(-left, 0) + 24]
        off = abs(found.astype(int) + 128 - wanted)
        assert off.max() <= 1 and not off[:max(top, 0)].any()


def test_stereo_finds_the_shift():
    right = blocks(16, 48)
    left = np.roll(right, 5, axis=1)
    assert (pipelines.stereo(left, right)[2:-2, 24:-2] == 5).all()
    cost = [[np.abs(np.pad(left.astype(int), 1, "edge") - np.pad(
        np.take(right, np.clip(np.arange(48) - d, 0, 47), 1).astype(int), 1, "edge"))]
            for d in range(16)]
    sums = np.stack([cv2.boxFilter(found[0].astype(np.float64), -1, (3, 3), normalize=False)[
        1:-1, 1:-1] for found in cost])
    inside = slice(1, -1), slice(20, -1)
    assert (pipelines.stereo(left, right)[inside] == sums.argmin(0)[inside]).all()


def test_histogram():
    assert (LIBRARY["histogram"](PICTURE) == np.bincount(PICTURE.ravel(), minlength=256)).all()


def test_matches_are_opencv_s():
    rng = np.random.default_rng(14)
    a, b = rng.integers(-(1 << 31), (1 << 31) - 1, (9, 8)), rng.integers(
        -(1 << 31), (1 << 31) - 1, (12, 8))
    b[3:9] = a[:6] ^ (1 << rng.integers(0, 31, (6, 8)))
    a, b = a.astype(np.int32), b.astype(np.int32)
    found = pipelines.match(a, b)
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(a.view(np.uint8), b.view(np.uint8), 2)
    for row, (first, second) in zip(found, pairs, strict=True):
        assert row[1] == first.distance and row[2] == second.distance
    assert (found[:6, 0] == np.arange(3, 9)).all()


def test_brief_on_the_tile():
    rng = np.random.default_rng(15)
    points = rng.integers(-2, 36, (3, 2)).astype(np.int16)
    pattern = rng.integers(-12, 13, (4, 32, 4)).astype(np.int8)
    tests = np.ascontiguousarray(pattern.swapaxes(0, 1))
    found = LIBRARY["brief"](PICTURE, points, tests)
    for point, words in zip(points.astype(int), found, strict=True):
        places = [point + pattern[..., at:at + 2].astype(int) for at in (0, 2)]
        first, second = (PICTURE[np.clip(place[..., 0], 0, 20), np.clip(place[..., 1], 0, 33)]
                         for place in places)
        bits = np.packbits(first < second, axis=1).view(">u4")[:, 0]
        assert (bits == words.view(np.uint32)).all()
    compiled = compile_kernel(LIBRARY["brief"], fabric("base"))
    assert compiled.proven
    assert (compiled.run(PICTURE, points, tests).outputs[0] == found).all()


@pytest.mark.parametrize("name", ["integral"])
def test_pipelines_on_the_tile(name):
    engine = Simulated(fabric("base"))
    small = PICTURE[:4, :8]
    arrays = {"integral": (small,)}
    made = pipelines.PIPELINES[name]
    assert (made.run(engine, *arrays[name]) == made(*arrays[name])).all()
    assert engine.cycles == sum(cycles for _, cycles in engine.calls) > 0
