"""Golden operators against the expected outputs of CMSIS-NN's own unit tests."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from golden.broadcast import Maximum, Minimum, Multiply
from golden.edges import Transpose
from golden.graph import (
    Add,
    AveragePool,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool,
    Pad,
    Softmax,
)
from golden.ops.convolution import (
    conv2d,
    depthwise_conv2d,
    fully_connected,
    transposed_conv2d,
)
from golden.ops.edges import transpose
from golden.ops.elementwise import add, maximum, minimum, multiply, pad
from golden.ops.pooling import average_pool, max_pool
from golden.ops.softmax import softmax
from golden.transposed import TransposedConv2D

DATA = Path(__file__).parents[1] / "data" / "cmsis_nn.npz"


class Case:
    """One case: settings by key, arrays by any of several names."""

    def __init__(self, name):
        with np.load(DATA) as file:
            self.settings = json.loads(str(file[f"{name}/__cfg__"]))
            self.arrays = {key.rsplit("/", 1)[1]: file[key] for key in file.files
                           if key.startswith(f"{name}/")}

    def __getitem__(self, key):
        return int(self.settings[key])

    def get(self, key, default):
        return int(self.settings.get(key, default))

    def array(self, *names):
        return next((self.arrays[name] for name in names if name in self.arrays), None)

    def output(self):
        return self.array("output_ref", "output")

    def scale(self, channels, multiplier, shift):
        """Attributes multiplier, pre and post, int32 per channel."""
        shift = np.broadcast_to(np.asarray(shift, np.int32), channels)
        return {"multiplier": np.broadcast_to(np.asarray(multiplier, np.int32), channels).copy(),
                "pre": np.maximum(shift, 0), "post": np.maximum(-shift, 0)}

    def weighted(self, channels):
        bias = self.array("biases", "bias")
        return {
            "bias": np.zeros(channels, np.int32) if bias is None or not bias.size else bias,
            "input_zero": -self["INPUT_OFFSET"], "output_zero": self["OUTPUT_OFFSET"],
            "least": self["OUT_ACTIVATION_MIN"], "most": self["OUT_ACTIVATION_MAX"]}

    def window(self, axes, keys):
        """Attributes of a window operator; the far pads are what the output's size needs."""
        (height, width), (pad_y, pad_x) = axes, (self[keys[0]], self[keys[1]])
        window = self[f"FILTER_{keys[2]}"], self[f"FILTER_{keys[3]}"]
        stride = self[f"STRIDE_{keys[2]}"], self[f"STRIDE_{keys[3]}"]
        dilation = self.get("DILATION_Y", 1), self.get("DILATION_X", 1)
        far = [max((self[f"OUTPUT_{key}"] - 1) * step + (size - 1) * apart + 1 - near - there, 0)
               for key, step, size, apart, near, there in zip(
                   "HW", stride, window, dilation, (pad_y, pad_x), (height, width), strict=True)]
        return {"window": window, "stride": stride, "dilation": dilation,
                "pads": (pad_y, far[0], pad_x, far[1])}


def cases(*kinds):
    with np.load(DATA) as file:
        return [key.rsplit("/", 1)[0] for key in file.files if key.endswith("/__cfg__")
                and json.loads(str(file[key]))["__kind__"] in kinds]


def same(got, want):
    assert got.dtype == np.int8
    assert np.array_equal(got.ravel(), want)


@pytest.mark.parametrize("name", cases("conv"))
def test_convolution(name):
    case = Case(name)
    height, width, channels = case["INPUT_H"], case["INPUT_W"], case["OUT_CH"]
    x = case.array("input").reshape(case["INPUT_BATCHES"], height, width, -1)
    settings = case.window((height, width), ("PAD_Y", "PAD_X", "Y", "X"))
    kernel = case.array("weights").reshape(channels, *settings["window"], -1)
    attrs = Conv2D(kernel=kernel, groups=x.shape[3] // kernel.shape[3], **settings,
                   **case.weighted(channels),
                   **case.scale(channels, case.array("output_mult"), case.array("output_shift")))
    same(conv2d(x, attrs), case.output())


