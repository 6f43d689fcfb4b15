"""The quantizer: ranges of known distributions, equalization, bias correction, placement."""

import sys

import numpy as np
import onnx
import pytest

from golden.lookup import Lookup
from sw.errors import InputError, ModelError, ToolError
from sw.pytorch import quantize_module
from sw.quantize import Choices, prepare, quantize, read_float
from sw.quantize.correction import corrected_biases
from sw.quantize.equalize import equalized, find_pairs
from sw.quantize.histogram import BINS, Histogram, Survey
from sw.quantize.isolate import OWN, isolated
from sw.quantize.network import Network
from sw.quantize.placement import place
from sw.quantize.quantizer import split
from sw.quantize.ranges import METHODS, Range, chosen_range, quant_of
from sw.quantize.regions import find_regions, function_of
from sw.quantize.session import Traced, open_session
from sw.quantize.sharing import shared_quants
from sw.quantize.split import Split, find_splits, split_network
from sw.quantize.weights import LARGEST_BIAS, quantized_weights
from tb.lib.float_networks import FloatBuilder, concat_network, relu_network, silu_network
from tb.sw.onnx_check import check


def network(model, tmp_path):
    return Network(prepare(tmp_path / "m.onnx", model))


def samples(count=8, shape=(1, 3, 12, 10), seed=3):
    rng = np.random.default_rng(seed)
    return [{"x": rng.standard_normal(shape).astype(np.float32)} for _ in range(count)]


def histogram(values):
    low, high = float(values.min()), float(values.max())
    counts = np.histogram(values, BINS, (low, high))[0]
    return Histogram(low, high, counts, counts, not np.any(values % 1))


def outputs(model, data):
    session = open_session(model)
    return [session.run(None, dict(sample))[0] for sample in data]


@pytest.mark.parametrize("method", METHODS)
def test_uniform_keeps_its_range(method):
    values = np.random.default_rng(0).uniform(-2, 6, 400_000)
    found = chosen_range(histogram(values), method)
    assert found.low == pytest.approx(-2, abs=0.12) and found.high == pytest.approx(6, abs=0.35)


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_outliers(method):
    """A few values fifty times the others stretch the range of min-max (and, rightly, of mse)."""
    rng = np.random.default_rng(1)
    values = np.concatenate((rng.standard_normal(400_000), [250.0] * 4))
    found = chosen_range(histogram(values), method)
    if method == "minmax":
        assert found.high == 250
    else:
        assert 2.5 < found.high < 70


def test_mean_squared_error_is_least(tmp_path):
    """No other range of a fine grid is much better for what the histogram was made of."""
    values = np.random.default_rng(2).laplace(size=200_000)

    def error(covered):
        quant = quant_of(covered)
        codes = np.clip(np.rint(values / quant.scale) + quant.zero, -128, 127)
        return np.square((codes - quant.zero) * quant.scale - values).mean()

    found = error(chosen_range(histogram(values), "mse"))
    others = [error(Range(-high, high)) for high in np.linspace(2, values.max(), 200)]
    assert found < 1.03 * min(others)


def test_pixels_are_exact():
    values = np.random.default_rng(0).integers(3, 250, 10_000).astype(np.float32)
    for method in METHODS:
        quant = quant_of(chosen_range(histogram(values), method))
        assert (quant.scale, quant.zero % 1) == (1.0, 0)
        codes = np.clip(np.rint(values / quant.scale) + quant.zero, -128, 127)
        assert np.array_equal((codes - quant.zero) * quant.scale, values)


def test_range_before_a_curve():
    """What SiLU makes nearly 0 needs no codes: the range ends above, the error behind is less."""
    values = np.random.default_rng(5).normal(-4, 6, 300_000)

    def silu(data):
        return data / (1 + np.exp(-data))

    def error(covered):
        quant = quant_of(covered)
        codes = np.clip(np.rint(values / quant.scale) + quant.zero, -128, 127)
        return np.square(silu((codes - quant.zero) * quant.scale) - silu(values)).mean()

    plain, curved = (chosen_range(histogram(values), "mse", item) for item in (None, silu))
    assert curved.low > -13 > plain.low
    assert error(curved) < 0.6 * error(plain)


