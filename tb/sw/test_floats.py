"""Float TensorFlow Lite files as ONNX: what LiteRT computes, to float32's own error."""

import struct
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper
from PIL import Image

import sw.zoo
from sw.errors import ModelError
from sw.frontend.floats import FLOAT_OPERATORS, to_onnx
from sw.frontend.sparsity import Level, Sparsity, densify
from tb.lib.record_networks import MODELS
from tb.lib.tflite_builder import ModelBuilder

FACES = Path(__file__).parents[1] / "data" / "tflite" / "face_detection_full_range_sparse.tflite"
CONV = {"table": "Conv2DOptions", "DilationHFactor": 1, "DilationWFactor": 1}
PLAIN: dict = {"scales": (), "zeros": ()}


def run_onnx(proto, inputs):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(proto.SerializeToString(),
                                       providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip([item.name for item in session.get_inputs()], inputs,
                                      strict=True)))


def compare(path, inputs, share=2e-6, proto=None):
    pytest.importorskip("ai_edge_litert")
    from sw.reference import run_litert
    expected = run_litert(path, inputs)
    for found, wanted in zip(run_onnx(proto or to_onnx(path), inputs), expected, strict=True):
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, atol=share * max(np.abs(wanted).max(), 1))
    return expected


def test_sparse_face_detector():
    """As published: float16 weights, 46 of them sparse. Zeros stay exactly zero."""
    picture = sorted((Path(sw.zoo.__file__).parent / "samples" / "vww").glob("*.png"))[0]
    pixels = np.asarray(Image.open(picture).convert("RGB").resize((192, 192)), np.float32)
    proto = to_onnx(FACES)
    boxes, scores = compare(FACES, [pixels[np.newaxis] / 127.5 - 1], proto=proto)
    assert boxes.shape == (1, 2304, 16) and scores.shape == (1, 2304, 1)
    kernels = [numpy_helper.to_array(item) for item in proto.graph.initializer
               if item.name.endswith("/kernel")]
    sparse = [kernel for kernel in kernels if (kernel == 0).mean() > 0.5]
    assert len(kernels) == 91 and len(sparse) >= 40
    assert 0.25 < np.mean(np.concatenate([kernel.ravel() for kernel in sparse]) != 0) < 0.35
    # One order of axes within: only the edges and the two heads turn it.
    assert [node.op_type for node in proto.graph.node].count("Transpose") == 3


class _Float:
    """A file of one float operator with random inputs."""

    def __init__(self, seed=0):
        self.rng, self.model = np.random.default_rng(seed), ModelBuilder()
        self.inputs, self.arrays = [], []

    def input(self, *shape, least=-2.0):
        self.inputs.append(self.model.tensor(shape, "FLOAT32", **PLAIN))
        self.arrays.append(self.rng.uniform(least, 2, shape).astype(np.float32))
        return self.inputs[-1]

    def constant(self, *shape):
        return self.model.constant(self.rng.normal(size=shape).astype(np.float32))

    def numbers(self, *values):
        return self.model.constant(np.array(values, np.int32))

    def file(self, tmp_path, code, inputs, *shapes, **options):
        outputs = [self.model.tensor(shape, "FLOAT32", **PLAIN) for shape in shapes]
        self.model.operator(code, inputs, outputs, **options)
        path = tmp_path / "float.tflite"
        path.write_bytes(self.model.finish(self.inputs, outputs))
        return path


SINGLE = ["ABS", "EXP", "HARD_SWISH", "LOGISTIC", "NEG", "RELU", "RELU6", "RELU_N1_TO_1",
          "SQUARE", "TANH", "LOG", "SQRT", "RSQRT"]
DOUBLE = ["ADD", "DIV", "MAXIMUM", "MINIMUM", "MUL", "SQUARED_DIFFERENCE", "SUB", "POW"]
FUSED = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions"}


@pytest.mark.parametrize("code", SINGLE)
def test_of_one_value(code, tmp_path):
    make = _Float()
    data = make.input(1, 3, 4, 5, least=0.1 if code in ("LOG", "SQRT", "RSQRT") else -5)
    compare(make.file(tmp_path, code, [data], (1, 3, 4, 5)), make.arrays)


def test_elu(tmp_path):
    """LiteRT's reference kernels have none: held against its definition."""
    make = _Float()
    path = make.file(tmp_path, "ELU", [make.input(1, 3, 4, 5)], (1, 3, 4, 5))
    (found,) = run_onnx(to_onnx(path), make.arrays)
    (x,) = make.arrays
    np.testing.assert_allclose(found, np.where(x < 0, np.expm1(x), x), atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 3, 4, 5), (5,), ()], ids=str)
