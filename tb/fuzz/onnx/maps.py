"""Operators of feature maps, drawn with whatever parameters they may have."""

import numpy as np

from tb.fuzz.onnx.functions import FunctionSketch
from tb.fuzz.onnx.sketch import MICROSOFT, Value

__all__ = ["MapSketch"]

_MOST = 1500  # values of a feature map
_DEEP = 24  # channels


class MapSketch(FunctionSketch):
    """Each method takes a feature map, appends something, and gives another one."""

    # Products

    def windows(self, shape, *, least=1, most=4, dilate=True, within=False, ceil=False):
        """(window, attributes) that fit; with ``within`` pads are less than the window."""
        while True:
            window = [self.integer(least, most) for _ in range(2)]
            attributes = {}
            if self.chance(0.5):
                attributes["strides"] = [self.integer(1, 3) for _ in range(2)]
            dilations = [1, 1]
            if dilate and self.chance(0.25):
                attributes["dilations"] = dilations = [self.integer(1, 3) for _ in range(2)]
            extent = [(size - 1) * step + 1 for size, step in zip(window, dilations, strict=True)]
            pads, padding = [0, 0, 0, 0], "NOTSET"
            if self.chance(0.2) and dilations == [1, 1]:
                attributes["auto_pad"] = padding = self.pick(("SAME_UPPER", "SAME_LOWER", "VALID"))
                if within and padding != "VALID":  # ONNX Runtime's pools refuse longer strides
                    attributes["strides"] = [min(size, step) for size, step in zip(
                        window, attributes.get("strides", (1, 1)), strict=True)]
            elif self.chance(0.6):
                limits = window if within else extent
                attributes["pads"] = pads = (
                    [self.integer(0, limits[at % 2] - 1) for at in range(4)] if self.chance(0.6)
                    else [limits[at % 2] // 2 for at in range(4)])
            # ONNX Runtime refuses ceil_mode with SAME, and infers wrong sizes for it without types.
            if ceil and self.opset >= 10 and not (padding.startswith("SAME") or self.domain) and (
                    self.chance(0.3)):
                attributes["ceil_mode"] = 1
            if padding.startswith("SAME") or all(
                    size + pads[at] + pads[at + 2] >= extent[at]
                    for at, size in enumerate(shape[2:])):
                return window, attributes

    def convolution(self, value: Value) -> Value:
        """Conv or QLinearConv: grouped, depthwise, dilated, in any padding."""
        value = self.rounded(value)
        channels = value.shape[1]
        window, attributes = self.windows(value.shape)
        groups = self.pick([one for one in range(1, channels + 1) if channels % one == 0]) if (
            self.chance(0.4)) else channels if self.chance(0.3) else 1
        outputs = groups * self.integer(1, max(1, min(2 * channels, _DEEP) // groups))
        shape = (outputs, channels // groups, *window)
        if groups > 1 or self.chance(0.5):
            attributes["group"] = groups
        if self.chance(0.5):
            attributes["kernel_shape"] = window
        if self.form == "integers" and self.chance(0.7):
            return self._integer_convolution(value, shape, attributes)
        depth = int(np.prod(shape[1:]))
        inputs = [self.real(value), self.weights_of(shape, 0, depth)]
        if self.chance(0.6):
            inputs.append(self.bias_of(outputs))
        return self.closed(self.ended(self.node("Conv", *inputs, **attributes)))

    def _integer_convolution(self, value, shape, attributes):
        outputs, depth = shape[0], int(np.prod(shape[1:]))
        each = self.chance(0.7)
        dtype = np.int8 if self.dtype is np.int8 or self.chance(0.6) else np.uint8
        scales = self.scales_of(outputs, depth, each)
        zeros = np.full(scales.shape, 128 if dtype is np.uint8 else 0, dtype)
        scale, zero, step = self.parameters_of()
        inputs = [value.codes, value.scale, value.zero, self.constant(self.codes_of(shape, dtype)),
                  self.constant(scales), self.constant(zeros), scale, zero]
        if self.chance(0.7):
            bias = self.rng.uniform(-0.3, 0.3, outputs) / (value.step * scales)
            inputs.append(self.constant(np.rint(bias).astype(np.int32)))
        codes = self.node("QLinearConv", *inputs, **attributes)
        return self.integers(codes, self.shapes[codes], scale, zero, step)

    def transposed(self, value: Value) -> Value:
        """ConvTranspose."""
        value = self.rounded(value)
        _, channels, height, width = value.shape
        groups = self.pick([one for one in range(1, channels + 1) if channels % one == 0]) if (
            self.chance(0.3)) else 1
        outputs = self.integer(1, max(1, _DEEP // groups // 2))
        window = [self.integer(1, 4) for _ in range(2)]
        stride = [self.integer(1, 3) for _ in range(2)]
        if height * width * stride[0] * stride[1] * outputs * groups > _MOST:
            stride = [1, 1]
        attributes = {"strides": stride, "group": groups}
        kind = self.integer(0, 3)
        if kind == 0:
            attributes["auto_pad"] = self.pick(("SAME_UPPER", "SAME_LOWER", "VALID"))
            if any(size < step for size, step in zip(window, stride, strict=True)):
                del attributes["auto_pad"]
        elif kind == 1:
            attributes["pads"] = [self.integer(0, max(0, (window[at % 2] - 1) // 2))
                                  for at in range(4)]
        if self.chance(0.3) and "auto_pad" not in attributes:
            attributes["output_padding"] = [self.integer(0, step - 1) for step in stride]
        elif kind == 2:
            attributes["output_shape"] = [
                (size - 1) * step + extent - self.integer(0, min(extent - 1, 2))
                for size, step, extent in zip((height, width), stride, window, strict=True)]
        inputs = [self.real(value), self.weights_of((channels, outputs, *window), 1,
                                                    channels // groups * 2)]
        if self.chance(0.6):
            inputs.append(self.bias_of(outputs * groups))
        return self.closed(self.ended(self.node("ConvTranspose", *inputs, **attributes)))

    def ended(self, name: str) -> str:
        """What products take over: factors and sums by channel, clamps."""
        channels = self.shapes[name][1]
        while self.chance(0.25):
            name = self.affine(name, channels)
        return self.clamped(name) if self.chance(0.5) else name

    def affine(self, name: str, channels: int) -> str:
        """BatchNormalization, or arithmetic with a constant."""
        if len(self.shapes[name]) == 4 and self.chance(0.4):
            return self.node("BatchNormalization", name, *(
                self.numbers((channels,), least, most) for least, most in (
                    (-1.5, 1.5), (-0.3, 0.3), (-0.3, 0.3), (0.5, 2.0))))
        op = self.pick(("Add", "Sub", "Mul", "Div"))
        shape = self.pick(((), (1,), (channels, 1, 1), (1, channels, 1, 1)) if len(
            self.shapes[name]) == 4 else ((), (1,), (channels,), (1, channels)))
        constant = self.numbers(shape, 0.4, 1.6) if self.chance(0.8) or op == "Div" else (
            self.numbers(shape, -1.5, 1.5))
        if op in ("Add", "Sub", "Mul") and self.chance(0.3):
            return self.node(op, constant, name)
        return self.node(op, name, constant)

    # Pools

    def pooled(self, value: Value) -> Value:
        """MaxPool or AveragePool."""
        op = self.pick(("MaxPool", "AveragePool"))
        dilate = self.opset >= (10 if op == "MaxPool" else 19)
        window, attributes = self.windows(value.shape, dilate=dilate, within=True, ceil=True)
        if op == "MaxPool":
            if self.form != "float" and self.opset >= 12 and value.codes and self.chance(0.3):
                codes = self.node(op, value.codes, kernel_shape=window, **attributes)
                return self.integers(codes, self.shapes[codes], value.scale, value.zero,
                                     value.step)
            return self.kept(self.node(op, self.real(value), kernel_shape=window, **attributes),
                             value)
        value = self.rounded(value)
        if self.chance(0.5):
            attributes["count_include_pad"] = self.integer(0, 1)
        if attributes.get("dilations") and not attributes.get("count_include_pad"):
            attributes.pop("pads", None)
            if any((size - 1) * step + 1 > given for size, step, given in zip(
                    window, attributes["dilations"], value.shape[2:], strict=True)):
                del attributes["dilations"]
                window = [min(size, given) for size, given in zip(
                    window, value.shape[2:], strict=True)]
        found = self.node(op, self.real(value), kernel_shape=window, **attributes)
        return self.closed(found, like=value)

    def reduced(self, value: Value) -> Value:
        """A number a channel."""
        value = self.rounded(value)
        if self.form == "integers" and self.chance(0.4):
            scale, zero, step = self.parameters_of()
            codes = self.node("QLinearGlobalAveragePool", value.codes, value.scale, value.zero,
                              scale, zero, domain=MICROSOFT, channels_last=0)
            return self.integers(codes, (*value.shape[:2], 1, 1), scale, zero, step)
        op, real = self.pick(("GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax",
                              "ReduceSum")), self.real(value)
        if op.startswith("Global"):
            return self.closed(self.node(op, real), like=value)
        inputs, attributes = self.listed(13 if op == "ReduceSum" else 18, "axes", self.pick(
            ((2, 3), (-2, -1), (3, 2))))
        about = float(np.prod(value.shape[2:])) ** 0.5 if op == "ReduceSum" else 1.0
        return self.closed(self.node(op, real, *inputs, keepdims=1, **attributes), about)

    # Two maps

    def other(self, value: Value) -> Value:
        """Another map of the same shape: an earlier one, or one made for it."""
        same = [item for item in self.maps if item.shape == value.shape and item != value]
        if same and self.chance(0.7):
            return self.rounded(self.pick(same))
        value = self.rounded(value)
        made = self.node("Conv", self.real(value), self.weights_of(
            (value.shape[1], value.shape[1], 1, 1), 0, value.shape[1]))
        return self.closed(made)

    def summed(self, value: Value) -> Value:
        """A sum or a difference of two maps."""
        other, value = self.other(value), self.rounded(value)
        if self.form == "integers" and self.chance(0.5):
            scale, zero, step = self.parameters_of(1.4)
            codes = self.node("QLinearAdd", *(name for item in (value, other) for name in (
                item.codes, item.scale, item.zero)), scale, zero, domain=MICROSOFT)
            return self.integers(codes, value.shape, scale, zero, step)
        pair = [self.real(value), self.real(other)]
        if self.chance(0.5):
            pair.reverse()
        found = self.node("Sub" if self.chance(0.2) else "Add", *pair)
        return self.closed(self.clamped(found) if self.chance(0.4) else found, 1.4)

    def joined(self, value: Value) -> Value:
        """Concat with other maps along any axis."""
        axis = self.pick((1, 1, 1, 2, 3))
        values = [value, *(item for item in self.maps if item != value and all(
            at == axis or size == value.shape[at] for at, size in enumerate(item.shape)))]
        chosen = [self.pick(values) for _ in range(self.integer(1, 3))] + [value]
        if len(chosen) == 2 and chosen[0] is value and self.chance(0.7):
            chosen[0] = self.other(value)
        if self.chance(0.5):
            chosen.reverse()
        if sum(int(np.prod(item.shape)) for item in chosen) > _MOST:
            return value
        about = axis - (4 if self.opset >= 11 and self.chance(0.2) else 0)
        if self.form == "integers" and self.chance(0.5):
            chosen = [self.rounded(item) for item in chosen]
            scale, zero, step = self.parameters_of()
            codes = self.node("QLinearConcat", scale, zero, *(name for item in chosen for name in (
                item.codes, item.scale, item.zero)), domain=MICROSOFT, axis=axis)
            shape = list(value.shape)
            shape[axis] = sum(item.shape[axis] for item in chosen)
            return self.integers(codes, tuple(shape), scale, zero, step)
        found = self.node("Concat", *map(self.real, chosen), axis=about)
        same = self.form == "float" or len({(item.scale, item.kept) for item in chosen}) == 1
        return self.kept(found, chosen[0]) if same else self.closed(found)

    def gated(self, value: Value) -> Value:
        """Squeeze and excite; or a product of two maps."""
        value = self.rounded(value)
        if self.chance(0.3):
            return self.closed(self.node("Mul", self.real(value), self.real(self.other(value))))
        channels = value.shape[1]
        data = self.closed(self.node("GlobalAveragePool", self.real(value)))
        few = max(1, channels // 2)
        for inputs, outputs in ((channels, few), (few, channels)):
            made = self.node("Conv", self.real(data), self.weights_of(
                (outputs, inputs, 1, 1), 0, inputs), self.bias_of(outputs))
            data = self.closed(self.node("Relu", made) if outputs == few else made)
        op = self.pick(("Sigmoid", "HardSigmoid"))
        gate = self.closed(self.node(op, self.real(data)), 0.3)
        return self.closed(self.node("Mul", self.real(value), self.real(gate)))

    # Values in other places

    def sliced(self, value: Value) -> Value:
        """Slice, steps below 0 too."""
        axes = [axis for axis in (1, 2, 3) if self.chance(0.5)] or [self.integer(1, 3)]
        starts, ends, steps = [], [], []
        for axis in axes:
            size = value.shape[axis]
            while True:
                start, end = self.integer(-size, size), self.integer(-size - 1, size + 2)
                step = self.pick((1, 1, 1, 2, 3, -1, -2)) if self.opset >= 10 else 1
                if len(range(*slice(start, end, step).indices(size))):
                    break
            starts.append(start)
            ends.append(end if self.chance(0.8) or step < 0 else (1 << 31) - 1)
            steps.append(step)
        axes = [axis - (4 if self.opset >= 10 and self.chance(0.2) else 0) for axis in axes]
        if self.opset < 10:
            return self.kept(self.node("Slice", self.real(value), starts=starts, ends=ends,
                                       axes=axes), value)
        dtype = self.pick((np.int32, np.int64))
        inputs = [self.constant(item, dtype) for item in (starts, ends, axes)]
        if set(steps) != {1} or self.chance(0.5):
            inputs.append(self.constant(steps, dtype))
        return self.kept(self.node("Slice", self.real(value), *inputs), value)

    def parted(self, value: Value) -> Value:
        """Split, and some of the parts joined again."""
        axis = self.pick((1, 1, 2, 3))
        size = value.shape[axis]
        count = self.integer(1, min(size, 3))
        cuts = sorted(self.rng.choice(np.arange(1, size), count - 1, replace=False).tolist())
        sizes = np.diff([0, *cuts, size]).tolist()
        inputs, attributes = self.listed(13, "split", sizes)
        if size % count == 0 and self.chance(0.3):
            inputs, attributes = [], {"num_outputs": count} if self.opset >= 18 else {}
        first = self.node("Split", self.real(value), *inputs, outputs=count, axis=axis,
                          **attributes)
        names = [first, *(f"{first}_{at}" for at in range(1, count))]
        parts = [self.kept(name, value) for name in names]
        self.maps += parts
        if self.chance(0.4):
            return self.pick(parts)
        chosen = [self.pick(parts) for _ in parts] if self.chance(0.5) else parts[::-1]
        return self.closed(self.node("Concat", *map(self.real, chosen), axis=axis), like=value)

    def shuffled(self, value: Value) -> Value:
        """Channels in another order."""
        batch, channels, height, width = value.shape
        groups = self.pick([one for one in range(1, channels + 1) if channels % one == 0])
        given = self.shaped(self.real(value), (batch, groups, channels // groups, height, width))
        turned = self.node("Transpose", given, perm=[0, 2, 1, 3, 4])
        return self.kept(self.shaped(turned, value.shape), value)

    def turned(self, value: Value) -> Value:
        """Transpose; most are undone by another one behind something."""
        perm = self.pick(([0, 2, 3, 1], [0, 1, 3, 2], [0, 3, 1, 2]))
        found = self.node("Transpose", self.real(value), perm=perm)
        if self.chance(0.7):
            if self.chance(0.5):
                found = self.clamped(found)
            back = [perm.index(axis) for axis in range(4)]
            found = self.node("Transpose", found, perm=back)
        return self.kept(found, value)

    def shaped(self, name: str, shape) -> str:
        """Reshape, its sizes said in one of the ways there are."""
        sizes, given = list(shape), self.shapes[name]
        for axis, size in enumerate(sizes):
            if axis < len(given) and given[axis] == size and self.chance(0.3):
                sizes[axis] = 0
        if self.chance(0.3):
            sizes[self.integer(0, len(sizes) - 1)] = -1
        return self.node("Reshape", name, self.constant(sizes, np.int64))

    def reshaped(self, value: Value) -> Value:
        """Another shape of the same bytes, and back or not."""
        _, channels, height, width = value.shape
        real, kind = self.real(value), self.integer(0, 4)
        if kind == 0:
            return self.kept(self.shaped(real, (1, channels, height * width, 1)), value)
        if kind == 1:
            return self.kept(self.shaped(real, (1, channels, 1, height * width)), value)
        if kind == 2:
            rows = self.node("Flatten", real, axis=self.integer(1, 3))
            return self.kept(self.shaped(rows, value.shape), value)
        if kind == 3:
            inputs, attributes = self.listed(13, "axes", (self.integer(0, 4),))
            wide = self.node("Unsqueeze", real, *inputs, **attributes)
            inputs, attributes = self.listed(13, "axes", (self.pick([
                axis for axis, size in enumerate(self.shapes[wide]) if size == 1 and (
                    axis or self.shapes[wide][1] == 1)]),))
            return self.kept(self.node("Squeeze", wide, *inputs, **attributes), value)
        rows = self.shaped(real, (1, channels, height * width))
        return self.kept(self.shaped(self.clamped(rows), value.shape), value)

    def lined(self, value: Value) -> Value:
        """All pixels in one line, windows along it, and a map of one row again."""
        _, channels, height, width = value.shape
        line = Value((1, channels, height * width), self.shaped(
            self.real(value), (1, channels, height * width)), kept=value.kept)
        for _ in range(self.integer(1, 3)):
            line = self._along(line)
        return self.kept(self.shaped(self.real(line), (1, line.shape[1], 1, line.shape[2])), line)

    def _along(self, line: Value) -> Value:
        _, channels, length = line.shape
        size, step = self.integer(1, min(4, length)), self.integer(1, 2)
        pads = [self.integer(0, size - 1) for _ in range(2)]
        attributes = {"strides": [step], "pads": pads} if self.chance(0.7) else {}
        if self.chance(0.4):
            line = self.rounded(line)
            op = self.pick(("MaxPool", "AveragePool"))
            extra = {"count_include_pad": self.integer(0, 1)} if op == "AveragePool" else {}
            found = self.node(op, self.real(line), kernel_shape=[size], **attributes, **extra)
            return self.closed(found, like=line)
        line, groups = self.rounded(line), channels if self.chance(0.3) else 1
        outputs = groups * self.integer(1, max(1, _DEEP // groups // 2))
        found = self.node("Conv", self.real(line), self.weights_of(
            (outputs, channels // groups, size), 0, channels // groups * size),
            self.bias_of(outputs), group=groups, **attributes)
        return self.closed(self.clamped(found) if self.chance(0.5) else found)

    def padded(self, value: Value) -> Value:
        """Pad of all kinds, below 0 too."""
        modes = ("constant", "constant", "reflect", "edge", *(["wrap"] if self.opset >= 19 else []))
        mode, sizes = self.pick(modes), value.shape[1:]
        most = [min(2, size - 1) for size in sizes] if mode != "constant" else [2, 2, 2]
        pads = [0, *(self.integer(0, size) for size in most), 0,
                *(self.integer(0, size) for size in most)]
        if self.chance(0.6):
            pads[1] = pads[5] = 0
        if mode == "constant" and self.chance(0.2):
            axis = self.integer(2, 3)
            pads[axis] = -self.integer(0, value.shape[axis] - 1)
        number = float(np.float32(self.rng.uniform(-1, 1))) if (
            mode == "constant" and self.chance(0.4)) else 0.0
        if self.opset < 11:
            return self.kept(self.node("Pad", self.real(value), mode=mode, pads=pads,
                                       value=number), value)
        axes = [1, 2, 3] if self.opset >= 18 and self.chance(0.3) else []
        if axes:
            pads = pads[1:4] + pads[5:]
        inputs = [self.constant(pads, np.int64)]
        if number or axes or self.chance(0.3):
            inputs.append(self.constant(np.float32(number)))
        if axes:
            inputs.append(self.constant(axes, np.int64))
        found = self.node("Pad", self.real(value), *inputs, mode=mode)
        return self.closed(found, like=value) if number else self.kept(found, value)

    def resized(self, value: Value) -> Value:
        """Resize, nearest and now and then linear; Upsample before there was one."""
        factors = [self.pick((1, 2, 2, 3, 0.5, 1.5, 0.7)) for _ in range(2)]
        sizes = [int(size * factor) for size, factor in zip(value.shape[2:], factors, strict=True)]
        if min(sizes) < 1 or value.shape[1] * sizes[0] * sizes[1] > _MOST:
            return value
        scales = np.array([1, 1, *factors], np.float32)
        mode = "linear" if self.chance(0.25) else "nearest"
        if self.opset < 11:
            scales = np.maximum(scales, 1)
            if value.shape[1] * np.prod(scales) * np.prod(value.shape[2:]) > _MOST:
                return value
            op = "Upsample" if self.opset < 10 else "Resize"
            inputs, attributes = ([self.constant(scales)], {}) if self.opset >= 9 else (
                [], {"scales": scales.tolist()})
            return self.kept(self.node(op, self.real(value), *inputs, mode=mode, **attributes),
                             value)
        attributes = {"mode": mode, "coordinate_transformation_mode": self.pick((
            "half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"))}
        if mode == "nearest":
            attributes["nearest_mode"] = self.pick((
                "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"))
        # Up to opset 12 what isn't there is there, and empty.
        empty = self.constant(np.zeros(0, np.float32)) if self.opset < 13 else ""
        inputs = [empty, self.constant(scales)]
        if self.chance(0.4):
            inputs = [empty, empty, self.constant([*value.shape[:2], *sizes], np.int64)]
        found = self.node("Resize", self.real(value), *inputs, **attributes)
        return self.kept(found, value) if mode == "nearest" else self.closed(found, like=value)

    def gathered(self, value: Value) -> Value:
        """Gather."""
        axis = self.integer(1, 3)
        size = value.shape[axis]
        chosen = [self.integer(-size, size - 1) for _ in range(self.integer(1, size + 1))]
        if self.opset < 11:
            chosen = [index % size for index in chosen]
        return self.kept(self.node("Gather", self.real(value), self.constant(chosen, self.pick((
            np.int64, np.int32))), axis=axis), value)

    def blocks(self, value: Value) -> Value:
        """Pixels made of channels or channels of pixels, also in three steps."""
        _, channels, height, width = value.shape
        for block in self.rng.permutation([2, 3]).tolist():
            if channels % block ** 2 == 0:
                return self._pixels(value, block)
            if height % block == 0 and width % block == 0:
                return self.kept(self._channels(value, block), value)
        return value

    def _pixels(self, value: Value, block: int) -> Value:
        batch, channels, height, width = value.shape
        first, left = self.chance(0.5), channels // block ** 2
        if self.chance(0.6):
            attributes = {"mode": "DCR" if first else "CRD"} if self.opset >= 11 else {}
            return self.kept(self.node("DepthToSpace", self.real(value), blocksize=block,
                                       **attributes), value)
        given, perm = ((batch, block, block, left, height, width), [0, 3, 4, 1, 5, 2]) if first \
            else ((batch, left, block, block, height, width), [0, 1, 4, 2, 5, 3])
        found = self.node("Transpose", self.shaped(self.real(value), given), perm=perm)
        return self.kept(self.shaped(found, (batch, left, height * block, width * block)), value)

    def _channels(self, value: Value, block: int) -> str:
        batch, channels, height, width = value.shape
        if self.chance(0.6):
            return self.node("SpaceToDepth", self.real(value), blocksize=block)
        given = batch, channels, height // block, block, width // block, block
        found = self.node("Transpose", self.shaped(self.real(value), given),
                          perm=self.pick(([0, 3, 5, 1, 2, 4], [0, 1, 3, 5, 2, 4])))
        return self.shaped(found, (batch, channels * block ** 2, height // block, width // block))

    def same(self, value: Value) -> Value:
        """What does nothing: Identity, Dropout, or another quantization."""
        if self.chance(0.4):
            return self.closed(self.real(value))
        return self.kept(self.node(self.pick(("Identity", "Dropout")), self.real(value)), value)

    def alone(self, value: Value) -> Value:
        """A constant a channel, or a clamp, behind something that takes none over."""
        value = self.rounded(value)
        real = self.real(value)
        if self.chance(0.3):
            return self.kept(self.clamped(real), value)
        return self.closed(self.ended(self.affine(real, value.shape[1])))

    def foreign(self, value: Value) -> Value:
        """What the array has no operator for."""
        kind, real = self.integer(0, 4), self.real(value)
        if kind == 0:
            found = self.node("Softmax", real, axis=self.integer(1, 3))
        elif kind == 1:
            found = self.node("LRN", real, size=3)
        elif kind == 2:
            channels = value.shape[1]
            found = self.node("InstanceNormalization", real, self.numbers((channels,), 0.5, 1.5),
                              self.numbers((channels,), -1, 1))
        elif kind == 3 and self.opset >= 17:
            found = self.node("LayerNormalization", real, self.numbers(value.shape[-1:], 0.5, 1.5),
                              axis=-1)
        else:
            found = self.node("LpPool", real, kernel_shape=[1, 1])
        return self.closed(found)

    def narrowed(self, value: Value) -> Value:
        """Fewer values, where there are many."""
        return self.kept(self.node("MaxPool", self.real(value), kernel_shape=[2, 2],
                                   strides=[2, 2], pads=[0, 0, 1, 1]), value)
