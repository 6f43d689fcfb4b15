"""Random quantized ONNX networks: chains and branches of what the front end accepts."""

import numpy as np

from tb.lib.onnx_builder import OnnxBuilder

__all__ = ["random_onnx"]


class _Maker:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.build = OnnxBuilder(int(self.rng.choice([13, 17, 21])))
        self.dtype = self.rng.choice([np.int8, np.uint8])

    def chance(self, share):
        return self.rng.random() < share

    def pair(self, name, scale=None):
        limits = np.iinfo(self.dtype)
        zero = int(self.rng.integers(limits.min + 64, limits.max - 63))
        return self.build.pair(name, scale or self.rng.uniform(0.01, 0.05), zero, self.dtype)

    def kernel(self, shape, axis=0):
        values = self.rng.integers(-127, 128, shape) * (self.rng.random(shape) < 0.7)
        size = int(np.prod(shape)) // shape[axis]
        scales = self.rng.uniform(0.5, 1.5, shape[axis] if self.chance(0.7) else ()) \
            * 0.02 / np.sqrt(size)
        return self.build.weights(values.astype(np.int8), scales, axis)

    def bias(self, channels):
        return self.build.constant(self.rng.standard_normal(channels) * 0.3, np.float32)

    def activation(self, name):
        kind = self.rng.integers(4)
        if kind == 0:
            return self.build.node("Relu", name)
        if kind == 1:
            return self.build.node("Clip", name, self.build.constant(np.float32(0)),
                                   self.build.constant(np.float32(self.rng.uniform(0.5, 6))))
        return name

    def conv(self, data, shape):
        _, channels, height, width = shape
        kind = self.rng.integers(3)
        window = [int(min(size, self.rng.integers(1, 4))) for size in (height, width)]
        strides = self.rng.integers(1, 3, 2).tolist()
        pads = [int(self.rng.integers(0, window[at % 2])) for at in range(4)]
        groups = channels if kind == 0 else 2 if kind == 1 and channels % 2 == 0 else 1
        outputs = channels if kind == 0 else 2 * int(self.rng.integers(1, 6))
        inputs = [data, self.kernel((outputs, channels // groups, *window))]
        if self.chance(0.6):
            inputs.append(self.bias(outputs))
        found = self.build.node("Conv", *inputs, strides=strides, pads=pads, group=groups)
        if self.chance(0.3):
            found = self.build.node("BatchNormalization", found, *(
                self.build.constant(values, np.float32) for values in (
                    self.rng.uniform(-1.5, 1.5, outputs), self.rng.standard_normal(outputs) * 0.2,
                    self.rng.standard_normal(outputs) * 0.2, self.rng.uniform(0.5, 2, outputs))))
        sizes = [(size + pads[at] + pads[at + 2] - window[at]) // strides[at] + 1
                 for at, size in enumerate((height, width))]
        return self.pair(self.activation(found)), (1, outputs, *sizes)

    def pool(self, data, shape):
        op = self.rng.choice(["MaxPool", "AveragePool"])
        window = [int(min(size, self.rng.integers(1, 4))) for size in shape[2:]]
        found = self.build.node(op, data, kernel_shape=window, strides=window)
        if op == "AveragePool" or self.chance(0.5):
            found = self.pair(found)
        return found, (*shape[:2], *(size // step for size, step in zip(shape[2:], window,
                                                                       strict=True)))

    def joined(self, data, shape):
        """A sum or a concatenation with a convolution of the same feature map."""
        other = self.build.node("Conv", data, self.kernel((shape[1], shape[1], 1, 1)))
        other = self.pair(other) if self.chance(0.7) else other
        if self.chance(0.5):
            found = self.build.node("Concat", data, other, axis=1)
            shape = (1, 2 * shape[1], *shape[2:])
        else:
            other = other if other.startswith("dequantize") else self.pair(other)
            found = self.build.node("Add", other, data)
        return self.pair(self.activation(found)), shape

    def moved(self, data, shape):
        amounts = self.rng.integers(0, 3, 4).tolist()
        found = self.build.node("Pad", data, self.build.constant(
            [0, 0, *amounts[:2], 0, 0, *amounts[2:]], np.int64))
        return self.pair(self.activation(found)), (*shape[:2], shape[2] + amounts[0] + amounts[2],
                                                   shape[3] + amounts[1] + amounts[3])

    def make(self):
        channels = int(self.rng.integers(1, 6))
        shape = (1, channels, *self.rng.integers(5, 12, 2).tolist())
        data = self.pair(self.build.input(shape), 0.03)
        steps = [self.conv, self.conv, self.pool, self.joined, self.moved]
        for number in self.rng.integers(0, len(steps), self.rng.integers(2, 6)):
            data, shape = steps[number](data, shape)
        if self.chance(0.4):
            self.build.output(data)
            return self.build
        if self.chance(0.5):
            pooled = self.build.node("GlobalAveragePool", data)
            data, shape = self.pair(pooled) if self.chance(0.7) else pooled, (*shape[:2], 1, 1)
        flat, depth = self.build.node("Flatten", data), int(np.prod(shape))
        outputs = int(self.rng.integers(2, 8))
        if self.chance(0.5):
            found = self.build.node("Gemm", flat, self.kernel((outputs, depth)),
                                    self.bias(outputs), transB=1)
        else:
            found = self.build.node("MatMul", flat, self.kernel((depth, outputs), 1))
            found = self.build.node("Add", found, self.bias(outputs))
        found = self.pair(found)
        self.build.output(self.build.node("Softmax", found) if self.chance(0.5) else found,
                          rank=2)
        return self.build


def random_onnx(seed):
    """The builder of one network."""
    return _Maker(seed).make()
