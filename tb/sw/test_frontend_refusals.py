"""The TensorFlow Lite reader: what it refuses, and that it says why."""

import random

import numpy as np
import pytest

from golden.executor import run
from sw.errors import ModelError
from sw.frontend.tflite import load
from tb.lib.random_models import random_model
from tb.lib.tflite_builder import ModelBuilder

CONV = {"table": "Conv2DOptions", "StrideH": 1, "StrideW": 1}
POOL = {"table": "Pool2DOptions", "StrideH": 1, "StrideW": 1, "FilterHeight": 1, "FilterWidth": 1}


def refused(tmp_path, raw, *words):
    """The file is refused with the exit code of models and a text that holds all words."""
    path = tmp_path / "model.tflite"
    path.write_bytes(raw)
    with pytest.raises(ModelError) as caught:
        load(path)
    assert caught.value.exit_code == 3
    for word in (str(path), *words):
        assert word in str(caught.value), str(caught.value)


def one(code, inputs, outputs, model, *, network_inputs=None, subgraphs=1, **options):
    """A file of one operator."""
    model.operator(code, inputs, outputs, **options)
    return model.finish(inputs[:1] if network_inputs is None else network_inputs, outputs,
                        subgraphs)


def relu(subgraphs=1, first=None, second=None):
    model = ModelBuilder()
    data = model.tensor(**{"shape": (1, 4), **(first or {})})
    return one("RELU", [data], [model.tensor(**{"shape": (1, 4), **(second or {})})], model,
               subgraphs=subgraphs)


def conv(kernel=None, bias=None, shape=(1, 4, 4, 3), kernel_settings=None, **options):
    model = ModelBuilder()
    data, output = model.tensor(shape), model.tensor((1, 4, 4, 2))
    array = np.ones((2, 1, 1, 3), np.int8) if kernel is None else kernel
    inputs = [data, model.constant(array, **(kernel_settings or {}))]
    if bias is not None:
        inputs.append(model.constant(bias))
    return one("CONV_2D", inputs, [output], model, **{**CONV, **options})


def test_the_good_files_of_these_tests_load(tmp_path):
    for raw in (relu(), conv(), conv(bias=np.zeros(2, np.int32))):
        (tmp_path / "good.tflite").write_bytes(raw)
        load(tmp_path / "good.tflite")


def test_no_file(tmp_path):
    with pytest.raises(ModelError, match="can't be read: No such file"):
        load(tmp_path / "absent.tflite")
    with pytest.raises(ModelError, match="can't be read: Is a directory"):
        load(tmp_path)


@pytest.mark.parametrize("raw", [b"", b"TFL3", b"PK\x03\x04abcdefgh", b"\x7fELF" + bytes(100)])
def test_other_files(tmp_path, raw):
    refused(tmp_path, raw, "not a TensorFlow Lite file", "TFL3")


def test_several_subgraphs(tmp_path):
    refused(tmp_path, relu(subgraphs=3), "3 subgraphs", "must be 1")


@pytest.mark.parametrize("code", ["IF", "WHILE", "CALL"])
def test_control_flow(tmp_path, code):
    model = ModelBuilder()
    data, output = model.tensor((1, 4)), model.tensor((1, 4))
    refused(tmp_path, one(code, [data], [output], model), f"operator 0 ({code})", "control flow")


@pytest.mark.parametrize(("code", "shown"), [
    ("SIN", "SIN"), ("BATCH_MATMUL", "BATCH_MATMUL"), ("CUSTOM Mine", "CUSTOM Mine"),
    ("BROADCAST_TO", "BROADCAST_TO"),
])
def test_unsupported_operator(tmp_path, code, shown):
    model = ModelBuilder()
    data, middle, output = (model.tensor((1, 4)) for _ in range(3))
    model.operator("RELU", [data], [middle])
    model.operator(code, [middle], [output])
    refused(tmp_path, model.finish([data], [output]), f"operator 1 ({shown}) is not supported",
            "CONV_2D", "FULLY_CONNECTED")


def test_both_types_in_an_operator(tmp_path):
    for settings in ({"first": {"type": "UINT8"}}, {"second": {"type": "UINT8"}}):
        refused(tmp_path, relu(**settings), "operator 0 (RELU) has INT8 and UINT8 tensors")


@pytest.mark.parametrize("kind", ["FLOAT32", "INT16", "INT32"])
def test_other_types(tmp_path, kind):
    refused(tmp_path, relu(first={"type": kind}), "tensor 0 ('t0')", f"is {kind}", "must be INT8")
    refused(tmp_path, relu(second={"type": kind}), "tensor 1 ('t1')", f"is {kind}", "must be INT8")


