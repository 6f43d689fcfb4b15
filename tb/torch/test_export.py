"""The traced, quantized, exported model against PyTorch, ONNX Runtime and golden."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from golden import executor
from golden.attributes import Weighted
from golden.spec.numerics import quantize_multiplier
from sw.errors import ModelError, UsageError
from sw.frontend.onnx import load
from sw.prune import Pruner, Schedule
from sw.prune.torch.export import folded
from sw.prune.torch.quantizers import FeatureQuantizer
from sw.prune.torch.trace import trace
from sw.reference_onnx import OnnxReference
from tb.lib.torch_models import Residual, inputs, plain, train

MODELS = {"residual": Residual, "plain": plain}


def trained(name, tmp_path, **settings):
    torch.manual_seed(0)
    model = MODELS[name]()
    pruner = Pruner(model, inputs(64)[0], schedule=Schedule(end=10, every=5),
                    **{"rate": 0.5, "criterion": "magnitude"} | settings)
    train(model, pruner, 12)
    pruner.export(tmp_path / "model.onnx")
    return model.eval(), pruner, tmp_path / "model.onnx"


def answers(path, data):
    graph = load(path)
    (source,), (result,) = graph.inputs, graph.outputs
    return np.concatenate([executor.run(graph, {source: item[None].numpy()})[result]
                           for item in data])


@pytest.mark.parametrize("name", MODELS)
def test_three_of_a_kind(name, tmp_path):
    """PyTorch's fake quantization, ONNX Runtime and golden differ by where they round halves."""
    model, _, path = trained(name, tmp_path)
    data = inputs(32, seed=9)[0]
    with torch.no_grad():
        found = model(data).numpy()
    reference = OnnxReference(path)
    onnx = np.concatenate([reference.run({"input": item[None].numpy()})["output"]
                           for item in data])
    golden = answers(path, data)
    last = [item for item in model.sentei.values() if isinstance(item, FeatureQuantizer)][-1]
    step = float(last.steps()[0])
    for other in (onnx, golden):
        assert np.abs(other - found).max() <= 3.01 * step
        assert np.abs(other - found).mean() < 0.5 * step
    assert found.std() > 5 * step, "the answers say something"


@pytest.mark.parametrize("name", MODELS)
def test_quantization_is_close_to_float(name, tmp_path):
    """With quantization off and on, the same model answers alike."""
    torch.manual_seed(1)
    model = MODELS[name]().eval()
    data = inputs(64)[0]
    with torch.no_grad():
        wanted = model(data)
        Pruner(model, data, rate=0.0)
        found = model(data)
    assert (found - wanted).norm() < 0.05 * wanted.norm()
    assert not torch.equal(found, wanted)


class Edges(nn.Module):
    """Layers called as the file's input and output are."""

    def __init__(self):
        super().__init__()
        self.input, self.output = nn.Conv2d(3, 16, 3), nn.Linear(16, 10)

    def forward(self, x):
        return self.output(torch.relu(self.input(x)).mean((2, 3)))


def test_names(tmp_path):
    """Nodes are called as the layers, inputs and outputs as ever."""
    pruner = Pruner(Edges(), inputs(4)[0], rate={"input": 0.5}, qat=False,
                    schedule=Schedule(begin=0, end=0), criterion="magnitude", sensitivity=None)
    pruner.step()
    pruner.export(tmp_path / "model.onnx")
    graph = load(tmp_path / "model.onnx")
    assert (graph.inputs, graph.outputs) == (("input",), ("output",))
    zeros = {node.name: (node.attrs.kernel == 0).mean() for node in graph.nodes
             if isinstance(node.attrs, Weighted)}
    assert list(zeros) == ["input", "output"] and zeros["input"] > 0.4 > zeros["output"]


def test_without_qat_nothing_rounds(tmp_path):
    torch.manual_seed(1)
    model = Residual().eval()
    data = inputs(64)[0]
    with torch.no_grad():
        wanted = model(data)
        pruner = Pruner(model, data, rate=0.0, qat=False)
        torch.testing.assert_close(model(data), wanted)
    pruner.export(tmp_path / "m.onnx")
    found = answers(tmp_path / "m.onnx", data)
    assert np.linalg.norm(found - wanted.numpy()) < 0.05 * np.linalg.norm(wanted.numpy())


def test_weights_are_the_folded_ones(tmp_path):
    """Quantizing before a normalization or after folding it in is the same, also for factors
    below zero and of zero; golden's multipliers are those of the scales."""
    torch.manual_seed(2)
    model = Residual()
    with torch.no_grad():
        model.norm1.weight.copy_(torch.linspace(-2, 2, 32))
        model.norm1.weight[7] = 0
        model.norm1.running_var.uniform_(0.1, 3)
        model.norm1.running_mean.uniform_(-1, 1)
    data = inputs(32)[0]
    pruner = Pruner(model, data, rate=0.0)
    pruner.export(tmp_path / "m.onnx")
    graph = load(tmp_path / "m.onnx")
    node = next(node for node in graph.nodes if isinstance(node.attrs, Weighted)
                and node.attrs.kernel.shape == (32, 3, 3, 16))
    kernel = node.attrs.kernel.transpose(0, 3, 1, 2)
    scale = model.conv1.weight.detach().abs().amax(dim=(1, 2, 3)) / 127
    codes = (model.conv1.weight.detach() / scale.reshape(-1, 1, 1, 1)).round().numpy()
    sign = np.sign(model.norm1.weight.detach().numpy()).reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(kernel, codes * sign, atol=1)
    assert (kernel != codes * sign).mean() < 0.001 and not kernel[7].any()
    network = pruner._network
    step = next(item for item in network.found.steps if item.name == "conv1")
    weight, _ = folded(model, step)
    source, result = (graph.tensors[name].quant.scale for name in (node.inputs[0], node.outputs[0]))
    real = source * float(weight[3].abs().max()) / 127 / result
    assert node.attrs.multiplier[3] == pytest.approx(quantize_multiplier(real)[0], rel=1e-5)
    with torch.no_grad():
        found = model.eval()(data).numpy()
    assert np.abs(answers(tmp_path / "m.onnx", data) - found).max() < 0.1 * found.std()


