"""What Keras' pruner refuses, and what it says."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from sw.errors import ModelError, UsageError
from sw.prune.keras import Pruner
from tb.lib.keras_models import inputs, plain, residual, train

DATA = inputs(8)[0]


@pytest.mark.parametrize("settings, text", [
    ({"speedup": 2.0, "preset": "large"}, "no preset 'large'; presets are tiny, base"),
    ({"speedup": 2.0, "sensitivity": "some"}, "sensitivity is 'some'; accepted are 'output'"),
    ({"rate": 0.5, "exclude": ["nothing"]}, "'nothing': no such layer; layers are first, depth"),
])
def test_settings_seen_early(settings, text):
    with pytest.raises(UsageError, match=text):
        Pruner(plain(), DATA, **settings)


def test_settings():
    """All on one model: what is refused leaves it as it was."""
    model = plain()
    for settings, text in [
            ({"rate": 1.2}, "rate is 1.2, accepted are 0 .* to 1"),
            ({"rate": {"conv9": 0.5}}, "'conv9': no such layer; layers are first, wide"),
            ({"rate": {"depth": 0.5}}, "'depth' isn't pruned: it is depthwise: .*: first, wide"),
            ({"rate": {"last": 0.5}, "exclude": ["last"]}, "'last' isn't pruned: it is excluded"),
            ({"rate": {"wide": float("nan")}}, "rate is nan, accepted"),
            ({"speedup": 50.0}, r"speed-up of 50.00 .* can't be reached: .* speed-ups up to "),
            ({}, "speedup is None and rate is None; accepted is one of them"),
            ({"speedup": 2.0, "criterion": "taste"}, "criterion 'taste'; accepted are magnitude")]:
        with pytest.raises(UsageError, match=text):
            Pruner(model, DATA, **settings)


def test_a_model_twice():
    model = keras.Sequential([keras.Input((16, 16, 3)), layers.Flatten(),
                              layers.Dense(16, name="only")])
    Pruner(model, DATA, rate=0.5)
    with pytest.raises(UsageError, match="'only' has a quantizer: a pruner has adopted it before"):
        Pruner(model, DATA, rate=0.5)


def chain(*parts):
    return keras.Sequential([keras.Input((16, 16, 3)), *parts])


def twice():
    source, conv = keras.Input((16, 16, 3)), layers.Conv2D(3, 3, padding="same", name="same")
    return keras.Model(source, conv(conv(source)))


def namesakes():
    return chain(keras.Sequential([layers.Conv2D(4, 3, name="conv")]),
                 keras.Sequential([layers.Conv2D(4, 3, name="conv")]))


class Own(layers.Layer):
    """A convolution that is no layer."""

    def build(self, shape):
        self.taps = [self.add_weight(shape=(shape[-1],), name=f"row{index}") for index in range(4)]

    def call(self, x):
        kernel = tf.stack([tf.convert_to_tensor(tap) for tap in self.taps], axis=1)
        return tf.nn.conv2d(x, kernel[None, None], 1, "SAME")


REFUSED = {
    "twice": (twice, "'same' is in the converted model 2 times; accepted is once"),
    "separable": (lambda: chain(layers.SeparableConv2D(4, 3, name="apart")),
                  r"'apart' \(SeparableConv2D\) can't be pruned; accepted are Conv2D, Dense"),
    "norm alone": (lambda: chain(layers.Conv2D(4, 3), layers.ReLU(), layers.BatchNormalization()),
                   "operator . .MUL. is not supported"),
    "unknown": (lambda: chain(layers.Conv2D(4, 3, activation="sigmoid")),
                "LOGISTIC.* is not supported"),
    "namesakes": (namesakes, "two layers are called 'conv'"),
    "own": (lambda: chain(Own(), layers.Conv2D(4, 3, name="conv")),
            r"node '0_conv_2d' of the converted model, kernel .* is none of the layers conv"),
    "half": (lambda: chain(layers.Conv2D(4, 3, dtype="mixed_bfloat16", name="half")),
             "'half' computes in bfloat16; accepted is float32"),
    "shape": (lambda: keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(),
                                        layers.Dense(2)]), "can't take example_input of shape"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_models(name):
    make, text = REFUSED[name]
    with pytest.raises(ModelError, match=text):
        Pruner(make(), DATA, rate=0.5)


def test_other_layers_stay_if_excluded():
    pruner = Pruner(chain(layers.SeparableConv2D(16, 3, name="apart"),
                          layers.Conv2D(16, 1, name="conv")), DATA, rate=0.5, exclude=["apart"])
    assert set(pruner.masks) == {"conv"}


def test_nothing_to_prune():
    with pytest.raises(UsageError, match="no weights to prune"):
        Pruner(chain(layers.DepthwiseConv2D(3)), DATA, rate=0.5)


@pytest.mark.parametrize("example", [None, np.zeros((0, 16, 16, 3)), 1.0, "words"])
def test_examples(example):
    with pytest.raises(UsageError, match="example_input has shape"):
        Pruner(plain(), example, rate=0.5)


def test_weights_that_are_no_numbers():
    model = plain()
    kernel = model.get_layer("first").kernel
    kernel.assign(np.where(np.arange(kernel.shape[-1]) == 3, np.nan, kernel.numpy()))
    with pytest.raises(UsageError, match="first/kernel' hold NaN or infinity"):
        Pruner(model, DATA, rate=0.5)


def test_steps():
    """Without gradients, within a tf.function, in another model's fit()."""
    model = plain()
    pruner = Pruner(model, DATA, rate=0.5, criterion="fisher", qat=False)
    with pytest.raises(UsageError, match=r"step\(\) got no gradients, .*'fisher' needs"):
        pruner.step()
    with pytest.raises(UsageError, match=r"step\(\) got 1 gradients"):
        pruner.step([None])
    with pytest.raises(UsageError, match=r"fit\(\) gives no gradients"):
        pruner.callback()
    pruner = Pruner(model, DATA, rate=0.5, qat=False)
    with pytest.raises(UsageError, match=r"inside a tf\.function"):
        tf.function(pruner.step)()
    for other, settings, text in ((residual(), {}, "fit.. runs 'residual'"),
                                  (model, {"steps_per_execution": 2}, "steps_per_execution is 2")):
        other.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                      **settings)
        with pytest.raises(UsageError, match=text):
            other.fit(DATA, inputs(8)[1], verbose=0, callbacks=[pruner.callback()])


