"""Small Keras models and steps of training, for the tests of the pruner."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

__all__ = ["inputs", "plain", "residual", "train"]


def residual(channels=16, classes=10):
    """Normalizations, an addition, a stride, a pool, a flattened feature map."""
    source = keras.Input((16, 16, 3))
    x = layers.Conv2D(channels, 3, padding="same", name="first")(source)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    y = layers.Conv2D(2 * channels, 3, 2, padding="same", use_bias=False, name="conv1")(x)
    y = layers.ReLU()(layers.BatchNormalization(name="norm1")(y))
    y = layers.Conv2D(2 * channels, 3, padding="same", use_bias=False, name="conv2")(y)
    # Of zeros at first, as training recipes have it.
    y = layers.BatchNormalization(gamma_initializer="zeros", name="norm2")(y)
    x = layers.ReLU()(layers.Add()([y, layers.Conv2D(2 * channels, 1, 2, name="short")(x)]))
    x = layers.Flatten()(layers.MaxPooling2D(2)(x))
    return keras.Model(source, layers.Dense(classes, name="last")(x), name="residual")


def plain(channels=32, classes=10):
    """A chain, one layer of it depthwise, part of it a model of its own."""
    return keras.Sequential([
        keras.Input((16, 16, 3)),
        layers.Conv2D(channels, 3, 2, padding="same", activation="relu6", name="first"),
        layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depth"),
        layers.Dropout(0.1),
        keras.Sequential([
            layers.Conv2D(2 * channels, 1, use_bias=False, name="wide"),
            layers.BatchNormalization(scale=False, name="norm"), layers.ReLU()]),
        layers.AveragePooling2D(2), layers.Conv2D(channels, 1, name="narrow"),
        layers.GlobalAveragePooling2D(), layers.Dense(classes, name="last")], name="plain")


def inputs(count=16, seed=0, size=16):
    """(inputs, labels) that can be told apart a little."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    data = rng.normal(size=(count, size, size, 3)) + labels.reshape(-1, 1, 1, 1) / 5
    return data.astype(np.float32), labels


def train(model, pruner, steps, optimizer=None, seed=0):
    """So many steps of a loop of one's own; the optimizer, for more of them."""
    optimizer = optimizer or keras.optimizers.SGD(0.02, 0.9)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for step in range(steps):
        data, labels = inputs(seed=seed + step)
        with tf.GradientTape() as tape:
            value = loss(labels, model(data, training=True))
        gradients = tape.gradient(value, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        pruner.step(gradients)
    return optimizer