def test_copies_keep_their_own_forward():
    model = Residual()
    data = inputs(8)[0]
    Pruner(model, data, rate=0.5)
    other = copy.deepcopy(model).eval()
    with torch.no_grad():
        torch.testing.assert_close(other(data), model.eval()(data))
        for parameter in other.parameters():
            parameter.zero_()
        assert not torch.equal(other(data), model(data))
    assert isinstance(model, Residual)
    assert list(dict(model.named_parameters())) == list(dict(Residual().named_parameters()))


class Odd(nn.Module):
    """A model whose forward is given."""

    def __init__(self, forward):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.given = forward

    def forward(self, x):
        return self.given(self, x)


REFUSED = {
    "depends on the data": (lambda m, x: m.conv(x) if x.sum() > 0 else x, "traced by torch.fx"),
    "unknown": (lambda m, x: torch.sigmoid(m.conv(x)), "sigmoid.*is not supported"),
    "twice": (lambda m, x: m.conv(F.pad(m.conv(x)[:, :3], (1, 1, 1, 1))), "not supported"),
    "norm alone": (lambda m, x: m.norm(F.relu(m.conv(x))), "does not follow a convolution"),
    "broadcast": (lambda m, x: m.conv(x) + 1.0, "adds tensors"),
    "several": (lambda m, x: (m.conv(x), x), "several values"),
    "ceil": (lambda m, x: F.max_pool2d(m.conv(x), 2, ceil_mode=True), "ceil_mode is True"),
    "counted padding": (lambda m, x: F.avg_pool2d(m.conv(x), 3, 1, 1), "count_include_pad=False"),
    "axes": (lambda m, x: m.conv(x).mean((1, 2)), "averages axes"),
    "pads of ones": (lambda m, x: m.conv(F.pad(x, (1, 1), value=1.0)), "zeros"),
    "shape": (lambda m, x: m.conv(x).reshape(-1, 2, 392), "accepted is .batch, values"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_chip_has_not(name):
    forward, text = REFUSED[name]
    with pytest.raises(ModelError, match=text):
        Pruner(Odd(forward), inputs(4)[0], rate=0.5)


def test_a_layer_used_twice():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            return self.conv(self.conv(x))

    with pytest.raises(ModelError, match=r"'conv'.*is used twice"):
        Pruner(Twice(), inputs(4)[0], rate=0.5)


def test_steps_of_a_trace():
    """Norms and clamps belong to their layers, what does nothing to none."""
    steps = trace(plain(), inputs(2)[0]).steps
    assert [step.kind for step in steps] == [
        "pad", "conv", "conv", "conv", "average_pool", "conv", "mean", "flatten", "linear"]
    assert [step.clamp for step in steps if step.kind == "conv"] == [
        (0.0, 6.0), (0.0, None), (-1.0, 1.0), None]
    assert steps[3].norm == "7"


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch's, of even windows
@pytest.mark.parametrize("settings", [{"padding": "same"}, {"padding": "valid"},
                                      {"padding": "same", "dilation": 2}])
@pytest.mark.parametrize("size", [(3, 3), (4, 5)])
def test_paddings_by_name(settings, size, tmp_path):
    model = nn.Sequential(nn.Conv2d(3, 16, size, **settings), nn.ReLU(), nn.Flatten(),
                          nn.LazyLinear(4))
    data = inputs(8)[0]
    with torch.no_grad():
        wanted = model(data).numpy()
    Pruner(model, data, rate=0.0).export(tmp_path / "m.onnx")
    found = answers(tmp_path / "m.onnx", data)
    assert np.linalg.norm(found - wanted) < 0.05 * np.linalg.norm(wanted)


def test_an_example_that_does_not_fit(capsys):
    with pytest.raises(ModelError, match=r"can't take example_input of shape \(4, 2, 16, 16\): "
                                         r"Given groups=1, .* to have 3 channels, but got 2"):
        Pruner(plain(), inputs(4)[0][:, :2], rate=0.5)
    assert not capsys.readouterr().err


def test_exported_too_early(tmp_path):
    pruner = Pruner(plain(), inputs(4)[0], rate=0.5)
    with pytest.warns(UserWarning, match="after 0 of the schedule's 1000 steps"):
        pruner.export(tmp_path / "m.onnx")


def test_a_model_twice():
    model = plain()
    Pruner(model, inputs(4)[0], rate=0.5)
    with pytest.raises(UsageError, match="has adopted it before"):
        Pruner(model, inputs(4)[0], rate=0.5)


def test_export_to_nowhere(tmp_path):
    pruner = Pruner(plain(), inputs(4)[0], rate=0.0)
    with pytest.raises(UsageError, match="can't be written"):
        pruner.export(tmp_path / "no" / "where.onnx")
    with pytest.raises(UsageError, match="no quantizers"):
        pruner.export(tmp_path / "m.onnx", model=plain())
