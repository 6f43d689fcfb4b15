"""Graph to operators of the chip: windows, and what is left to the host."""

import dataclasses
import math
from dataclasses import dataclass, field

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
    Reshape,
    Softmax,
    Weighted,
)
from golden.graph import Graph, Node
from golden.spec.config import Config
from golden.spec.isa import ArrayMode, PostMode
from golden.spec.numerics import IDENTITY, requantize
from sw.compiler.pooling import average_scale, pool_regions
from sw.compiler.taps import conv_taps, sparse_taps
from sw.compiler.window import Gather, HostOp, LayerTensor, Post, Taps, WindowOp
from sw.errors import ModelError

__all__ = ["Lowered", "lower"]

_MAX_WINDOW = 256
_MAX_STRIDE = 63


@dataclass
class Lowered:
    """Operators in order of execution, and the feature maps between them.

    ``root`` names the feature map that holds a graph tensor which is only another view of it.
    """

    ops: list[WindowOp | HostOp] = field(default_factory=list)
    tensors: dict[str, LayerTensor] = field(default_factory=dict)
    root: dict[str, str] = field(default_factory=dict)


def lower(graph: Graph, config: Config) -> Lowered:
    """Lower every node; what the chip can't do becomes a HostOp that says why.

    Raises
    ------
    ModelError
        For a window or stride beyond the instruction set.
    """
    return _Lowering(graph, config).run()