@pytest.mark.parametrize("name", cases("dw"))
def test_depthwise(name):
    case = Case(name)
    height, width, channels = case["INPUT_H"], case["INPUT_W"], case["OUT_CH"]
    x = case.array("input").reshape(case["INPUT_BATCHES"], height, width, -1)
    settings = case.window((height, width), ("PAD_Y", "PAD_X", "Y", "X"))
    attrs = DepthwiseConv2D(
        kernel=case.array("weights").reshape(1, *settings["window"], channels),
        channel_multiplier=case["CH_MULT"], **settings, **case.weighted(channels),
        **case.scale(channels, case.array("output_mult"), case.array("output_shift")))
    same(depthwise_conv2d(x, attrs), case.output())


@pytest.mark.parametrize("name", cases("fc"))
def test_fully_connected(name):
    case = Case(name)
    channels, depth = case["OUT_CH"], case["ACCUMULATION_DEPTH"]
    # A kernel with a zero point is one of wider integers.
    kernel = case.array("weights").reshape(channels, depth).astype(np.int16)
    per_channel = "PER_CHANNEL_QUANT" in case.settings
    scale = (case.array("output_multiplier"), case.array("output_shift")) if per_channel else (
        case["OUTPUT_MULTIPLIER"], case["OUTPUT_SHIFT"])
    attrs = FullyConnected(kernel=kernel + case.get("FILTER_OFFSET", 0), **case.weighted(channels),
                           **case.scale(channels, *scale))
    same(fully_connected(case.array("input").reshape(-1, depth), attrs), case.output())


@pytest.mark.parametrize("name", cases("bmm"))
def test_matrix_product(name):
    """Products of two computed matrices: the second is the kernel."""
    case = Case(name)

    def matrices(side, transposed):
        shape = [case[f"{side}_{key}"] for key in ("BATCH", "HEIGHT", "ROWS", "COLS")]
        array = case.array(f"{side.lower()}_input_tensor").reshape(shape)
        array = array.swapaxes(2, 3) if transposed else array
        batches = case["OUTPUT_BATCH"], case["OUTPUT_HEIGHT"]
        return np.broadcast_to(array, (*batches, *array.shape[2:])).reshape(-1, *array.shape[2:])

    first, second = matrices("LHS", case["ADJ_X"]), matrices("RHS", case["ADJ_Y"])
    channels = second.shape[2]
    outputs = []
    for x, y in zip(first, second, strict=True):
        attrs = FullyConnected(
            kernel=y.T.astype(np.int16) + case["RHS_OFFSET"], bias=np.zeros(channels, np.int32),
            input_zero=-case["LHS_OFFSET"], output_zero=case["OUTPUT_OFFSET"],
            least=case["ACTIVATION_MIN"], most=case["ACTIVATION_MAX"],
            **case.scale(channels, case["OUTPUT_MULTIPLIER"], case["OUTPUT_SHIFT"]))
        outputs.append(fully_connected(np.ascontiguousarray(x), attrs))
    same(np.array(outputs), case.output())


def test_add():
    case = Case("add")

    def scale(side):
        shift = case[f"{side}_SHIFT"]
        return case[f"{side}_MULT"], max(shift, 0), max(-shift, 0)

    attrs = Add(left_shift=case["LEFT_SHIFT"],
                input_zeros=(-case["INPUT1_OFFSET"], -case["INPUT2_OFFSET"]),
                input_scales=(scale("INPUT1"), scale("INPUT2")), output_scale=scale("OUTPUT"),
                output_zero=case["OUTPUT_OFFSET"], least=case["OUT_ACTIVATION_MIN"],
                most=case["OUT_ACTIVATION_MAX"])
    same(add(case.array("input1"), case.array("input2"), attrs), case.output())


def test_multiply():
    case = Case("mul")
    attrs = Multiply(
        input_zeros=(-case["INPUT1_OFFSET"], -case["INPUT2_OFFSET"]),
        scale=(case["OUTPUT_MULT"], max(case["OUTPUT_SHIFT"], 0), max(-case["OUTPUT_SHIFT"], 0)),
        output_zero=case["OUTPUT_OFFSET"], least=case["OUT_ACTIVATION_MIN"],
        most=case["OUT_ACTIVATION_MAX"])
    same(multiply(case.array("input1"), case.array("input2"), attrs), case.output())