@pytest.mark.parametrize("code", DOUBLE)
def test_of_two_values(code, shape, tmp_path):
    """Behind a convolution, so in ONNX's order of axes; constants of fewer axes."""
    make = _Float(1)
    data = make.input(1, 3, 4, 2, least=0.1)
    middle = make.model.tensor((1, 3, 4, 5), "FLOAT32", **PLAIN)
    kernel = make.model.constant(make.rng.uniform(0.1, 1, (5, 1, 1, 2)).astype(np.float32))
    make.model.operator("CONV_2D", [data, kernel, make.constant(5)], [middle], StrideH=1,
                        StrideW=1, FusedActivationFunction=3, **CONV)
    other = make.model.constant(make.rng.uniform(0.5, 2, shape).astype(np.float32))
    options = {"table": FUSED[code], "FusedActivationFunction": 3} if code in FUSED else (
        {"table": "PowOptions"} if code == "POW" else {})
    path = make.file(tmp_path, code, [middle, other], (1, 3, 4, 5), **options)
    compare(path, make.arrays, 1e-5)


def conv(make):
    data = make.input(1, 7, 6, 4)
    return "CONV_2D", [data, make.constant(5, 3, 2, 4), make.constant(5)], [(1, 4, 3, 5)], {
        **CONV, "StrideH": 2, "StrideW": 2, "FusedActivationFunction": 3}


def depthwise(make):
    data = make.input(1, 7, 6, 3)
    return ("DEPTHWISE_CONV_2D", [data, make.constant(1, 3, 3, 6), make.constant(6)],
            [(1, 3, 2, 6)], {"table": "DepthwiseConv2DOptions", "StrideH": 1, "StrideW": 1,
                             "DepthMultiplier": 2, "DilationHFactor": 2, "DilationWFactor": 2,
                             "Padding": 1})


def transposed(padding, shape):
    def make_it(make):
        size = make.numbers(*shape)
        data = make.input(1, 3, 4, 2)
        return "TRANSPOSE_CONV", [size, make.constant(5, 3, 3, 2), data], [shape], {
            "table": "TransposeConvOptions", "StrideH": 2, "StrideW": 2, "Padding": padding}
    return make_it


def mediapipe(padding, shape, strides=(2, 3)):
    def make_it(make):
        data = make.input(1, 3, 4, 2)
        return ("CUSTOM Convolution2DTransposeBias", [data, make.constant(5, 4, 3, 2),
                make.constant(5)], [shape], {"custom": struct.pack("<3i", padding, *strides)})
    return make_it


def pool(code):
    def make_it(make):
        return code, [make.input(1, 7, 6, 3)], [(1, 4, 3, 3)], {
            "table": "Pool2DOptions", "StrideH": 2, "StrideW": 2, "FilterHeight": 3,
            "FilterWidth": 3, "FusedActivationFunction": 1}
    return make_it


def resize(code, **options):
    def make_it(make):
        data = make.input(1, 3, 4, 2)
        return code, [data, make.numbers(7, 6)], [(1, 7, 6, 2)], {
            "table": "ResizeBilinearOptions" if "BILINEAR" in code
            else "ResizeNearestNeighborOptions", **options}
    return make_it


def simple(code, shape, output, *numbers, table=None, first=False, **options):
    def make_it(make):
        data, extra = make.input(*shape), [make.model.constant(np.array(item, np.int32))
                                           for item in numbers]
        outputs = output if isinstance(output, list) else [output]
        return code, [*extra, data] if first else [data, *extra], outputs, (
            {"table": table, **options} if table else {})
    return make_it


def products(make):
    data = make.input(2, 3, 8)
    return "FULLY_CONNECTED", [data, make.constant(5, 8), make.constant(5)], [(2, 3, 5)], {
        "table": "FullyConnectedOptions", "KeepNumDims": True, "FusedActivationFunction": 1}


def computed_product(make):
    return "FULLY_CONNECTED", [make.input(3, 8), make.input(5, 8)], [(3, 5)], {
        "table": "FullyConnectedOptions"}


def batches(make):
    return "BATCH_MATMUL", [make.input(2, 3, 8), make.input(2, 5, 8)], [(2, 3, 5)], {
        "table": "BatchMatMulOptions", "AdjY": True}


def joined(make):
    return "CONCATENATION", [make.input(1, 2, 3, 4), make.input(1, 2, 3, 2)], [(1, 2, 3, 6)], {
        "table": "ConcatenationOptions", "Axis": -1}


def packed(make):
    return "PACK", [make.input(2, 3), make.input(2, 3)], [(2, 2, 3)], {
        "table": "PackOptions", "Axis": 1, "ValuesCount": 2}


def parametric(make):
    return "PRELU", [make.input(1, 3, 4, 5), make.constant(1, 1, 5)], [(1, 3, 4, 5)], {}


