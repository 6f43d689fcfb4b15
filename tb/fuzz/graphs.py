"""Random networks beyond tb.lib's: extreme shapes and values, and networks with branches."""

import dataclasses

import numpy as np

from golden.attributes import Mean, Reshape, Softmax
from golden.spec.numerics import ROUND_ONCE, quantize_multiplier
from tb.lib.random_graphs import KINDS, RandomGraph

__all__ = ["FUZZ_KINDS", "FuzzGraph"]

FUZZ_KINDS = (*KINDS, "reshape", "softmax", "network")
_ANYWHERE = ("conv", "conv", "conv", "depthwise", "clamp", "max", "average", "pad", "concat",
             "join", "reshape", "softmax", "lookup", "lookup", "take", "blocks", "transposed",
             "interpolated", "gate", "views")
_AT_THE_END = ("fc", "mean", "softmax")
_MOST_VALUES = 6000  # of a feature map in a network: pads and concatenations add up


class FuzzGraph(RandomGraph):
    """Draws a graph and its input, as `RandomGraph`, with more of everything in some cases."""

    kinds = FUZZ_KINDS

    def __init__(self, seed: int, kind: str, lanes: int, pixels: int = 200, channels: int = 40):
        self.others: tuple[str, ...] = ()
        super().__init__(seed, kind, lanes, pixels, channels)
        if self.others:
            self.graph.outputs = tuple(dict.fromkeys((*self.graph.outputs, *self.others)))
            self.graph.validate()

    def chance(self, one_in: int) -> bool:
        return self.integer(1, one_in) == 1

    def start(self, shape: tuple[int, ...] | None = None) -> str:
        """A new network input: a row, a column, one pixel or a thin picture now and then."""
        if shape is None and self.chance(4):
            few, deep = self.integer(1, 3), self.integer(1, 3 * self.channels)
            long = self.integer(1, self.pixels)
            side = max(1, int(self.pixels ** 0.5))
            shape = ((1, 1, long, few), (1, long, 1, few), (1, 1, 1, deep),
                     (1, side, side, few))[self.integer(0, 3)]
        return super().start(shape)

    def values(self, shape: tuple[int, ...]) -> np.ndarray:
        if self.chance(8):
            return self.rng.choice([-128, 127], shape).astype(np.int8)
        return super().values(shape)

    def weights(self, shape: tuple[int, ...]) -> np.ndarray:
        kernel = super().weights(shape)
        if self.chance(12):
            kernel = np.where(kernel > 0, 127, -128).astype(np.int8)
        return np.zeros_like(kernel) if self.chance(25) else kernel

    def scales(self, channels: int, depth: int) -> dict[str, np.ndarray]:
        scales = super().scales(channels, depth)
        if self.chance(10):
            scales["bias"] = self.rng.integers(-1 << 31, 1 << 31, channels).astype(np.int32)
        if self.chance(10):
            real = np.exp2(self.rng.uniform(-34, 31, channels))
            parts = np.array([quantize_multiplier(float(r)) for r in real], dtype=np.int32)
            scales |= {"multiplier": parts[:, 0], "pre": parts[:, 1], "post": parts[:, 2]}
        return scales

    def clamps(self) -> dict[str, int]:
        """One side only now and then, as of a ReLU."""
        clamps = super().clamps()
        for name in ("least", "most"):
            if self.chance(3):
                clamps.pop(name, None)
        return clamps

    def window(self, name: str, dilate: bool = True) -> dict[str, tuple[int, ...]]:
        _, height, width, _ = self.graph.tensors[name].shape
        for _ in range(8 if self.chance(5) else 0):
            window = (self.integer(1, 9), self.integer(1, 9))
            dilation = (self.integer(1, 5), self.integer(1, 5)) if dilate else (1, 1)
            extent = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
            # TFLite pads by the dilated window, so that all of a window's taps may miss.
            pads = tuple(self.integer(0, extent[i // 2] - 1) for i in range(4))
            if (extent[0] <= height + pads[0] + pads[1]
                    and extent[1] <= width + pads[2] + pads[3]):
                return {"window": window, "dilation": dilation, "pads": pads,
                        "stride": (self.integer(1, 8), self.integer(1, 8))}
        return super().window(name, dilate)

    def _fc(self, name: str) -> str:
        output = super()._fc(name)
        node = self.graph.nodes[-1]
        if self.chance(2):  # as the front end makes them
            post = np.where(node.attrs.post > 0, node.attrs.post + ROUND_ONCE, 0)
            attrs = dataclasses.replace(node.attrs, post=post.astype(np.int32))
            self.graph.nodes[-1] = dataclasses.replace(node, attrs=attrs)
        return output

    def _mean(self, name: str) -> str:
        """Over channels, too, which the host does."""
        if not self.chance(5):
            return super()._mean(name)
        zero, axes = self.zero(), ((3,), (1, 3), (1, 2, 3))[self.integer(0, 2)]
        count = np.prod([self.graph.tensors[name].shape[axis] for axis in axes])
        return self.node(Mean(
            axes=axes, keep_dims=True, input_zero=self.quant_zero(name), output_zero=zero,
            scale=quantize_multiplier(float(self.rng.uniform(0.5, 2) / count))), name, zero=zero)

    def _computed(self, name: str) -> str:
        """Something the chip has made, for operators that alone leave it nothing to do."""
        return name if self.graph.nodes else self._conv(name)

    def _reshape(self, name: str) -> str:
        name = self._computed(name)
        shape = self.graph.tensors[name].shape
        _, height, width, channels = (1, *shape)[-4:] if len(shape) > 2 else (1, 1, *shape)
        to = ((1, 1, height * width, channels), (1, height, 1, width * channels),
              (1, width, height, channels), (1, height * width, channels, 1),
              (1, height * width * channels))[self.integer(0, 4)]
        return self.node(Reshape(to=to), name, zero=self.quant_zero(name))

    def _softmax(self, name: str) -> str:
        name = self._computed(name)
        multiplier, pre, _ = quantize_multiplier(float(self.rng.uniform(0.01, 0.2)) * (1 << 26))
        return self.node(Softmax(multiplier=multiplier, pre=pre, least_difference=-self.integer(
            1, 255)), name, zero=-128)

    def _join(self, name: str) -> str:
        """Add an earlier tensor, or this one, or a new input."""
        shape = self.graph.tensors[name].shape
        same = [t for t, tensor in self.graph.tensors.items() if tensor.shape == shape]
        return self._add(name, same[self.integer(0, len(same) - 1)] if self.chance(2) else None)

    def _branch(self, name: str) -> str:
        """Sometimes go on from an earlier feature map."""
        maps = [t for t, tensor in self.graph.tensors.items() if len(tensor.shape) == 4]
        return maps[self.integer(0, len(maps) - 1)] if self.chance(5) else name

    def _network(self, name: str) -> str:
        for _ in range(self.integer(3, 10)):
            kind = str(self.rng.choice(_ANYWHERE))
            shape = self.graph.tensors[name].shape
            if len(shape) != 4:
                break
            if np.prod(shape) > _MOST_VALUES:
                kind = "max"
            name = getattr(self, f"_{kind}")(self._branch(name))
        if self.chance(3) and len(self.graph.tensors[name].shape) == 4:
            name = getattr(self, "_" + str(self.rng.choice(_AT_THE_END)))(name)
        self._outputs(name)
        return name

    def _outputs(self, last: str) -> None:
        """Keep tensors that nobody reads, and a read one now and then, as outputs."""
        unread = [node.outputs[0] for node in self.graph.nodes
                  if not self.graph.consumers(node.outputs[0])]
        also = [node.outputs[0] for node in self.graph.nodes if self.chance(8)]
        self.others = tuple(t for t in dict.fromkeys(unread + also) if t != last)