def test_exports(tmp_path):
    """Too early, to nowhere, with inputs of another shape, after a layer has changed."""
    model = plain()
    pruner = Pruner(model, DATA, rate=0.5)
    with pytest.raises(UsageError, match=r"calibration has shape .* of shape \(16, 16, 3\)"):
        pruner.export(tmp_path / "m.tflite", calibration=DATA[:, :8])
    with pytest.raises(UsageError, match="calibration holds NaN"):
        pruner.export(tmp_path / "m.tflite", calibration=DATA * np.nan)
    with pytest.warns(UserWarning, match="after 0 of the schedule's 1000 steps"), \
            pytest.raises(UsageError, match="can't be written"):
        pruner.export(tmp_path / "no" / "where.tflite")
    model.get_layer("last").kernel.assign(np.full((32, 10), np.inf))
    with pytest.warns(UserWarning), pytest.raises(UsageError, match="last/kernel' hold NaN"):
        pruner.export(tmp_path / "m.tflite")
    assert not (tmp_path / "m.tflite").exists()


def test_weights_that_go_wrong_in_training():
    model = plain()
    pruner = Pruner(model, DATA, rate=0.5, sensitivity=None, qat=False)
    train(model, pruner, 1)
    kernel = model.get_layer("first").kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    with pytest.raises(UsageError, match="negative, infinite or not a number"):
        for _ in range(50):
            pruner.step()


def test_checkpoints_of_something_else():
    state = Pruner(plain(), DATA, speedup=1.25, qat=False).state_dict()
    with pytest.raises(UsageError, match=r"'speedup': 1.25.*'speedup': 1.2"):
        Pruner(plain(), DATA, speedup=1.2, qat=False).load_state_dict(state)
    state = Pruner(plain(), DATA, rate=0.5, qat=False).state_dict()
    other = Pruner(chain(layers.Conv2D(16, 3, name="conv")), DATA, rate=0.5, qat=False)
    with pytest.raises(UsageError, match="layers are not this model's"):
        other.load_state_dict(state)