def test_quant_holds_zero_and_the_ends():
    for low, high in ((-1.0, 3.0), (0.0, 5.0), (-7.0, 0.0)):
        quant = quant_of(Range(low, high))
        assert (-128 - quant.zero) * quant.scale == pytest.approx(low, abs=quant.scale)
        assert (127 - quant.zero) * quant.scale == pytest.approx(high, abs=quant.scale)


@pytest.mark.parametrize("seed", range(3))
def test_equalization_preserves_the_function(seed, tmp_path):
    before = network(relu_network(seed, spread=4.0), tmp_path)
    after = equalized(before)
    assert after is not None and len(find_pairs(before)) == 1
    data = samples(3)
    for wanted, found in zip(outputs(before.model, data), outputs(after.model, data), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=1e-6)

    def unevenness(form):
        rows = [np.abs(form.constants[form.nodes[at].input[1]]).reshape(8, -1).max(axis=1)
                for at in (pair.first for pair in find_pairs(form))]
        return max(row.max() / row.min() for row in rows)

    assert unevenness(after) < unevenness(before) / 2


def test_nothing_to_equalize(tmp_path):
    assert equalized(network(silu_network(), tmp_path)) is None


def test_bias_correction_takes_the_mean_error_off(tmp_path):
    """The float function stays; the quantized sums are no longer off on average."""
    form = network(relu_network(4, spread=8.0), tmp_path)
    placement, data = place(form), samples(12)
    survey = Survey(form, placement.points, [], data)
    quants = shared_quants(form, placement, {
        name: chosen_range(item, "minmax") for name, item in survey.histograms({}).items()})
    before = dict(form.constants)

    def codes(biases):
        return {at: quantized_weights(form, at, quants[form.nodes[at].input[0]].scale,
                                      biases.get(at)) for at in placement.products.values()}

    def off(found):
        from sw.quantize.writer import written

        joined = isolated(form.model, written(form, placement, quants, found))
        names = [form.nodes[at].output[0] for at in placement.products.values()]
        traced = Traced(joined.model, [*names, *(name + OWN for name in names)])
        sums = {}
        for sample in data:
            for name, values in traced.run(sample):
                mean = values.mean(axis=tuple(at for at in range(values.ndim) if at != 1))
                sums[name] = sums.get(name, 0) + mean / len(data)
        return max(float(np.abs(sums[name] - sums[name + OWN]).max()) for name in names)

    plain = codes({})
    corrected = codes(corrected_biases(form, placement, quants, plain, data))
    assert off(corrected) < off(plain) / 10
    assert all(np.array_equal(form.constants[name], data) for name, data in before.items())


def uneven_network():
    """Channels that differ a hundred times, made alike by the depthwise weights behind a SiLU."""
    build = FloatBuilder(3)
    spread = np.repeat(np.array([0.05, 8], np.float32), 4)[[0, 5, 1, 6, 2, 7, 3, 4]]
    kernel = build.rng.standard_normal((8, 3, 1, 1)).astype(np.float32) * spread[:, None, None,
                                                                                 None]
    data = build.node("Conv", build.input("x", (1, 3, 8, 8)), build.constant(kernel),
                      build.constant(np.zeros(8, np.float32)))
    kernel = (build.rng.standard_normal((8, 1, 3, 3)) / spread[:, None, None, None]).astype(
        np.float32)
    data = build.silu(build.node("Conv", build.silu(data), build.constant(kernel), group=8,
                                 pads=[1, 1, 1, 1]))
    return build.model(build.conv(data, 4, 8))


