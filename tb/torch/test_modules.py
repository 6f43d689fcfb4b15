"""PyTorch modules exported, quantized and compiled without a file in between."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from golden import executor
from golden.spec.config import preset
from sw.errors import InputError, ModelError, UsageError
from sw.frontend.onnx import load
from sw.onnx_runtime import run_external
from sw.pytorch import compile_module, export_module, quantize_module
from sw.quantize import Choices
from sw.session import open_engine
from tb.lib.torch_models import Residual, inputs, plain
from tb.sw.onnx_check import check

QUICK = Choices("minmax", False, False)


class Two(nn.Module):
    """Two inputs, a squeeze-and-excite gate, a SiLU, an upsampled branch, two outputs."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(2, 8, 1)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Sigmoid())
        self.last = nn.Conv2d(16, 4, 1)

    def forward(self, picture, depth):
        x = nn.functional.silu(self.first(picture))
        x = torch.cat([x * self.gate(x), self.second(depth)], 1)
        x = nn.functional.interpolate(x, scale_factor=2)
        return self.last(x), x.mean((2, 3))


@pytest.mark.parametrize("make", [Residual, plain])
def test_module_to_answers(make, tmp_path):
    """The file is near the module and within 1 of ONNX Runtime; the program gives its answers."""
    torch.manual_seed(0)
    model = make().train()
    data = inputs(12)[0]
    found = quantize_module(model, data, tmp_path / "m.onnx", QUICK)
    assert model.training and found.calibrated + found.held == 12
    assert min(found.chosen.decibels.values()) > 20
    check(tmp_path / "m.onnx", chip=False)
    graph = load(tmp_path / "m.onnx")
    program = compile_module(model, data, "tiny", QUICK)
    sample = {graph.inputs[0]: data[:1].numpy()}
    engine = open_engine("machine", preset("tiny"), program)
    (result,) = engine.run(sample).outputs.values()
    (wanted,) = executor.run(graph, sample, external=run_external).values()
    np.testing.assert_array_equal(result, wanted)
    with torch.no_grad():
        real = model.eval()(data[:1]).numpy()
    assert np.abs(real - wanted).max() < 0.1 * np.abs(real).max()


def test_several_inputs(tmp_path):
    torch.manual_seed(1)
    batches = [(torch.randn(2, 3, 8, 8), np.random.default_rng(at).standard_normal(
        (2, 2, 4, 4)).astype(np.float32)) for at in range(3)]
    found = quantize_module(Two(), batches, tmp_path / "m.onnx", QUICK)
    assert [item.name for item in found.model.graph.input] == ["picture", "depth"]
    assert len(found.chosen.decibels) == 2 and found.calibrated + found.held == 6
    check(tmp_path / "m.onnx")


def test_export_is_a_checked_model():
    model = export_module(plain(), inputs(4)[0])
    onnx.checker.check_model(model, full_check=True)
    (item,) = model.graph.input
    assert [size.dim_value for size in item.type.tensor_type.shape.dim] == [1, 3, 16, 16]


class Branch(nn.Module):
    def forward(self, x):
        return torch.linalg.svd(x)[1]


def test_refusals():
    with pytest.raises(UsageError, match=r"model is dict; accepted are torch\.nn\.Module"):
        export_module({}, inputs(1)[0])
    with pytest.raises(InputError, match=r"\[0, 3, 16, 16\].*at least one sample"):
        export_module(plain(), inputs(1)[0][:0])
    with pytest.raises(ModelError, match="Sequential: PyTorch can't export it"):
        export_module(plain(), torch.zeros(1, 5, 16, 16))
    with pytest.raises(ModelError, match="Branch: PyTorch can't export it"):
        export_module(Branch(), torch.zeros(1, 4, 4))
    with pytest.raises(InputError, match="no calibration samples"):
        quantize_module(plain(), [])
    with pytest.raises(InputError, match="as many samples of each of picture, depth"):
        quantize_module(Two(), [(torch.zeros(2, 3, 8, 8), torch.zeros(1, 2, 4, 4))])
    with pytest.raises(InputError, match="holds NaN or infinity"):
        quantize_module(plain(), torch.full((4, 3, 16, 16), torch.nan))