def filled(make):
    value = make.model.constant(np.array([0.7], np.float32))
    pads = make.model.constant(np.array([[0, 0], [1, 0], [2, 1], [0, 0]], np.int32))
    return "PADV2", [make.input(1, 3, 4, 5), pads, value], [(1, 4, 7, 5)], {
        "table": "PadV2Options"}


SHAPE = (1, 4, 6, 8)
CASES = {
    "conv": conv, "depthwise": depthwise, "transposed same": transposed(0, (1, 6, 8, 5)),
    "transposed valid": transposed(1, (1, 7, 9, 5)),
    "mediapipe same": mediapipe(1, (1, 9, 8, 5)), "mediapipe valid": mediapipe(2, (1, 10, 9, 5)),
    "average": pool("AVERAGE_POOL_2D"),
    "max": pool("MAX_POOL_2D"), "bilinear": resize("RESIZE_BILINEAR"),
    "bilinear centers": resize("RESIZE_BILINEAR", HalfPixelCenters=True),
    "bilinear corners": resize("RESIZE_BILINEAR", AlignCorners=True),
    "nearest": resize("RESIZE_NEAREST_NEIGHBOR"),
    "nearest centers": resize("RESIZE_NEAREST_NEIGHBOR", HalfPixelCenters=True),
    "nearest corners": resize("RESIZE_NEAREST_NEIGHBOR", AlignCorners=True),
    "depth to space": simple("DEPTH_TO_SPACE", SHAPE, (1, 8, 12, 2), table="DepthToSpaceOptions",
                             BlockSize=2),
    "space to depth": simple("SPACE_TO_DEPTH", SHAPE, (1, 2, 3, 32), table="SpaceToDepthOptions",
                             BlockSize=2),
    "products": products, "computed product": computed_product, "batches": batches,
    "joined": joined, "packed": packed, "parametric": parametric, "filled": filled,
    "pad": simple("PAD", SHAPE, (1, 5, 9, 8), [[0, 0], [1, 0], [2, 1], [0, 0]],
                  table="PadOptions"),
    "mirror": simple("MIRROR_PAD", SHAPE, (1, 5, 9, 8), [[0, 0], [1, 0], [2, 1], [0, 0]],
                     table="MirrorPadOptions", Mode=0),
    "mean": simple("MEAN", SHAPE, (1, 8), [1, 2], table="ReducerOptions"),
    "mean kept": simple("MEAN", SHAPE, (1, 4, 6, 1), [3], table="ReducerOptions", KeepDims=True),
    "sum": simple("SUM", SHAPE, (1, 4, 8), [2], table="ReducerOptions"),
    "largest": simple("REDUCE_MAX", SHAPE, (1, 8), [1, 2], table="ReducerOptions"),
    "reshape": simple("RESHAPE", SHAPE, (1, 24, 8), [1, 24, 8], table="ReshapeOptions"),
    "squeeze": simple("SQUEEZE", (1, 1, 6, 8), (6, 8), table="SqueezeOptions"),
    "expand": simple("EXPAND_DIMS", (1, 6), (1, 1, 6), [1], table="ExpandDimsOptions"),
    "transpose": simple("TRANSPOSE", SHAPE, (1, 8, 4, 6), [0, 3, 1, 2], table="TransposeOptions"),
    "slice": simple("SLICE", SHAPE, (1, 2, 5, 8), [0, 1, 1, 0], [1, 2, -1, 8],
                    table="SliceOptions"),
    "strided": simple("STRIDED_SLICE", SHAPE, (1, 2, 6, 8), [0, 3, 0, 0], [1, 0, 0, 0],
                      [1, -2, 1, 1], table="StridedSliceOptions", EndMask=12),
    "shrunk": simple("STRIDED_SLICE", SHAPE, (1, 6, 8), [0, -1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1],
                     table="StridedSliceOptions", EndMask=12, ShrinkAxisMask=2),
    "split": simple("SPLIT", SHAPE, [(1, 4, 6, 4)] * 2, [3], table="SplitOptions", first=True,
                    NumSplits=2),
    "parts": simple("SPLIT_V", SHAPE, [(1, 4, 6, 3), (1, 4, 6, 5)], [3, 5], [3],
                    table="SplitVOptions", NumSplits=2),
    "unpack": simple("UNPACK", (2, 3, 4), [(2, 4)] * 3, table="UnpackOptions", Axis=1, Num=3),
    "gather": simple("GATHER", SHAPE, (1, 4, 3, 8), [5, 0, 2], table="GatherOptions", Axis=2),
    "softmax": simple("SOFTMAX", (1, 3, 9), (1, 3, 9), table="SoftmaxOptions", Beta=0.7),
    "leaky": simple("LEAKY_RELU", SHAPE, SHAPE, table="LeakyReluOptions", Alpha=0.2),
    "gelu": simple("GELU", SHAPE, SHAPE, table="GeluOptions"),
    "gelu about": simple("GELU", SHAPE, SHAPE, table="GeluOptions", Approximate=True),
}


