"""Masks while training: exact, on schedule, within the budget, and the same in the file."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

from golden import executor
from golden.attributes import Weighted
from golden.spec.config import preset
from sw.compiler import compile_graph
from sw.engines.machine import MachineTransport
from sw.frontend.tflite import load
from sw.prune.keras import Pruner, Schedule
from sw.session.estimate import estimate
from tb.lib.compare import run_from_clean_memory
from tb.lib.keras_models import inputs, plain, residual, train

BASE = preset("base")
SHORT = Schedule(begin=1, end=6, every=2)


def built(make=residual, seed=0, **settings):
    keras.utils.set_random_seed(seed)
    model = make()
    return model, Pruner(model, inputs(32)[0], **{"speedup": 3.0, "schedule": SHORT} | settings)


def kernels(model, names):
    """By name, also of layers within layers."""
    found = {layer.name: layer for layer in model._flatten_layers()}
    return {name: found[name].kernel.numpy() for name in names}


def answers(graph, data):
    """The network's, in real numbers."""
    (source,), (result,) = graph.inputs, graph.outputs
    before, after = graph.tensors[source].quant, graph.tensors[result].quant
    codes = np.clip(np.rint(data / before.scale) + before.zero_point, -128, 127).astype(np.int8)
    found = np.concatenate([executor.run(graph, {source: item[None]})[result] for item in codes])
    return (found.astype(float) - after.zero_point) * after.scale


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(model, pruner, file, graph) of a pruning to a third of the cycles."""
    model, pruner = built()
    train(model, pruner, 8)
    path = tmp_path_factory.mktemp("keras") / "model.tflite"
    pruner.export(path, calibration=inputs(64, seed=5)[0])
    return model, pruner, path, load(path)


def test_budget_is_reached(trained):
    """The exported file takes the cycles asked for; its dense form takes those foretold."""
    _, pruner, _, graph = trained
    assert pruner.final and 3.0 <= pruner.speedup <= 3.1
    assert estimate(graph, BASE, None).cycles == pruner.dense_cycles
    # Weights that round to zero are skipped, too.
    assert 0.97 * pruner.cycles <= estimate(graph, BASE, 0.0).cycles <= pruner.cycles


def test_zeros_survive(trained):
    """Layer by layer, at every pruned position and hardly anywhere else."""
    model, pruner, _, graph = trained
    nodes = {node.name: node.attrs.kernel for node in graph.nodes
             if isinstance(node.attrs, Weighted)}
    names = pruner._network.chip
    assert set(names) == {"first", "conv1", "conv2", "short", "last"}
    for name, kernel in kernels(model, names).items():
        mask = pruner.masks[name]
        assert not kernel[~mask].any() and kernel[mask].all(), name
        codes = nodes[names[name]].reshape(kernel.shape[-1], -1)
        there = np.moveaxis(mask, -1, 0).reshape(codes.shape)
        assert not codes[~there].any(), name
        assert (codes[there] != 0).mean() > 0.95, name
        assert (pruner._network.budget.sites[names[name]].pattern.counts(
            nodes[names[name]]) <= pruner.counts[name]).all()
    assert any(len(np.unique(counts)) > 2 for counts in pruner.counts.values())


def test_file_answers_like_the_model(trained):
    model, _, _, graph = trained
    data = inputs(32, seed=9)[0]
    wanted = model(data, training=False).numpy()
    assert np.linalg.norm(answers(graph, data) - wanted) < 0.1 * np.linalg.norm(
        wanted - wanted.mean(axis=0))


def test_runs_on_the_machine(trained):
    """Compiled and run: the bytes that golden gives, in the cycles foretold."""
    _, pruner, _, graph = trained
    (source,), (result,) = graph.inputs, graph.outputs
    data = {source: np.random.default_rng(1).integers(-128, 128, (1, 16, 16, 3), np.int8)}
    found, _ = run_from_clean_memory(MachineTransport(BASE, memory_bytes=1 << 22),
                                     compile_graph(graph, BASE), data)
    np.testing.assert_array_equal(found.outputs[result], executor.run(graph, data)[result])
    assert found.cycles <= pruner.cycles


def test_normalizations_are_folded(trained):
    """Importance sees what the file holds: weights with their normalization."""
    model, pruner, _, _ = trained
    norm = model.get_layer("norm1")
    factor = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    np.testing.assert_allclose(pruner._network.folded("conv1"),
                               kernels(model, ["conv1"])["conv1"] * factor, rtol=1e-5)
    np.testing.assert_array_equal(pruner._network.folded("short"),
                                  kernels(model, ["short"])["short"])
    assert pruner._network._norms["conv2"].name == "norm2"


def test_masks_are_exact_after_every_step():
    """Whatever the optimizer does; they only shrink, as the schedule says; depthwise and excluded
    layers stay."""
    model, pruner = built(plain, speedup=None, rate=0.8, exclude=["narrow"],
                          schedule=Schedule(end=12, every=3))
    assert set(pruner.masks) == {"first", "wide", "last"}
    optimizer = keras.optimizers.AdamW(0.01)
    before, shares = dict(pruner.masks), []
    for step in range(15):
        train(model, pruner, 1, optimizer, seed=step)
        for name, kernel in kernels(model, pruner.masks).items():
            mask = pruner.masks[name]
            assert not kernel[~mask].any() and kernel[mask].all()
            assert not (mask & ~before[name]).any()
        before = dict(pruner.masks)
        shares.append(sum(mask.sum() for mask in before.values())
                      / sum(mask.size for mask in before.values()))
    wanted = [1 - 0.8 * (1 - (1 - min(step // 3 * 3, 12) / 12) ** 3) for step in range(1, 16)]
    np.testing.assert_allclose(shares, wanted, atol=0.04)
    assert kernels(model, ["depth", "narrow"])["depth"].all()
    assert kernels(model, ["narrow"])["narrow"].all() and pruner.final


@pytest.mark.parametrize("criterion", ["gradient", "fisher"])
def test_gradients(criterion):
    model, pruner = built(criterion=criterion)
    train(model, pruner, 7)
    assert pruner.final and pruner.speedup >= 3.0 and set(pruner._importance.means) == set(
        pruner.masks)


def test_rate_by_layer():
    _, pruner = built(plain, speedup=None, rate={"wide": 0.75, "narrow": 0.5},
                      schedule=Schedule(end=1))
    pruner.step()
    for name, counts in pruner.counts.items():
        pattern = pruner._network.budget.sites[pruner._network.chip[name]].pattern
        full = pattern.counts(np.ones(pattern.shape)).sum()
        wanted = {"wide": 0.25, "narrow": 0.5}.get(name, 1.0)
        assert counts.sum() == pytest.approx(wanted * full, abs=1), name


def test_layers_that_hurt_are_left_alone():
    def loss(model):
        return float(100 * (model.get_layer("conv2").kernel.numpy() == 0).mean())

    model, pruner = built(speedup=1.2, sensitivity=loss, schedule=Schedule(end=1))
    before = [variable.numpy() for variable in model.weights]
    pruner._compare(pruner._importance.scores())
    for old, variable in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
    pruner.step()
    assert pruner.excluded == ["conv2"]
    assert pruner.masks["conv2"].all() and pruner.speedup >= 1.2


def test_a_pruned_model_is_kept_as_it_is():
    """Zeros of other tools stay where they are; if they are enough, nothing is added."""
    def zeroed():
        model = residual()
        model.get_layer("short").kernel.assign(np.zeros((1, 1, 16, 32)))  # initialized so
        for name in ("conv1", "conv2"):
            kernel = model.get_layer(name).kernel
            values = kernel.numpy()
            values[:, :, 4:16] = 0
            values[:, :, 20:] = 0
            kernel.assign(values)
        return model

    model, pruner = built(zeroed, speedup=1.5, schedule=Schedule(end=1), sensitivity=None)
    masks = {name: kernel != 0 for name, kernel in kernels(model, ["conv1", "conv2"]).items()}
    pruner.step()
    for name, mask in masks.items():
        np.testing.assert_array_equal(pruner.masks[name], mask)
        np.testing.assert_array_equal(kernels(model, [name])[name] != 0, mask)
    assert pruner.masks["short"].all() and pruner.speedup > 1.5


def test_weights_train_rounded():
    """A call sees the kernel in int8 steps per output channel; gradients pass straight."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(5, 3, name="conv"),
                              keras.layers.DepthwiseConv2D(2, depth_multiplier=2, name="depth"),
                              keras.layers.Flatten(), keras.layers.Dense(3, name="last")])
    data = inputs(4, size=4)[0]
    model.predict(data, verbose=0)  # a trace that must be forgotten
    wanted = model(data).numpy()
    raw = model.get_weights()
    Pruner(model, data, rate=0.0)
    found = model(data).numpy()
    np.testing.assert_allclose(model.predict(data, verbose=0), found, rtol=1e-5, atol=1e-6)
    other = keras.models.clone_model(model)
    steps = []
    for values in raw:
        if values.ndim > 1:
            axes = (0, 1) if values.shape == (2, 2, 5, 2) else tuple(range(values.ndim - 1))
            scale = np.abs(values).max(axis=axes, keepdims=True) / 127
            values = np.rint(values / scale) * scale
        steps.append(values)
    other.set_weights(steps)
    np.testing.assert_allclose(found, other(data).numpy(), rtol=1e-4, atol=1e-5)
    assert 0 < np.abs(found - wanted).max() < 0.05
    gradients = []
    for each in (model, other):
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(tf.square(each(data)))
        gradients.append(tape.gradient(value, each.trainable_variables))
    for first, second in zip(*gradients, strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-3)
    for before, after in zip(raw, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_resumed_training_is_the_same():
    """Stopped in the middle of the schedule and gone on: the same in the end."""
    settings = {"criterion": "fisher", "make": plain, "speedup": 1.4}
    model, pruner = built(**settings)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    optimizer = train(model, pruner, 4)
    state, weights = pruner.state_dict(), model.get_weights()
    slots = [variable.numpy() for variable in optimizer.variables]
    train(model, pruner, 4, optimizer, seed=4)
    wanted, masks = model.get_weights(), pruner.masks
    _, again = model, built(**settings | {"seed": 1})[1]
    other = again._network.model
    for layer in other._flatten_layers():
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    other.set_weights(weights)
    again.load_state_dict(state)
    second = keras.optimizers.SGD(0.02, 0.9)
    second.build(other.trainable_variables)
    for variable, values in zip(second.variables, slots, strict=True):
        variable.assign(values)
    train(other, again, 4, second, seed=4)
    assert again.final and pruner.final
    for name, mask in masks.items():
        np.testing.assert_array_equal(again.masks[name], mask)
    for first, value in zip(wanted, other.get_weights(), strict=True):
        np.testing.assert_allclose(first, value, rtol=1e-5, atol=1e-6)


def test_digits(tmp_path):
    """fit() with the callback, then the file on golden: three times faster, as good."""
    pixels, labels = load_digits(return_X_y=True)
    images = (pixels / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order], labels[order]
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(32, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9), layers.ReLU(),
        layers.Conv2D(32, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9), layers.ReLU(), layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, padding="same"), layers.ReLU(), layers.GlobalAveragePooling2D(),
        layers.Dense(10)])
    pruner = Pruner(model, images[:128], speedup=3.0,
                    schedule=Schedule(begin=44, end=220, every=22))
    model.compile(keras.optimizers.Adam(3e-3, use_ema=True, ema_momentum=0.9),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images[:1437], labels[:1437], batch_size=64, epochs=16, verbose=0,
              callbacks=[pruner.callback()])
    for name, kernel in kernels(model, pruner.masks).items():
        assert not kernel[~pruner.masks[name]].any()
    assert pruner.final and pruner.speedup >= 3.0
    pruner.export(tmp_path / "digits.tflite", calibration=images[:200])
    graph = load(tmp_path / "digits.tflite")
    found = answers(graph, images[1437:]).argmax(axis=1)
    whole = model.predict(images[1437:], verbose=0).argmax(axis=1)
    accuracy, kept = (100 * float((part == labels[1437:]).mean()) for part in (found, whole))
    print(f"accuracy {kept:.2f} % in Keras, {accuracy:.2f} % on golden, "
          f"{pruner.dense_cycles:,} to {estimate(graph, BASE, 0.0).cycles:,} cycles")
    assert accuracy > 94 and accuracy > kept - 1.5


def test_other_chips():
    small = dataclasses.replace(BASE, lanes=8, drp="none", drain=4)
    _, pruner = built(preset=small, speedup=2.0, schedule=Schedule(end=1))
    pruner.step()
    assert pruner.counts["conv2"].shape == (4, 9 * 4) and pruner.speedup >= 2.0


class Subclassed(keras.Model):
    """Layers called by Python code."""

    def __init__(self):
        super().__init__()
        self.first = keras.layers.Conv2D(32, 3, 2, padding="same", name="first")
        self.norm = keras.layers.BatchNormalization(name="norm")
        self.last = keras.layers.Dense(10, name="last")

    def call(self, x, training=False):
        x = tf.nn.relu(self.norm(self.first(x), training=training))
        return self.last(tf.reduce_mean(x, axis=(1, 2)))


def test_a_model_of_python_code(tmp_path):
    model, pruner = built(Subclassed, speedup=None, rate=0.5, schedule=Schedule(end=1))
    train(model, pruner, 2)
    assert set(pruner.masks) == {"first", "last"}
    assert pruner._network._norms["first"] is model.norm
    pruner.export(tmp_path / "m.tflite")
    assert len(load(tmp_path / "m.tflite").nodes) >= 3