def test_split_preserves_the_function(tmp_path):
    before = network(uneven_network(), tmp_path)
    after = split_network(before, [Split(before.nodes[0].name, (0, 2, 4, 6))])
    data = samples(3, (1, 3, 8, 8))
    for wanted, found in zip(outputs(before.model, data), outputs(after.model, data), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert len(after.nodes) == len(before.nodes) + 5
    with pytest.raises(ValueError, match="no layer 'nothing'"):
        split_network(before, [Split("nothing", (0,))])


def test_split_where_it_gains(tmp_path):
    """The channels are found, and the network comes nearer for it."""
    model = prepare(tmp_path / "m.onnx", uneven_network())
    found = {split: quantize(model, samples(8, (1, 3, 8, 8)), Choices("mse", split=split))
             for split in (False, True)}
    (split,) = found[True].splits
    assert split.narrow == (0, 2, 4, 6) and not found[False].splits
    assert found[True].chosen.score > found[False].chosen.score + 6
    even = network(silu_network(), tmp_path)
    assert find_splits(even, {}, {}) == []


def test_weights_are_symmetric_by_channel(tmp_path):
    form = network(relu_network(1, spread=8.0), tmp_path)
    found = quantized_weights(form, 0, 0.02, None)
    assert np.abs(found.kernel).reshape(8, -1).max(axis=1).tolist() == [127] * 8
    kernel = form.constants[form.nodes[0].input[1]]
    error = np.abs(found.kernel * found.scales.reshape(8, 1, 1, 1) - kernel)
    assert (error.reshape(8, -1).max(axis=1) <= found.scales * 0.501).all()
    assert found.coarser == 1


def test_large_biases_get_coarser_weights(tmp_path):
    form = network(relu_network(1), tmp_path)
    bias = np.zeros(8)
    bias[2] = 1e9
    found = quantized_weights(form, 0, 0.02, bias)
    assert found.coarser > 1000 and abs(int(found.bias[2])) <= LARGEST_BIAS * (1 + 1e-6)
    assert found.bias[2] * float(found.bias_scales[2]) == pytest.approx(1e9, rel=1e-6)


def test_regions(tmp_path):
    """SiLU of two nodes, hard-swish of four, GELU of five; a Relu alone is none."""
    build = FloatBuilder()
    scalar = [build.constant(np.float32(value)) for value in (3, 0, 6, 2 ** 0.5, 1, 0.5)]
    data = build.conv(build.input("x", (1, 3, 8, 8)), 4, 3)
    data = build.node("Relu", build.conv(build.silu(data), 4, 4))
    data = build.conv(data, 4, 4)
    gate = build.node("Clip", build.node("Add", data, scalar[0]), scalar[1], scalar[2])
    data = build.node("Div", build.node("Mul", data, gate), scalar[2])
    data = build.conv(data, 4, 4)
    error = build.node("Add", build.node("Erf", build.node("Div", data, scalar[3])), scalar[4])
    data = build.node("Mul", build.node("Mul", data, error), scalar[5])
    form = Network(build.model(build.conv(data, 4, 4)))
    regions = find_regions(form)
    assert sorted(len(region.nodes) for region in regions.values()) == [2, 4, 5]
    values = np.linspace(-5, 5, 11)
    by_size = {len(region.nodes): region for region in regions.values()}
    np.testing.assert_allclose(function_of(form, by_size[4])(values),
                               values * np.clip(values + 3, 0, 6) / 6, atol=1e-6)


def test_batch_is_one(tmp_path):
    """A larger one is refused; --shape makes it 1."""
    build, path = FloatBuilder(), tmp_path / "m.onnx"
    onnx.save(build.model(build.conv(build.input("x", (4, 3, 8, 8)), 4, 3)), path)
    with pytest.raises(ModelError, match="batch 4; accepted is 1: --shape x=1,3,8,8"):
        read_float(path, {})
    model = prepare(path, read_float(path, {"x": (1, 3, 8, 8)}))
    assert Network(model).shapes[model.graph.output[0].name] == (1, 4, 8, 8)


def test_placement_leaves_the_tail_float(tmp_path):
    form = network(relu_network(), tmp_path)
    placement = place(form)
    assert [form.nodes[at].op_type for at in placement.outside] == ["Softmax"]
    assert len(placement.products) == 4
    assert [form.nodes[form.giver[name]].op_type for name in placement.ends(form)] == ["Gemm"]
    assert place(form, frozenset([form.nodes[0].name])).outside[0] == "excluded"


def test_scores_are_exact_near_zero(tmp_path):
    """Nearly all lie far below, where a sigmoid is 0; other ends lose nothing of their range."""
    build = FloatBuilder()
    data = build.node("Relu", build.conv(build.input("x", (1, 3, 12, 10)), 8, 3))
    kernel, bias = build.weights(2, 8, 1, 1), build.constant(np.full(2, -60, np.float32))
    scores = build.node("Conv", data, kernel, bias)
    rows = build.node("Reshape", scores, build.constant(np.array([1, -1], np.int64)))
    model = prepare(tmp_path / "m.onnx", build.model(rows, build.conv(data, 4, 8)))
    given = samples()
    plain = quantize(model, given, Choices("mse", correct=False))
    asked = quantize(model, given, Choices("mse", correct=False, scores=frozenset((rows,))))
    assert (asked.quants[scores].scale, asked.quants[scores].zero) == (np.float32(16 / 255), 0)
    name = next(end for end in asked.placement.ends(asked.network) if end != scores)
    for found in (plain, asked):
        values = np.concatenate([dict(Traced(model, [name]).run(sample))[name].ravel()
                                 for sample in split(given)[0]])
        assert 255 * found.quants[name].scale >= 0.98 * (values.max() - values.min())
    assert plain.quants[scores].zero == 127


@pytest.mark.parametrize("channels, taken", [(1, False), (64, True)])
def test_placement_of_what_follows_the_host(channels, taken, tmp_path):
    """Weights behind a softmax: a mean of its bins stays with it, a layer that works does not."""
    build = FloatBuilder()
    data = build.node("Relu", build.conv(build.input("x", (1, 3, 32, 32)), 64, 3, size=3))
    data = build.node("Relu", build.conv(data, 64, 64, size=3))
    bins = build.node("Softmax", build.conv(data, 16, 64), axis=1)
    ends = build.node("Sigmoid", build.conv(bins, channels, 16))
    form = Network(prepare(tmp_path / "m.onnx", build.model(ends)))
    placement = place(form)
    conv = [at for at, node in enumerate(form.nodes) if node.op_type == "Conv"]
    assert [at in placement.quantized for at in conv] == [True, True, True, taken]
    if not taken:
        assert placement.outside[conv[-1]] == "little work, behind the host's"
    assert [form.macs(at) for at in conv] == [
        32 * 32 * 9 * 3 * 64, 32 * 32 * 9 * 64 * 64, 32 * 32 * 64 * 16, 32 * 32 * 16 * channels]


def test_placement_adds_what_the_host_gives(tmp_path):
    """A residual from the host comes in the 8 bits in which the product beside it reads it."""
    build = FloatBuilder()
    data = build.conv(build.input("x", (1, 3, 8, 8)), 4, 3)
    given = build.node("LRN", data, size=3)
    data = build.node("Relu", build.node("Add", given, build.conv(given, 4, 4)))
    form = network(build.model(build.conv(data, 4, 4)), tmp_path)
    placement = place(form)
    assert [form.nodes[at].op_type for at in placement.outside] == ["LRN"]
    excluded = {node.name for node in form.nodes if given in node.input and node.op_type == "Conv"}
    assert "Add" in {form.nodes[at].op_type
                     for at in place(form, frozenset(excluded)).outside}


def test_concat_shares_one_quantization(tmp_path):
    form = network(concat_network(), tmp_path)
    placement = place(form)
    (concat,) = placement.concats
    ranges = {name: Range(-1, 1) for name in placement.points}
    ranges[concat.inputs[0]] = Range(-10, 10)
    found = shared_quants(form, placement, ranges)
    assert found[concat.inputs[0]] == found[concat.inputs[1]] == found[concat.output]
    assert found[concat.output].scale == pytest.approx(20 / 255)


def test_importance_saves_small_channels(tmp_path):
    """A small channel that weights enlarge again decides over a large one that they don't."""
    build = FloatBuilder(7)
    kernel = np.zeros((2, 3, 1, 1), np.float32)
    kernel[0, 0], kernel[1, 1] = 100, 0.2
    data = build.silu(build.node("Conv", build.input("x", (1, 3, 8, 8)), build.constant(kernel)))
    kernel = np.array([0.01, 5], np.float32).reshape(2, 1, 1, 1)
    found = build.node("Conv", data, build.constant(kernel), group=2)
    model = prepare(tmp_path / "m.onnx", build.model(found))
    data = samples(8, (1, 3, 8, 8))
    steps = {}
    for method in ("minmax", "mse"):
        quants = quantize(model, data, Choices(method)).quants
        steps[method] = quants[max(quants, key=lambda name: quants[name].scale)].scale
    assert steps["mse"] < steps["minmax"] / 3


@pytest.mark.parametrize("build, shape", [(relu_network, (1, 3, 12, 10)),
                                          (silu_network, (1, 3, 8, 8)),
                                          (concat_network, (1, 3, 8, 8))])
def test_quantized_network_comes_near(build, shape, tmp_path):
    model = prepare(tmp_path / "m.onnx", build(2))
    found = quantize(model, samples(16, shape))
    assert min(found.chosen.decibels.values()) > 25
    assert found.chosen.score == max(trial.score for trial in found.trials)
    assert {trial.method for trial in found.trials} == set(METHODS)
    assert (found.calibrated, found.held) == (12, 4)
    kinds = {item.name: item.data_type for item in found.model.graph.initializer}
    assert {onnx.TensorProto.INT8, onnx.TensorProto.INT32, onnx.TensorProto.FLOAT} <= {
        *kinds.values()}


def fine_points(found):
    """Tensors before an index of 9 bits, and the types of all zero points in the file."""
    constants = {item.name: onnx.numpy_helper.to_array(item)
                 for item in found.model.graph.initializer}
    return {name for name, quant in found.quants.items() if quant.bits == 9}, {
        name.removesuffix("_zero_point"): data.dtype for name, data in constants.items()
        if name.endswith("_zero_point") and not name.endswith("weight_zero_point")}


def test_a_finer_index_before_curves(tmp_path):
    """Less is lost than with 8 bits, and ONNX Runtime, golden and the machine agree."""
    model = prepare(tmp_path / "m.onnx", silu_network(2))
    data = samples(16, (1, 3, 8, 8))
    found, plain = (quantize(model, data, Choices("mse", False, False, fine=fine))
                    for fine in (True, False))
    starts, types = fine_points(found)
    assert len(starts) == 1 and starts < set(found.placement.regions)
    assert {name for name, kind in types.items() if kind == np.int16} == starts
    assert not fine_points(plain)[0]
    assert found.chosen.score > plain.chosen.score + 0.3
    for name in starts:
        quant = found.quants[name]
        assert quant.ends == (-256, 255) and quant.scale < 0.7 * plain.quants[name].scale
    onnx.save(found.model, tmp_path / "q.onnx")
    imported = check(tmp_path / "q.onnx", spread=0.8)
    assert [node.attrs.table.size for node in imported.graph.nodes
            if isinstance(node.attrs, Lookup)] == [512, 256]
    assert not any(node.op == "External" for node in imported.graph.nodes)


@pytest.mark.parametrize("correct", [False, True])
def test_a_finer_index_where_it_comes_nearer(correct, tmp_path):
    """Tried last, with the choices that were best before."""
    model = prepare(tmp_path / "m.onnx", silu_network(2))
    found = quantize(model, samples(16, (1, 3, 8, 8)), Choices("mse", False, correct))
    plain, fine = found.trials
    assert (plain.fine, fine.fine) == (False, True) and fine.corrected == correct
    assert found.chosen is max(found.trials, key=lambda trial: trial.score) is fine
    assert fine_points(found)[0]


def test_a_finer_index_is_clipped(tmp_path):
    """What lies beyond the calibrated range gives the end's code, in both runtimes."""
    model = prepare(tmp_path / "m.onnx", silu_network(2))
    found = quantize(model, samples(16, (1, 3, 8, 8)), Choices("mse", False, False, fine=True))
    onnx.save(found.model, tmp_path / "q.onnx")
    check(tmp_path / "q.onnx", spread=5.0)


@pytest.mark.parametrize("kind", ["sum", "of a sum", "read twice", "output", "old", "little"])
def test_where_the_index_keeps_8_bits(kind, tmp_path):
    """Part of an addition, not a product's, wanted elsewhere, no int16, or not worth it."""
    build = FloatBuilder(4)
    source = build.input("x", (1, 3, 8, 8))
    before = build.conv(source, 3, 3)
    if kind == "of a sum":
        before = build.node("Add", before, source)
    data = build.silu(before)
    if kind == "little":  # nearly all results are -1 or 1
        data = build.node("Tanh", build.node("Mul", before, build.constant(np.float32(900))))
    if kind == "sum":
        data = build.node("Add", data, source)
    if kind == "read twice":
        data = build.node("Add", build.node("MaxPool", data, kernel_shape=[1, 1]), before)
    outputs = [build.conv(data, 4, 3), *([before] if kind == "output" else [])]
    model = build.model(*outputs)
    model = prepare(tmp_path / "m.onnx", model)
    assert model.opset_import[0].version == 21 and model.ir_version == 10
    if kind == "old":  # as where no library can raise it
        model = onnx.version_converter.convert_version(model, 19)
        model = onnx.shape_inference.infer_shapes(model)
    found = quantize(model, samples(8, (1, 3, 8, 8)), Choices("mse", False, False, fine=True))
    starts, types = fine_points(found)
    assert not starts and np.dtype(np.int16) not in types.values(), starts


def test_split_holds_out_one_in_four():
    data = samples(10)
    rest, held = split(data)
    assert (len(rest), len(held)) == (7, 3)
    assert not any(item is other for item in rest for other in held)
    assert split(data[:1]) == (data[:1], data[:1])


def test_refuses_what_tells_nothing(tmp_path):
    model = prepare(tmp_path / "m.onnx", relu_network())
    with pytest.raises(InputError, match="no calibration samples"):
        quantize(model, [])
    bad = samples(3)
    bad[1]["x"][0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match=r"input 'x' holds NaN or infinity on calib.* 2"):
        quantize(model, bad)
    with pytest.raises(InputError, match="'x' of the inputs is 1 everywhere on all 2"):
        quantize(model, [{"x": np.ones((1, 3, 12, 10), np.float32)}] * 3)
    huge = samples(2)
    huge[0]["x"] *= np.float32(1e38)
    with pytest.raises(InputError, match=r"of node \d+ \(.*\) holds NaN or infinity"):
        quantize(model, [huge[0]])


def test_refuses_networks_without_weights(tmp_path):
    build = FloatBuilder()
    model = build.model(build.node("Relu", build.input("x", (1, 3, 4, 4))))
    with pytest.raises(ModelError, match="nothing to quantize"):
        quantize(prepare(tmp_path / "m.onnx", model),
                 samples(2, (1, 3, 4, 4)))


# Between convolutions, what operators.md says the chip does: 4 channels of 8 x 8 pixels.
BETWEEN = {
    "padded with others": lambda b, x: b.node(
        "Pad", x, b.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1])), b.constant(np.float32(0.7))),
    "reflected": lambda b, x: b.node(
        "Pad", x, b.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1])), mode="reflect"),
    "slopes": lambda b, x: b.node("PRelu", b.node("MaxPool", x, kernel_shape=[2, 2]), b.constant(
        np.float32([0, 0.1, 0.2, 0.3]).reshape(4, 1, 1))),
    "factors": lambda b, x: b.node("Mul", b.node("MaxPool", x, kernel_shape=[2, 2]), b.constant(
        np.float32([1, 2, 0.5, -1]).reshape(4, 1, 1))),
    "normalized": lambda b, x: b.node(
        "BatchNormalization", b.node("MaxPool", x, kernel_shape=[2, 2]),
        *(b.constant(np.float32(values)) for values in (
            [1, 2, 3, 4], [0, 1, 0, 1], [0.1] * 4, [1, 2, 1, 2]))),
    "difference": lambda b, x: b.node("Sub", x, b.conv(x, 4, 4)),
    "largest": lambda b, x: b.node("ReduceMax", x, axes=[2, 3]),
    "sum": lambda b, x: b.node("ReduceSum", x, b.constant(np.array([2, 3]))),
    "sine": lambda b, x: b.node("Sin", x),
}