@pytest.mark.parametrize("name", CASES)
def test_operator(name, tmp_path):
    make = _Float(2)
    code, inputs, shapes, options = CASES[name](make)
    compare(make.file(tmp_path, code, inputs, *shapes, **options), make.arrays, 1e-5)


def test_every_operator_is_tested():
    found = {CASES[name](_Float())[0] for name in CASES}
    assert found | {*SINGLE, *DOUBLE, "ELU", "DENSIFY", "DEQUANTIZE"} == set(FLOAT_OPERATORS)


def test_random_sparse_encodings():
    """Trees of any order, levels dense or compressed, with and without blocks."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        shape = tuple(int(size) for size in rng.integers(1, 4, rng.integers(1, 4)) * 2)
        blocks = tuple(int(axis) for axis in rng.permutation(len(shape))[:rng.integers(
            0, len(shape) + 1)])
        sizes = [size // 2 if axis in blocks else size for axis, size in enumerate(shape)]
        sizes += [2] * len(blocks)
        order = (*rng.permutation(len(shape)).tolist(), *range(len(shape), len(sizes)))
        dense = rng.normal(size=shape) * (rng.random(shape) < 0.4)
        values, sparsity = _encoded(dense, shape, blocks, order, sizes, rng)
        assert np.array_equal(densify(values, shape, sparsity), dense), seed


def _encoded(dense, shape, blocks, order, sizes, rng):
    """Walk the tree from its root, each level keeping the positions below which something is."""
    split, place = [], {}
    for axis, size in enumerate(shape):
        place[axis] = len(split)
        split.append(size // 2 if axis in blocks else size)
        if axis in blocks:
            place[len(shape) + blocks.index(axis)] = len(split)
            split.append(2)
    tree = dense.reshape(split).transpose([place[axis] for axis in order])
    nodes, levels = [tree], []
    for depth, axis in enumerate(order):
        if axis >= len(shape) or rng.integers(2):
            levels.append(Level(sizes[axis]))
            nodes = [node[at] for node in nodes for at in range(sizes[axis])]
            continue
        kept = [[at for at in range(sizes[axis]) if np.any(node[at])] for node in nodes]
        levels.append(Level(0, np.cumsum([0, *map(len, kept)]),
                            np.array([at for item in kept for at in item], np.int64)))
        nodes = [node[at] for node, item in zip(nodes, kept, strict=True) for at in item]
        assert depth < len(order)
    return np.array(nodes, float), Sparsity(order, blocks, tuple(levels))


@pytest.mark.parametrize(("levels", "order", "words"), [
    ((Level(2),), (0,), "does not fit 2 axes"),
    ((Level(2), Level(3)), (0, 0), "does not fit 2 axes"),
    ((Level(2), Level(2)), (0, 1), "4 places for 3 values"),
    ((Level(2), Level(0, np.array([0, 1]), np.array([0]))), (0, 1), "do not fit 2 nodes"),
    ((Level(2), Level(0, np.array([0, 2, 1]), np.array([0, 1, 2]))), (0, 1), "do not fit 2 nodes"),
    ((Level(2), Level(0, np.array([0, 1, 3]), np.array([0, 1, 3]))), (0, 1), "indices beyond"),
    ((Level(100), Level(3)), (0, 1), "dense level of 100"),
])
def test_wrong_sparse_encodings(levels, order, words):
    with pytest.raises(ValueError, match=words):
        densify(np.ones(3), (2, 3), Sparsity(order, (), levels))


def test_integer_networks_are_refused():
    with pytest.raises(ModelError, match=r"is INT8; accepted are float networks"):
        to_onnx(MODELS["resnet8"])


@pytest.mark.parametrize("custom, text", [(b"1234", "4 bytes of options, must be 12"), (
    struct.pack("<3i", 1, 2, 0), "padding 1, strides 0 and 2; accepted are padding 1 or 2")])
def test_damaged_options_are_refused(custom, text, tmp_path):
    make = _Float()
    code, inputs, shapes, _ = mediapipe(1, (1, 9, 8, 5))(make)
    with pytest.raises(ModelError, match=text):
        to_onnx(make.file(tmp_path, code, inputs, *shapes, custom=custom))


def test_other_operators_are_refused(tmp_path):
    make = _Float()
    path = make.file(tmp_path, "LOCAL_RESPONSE_NORMALIZATION", [make.input(1, 3, 4, 5)],
                     (1, 3, 4, 5))
    with pytest.raises(ModelError, match=r"operator 0 \(LOCAL_RESPONSE_NORMALIZATION\) has no "
                                         r"float translation; accepted are ABS, ADD"):
        to_onnx(path)