def test_real_numbers_within_a_network(tmp_path):
    """DEQUANTIZE and QUANTIZE stand at its edges only."""
    model = ModelBuilder()
    data, output = model.tensor((1, 4)), model.tensor((1, 4))
    middle = model.tensor((1, 4), "FLOAT32", scales=(), zeros=())
    model.operator("DEQUANTIZE", [data], [middle], table="DequantizeOptions")
    model.operator("QUANTIZE", [middle], [output], table="QuantizeOptions")
    refused(tmp_path, model.finish([data], [output]), "operator 0 (DEQUANTIZE)",
            "tensor 2 ('t2') is FLOAT32 within the network", "outputs of the network")


def moved(code, numbers, shape=(1, 4, 4, 4), **options):
    """One operator of an image and constants of integers."""
    model = ModelBuilder()
    data, output = model.tensor((1, 4, 4, 4)), model.tensor(shape)
    extra = [model.constant(np.array(item, np.int32)) for item in numbers]
    return one(code, [data, *extra], [output], model, network_inputs=[data], **options)


@pytest.mark.parametrize(("raw", "words"), [
    (moved("TRANSPOSE", [[1, 0, 2, 3]], table="TransposeOptions"), "order [1, 0, 2, 3] must be 0"),
    (moved("SLICE", [[0, 0], [1, 1]], table="SliceOptions"), "do not fit shape [1, 4, 4, 4]"),
    (moved("STRIDED_SLICE", [[0] * 4, [1] * 4, [1, 0, 1, 1]], table="StridedSliceOptions"),
     "strides [1, 0, 1, 1]"),
    (moved("STRIDED_SLICE", [[0] * 4, [1] * 4, [1] * 4], table="StridedSliceOptions",
           NewAxisMask=2), "new axes are not supported"),
    (moved("GATHER", [[0, 4]], (1, 4, 4, 2), table="GatherOptions", Axis=3),
     "indices (0, 4) of axis 3 must be in 0 to 3"),
    (moved("GATHER", [[0]], (1, 4, 4, 1), table="GatherOptions", Axis=4), "axis 4, must be in -4"),
    (moved("MIRROR_PAD", [[[0, 0], [4, 0], [0, 0], [0, 0]]], (1, 8, 4, 4),
           table="MirrorPadOptions", Mode=0), "pads [[0, 0], [4, 0]"),
    (moved("RESIZE_BILINEAR", [[0, 4]], table="ResizeBilinearOptions"), "size [0, 4]"),
    (moved("DEPTH_TO_SPACE", [], table="DepthToSpaceOptions", BlockSize=3), "a multiple of 9"),
    (moved("SPACE_TO_DEPTH", [], table="SpaceToDepthOptions", BlockSize=3), "whole blocks of 3"),
    (moved("LEAKY_RELU", [], table="LeakyReluOptions", Alpha=-0.5), "alpha is -0.5"),
])
def test_movements_that_do_not_fit(tmp_path, raw, words):
    refused(tmp_path, raw, words)


@pytest.mark.parametrize("kind", ["INT16", "INT32"])
def test_quantize_of_other_types(tmp_path, kind):
    for first, second, index in ((kind, "INT8", 0), ("UINT8", kind, 1)):
        model = ModelBuilder()
        data, output = model.tensor((1, 4), first), model.tensor((1, 4), second)
        refused(tmp_path, one("QUANTIZE", [data], [output], model, table="QuantizeOptions"),
                f"tensor {index} ('t{index}') is {kind}", "must be INT8 or UINT8")


def test_unsigned_bytes_within_a_network(tmp_path):
    """Only inputs and outputs of the network may be uint8, and only QUANTIZE reads or writes it."""
    model = ModelBuilder()
    data, output = model.tensor((1, 4)), model.tensor((1, 4))
    middle = model.tensor((1, 4), "UINT8", zeros=(128,))
    model.operator("QUANTIZE", [data], [middle], table="QuantizeOptions")
    model.operator("QUANTIZE", [middle], [output], table="QuantizeOptions")
    refused(tmp_path, model.finish([data], [output]), "operator 0 (QUANTIZE)",
            "tensor 2 ('t2') is UINT8 within the network", "UINT8 as an output of the network")
    refused(tmp_path, model.finish([data], [middle, output]), "operator 1 (QUANTIZE)",
            "tensor 2 ('t2') is UINT8 within the network", "UINT8 as an input of the network")


@pytest.mark.parametrize(("kind", "zero", "accepted"), [
    ("UINT8", -1, "0 to 255"), ("UINT8", 256, "0 to 255"), ("INT8", 128, "-128 to 127"),
])
def test_zero_points_beyond_their_type(tmp_path, kind, zero, accepted):
    model = ModelBuilder()
    data, output = model.tensor((1, 4), kind, zeros=(zero,)), model.tensor((1, 4))
    refused(tmp_path, one("QUANTIZE", [data], [output], model, table="QuantizeOptions"),
            f"zero point {zero}", accepted)


@pytest.mark.parametrize(("settings", "words"), [
    ({"scales": (), "zeros": ()}, "no quantization"),
    ({"scales": (0.5, 0.5, 0.5, 0.5), "zeros": (0,) * 4}, "has 4 scales, must be 1"),
    ({"scales": (0.0,)}, "has scale 0.0"),
    ({"scales": (-1.0,)}, "has scale -1.0"),
    ({"scales": (float("nan"),)}, "has scale nan"),
    ({"scales": (float("inf"),)}, "has scale inf"),
    ({"zeros": (200,)}, "zero point 200"),
    ({"shape": (1, -1)}, "dynamic shape [1, -1]"),
    ({"shape": (1, 0)}, "dynamic shape [1, 0]"),
    ({"signature": (1, -1)}, "dynamic shape [1, -1]"),
    ({"variable": True}, "variable"),
])
def test_wrong_tensors(tmp_path, settings, words):
    refused(tmp_path, relu(first=settings), "tensor 0 ('t0')", words)


@pytest.mark.parametrize(("raw", "words"), [
    (conv(kernel=np.ones((2, 1, 1, 3), np.float32)), "kernel is FLOAT32, must be INT8"),
    (conv(kernel=np.ones((2, 3), np.int8)), "must have 4 dimensions"),
    (conv(kernel=np.ones((2, 1, 1, 2), np.int8)), "does not divide 3 input channels"),
    (conv(kernel_settings={"zeros": (3,)}), "must be symmetric"),
    (conv(kernel_settings={"scales": (0.1,) * 3, "zeros": (0,) * 3}), "1 or 2 along axis 0"),
    (conv(kernel_settings={"scales": (0.1,) * 2, "zeros": (0,) * 2, "axis": 3}), "axis 3"),
    (conv(kernel_settings={"scales": (0.0,), "zeros": (0,)}), "not above 0"),
    (conv(bias=np.zeros(3, np.int32)), "bias has shape [3], must be [2]"),
    (conv(bias=np.zeros(2, np.int64)), "bias is INT64, must be INT32"),
    (conv(shape=(2, 4, 4, 3)), "batch 2, must be 1"),
    (conv(shape=(4, 4, 3)), "must be [1, height, width, channels]"),
    (conv(StrideH=0), "must be at least 1"),
    (conv(DilationWFactor=-1), "must be at least 1"),
    (conv(Padding=7), "padding 7, must be SAME or VALID"),
    (conv(FusedActivationFunction=4), "fused activation 4, must be NONE, RELU"),
    (conv(StrideW=2), "(1, 4, 2, 2)"),
    (conv(table=None), "no options"),
])
def test_wrong_convolutions(tmp_path, raw, words):
    refused(tmp_path, raw, words)


def test_computed_kernel(tmp_path):
    model = ModelBuilder()
    data, kernel, output = (model.tensor((1, 4)) for _ in range(3))
    raw = one("FULLY_CONNECTED", [data, kernel], [output], model, network_inputs=[data, kernel],
              table="FullyConnectedOptions")
    refused(tmp_path, raw, "operator 0 (FULLY_CONNECTED)", "kernel is computed, must be constant")


def test_sums_of_different_shapes(tmp_path):
    model = ModelBuilder()
    first, second, output = (model.tensor(shape) for shape in ((1, 4), (1, 1), (1, 4)))
    raw = one("ADD", [first, second], [output], model, network_inputs=[first, second],
              table="AddOptions")
    refused(tmp_path, raw, "(1, 4) and (1, 1) differ", "broadcasting is not supported")


def test_pools_that_rescale(tmp_path):
    model = ModelBuilder()
    data, output = model.tensor((1, 2, 2, 1)), model.tensor((1, 2, 2, 1), scales=(0.25,))
    refused(tmp_path, one("MAX_POOL_2D", [data], [output], model, **POOL),
            "must have the same scale")


