"""Random networks of one or a few layers, everything about them drawn from one seed."""

import dataclasses

import numpy as np

from golden.attributes import (
    Add,
    AveragePool,
    Clamp,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool,
    Mean,
    Pad,
)
from golden.broadcast import Multiply
from golden.graph import Graph, Node, Quant, Tensor
from golden.lookup import Lookup
from golden.movement import DepthToSpace, SpaceToDepth, Take
from golden.resize import ResizeLinear
from golden.spec.numerics import quantize_multiplier
from golden.transposed import TransposedConv2D

__all__ = ["KINDS", "RandomGraph"]

KINDS = ("conv", "depthwise", "grouped", "fc", "add", "max", "average", "mean", "clamp", "concat",
         "pad", "residual", "chain", "lookup", "take", "blocks", "transposed", "interpolated",
         "gate", "views")


class RandomGraph:
    """Draws a graph and its input.

    Parameters
    ----------
    seed : int
    kind : str
        One of ``kinds``.
    lanes : int
        L = M of the chip it is for: densities are drawn block by block.
    pixels, channels : int
        Upper limits.

    Members
    -------
    kinds : tuple of str
        What can be drawn; a subclass may append its own, each drawn by the method ``_<kind>``.
    """

    kinds: tuple[str, ...] = KINDS

    def __init__(self, seed: int, kind: str, lanes: int, pixels: int = 200, channels: int = 40):
        self.rng = np.random.default_rng([seed, self.kinds.index(kind)])
        self.lanes, self.pixels, self.channels = lanes, pixels, channels
        self.graph = Graph(f"{kind}{seed}")
        self.count = 0
        output = getattr(self, f"_{kind}")(self.start())
        self.graph.outputs = (*self.graph.outputs, output)
        self.graph.validate()
        self.inputs = {name: self.values(self.graph.tensors[name].shape)
                       for name in self.graph.inputs}

    def integer(self, least: int, most: int) -> int:
        return int(self.rng.integers(least, most + 1))

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.rng.integers(-128, 128, shape).astype(np.int8)

    def zero(self) -> int:
        return int(self.rng.choice([-128, 127, 0, self.integer(-128, 127)]))

    def start(self, shape: tuple[int, ...] | None = None) -> str:
        """A new network input."""
        if shape is None:
            height = self.integer(1, 20)
            shape = (1, height, self.integer(1, max(1, self.pixels // height)),
                     self.integer(1, self.channels))
        name = self.tensor(shape)
        self.graph.inputs = (*self.graph.inputs, name)
        return name

    def tensor(self, shape: tuple[int, ...], zero: int | None = None) -> str:
        self.count += 1
        quant = Quant(0.1, self.zero() if zero is None else zero)
        return self.graph.add(Tensor(f"t{self.count}", shape, "int8", quant)).name

    def node(self, attrs, *inputs: str, zero: int | None = None) -> str:
        shape = attrs.shape(*(self.graph.tensors[name].shape for name in inputs))
        output = self.tensor(shape, zero)
        self.graph.nodes.append(Node(f"n{self.count}", inputs, (output,), attrs))
        return output

    def quant_zero(self, name: str) -> int:
        return self.graph.tensors[name].quant.zero_point

    def weights(self, shape: tuple[int, ...]) -> np.ndarray:
        """(O, y, x, I) int8: N of every block of L outputs x one tap x M inputs is drawn alone."""
        outputs, height, width, inputs = shape
        kernel = self.rng.integers(-127, 128, shape)
        mode = self.integer(0, 3)
        if mode == 0:
            return kernel.astype(np.int8)
        step = self.lanes
        for o in range(0, outputs, step):
            for y in range(height):
                for x in range(width):
                    for i in range(0, inputs, step):
                        block = kernel[o:o + step, y, x, i:i + step]
                        kept = self.integer(0, step) if mode < 3 else self.integer(0, 1)
                        order = self.rng.random(block.shape).argsort(axis=1)
                        block[order >= kept] = 0
        return kernel.astype(np.int8)

    def scales(self, channels: int, depth: int) -> dict[str, np.ndarray]:
        real = self.rng.uniform(0.2, 3, channels) / (70 * np.sqrt(depth))
        if self.integer(0, 5) == 0:
            real = self.rng.uniform(0.5, 3, channels)
        parts = np.array([quantize_multiplier(float(value)) for value in real], dtype=np.int32)
        return {"bias": self.rng.integers(-20000, 20000, channels).astype(np.int32),
                "multiplier": parts[:, 0], "pre": parts[:, 1], "post": parts[:, 2]}

    def clamps(self) -> dict[str, int]:
        least, most = sorted(self.rng.integers(-128, 128, 2).tolist())
        return {} if self.integer(0, 1) else {"least": least, "most": most}

    def window(self, name: str, dilate: bool = True) -> dict[str, tuple[int, ...]]:
        _, height, width, _ = self.graph.tensors[name].shape
        while True:
            window = (self.integer(1, 5), self.integer(1, 5))
            dilation = ((self.integer(1, 3), self.integer(1, 3))
                        if dilate and self.integer(0, 2) == 0 else (1, 1))
            pads = tuple(self.integer(0, window[i // 2] - 1) for i in range(4))
            extent = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
            if (extent[0] <= height + pads[0] + pads[1]
                    and extent[1] <= width + pads[2] + pads[3]):
                return {"window": window, "dilation": dilation, "pads": pads,
                        "stride": (self.integer(1, 3), self.integer(1, 3))}

    def _index(self, name: str) -> str:
        """A convolution whose results have 9 bits."""
        name = self._conv(name)
        node, tensor = self.graph.nodes[-1], self.graph.tensors[name]
        bounds = [(-256, 255), (-200, 180), (0, 255)][self.integer(0, 2)]
        zero = 2 * node.attrs.output_zero
        self.graph.nodes[-1] = dataclasses.replace(node, attrs=dataclasses.replace(
            node.attrs, least=bounds[0], most=bounds[1], output_zero=zero, output_type="int16"))
        self.graph.tensors[name] = dataclasses.replace(tensor, dtype="int16",
                                                       quant=Quant(0.1, zero))
        return name

    def _conv(self, name: str, groups: int = 1, like: bool = False) -> str:
        depth = self.graph.tensors[name].shape[3] // groups
        outputs = self.integer(1, max(1, self.channels // groups)) * groups
        where = self.window(name)
        if like:
            outputs = self.graph.tensors[name].shape[3]
            where = {"window": (3, 3), "dilation": (1, 1), "pads": (1, 1, 1, 1), "stride": (1, 1)}
        kernel = self.weights((outputs, *where["window"], depth))
        zero = self.zero()
        return self.node(Conv2D(
            kernel=kernel, groups=groups, input_zero=self.quant_zero(name), output_zero=zero,
            **self.scales(outputs, depth * kernel.shape[1] * kernel.shape[2]), **self.clamps(),
            **where), name, zero=zero)

    def _grouped(self, name: str) -> str:
        groups = self.integer(2, 4)
        height, width = self.graph.tensors[name].shape[1:3]
        self.graph.inputs = ()
        return self._conv(self.start((1, height, width, groups * self.integer(1, 9))), groups)

    def _depthwise(self, name: str) -> str:
        channels = self.graph.tensors[name].shape[3]
        multiplier = self.integer(1, 3) if self.integer(0, 2) == 0 else 1
        where = self.window(name)
        zero = self.zero()
        kernel = self.rng.integers(-127, 128, (1, *where["window"], channels * multiplier))
        return self.node(DepthwiseConv2D(
            kernel=kernel.astype(np.int8), channel_multiplier=multiplier,
            input_zero=self.quant_zero(name), output_zero=zero,
            **self.scales(channels * multiplier, kernel.shape[1] * kernel.shape[2]),
            **self.clamps(), **where), name, zero=zero)

    def _fc(self, name: str) -> str:
        shape = self.graph.tensors[name].shape
        depth = shape[3] if self.integer(0, 1) else int(np.prod(shape))
        outputs = self.integer(1, self.channels)
        zero = self.zero()
        kernel = self.weights((outputs, 1, 1, depth)).reshape(outputs, depth)
        return self.node(FullyConnected(
            kernel=kernel, input_zero=self.quant_zero(name), output_zero=zero,
            **self.scales(outputs, depth), **self.clamps()), name, zero=zero)

    def _add(self, name: str, other: str | None = None) -> str:
        other = other or self.start(self.graph.tensors[name].shape)
        zero = self.zero()
        twice = 2 * self.rng.uniform(0.05, 1, 2)
        scales = tuple(quantize_multiplier(float(s / twice.max() / 2)) for s in twice)
        out = quantize_multiplier(float(twice.max() / (1 << 20) * self.rng.uniform(0.3, 1)))
        return self.node(Add(
            input_zeros=(self.quant_zero(name), self.quant_zero(other)), input_scales=scales,
            output_scale=out, output_zero=zero, **self.clamps()), name, other, zero=zero)

    def _max(self, name: str) -> str:
        return self.node(MaxPool(**self.window(name, dilate=False), **self.clamps()), name,
                         zero=self.quant_zero(name))

    def _average(self, name: str) -> str:
        return self.node(AveragePool(**self.window(name, dilate=False), **self.clamps()), name,
                         zero=self.quant_zero(name))

    def _mean(self, name: str) -> str:
        axes = ((1, 2), (1,), (2,))[self.integer(0, 2)]
        count = np.prod([self.graph.tensors[name].shape[axis] for axis in axes])
        zero = self.zero()
        return self.node(Mean(
            axes=axes, keep_dims=bool(self.integer(0, 1)), input_zero=self.quant_zero(name),
            scale=quantize_multiplier(float(self.rng.uniform(0.5, 2) / count)),
            output_zero=zero), name, zero=zero)

    def _clamp(self, name: str) -> str:
        zero = self.zero()
        return self.node(Clamp(
            input_zero=self.quant_zero(name), output_zero=zero,
            scale=quantize_multiplier(float(self.rng.uniform(0.3, 2))), **self.clamps()), name,
            zero=zero)

    def _concat(self, name: str) -> str:
        shape = list(self.graph.tensors[name].shape)
        axis = self.integer(1, 3)
        names = [name]
        for _ in range(self.integer(1, 2)):
            shape[axis] = self.integer(1, 9)
            names.append(self.start(tuple(shape)))
        return self.node(Concat(axis=axis), *names)

    def _pad(self, name: str) -> str:
        pads = ((0, 0), *((self.integer(0, 3), self.integer(0, 3)) for _ in range(3)))
        return self.node(Pad(pads=pads, value=self.zero()), name)

    def _residual(self, name: str) -> str:
        first = self._conv(name, like=True)
        return self._add(self._conv(first, like=True), first)

    def _chain(self, name: str) -> str:
        for _ in range(self.integer(2, 4)):
            kind = str(self.rng.choice(["conv", "depthwise", "max", "average", "clamp",
                                        "lookup"]))
            name = getattr(self, f"_{kind}")(name)
        return name

    def _lookup(self, name: str) -> str:
        """A curve, or a table without any order; behind a convolution, a sum or nothing."""
        entries = 256
        if not self.graph.nodes:
            kind = self.integer(0, 3)
            name = self._conv(name) if kind == 1 else self._residual(name) if kind == 2 else name
            if kind == 3:
                name, entries = self._index(name), 512
        table = self.rng.integers(-128, 128, entries).astype(np.int8)
        if self.integer(0, 1):
            table = np.sort(table)
        return self.node(Lookup(table=table), name)

    def _indices(self, size: int) -> tuple[int, ...] | None:
        """All, a slice, each several times, a reflected border, or any few."""
        kind, times = self.integer(0, 4), self.integer(1, 3)
        start = self.integer(0, size - 1)
        end, inside = self.integer(start + 1, size), np.arange(size)
        border = [self.integer(0, min(size - 1, 3)) for _ in range(2)]
        chosen = (inside, inside[start:end:times], np.repeat(inside[start:end], times),
                  np.pad(inside, border, "reflect"),
                  self.rng.integers(0, size, self.integer(1, 3)))[kind]
        return None if kind == 0 else tuple(chosen.tolist())

    def _take(self, name: str) -> str:
        _, height, width, channels = self.graph.tensors[name].shape
        order = tuple(self.rng.integers(0, channels, self.integer(1, 2 * channels)).tolist())
        return self.node(Take(indices=(
            None, self._indices(height), self._indices(width),
            order if self.integer(0, 1) else self._indices(channels))), name,
            zero=self.quant_zero(name))

    def _blocks(self, name: str) -> str:
        """Pixels out of channels or the other way round, whichever fits after a cut."""
        block = self.integer(2, 3)
        _, height, width, channels = self.graph.tensors[name].shape
        kind = DepthToSpace if self.integer(0, 1) else SpaceToDepth
        if kind is DepthToSpace:
            sizes = [height, width, -(-channels // block ** 2) * block ** 2]
        else:
            sizes = [max(size // block, 1) * block for size in (height, width)] + [channels]
        indices = (tuple(index % old for index in range(new))
                   for new, old in zip(sizes, (height, width, channels), strict=True))
        cut = self.node(Take(indices=(None, *indices)), name, zero=self.quant_zero(name))
        return self.node(kind(block=block), cut, zero=self.quant_zero(name))

    def _transposed(self, name: str) -> str:
        _, height, width, depth = self.graph.tensors[name].shape
        groups = self.integer(2, 3) if depth % 6 == 0 else 1
        outputs = self.integer(1, max(1, self.channels // groups // 2)) * groups
        stride, window = ((self.integer(1, 3), self.integer(1, 3)) for _ in range(2))
        pads = []
        for size, step, extent in zip((height, width), stride, window, strict=True):
            whole = (size - 1) * step + extent
            pads.append(self.integer(0, min(extent, whole) - 1))
            pads.append(self.integer(1 - step, min(extent - 1, whole - pads[-1] - 1)))
        zero = self.zero()
        return self.node(TransposedConv2D(
            kernel=self.weights((outputs, *window, depth // groups)), stride=stride,
            pads=tuple(pads), groups=groups, input_zero=self.quant_zero(name), output_zero=zero,
            **self.scales(outputs, depth // groups * window[0] * window[1]), **self.clamps()),
            name, zero=zero)

    def _interpolated(self, name: str) -> str:
        """Steps of one size on each axis, from anywhere, kept within the picture."""
        _, height, width, _ = self.graph.tensors[name].shape
        lines, parts = [], (self.integer(1, 12), self.integer(1, 12))
        for size, whole in zip((height, width), parts, strict=True):
            step, end = self.integer(1, 2 * whole), (size - 1) * whole
            count = self.integer(1, min(2 * whole * size // step + 1, 3 * size))
            first = self.integer(-whole, 0)
            lines.append(tuple(min(max(first + step * at, 0), end) for at in range(count)))
        zero = self.zero()
        real = float(self.rng.uniform(0.5, 2)) / (parts[0] * parts[1])
        return self.node(ResizeLinear(
            rows=lines[0], columns=lines[1], parts=parts, input_zero=self.quant_zero(name),
            scale=quantize_multiplier(real), output_zero=zero, **self.clamps()), name, zero=zero)

    def _gate(self, name: str) -> str:
        """Times a value for each channel, given or computed from the picture; perhaps more."""
        name = self._conv(name, like=True) if self.integer(0, 1) else name
        _, height, width, channels = self.graph.tensors[name].shape
        source = self.integer(0, 3)
        if source == 0:
            gate = self.start((1, 1, 1, channels))
        else:
            zero = self.zero()
            gate = self.node(Mean(
                axes=(1, 2), keep_dims=True, input_zero=self.quant_zero(name), output_zero=zero,
                scale=quantize_multiplier(float(self.rng.uniform(0.5, 2) / (height * width)))),
                name, zero=zero)
        if source > 1:
            gate = self._lookup(self._conv(gate, like=True))
        zero, names = self.zero(), [name, gate][::(-1) ** self.integer(0, 1)]
        found = self.node(Multiply(
            input_zeros=tuple(map(self.quant_zero, names)), output_zero=zero,
            scale=quantize_multiplier(float(self.rng.uniform(0.3, 2) / 128)), **self.clamps()),
            *names, zero=zero)
        if source == 3:
            self.graph.outputs = (gate,)
        kind = self.integer(0, 3)
        return (found, self._conv(found), self._add(found, name), self._lookup(found))[kind]

    def _views(self, name: str) -> str:
        """Branches joined, shuffled and parted for convolutions, which may read them in place."""
        if self.integer(0, 3) == 0:
            block = self.integer(1, 3)
            _, height, width, channels = self.graph.tensors[name].shape
            sizes = (max(height // block, 1) * block, max(width // block, 1) * block)
            name = self.node(Take(indices=(None, *(
                tuple(at % old for at in range(new)) for new, old in zip(
                    sizes, (height, width), strict=True)), None)), name, zero=self.quant_zero(name))
            name = self.node(SpaceToDepth(block=block), name, zero=self.quant_zero(name))
            channels = self.graph.tensors[name].shape[3]
            order = tuple(self.rng.permutation(channels).tolist())
            name = self.node(Take(indices=(None, None, None, order)), name,
                             zero=self.quant_zero(name))
            return self._conv(name)
        parts = [name]
        for _ in range(self.integer(1, 4)):
            parts.append(self._conv(parts[-1], like=True))
            if self.integer(0, 1):
                parts[-1] = self._max_like(parts[-1])
        whole = self.node(Concat(axis=3), *parts, zero=self.quant_zero(name))
        channels = self.graph.tensors[whole].shape[3]
        order = self.rng.permutation(channels)
        if self.integer(0, 1):
            whole = self.node(Take(indices=(None, None, None, tuple(order.tolist()))), whole,
                              zero=self.quant_zero(whole))
        cut = self.integer(1, channels)
        some = self.node(Take(indices=(None, None, None, tuple(range(cut)))), whole,
                         zero=self.quant_zero(whole))
        first, second = self._conv(some, like=True), self._conv(whole)
        self.graph.outputs = (second,)
        again = self.node(Concat(axis=3), first, some, zero=self.quant_zero(first))
        return self._conv(again) if self.integer(0, 2) else again

    def _max_like(self, name: str) -> str:
        return self.node(MaxPool(window=(3, 3), pads=(1, 1, 1, 1)), name,
                         zero=self.quant_zero(name))