@pytest.mark.parametrize("name", cases("tconv"))
def test_transposed_convolution(name):
    case = Case(name)
    size, channels = (case["INPUT_H"], case["INPUT_W"]), case["OUT_CH"]
    window, stride = ((case[f"{what}_Y"], case[f"{what}_X"]) for what in ("FILTER", "STRIDE"))
    near = case["PAD_Y"], case["PAD_X"]
    far = [(count - 1) * step + extent - out - pad for count, step, extent, out, pad in zip(
        size, stride, window, (case["OUTPUT_H"], case["OUTPUT_W"]), near, strict=True)]
    attrs = TransposedConv2D(
        kernel=case.array("weights").reshape(channels, *window, -1), stride=stride,
        pads=(near[0], far[0], near[1], far[1]), **case.weighted(channels),
        **case.scale(channels, case.array("output_mult"), case.array("output_shift")))
    x = case.array("input").reshape(-1, *size, case["IN_CH"])
    assert len(x) == case["INPUT_BATCHES"]
    same(transposed_conv2d(x, attrs), case.output())


def factors(size, count):
    """All shapes of so many axes and values."""
    if count == 1:
        yield (size,)
        return
    for first in range(1, size + 1):
        if size % first == 0:
            yield from ((first, *rest) for rest in factors(size // first, count - 1))


@pytest.mark.parametrize("name", cases("transpose"))
def test_transpose(name):
    """Shape and, but for the name, order got lost in parsing: exactly one way of moving
    the bytes, among all shapes and orders, gives the expected ones."""
    case = Case(name)
    x, expected = case.array("input_tensor"), case.output()
    letters = name.removeprefix("transpose_")
    orders = [tuple(map("nhwc".index, letters))] if sorted(letters) == sorted("nhwc") else [
        order for order in itertools.permutations(range(case["PERM_SIZE"]))
        if order != tuple(sorted(order))]
    numbers, ways = np.arange(x.size), set()
    for shape in factors(x.size, case["PERM_SIZE"]):
        for order in orders:
            # Cheap first: most shapes are wrong from the beginning.
            if x[numbers.reshape(shape).transpose(order).ravel()[:16]].tolist() \
                    == expected[:16].tolist():
                found = transpose(x.reshape(shape), Transpose(perm=order))
                if np.array_equal(found.ravel(), expected):
                    ways.add(numbers.reshape(shape).transpose(order).tobytes())
    assert len(ways) == 1


@pytest.mark.parametrize("name", cases("avg", "max"))
def test_pooling(name):
    case = Case(name)
    height, width = case["INPUT_H"], case["INPUT_W"]
    x = case.array("input_tensor").reshape(-1, height, width, case["INPUT_C"])
    kind, operator = {"avg": (AveragePool, average_pool),
                      "max": (MaxPool, max_pool)}[case.settings["__kind__"]]
    attrs = kind(**case.window((height, width), ("PADDING_H", "PADDING_W", "H", "W")),
                 least=case["ACTIVATION_MIN"], most=case["ACTIVATION_MAX"])
    same(operator(x, attrs), case.output())


@pytest.mark.parametrize("name", cases("minmax"))
def test_extremes(name):
    case = Case(name)
    kind, operator = {"maximum": (Maximum, maximum),
                      "minimum": (Minimum, minimum)}[case.settings["LAYER_TYPE"]]
    inputs = [case.array(f"input_tensor_{side}").reshape(
        [case[f"{axis}_{side}"] for axis in ("BATCH", "HEIGHT", "WIDTH", "CHANNEL")])
        for side in (1, 2)]
    result = operator(*inputs, kind())
    assert result.shape == kind().shape(*(x.shape for x in inputs))
    same(result, case.output())


@pytest.mark.parametrize("name", cases("pad"))
def test_pad(name):
    case = Case(name)
    attrs = Pad(pads=tuple((case[f"PRE_PAD_{axis}"], case[f"POST_PAD_{axis}"]) for axis in "NHWC"),
                value=case["PAD_VALUE"])
    x = case.array("input_tensor").reshape([case[f"INPUT_{axis}"] for axis in "NHWC"])
    same(pad(x, attrs), case.output())


def test_softmax():
    case = Case("softmax")
    attrs = Softmax(multiplier=case["INPUT_MULT"], pre=case["INPUT_LEFT_SHIFT"],
                    least_difference=case["DIFF_MIN"])
    same(softmax(case.array("input").reshape(case["NUM_ROWS"], -1), attrs), case.output())