@pytest.mark.parametrize("kind", BETWEEN)
def test_nothing_between_products_stays_float(kind, tmp_path):
    build = FloatBuilder()
    data = BETWEEN[kind](build, build.conv(build.input("x", (1, 3, 8, 8)), 4, 3))
    form = network(build.model(build.conv(data, 4, 4)), tmp_path)
    assert not place(form).outside
    found = quantize(form.model, samples(4, (1, 3, 8, 8)), Choices("minmax", False, False))
    (output,) = found.chosen.decibels.values()
    assert output > 15


def test_constants_along_rows_are_no_factors(tmp_path):
    """As many as there are channels, but for each column."""
    build = FloatBuilder()
    data = build.conv(build.input("x", (1, 3, 4, 4)), 4, 3)
    data = build.node("Mul", data, build.constant(np.float32([1, 2, 3, 4])))
    placement = place(network(build.model(build.conv(data, 4, 4)), tmp_path))
    assert list(placement.outside.values()) == ["no operator of the chip"]


def test_refuses_constant_outputs(tmp_path):
    """A softmax of one value is 1."""
    build = FloatBuilder()
    data = build.node("GlobalAveragePool", build.conv(build.input("x", (1, 3, 4, 4)), 1, 3))
    with pytest.raises(ModelError, match="'t2' is an input of the network, or constant"):
        network(build.model(build.node("Softmax", data, axis=1)), tmp_path)


