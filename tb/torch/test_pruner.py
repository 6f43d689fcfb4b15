"""Masks while training: exact, on schedule, within the budget, and the same on the chip."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from golden import executor
from golden.attributes import Conv2D, FullyConnected
from golden.spec.config import preset
from sw.compiler import compile_graph
from sw.compiler.lower import lower
from sw.compiler.pack import pack_op
from sw.compiler.window import WindowOp
from sw.engines.machine import MachineTransport
from sw.frontend.onnx import load
from sw.prune import Pruner, Schedule
from sw.prune.pattern import Pattern
from sw.session.estimate import estimate
from tb.lib.compare import run_from_clean_memory
from tb.lib.torch_models import Residual, inputs, plain, train

BASE = preset("base")
SHORT = Schedule(begin=1, end=6, every=2)


def pruned(model=None, steps=8, **settings):
    torch.manual_seed(0)
    model = model or Residual()
    pruner = Pruner(model, inputs(32)[0], **{"speedup": 3.0, "schedule": SHORT} | settings)
    train(model, pruner, steps)
    return model, pruner


@pytest.mark.parametrize("criterion", ["magnitude", "gradient", "fisher"])
def test_budget_is_reached(criterion, tmp_path):
    """The exported network takes the cycles asked for."""
    _, pruner = pruned(criterion=criterion)
    assert pruner.final
    assert 3.0 <= pruner.speedup <= 3.1
    pruner.export(tmp_path / "m.onnx")
    graph = load(tmp_path / "m.onnx")
    assert estimate(graph, BASE, None).cycles == pruner.dense_cycles
    # Weights that round to zero are skipped, too.
    assert pruner.cycles * 0.98 <= estimate(graph, BASE, 0.0).cycles <= pruner.cycles


def test_rows_on_the_chip_are_those_of_the_masks(tmp_path):
    """N of every block as the compiler packs the exported file."""
    model, pruner = pruned(rate=0.7, speedup=None)
    with torch.no_grad():
        for name, mask in pruner.masks.items():
            weight = model.get_submodule(name).weight
            weight.copy_(torch.where(mask, torch.where(weight < 0, -1.0, 1.0), 0.0))
    pruner.export(tmp_path / "m.onnx")
    graph = load(tmp_path / "m.onnx")
    packed = {op.name: pack_op(BASE, op, dense=False, single_tile=False)
              for op in lower(graph, BASE).ops if isinstance(op, WindowOp)}
    kernels = {node.name: node.attrs for node in graph.nodes
               if isinstance(node.attrs, Conv2D | FullyConnected)}
    names = pruner._network.chip
    assert set(names.values()) == set(kernels)
    for name, counts in pruner.counts.items():
        node = names[name]
        np.testing.assert_array_equal(
            Pattern.of(BASE, kernels[node]).counts(kernels[node].kernel), counts)
        assert packed[node].rows == counts.sum(axis=1).tolist(), name
    assert any(len(np.unique(counts)) > 2 for counts in pruner.counts.values())


def test_masks_are_exact_after_every_step():
    """Whatever the optimizer does; and they only shrink."""
    torch.manual_seed(0)
    model = Residual()
    pruner = Pruner(model, inputs(32)[0], rate=0.8, schedule=Schedule(end=12, every=3))
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    before = {name: mask.clone() for name, mask in pruner.masks.items()}
    shares = []
    for step in range(16):
        train(model, pruner, 1, optimizer, seed=step)
        for name, mask in pruner.masks.items():
            weight = model.get_submodule(name).weight
            assert not weight[~mask].any()
            assert (weight[mask] != 0).all()
            assert not (mask & ~before[name]).any()
        before = {name: mask.clone() for name, mask in pruner.masks.items()}
        kept = sum(int(mask.sum()) for mask in before.values())
        shares.append(kept / sum(mask.numel() for mask in before.values()))
    wanted = [1 - 0.8 * (1 - (1 - min(step // 3 * 3, 12) / 12) ** 3) for step in range(1, 17)]
    np.testing.assert_allclose(shares, wanted, atol=0.03)


def test_rate_by_layer():
    model = plain()
    _, pruner = pruned(model, speedup=None, rate={"6": 0.75, "10": 0.5})
    full = {name: pattern_rows(pruner, name) for name in pruner.masks}
    for name, counts in pruner.counts.items():
        wanted = {"6": 0.25, "10": 0.5}.get(name, 1.0)
        assert counts.sum() == pytest.approx(wanted * full[name], abs=1), name


def pattern_rows(pruner, name):
    pattern = pruner._network.pattern(name)
    return pattern.counts(np.ones(pattern.shape)).sum()


def test_depthwise_and_excluded_layers_stay():
    model = plain()
    _, pruner = pruned(model, rate=0.9, speedup=None, exclude=["6"])
    assert set(pruner.masks) == {"1", "10", "13"}
    assert (model[3].weight != 0).all() and (model[6].weight != 0).all()
    assert (model[10].weight == 0).float().mean() > 0.5


def test_layers_that_hurt_are_left_alone():
    """A callable that says one layer is worth all the others; a target that needs it anyway."""
    def loss(model):
        kept = (model.conv2.weight != 0).float().mean()
        return float(100 * (1 - kept))

    _, pruner = pruned(speedup=1.2, sensitivity=loss)
    assert pruner.excluded == ["conv2"]
    assert pruner.masks["conv2"].all() and pruner.speedup >= 1.2
    _, pruner = pruned(speedup=3.5, sensitivity=loss)
    assert not pruner.excluded and not pruner.masks["conv2"].all()


def test_sensitivity_leaves_the_model_as_it_was():
    torch.manual_seed(0)
    model = Residual()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pruner = Pruner(model, inputs(32)[0], speedup=2.0, criterion="magnitude")
    model.norm.eval()
    pruner._compare(pruner._importance.scores())
    for name, value in before.items():
        assert torch.equal(model.state_dict()[name], value), name
    assert model.training and not model.norm.training


def test_a_pruned_model_is_kept_as_it_is():
    """Zeros of other tools stay where they are; if they are enough, nothing is added."""
    def zeroed():
        torch.manual_seed(3)
        model = Residual()
        nn.init.zeros_(model.short.weight)  # all zero: not pruned, but initialized so
        with torch.no_grad():
            for layer in (model.conv1, model.conv2):
                rows = layer.weight.permute(0, 2, 3, 1)
                rows[..., 4:16] = 0
                rows[..., 20:] = 0
        return model

    model = zeroed()
    masks = {name: model.get_submodule(name).weight != 0 for name in ("conv1", "conv2")}
    _, pruner = pruned(model, speedup=1.5)
    for name, mask in masks.items():
        assert torch.equal(pruner.masks[name], mask)
        assert torch.equal(model.get_submodule(name).weight != 0, mask)
    assert pruner.masks["short"].all() and pruner.speedup > 1.5
    model = zeroed()
    _, pruner = pruned(model, speedup=1.2 * pruner.speedup)
    for name, mask in masks.items():
        assert not (pruner.masks[name] & ~mask).any()


def test_other_chips():
    small = dataclasses.replace(BASE, lanes=8, drp="none", drain=4)
    _, pruner = pruned(preset=small, speedup=2.0)
    assert pruner.counts["conv2"].shape == (4, 9 * 4) and pruner.speedup >= 2.0


def test_runs_on_the_machine(tmp_path):
    """Exported, compiled, run: the bytes that golden gives, in the cycles foretold."""
    _, pruner = pruned()
    pruner.export(tmp_path / "m.onnx")
    graph = load(tmp_path / "m.onnx")
    (source,), (result,) = graph.inputs, graph.outputs
    data = {source: inputs(1, seed=5)[0].numpy()}
    program = compile_graph(graph, BASE)
    found, _ = run_from_clean_memory(MachineTransport(BASE, memory_bytes=1 << 22), program, data)
    np.testing.assert_array_equal(found.outputs[result], executor.run(graph, data)[result])
    assert found.cycles <= pruner.cycles


def test_it_learns():
    """Pruned to a third of the cycles, it still gets better."""
    torch.manual_seed(0)
    model = Residual()
    data, labels = inputs(64, seed=3)
    pruner = Pruner(model, data, speedup=3.0, schedule=Schedule(begin=5, end=30, every=5))
    model.eval()
    with torch.no_grad():
        before = float(F.cross_entropy(model(data), labels))
    # With more the loss jumps about, on each processor to somewhere else.
    train(model, pruner, 60, torch.optim.SGD(model.parameters(), 0.005, momentum=0.9))
    model.eval()
    with torch.no_grad():
        assert float(F.cross_entropy(model(data), labels)) < 0.8 * before
