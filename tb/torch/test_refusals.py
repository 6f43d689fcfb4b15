"""What the pruner refuses, and what it says."""

import pytest
import torch
from torch import nn

from golden.spec.config import preset
from sw.errors import UsageError
from sw.prune import Pruner
from tb.lib.torch_models import Residual, inputs, plain, train

DATA = inputs(8)[0]


@pytest.mark.parametrize("settings, text", [
    ({"rate": 1.2}, "rate is 1.2, accepted are 0 .* to 1"),
    ({"rate": -0.1}, "rate is -0.1, accepted"),
    ({"rate": float("nan")}, "rate is nan, accepted"),
    ({"rate": {"conv2": 2.0}}, "rate is 2.0, accepted"),
    ({"rate": {"conv9": 0.5}}, "'conv9': no such layer; layers are first, conv1, conv2"),
    ({"rate": 0.5, "exclude": ["nothing"]}, "'nothing': no such layer"),
    ({"speedup": 0.5}, "speedup is 0.5, accepted are 1 or more"),
    ({"speedup": float("nan")}, "speedup is nan"),
    ({"speedup": 50.0}, r"speed-up of 50.00 .* can't be reached: .* accepted are speed-ups up to "),
    ({}, "speedup is None and rate is None; accepted is one of them"),
    ({"speedup": 2.0, "rate": 0.5}, "accepted is one of them"),
    ({"speedup": 2.0, "preset": "large"}, "no preset 'large'; presets are tiny, base"),
    ({"speedup": 2.0, "criterion": "taste"}, "criterion 'taste'; accepted are magnitude, gradient"),
    ({"speedup": 2.0, "sensitivity": "some"}, "sensitivity is 'some'; accepted are 'output'"),
])
def test_settings(settings, text):
    with pytest.raises(UsageError, match=text):
        Pruner(Residual(), DATA, **settings)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(value):
    model = Residual()
    with torch.no_grad():
        model.conv1.weight[3, 2, 1, 0] = value
    with pytest.raises(UsageError, match=r"'conv1.weight' holds NaN or infinity"):
        Pruner(model, DATA, rate=0.5)


def test_rates_of_layers_that_are_not_pruned():
    for name, reason in (("3", "it is depthwise: a block is one row"), ("6", "it is excluded")):
        with pytest.raises(UsageError, match=f"'{name}' isn't pruned: {reason}.*; layers that are: "
                           "1, 10, 13$"):
            Pruner(plain(), DATA, rate={name: 0.5}, exclude=["6"])


def test_nothing_to_prune():
    with pytest.raises(UsageError, match="no weights to prune"):
        Pruner(nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.ReLU()), DATA, rate=0.5)
    with pytest.raises(UsageError, match="no weights to prune"):
        Pruner(plain(), DATA, rate=0.5, exclude=["1", "6", "10", "13"])


@pytest.mark.parametrize("example", [None, torch.zeros(0, 3, 16, 16), torch.tensor(1.0)])
def test_examples(example):
    with pytest.raises(UsageError, match="example_input must be a tensor"):
        Pruner(Residual(), example, rate=0.5)


def test_no_gradients():
    pruner = Pruner(Residual(), DATA, rate=0.5)
    with pytest.raises(UsageError, match="'first' has no gradients, which criterion 'fisher' need"):
        for _ in range(50):
            pruner.step()


def test_weights_that_go_wrong_in_training():
    """NaN weights are not scored, and not exported."""
    model = Residual()
    pruner = Pruner(model, DATA, rate=0.5, criterion="magnitude", sensitivity=None)
    train(model, pruner, 1)
    with torch.no_grad():
        model.conv2.weight.fill_(float("nan"))
    with pytest.raises(UsageError, match="negative, infinite or not a number"):
        for _ in range(50):
            pruner.step()


def test_a_config_of_ones_own():
    small = preset("base", lanes=8, drp="none", drain=4)
    assert Pruner(Residual(), DATA, preset=small, speedup=1.5).dense_cycles > 0