def test_what_libraries_stumble_over(tmp_path):
    """A value that a mode doesn't use; pads as large as the window of the pool behind them."""
    build = FloatBuilder(opset=9)
    data = build.conv(build.input("x", (1, 3, 8, 8)), 4, 3)
    data = build.node("Pad", data, mode="reflect", pads=[0, 0, 2, 2, 0, 0, 2, 2], value=0.0)
    network(build.model(build.conv(data, 4, 4)), tmp_path)
    build = FloatBuilder()
    data = build.conv(build.input("x", (1, 3, 8, 8)), 4, 3)
    data = build.node("Pad", data, build.constant(np.array([0, 0, 2, 2, 0, 0, 2, 2])))
    data = build.node("AveragePool", data, kernel_shape=[2, 2])
    open_session(network(build.model(data), tmp_path).model)


def test_what_fails_when_it_runs(tmp_path):
    """Sizes that depend on values, for one."""
    build = FloatBuilder()
    found = build.node("Reshape", build.input("x", (1, 4)), build.node(
        "Cast", build.input("y", (2,)), to=onnx.TensorProto.INT64))
    traced = Traced(build.model(found), [found])
    with pytest.raises(ModelError, match="ONNX Runtime fails on the network"):
        list(traced.run({"x": np.ones((1, 4), np.float32), "y": np.float32([3, 3])}))


def test_modules_need_pytorch(monkeypatch):
    """What becomes of them where it is installed: tb/torch."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ToolError, match=r"pip install sentei\[torch\]"):
        quantize_module(None, np.zeros((1, 3, 4, 4)))