def pixels(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(height, width, channels) of a tensor's bytes."""
    if len(shape) == 4 and shape[0] == 1:
        return shape[1], shape[2], shape[3]
    if len(shape) <= 1:
        return 1, 1, math.prod(shape)
    return math.prod(shape[:-2]), shape[-2], shape[-1]


class _Lowering:
    def __init__(self, graph: Graph, config: Config) -> None:
        self.graph, self.config = graph, config
        self.out = Lowered()
        self.root = self.out.root
        self.pads: dict[str, tuple[str, Pad]] = {}  # fused: by output, input and attributes

    def run(self) -> Lowered:
        for name in self.graph.inputs:
            self.tensor(name).bytes_in_dram = True
        for node in self.graph.nodes:
            handler = getattr(self, f"_{node.op.lower()}", None)
            if handler is None:
                self._host(node, f"{node.op} has no unit on the chip")
            else:
                handler(node)
        for name in self.graph.outputs:
            self.out.tensors[self.root.get(name, name)].bytes_in_dram = True
        for number, op in enumerate(self.out.ops):
            op.layer = number
        return self.out

    # -- tensors -----------------------------------------------------------------------------

    def tensor(self, name: str) -> LayerTensor:
        """The feature map of a graph tensor (made on first use)."""
        name = self.root.get(name, name)
        if name not in self.out.tensors:
            tensor = self.graph.tensors[name]
            if tensor.data is not None:
                raise ModelError(f"tensor {name!r} is a constant used as an operand; accepted are "
                                 "constants as weights and biases only")
            quant = tensor.quant
            height, width, channels = pixels(tensor.shape)
            self.out.tensors[name] = LayerTensor(
                name, height, width, channels, quant.scale if quant else 1.0,
                quant.zero_point if quant else 0)
        return self.out.tensors[name]

    def alone(self, name: str) -> bool:
        """Has exactly one consumer and is not asked for."""
        return len(self.graph.consumers(name)) == 1 and name not in self.graph.outputs

    def emit(self, node: Node, sources: list[LayerTensor], output: LayerTensor,
             blocks: list[Taps], post: Post, *, stride: tuple[int, int] = (1, 1),
             pad: tuple[int, int] = (0, 0), macs: int = 0, pad_value: int = 0,
             mode: ArrayMode = ArrayMode.SUM, residual: str | None = None,
             rect: tuple[int, int, int, int] | None = None, note: str = "") -> WindowOp:
        """Append a window operator; ``rect`` is (y, x, height, width) within the output."""
        y, x, height, width = rect or (0, 0, output.height, output.width)
        op = WindowOp(
            node.name, node.op + note, [tensor.name for tensor in sources], output.name,
            height, width, *stride, *pad, blocks, post, macs, mode, pad_value, residual, y, x)
        if max(op.kernel_height, op.kernel_width) > _MAX_WINDOW or max(stride) > _MAX_STRIDE:
            raise ModelError(
                f"node {node.name!r} ({node.op}): window {op.kernel_height}x{op.kernel_width}, "
                f"stride {stride}; accepted are up to {_MAX_WINDOW} and {_MAX_STRIDE}")
        self.out.ops.append(op)
        return op

    def _host(self, node: Node, why: str) -> None:
        sources = [self.tensor(name) for name in node.inputs]
        output = self.tensor(node.outputs[0])
        for tensor in [*sources, output]:
            tensor.bytes_in_dram = True
        self.out.ops.append(HostOp(node.name, node.op, list(node.inputs), node.outputs[0],
                                   dataclasses.asdict(node.attrs), why))

    # -- operators ---------------------------------------------------------------------------

    def _weighted_post(self, attrs: Weighted, sums: np.ndarray) -> Post:
        bias = attrs.bias.astype(np.int64) - attrs.input_zero * sums
        bias = (bias + (1 << 31)) % (1 << 32) - (1 << 31)
        return Post(bias, attrs.multiplier, attrs.pre, attrs.post, attrs.output_zero,
                    attrs.least, attrs.most)

    def _uniform_post(self, channels: int, scale: tuple[int, int, int] = IDENTITY, bias: int = 0,
                      zero: int = 0, least: int = -128, most: int = 127) -> Post:
        def filled(value: int) -> np.ndarray:
            return np.full(channels, value, dtype=np.int64)

        multiplier, pre, post = scale
        return Post(filled(bias), filled(multiplier), filled(pre), filled(post), zero, least,
                    most)

    def _source(self, node: Node) -> tuple[LayerTensor, tuple[int, int, int, int]]:
        """A window operator's input and the padding fused from a Pad before it."""
        name = node.inputs[0]
        if name in self.pads:
            before, attrs = self.pads[name]
            (_, (top, bottom), (left, right), _) = attrs.pads
            return self.tensor(before), (top, bottom, left, right)
        return self.tensor(name), (0, 0, 0, 0)

    def _conv2d(self, node: Node) -> None:
        attrs = node.attrs
        assert isinstance(attrs, Conv2D)
        source, extra = self._source(node)
        output = self.tensor(node.outputs[0])
        kernel = attrs.kernel
        pad = (attrs.pads[0] + extra[0], attrs.pads[2] + extra[2])
        stride, dilation = attrs.stride, attrs.dilation
        macs = output.height * output.width * kernel.size
        post = self._weighted_post(attrs, kernel.astype(np.int64).sum(axis=(1, 2, 3)))
        if attrs.groups > 1:
            depth = kernel.shape[3]
            first = np.arange(len(kernel)) // (len(kernel) // attrs.groups) * depth
            blocks = sparse_taps(self.config, kernel, np.zeros(len(kernel), int), first, dilation)
        else:
            gathered = self._gathered(node, source, attrs, pad, output)
            if gathered:
                source, pad, stride = gathered, (pad[0], 0), (stride[0], 1)
                kernel = kernel.reshape(len(kernel), kernel.shape[1], 1, -1)
            blocks = conv_taps(self.config, kernel, dilation)
        self.emit(node, [source], output, blocks, post, stride=stride, pad=pad, macs=macs,
                  pad_value=attrs.input_zero)

    def _gathered(self, node: Node, source: LayerTensor, attrs: Conv2D, pad: tuple[int, int],
                  output: LayerTensor) -> LayerTensor | None:
        """The gathered form of a thin network input, if the convolution can use it."""
        _, _, width, channels = attrs.kernel.shape
        if (source.name not in self.graph.inputs or width * channels > self.config.group
                or attrs.dilation[1] != 1 or pad[1] * channels >= self.config.group
                or (width == 1 and attrs.stride[1] == 1)
                or attrs.stride[1] * channels >= 1 << 16):
            return None
        tensor = LayerTensor(
            f"{source.name}@{node.name}", source.height, output.width, width * channels,
            source.scale, attrs.input_zero, alias=source.name,
            gather=Gather(source.width, channels, attrs.stride[1], pad[1]))
        self.out.tensors[tensor.name] = tensor
        return tensor

    def _depthwiseconv2d(self, node: Node) -> None:
        attrs = node.attrs
        assert isinstance(attrs, DepthwiseConv2D)
        source, extra = self._source(node)
        output = self.tensor(node.outputs[0])
        kernel = attrs.kernel.transpose(3, 1, 2, 0)
        first = np.arange(len(kernel)) // attrs.channel_multiplier
        blocks = sparse_taps(self.config, kernel, np.zeros(len(kernel), int), first,
                             attrs.dilation)
        post = self._weighted_post(attrs, kernel.astype(np.int64).sum(axis=(1, 2, 3)))
        self.emit(node, [source], output, blocks, post, stride=attrs.stride,
                  pad=(attrs.pads[0] + extra[0], attrs.pads[2] + extra[2]),
                  macs=output.height * output.width * kernel.size, pad_value=attrs.input_zero)

    def _fullyconnected(self, node: Node) -> None:
        attrs = node.attrs
        assert isinstance(attrs, FullyConnected)
        source, output = self.tensor(node.inputs[0]), self.tensor(node.outputs[0])
        depth = attrs.kernel.shape[1]
        if source.channels == depth:
            kernel = attrs.kernel[:, np.newaxis, np.newaxis]
            rect = (0, 0, source.height, source.width)
        elif source.bytes == depth:
            kernel = attrs.kernel.reshape(-1, source.height, source.width, source.channels)
            rect = (0, 0, 1, 1)
        else:
            source = self._rows(source, depth)
            kernel = attrs.kernel[:, np.newaxis, np.newaxis]
            rect = (0, 0, source.height, source.width)
        output.height, output.width = rect[2], rect[3]
        post = self._weighted_post(attrs, attrs.kernel.astype(np.int64).sum(axis=1))
        self.emit(node, [source], output, conv_taps(self.config, kernel, (1, 1)), post,
                  macs=attrs.kernel.size * rect[2] * rect[3], rect=rect,
                  pad_value=attrs.input_zero)

    def _rows(self, source: LayerTensor, depth: int) -> LayerTensor:
        """The same bytes as rows of ``depth`` channels, by way of DRAM."""
        source.bytes_in_dram = True
        rows = LayerTensor(f"{source.name}@rows{depth}", 1, source.bytes // depth, depth,
                           source.scale, source.zero_point, True, source.name)
        self.out.tensors[rows.name] = rows
        return rows

    def _add(self, node: Node) -> None:
        attrs = node.attrs
        assert isinstance(attrs, Add)
        output = self.tensor(node.outputs[0])
        writers = [self._writers(name) for name in node.inputs]
        main = 0 if max(writers[0], default=-1) >= max(writers[1], default=-1) else 1
        other = 1 - main
        table = np.array(
            [requantize((_signed(byte) - attrs.input_zeros[side]) << attrs.left_shift,
                        *attrs.input_scales[side])
             for side in (main, other) for byte in range(256)], dtype=np.int64)
        residual = self.tensor(node.inputs[other]).name
        producer = self.out.ops[writers[main][0]] if len(writers[main]) == 1 else None
        fused = (isinstance(producer, WindowOp) and producer.post.mode == PostMode.PLAIN
                 and producer.output == node.inputs[main] and self.alone(node.inputs[main])
                 and node.inputs[0] != node.inputs[1])
        if fused:
            assert isinstance(producer, WindowOp)
            op = producer
            del self.out.tensors[op.output]
            op.output, op.residual = output.name, residual
            op.operator += "+Add"
        else:
            op = self._identity(node, [self.tensor(node.inputs[main])], output,
                                residual=residual)
        post = op.post
        post.mode, post.table = PostMode.ADD, table
        post.add_multiplier, post.add_pre, post.add_post = attrs.output_scale
        post.add_zero, post.add_least, post.add_most = attrs.output_zero, attrs.least, attrs.most

    def _writers(self, name: str) -> list[int]:
        name = self.root.get(name, name)
        return [index for index, op in enumerate(self.out.ops) if op.output == name]

    def _identity(self, node: Node, sources: list[LayerTensor], output: LayerTensor,
                  post: Post | None = None, residual: str | None = None,
                  rect: tuple[int, int, int, int] | None = None) -> WindowOp:
        """Every output channel copies one channel, source after source."""
        source = np.concatenate([np.full(t.channels, i) for i, t in enumerate(sources)])
        first = np.concatenate([np.arange(t.channels) for t in sources])
        kernel = np.ones((len(first), 1, 1, 1), dtype=np.int8)
        return self.emit(node, sources, output, sparse_taps(self.config, kernel, source, first),
                         post or self._uniform_post(len(first)), residual=residual, rect=rect)

    def _clamp(self, node: Node) -> None:
        attrs = node.attrs
        assert isinstance(attrs, Clamp)
        source = self.tensor(node.inputs[0])
        self._identity(node, [source], self.tensor(node.outputs[0]), self._uniform_post(
            source.channels, attrs.scale, -attrs.input_zero, attrs.output_zero, attrs.least,
            attrs.most))

    def _maxpool(self, node: Node) -> None:
        attrs = node.attrs
        assert isinstance(attrs, MaxPool)
        source, output = self.tensor(node.inputs[0]), self.tensor(node.outputs[0])
        self.emit(node, [source], output, self._window_of_ones(source.channels, attrs),
                  self._uniform_post(source.channels, least=attrs.least, most=attrs.most),
                  stride=attrs.stride, pad=(attrs.pads[0], attrs.pads[2]), pad_value=-128,
                  mode=ArrayMode.MAX)

    def _window_of_ones(self, channels: int, attrs: MaxPool) -> list[Taps]:
        kernel = np.ones((channels, *attrs.window, 1), dtype=np.int8)
        return sparse_taps(self.config, kernel, np.zeros(channels, int), np.arange(channels),
                           attrs.dilation)

    def _averagepool(self, node: Node) -> None:
        attrs = node.attrs
        assert isinstance(attrs, AveragePool)
        source, output = self.tensor(node.inputs[0]), self.tensor(node.outputs[0])
        regions = pool_regions(attrs, source.height, source.width, output.height, output.width)
        scales = {count: average_scale(count) for *_, count in regions}
        failed = [count for count, scale in scales.items() if scale is None]
        if failed:
            self._host(node, f"no exact reciprocal of a window of {failed[0]} values")
            return
        blocks = self._window_of_ones(source.channels, attrs)
        for y, x, height, width, count in regions:
            scale = scales[count]
            assert scale is not None
            self.emit(node, [source], output, blocks,
                      self._uniform_post(source.channels, scale, least=attrs.least,
                                         most=attrs.most),
                      stride=attrs.stride, rect=(y, x, height, width),
                      pad=(attrs.pads[0] - y * attrs.stride[0],
                           attrs.pads[2] - x * attrs.stride[1]))

    def _mean(self, node: Node) -> None:
        attrs = node.attrs
        assert isinstance(attrs, Mean)
        shape = self.graph.tensors[node.inputs[0]].shape
        source, output = self.tensor(node.inputs[0]), self.tensor(node.outputs[0])
        spatial = {len(shape) - 3: "height", len(shape) - 2: "width"}
        if len(shape) < 3 or not set(attrs.axes) <= set(spatial):
            self._host(node, f"mean over axes {attrs.axes} is not over rows and columns")
            return
        over = {spatial[axis] for axis in attrs.axes}
        window = (source.height if "height" in over else 1,
                  source.width if "width" in over else 1)
        if max(window) > _MAX_WINDOW:
            self._host(node, f"window {window} is beyond {_MAX_WINDOW}")
            return
        output.height, output.width = source.height // window[0], source.width // window[1]
        output.channels = source.channels
        kernel = np.ones((source.channels, *window, 1), dtype=np.int8)
        blocks = sparse_taps(self.config, kernel, np.zeros(source.channels, int),
                             np.arange(source.channels))
        self.emit(node, [source], output, blocks, self._uniform_post(
            source.channels, attrs.scale, -attrs.input_zero * window[0] * window[1],
            attrs.output_zero))

    def _reshape(self, node: Node) -> None:
        name = node.outputs[0]
        assert isinstance(node.attrs, Reshape)
        source = self.tensor(node.inputs[0])
        flat = all(isinstance(user.attrs, FullyConnected)
                   and user.attrs.kernel.shape[1] in (source.bytes, source.channels)
                   for user in self.graph.consumers(name)) and name not in self.graph.outputs
        if pixels(node.attrs.to) == (source.height, source.width, source.channels) or flat or (
                name in self.graph.outputs and not self.graph.consumers(name)):
            self.root[name] = source.name
            return
        source.bytes_in_dram = True
        tensor = self.tensor(name)
        tensor.bytes_in_dram, tensor.alias = True, source.name

    def _softmax(self, node: Node) -> None:
        assert isinstance(node.attrs, Softmax)
        self._host(node, "exponentials wait for the DRP")

    def _pad(self, node: Node) -> None:
        attrs = node.attrs
        assert isinstance(attrs, Pad)
        name = node.outputs[0]
        source = self.tensor(node.inputs[0])
        users = self.graph.consumers(name)
        if (len(attrs.pads) == 4 and attrs.pads[3] == (0, 0) and self.alone(name)
                and isinstance(users[0].attrs, Conv2D | DepthwiseConv2D)
                and users[0].attrs.input_zero == attrs.value):
            self.pads[name] = (node.inputs[0], attrs)
            return
        pads = ((0, 0),) * (4 - len(attrs.pads)) + attrs.pads
        if len(attrs.pads) not in (2, 3, 4) or pads[0] != (0, 0):
            self._host(node, f"padding {attrs.pads} is not of rows, columns and channels")
            return
        (top, _), (left, _), (before, after) = pads[1:]
        output = self.tensor(name)
        channels = source.channels + before + after
        inside = np.arange(channels) - before
        chosen = np.where((inside >= 0) & (inside < source.channels), 0, -1)
        post = self._uniform_post(channels)
        post.bias = np.where(chosen < 0, attrs.value, 0)
        kernel = np.ones((channels, 1, 1, 1), dtype=np.int8)
        self.emit(node, [source], output,
                  sparse_taps(self.config, kernel, chosen, np.maximum(inside, 0)), post,
                  pad=(top, left), pad_value=attrs.value)

    def _concat(self, node: Node) -> None:
        attrs = node.attrs
        assert isinstance(attrs, Concat)
        sources = [self.tensor(name) for name in node.inputs]
        output = self.tensor(node.outputs[0])
        rank = len(self.graph.tensors[node.outputs[0]].shape)
        if attrs.axis == rank - 1:
            unique = list(dict.fromkeys(tensor.name for tensor in sources))
            numbers = np.concatenate([np.full(t.channels, unique.index(t.name))
                                      for t in sources])
            first = np.concatenate([np.arange(t.channels) for t in sources])
            kernel = np.ones((len(first), 1, 1, 1), dtype=np.int8)
            self.emit(node, [self.out.tensors[name] for name in unique], output,
                      sparse_taps(self.config, kernel, numbers, first),
                      self._uniform_post(len(first)))
            return
        y = x = 0
        for tensor in sources:
            self._identity(node, [tensor], output, rect=(y, x, tensor.height, tensor.width))
            if attrs.axis == rank - 2:
                x += tensor.width
            else:
                y += tensor.height


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte
