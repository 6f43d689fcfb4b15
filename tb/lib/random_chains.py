"""Random deep networks of tall feature maps: what the compiler runs as chains on a small chip."""

import numpy as np

from golden.attributes import Conv2D, DepthwiseConv2D, MaxPool
from sw.compiler import compile as compile_module
from sw.compiler import fuse
from sw.compiler.chain import Chain
from sw.compiler.plan import Plan
from tb.lib.random_graphs import RandomGraph

__all__ = ["RandomChain", "force_chains"]


def force_chains(monkeypatch, seed: int) -> list[Plan]:
    """Make the compiler chain whatever can be, in any shape that fits; gives its plans."""
    rng, plans, made = np.random.default_rng(seed), [], fuse.plan_chains

    def plan_chains(*arguments):
        plans.append(made(*arguments))
        return plans[-1]

    monkeypatch.setattr(fuse, "_LEAST_GAIN", -float("inf"))
    monkeypatch.setattr(Chain, "_cycles", lambda *_: rng.random())
    monkeypatch.setattr(compile_module, "plan_chains", plan_chains)
    return plans


class RandomChain(RandomGraph):
    """Blocks of expansion, window and projection, with a residual here and there."""

    kinds = (*RandomGraph.kinds, "deep")

    def __init__(self, seed: int, lanes: int, rows: int = 24, columns: int = 9,
                 channels: int = 40):
        self.rows, self.columns = rows, columns
        super().__init__(seed, "deep", lanes, channels=channels)

    def start(self, shape: tuple[int, ...] | None = None) -> str:
        """A tall input."""
        return super().start(shape or (1, self.integer(self.rows // 2, self.rows), self.integer(
            2, self.columns), self.integer(1, self.channels // 2)))

    def _deep(self, name: str) -> str:
        for _ in range(self.integer(1, 3)):
            before = name
            if self.integer(0, 3):
                name = self._point(name, self.integer(self.channels // 2, self.channels))
            for _ in range(self.integer(0, 2)):
                name = self._window(name)
            if self.graph.tensors[name].shape[:3] == self.graph.tensors[before].shape[:3] \
                    and name != before and self.integer(0, 2):
                name = self._point(name, self.graph.tensors[before].shape[3])
                name = self._add(name, before)
            else:
                name = self._point(name, self.integer(1, self.channels // 2))
        return name

    def _point(self, name: str, outputs: int) -> str:
        """A 1x1 convolution."""
        depth, zero = self.graph.tensors[name].shape[3], self.zero()
        return self.node(Conv2D(
            kernel=self.weights((outputs, 1, 1, depth)), window=(1, 1),
            input_zero=self.quant_zero(name), output_zero=zero, **self.scales(outputs, depth),
            **self.clamps()), name, zero=zero)

    def _window(self, name: str) -> str:
        """Rows depend on rows around them, of every stride, dilation and padding."""
        _, height, width, channels = self.graph.tensors[name].shape
        window = self.integer(1, 3), self.integer(1, 3)
        dilation = self.integer(1, 2), 1
        stride = int(self.rng.choice([1, 1, 1, 2, 3])), int(self.rng.choice([1, 1, 2]))
        reach = [(size - 1) * step for size, step in zip(window, dilation, strict=True)]
        pads = tuple(self.integer(0, reach[side // 2]) if self.integer(0, 2) == 0
                     else reach[side // 2] // 2 + reach[side // 2] % 2 * (side % 2)
                     for side in range(4))
        if reach[0] >= height + pads[0] + pads[1] or reach[1] >= width + pads[2] + pads[3]:
            return name
        where = {"window": window, "stride": stride, "pads": pads}
        if self.integer(0, 4) == 0 and all(pad < size for pad, size in zip(
                pads, (window[0], window[0], window[1], window[1]), strict=True)):
            if window[0] <= height + pads[0] + pads[1]:
                return self.node(MaxPool(**where), name, zero=self.quant_zero(name))
        zero = self.zero()
        if self.integer(0, 3) == 0:
            outputs = self.integer(1, self.channels)
            return self.node(Conv2D(
                kernel=self.weights((outputs, *window, channels)), dilation=dilation,
                input_zero=self.quant_zero(name), output_zero=zero,
                **self.scales(outputs, channels * window[0] * window[1]), **where), name,
                zero=zero)
        kernel = self.rng.integers(-127, 128, (1, *window, channels)).astype(np.int8)
        return self.node(DepthwiseConv2D(
            kernel=kernel, dilation=dilation, input_zero=self.quant_zero(name), output_zero=zero,
            **self.scales(channels, window[0] * window[1]), **where), name, zero=zero)