@pytest.mark.parametrize("axes", [(0, 1), (4,), ()])
def test_means_of_other_axes(tmp_path, axes):
    model = ModelBuilder()
    data, output = model.tensor((1, 2, 2, 1)), model.tensor((1, 1))
    inputs = [data, model.constant(np.array(axes, np.int32))]
    refused(tmp_path, one("MEAN", inputs, [output], model, table="ReducerOptions"), "MEAN")


def test_softmax_output(tmp_path):
    model = ModelBuilder()
    data, output = model.tensor((1, 4)), model.tensor((1, 4))
    refused(tmp_path, one("SOFTMAX", [data], [output], model, table="SoftmaxOptions", Beta=1.0),
            "must be scale 1/256")


@pytest.mark.parametrize(("shape", "pairs"), [
    ((1, 6), [[0, 0], [1, -1]]), ((2, 4), [[0, 1], [0, 0]]), ((1, 4), [[0, 0]]),
])
def test_pads(tmp_path, shape, pairs):
    model = ModelBuilder()
    data, output = model.tensor((1, 4)), model.tensor(shape)
    inputs = [data, model.constant(np.array(pairs, np.int32))]
    refused(tmp_path, one("PAD", inputs, [output], model, table="PadOptions"), "pads")


def test_concatenations(tmp_path):
    for second, axis in (({"scales": (0.25,)}, 1), ({}, 0), ({}, 5), ({"shape": (2, 4)}, 1)):
        model = ModelBuilder()
        inputs = [model.tensor((1, 4)), model.tensor(**{"shape": (1, 4), **second})]
        raw = one("CONCATENATION", inputs, [model.tensor((1, 8))], model, network_inputs=inputs,
                  table="ConcatenationOptions", Axis=axis)
        refused(tmp_path, raw)


def test_tensors_in_the_wrong_order(tmp_path):
    model = ModelBuilder()
    data, middle, output = (model.tensor((1, 4)) for _ in range(3))
    model.operator("RELU", [middle], [output])
    model.operator("RELU", [data], [middle])
    refused(tmp_path, model.finish([data], [output]), "before it is written")
    refused(tmp_path, ModelBuilder().finish([], []), "0 operators")


@pytest.mark.parametrize("index", [7, -1])
def test_tensors_that_are_not_there(tmp_path, index):
    model = ModelBuilder()
    data = model.tensor((1, 4))
    model.operator("RELU", [data], [index])
    refused(tmp_path, model.finish([data], [data]))


def test_constants_of_the_wrong_size(tmp_path):
    model = ModelBuilder()
    data, output = model.tensor((1, 4)), model.tensor((1, 4))
    kernel = model.tensor((4, 4), data=np.ones(7, np.int8))
    raw = one("FULLY_CONNECTED", [data, kernel], [output], model, table="FullyConnectedOptions")
    refused(tmp_path, raw, "damaged", "7 bytes")


def damaged(path, raw):
    """Loads or is refused; a graph that loads also runs."""
    path.write_bytes(raw)
    try:
        graph = load(path)
    except ModelError:
        return False
    if sum(np.prod(tensor.shape) for tensor in graph.tensors.values()) < 1e6:
        run(graph, {name: np.zeros(graph.tensors[name].shape, graph.tensors[name].dtype)
                    for name in graph.inputs})
    return True


@pytest.mark.parametrize("kind", ["conv", "pad", "mean"])
def test_truncated_files(tmp_path, kind):
    raw = random_model(kind, 3).raw
    path = tmp_path / "cut.tflite"
    for length in range(0, len(raw), 3):
        damaged(path, raw[:length])
    # The last bytes may be padding; half a file never loads.
    assert not damaged(path, raw[:len(raw) // 2])


@pytest.mark.parametrize("seed", range(4))
def test_flipped_bytes(tmp_path, seed):
    """Nothing but a graph or a refusal comes of a damaged file."""
    rng = random.Random(seed)
    raw = random_model(["conv", "fully_connected", "concat", "depthwise"][seed], seed).raw
    for _ in range(250):
        copy = bytearray(raw)
        for _ in range(rng.randint(1, 3)):
            copy[rng.randrange(8, min(len(raw), 3000))] = rng.choice([0, 1, 127, 128, 255,
                                                                     rng.randrange(256)])
        damaged(tmp_path / "bent.tflite", bytes(copy))
