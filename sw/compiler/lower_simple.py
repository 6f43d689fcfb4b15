"""Everything that moves, adds, pools or clamps, as windows."""

import dataclasses
import math

import numpy as np

from golden.attributes import (
    Add,
    AveragePool,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    MaxPool,
    Mean,
    Pad,
    Quantize,
    Reshape,
)
from golden.extreme import ReduceMax
from golden.graph import Node
from golden.slopes import PRelu
from golden.spec.isa import ArrayMode, PostMode
from golden.spec.numerics import IDENTITY, ROUND_ONCE, requantize
from sw.compiler.lowering import MAX_STRIDE, MAX_WINDOW, Lowering, pixels
from sw.compiler.pooling import average_scale, pool_regions
from sw.compiler.taps import sparse_taps
from sw.compiler.views import joined, takes_channels
from sw.compiler.window import LayerTensor, Taps, WindowOp

__all__ = ["add", "average_pool", "concat", "max_pool", "mean", "pad", "prelu", "quantize",
           "reshape"]

_LEAST_GAIN = 2000  # cycles of Q pixels: an operator more costs some
# A sum of up to MAX_STRIDE int8 as two digits, both int8, exactly: (its scale, its weight) of each.
# The upper one is rounded, the lower one is what the shift to the left leaves of the sum.
_DIGITS = {"high": ((1 << 30, 1, 6 + ROUND_ONCE), 1 << 6), "low": ((1 << 30, 26, 25), 1)}
_EACH = np.arange(-128, 128)  # the table that leaves values as they are


def add(net: Lowering, node: Node) -> None:
    """Residual addition, fused into the later operand's operator where that is allowed."""
    attrs = node.attrs
    assert isinstance(attrs, Add)
    # What only tabulates an operand is part of the addition's own table.
    operands = [net.tables.get(name, (name, _EACH)) for name in node.inputs]
    names = [name for name, _ in operands]
    writers = [net.writers(name) for name in names]
    main = 0 if max(writers[0], default=-1) >= max(writers[1], default=-1) else 1
    other = 1 - main
    table = np.array(
        [requantize((int(operands[side][1][_signed(byte) + 128]) - attrs.input_zeros[side])
                    << attrs.left_shift, *attrs.input_scales[side])
         * (-1 if side and attrs.minus else 1)
         for side in (main, other) for byte in range(256)], dtype=np.int64)
    source, output = net.tensor(names[main]), net.tensor(node.outputs[0])
    output.height, output.width = source.height, source.width
    residual = net.view(net.tensor(names[other]), source.height, source.width,
                        source.channels).name
    producer = net.out.ops[writers[main][0]] if len(writers[main]) == 1 else None
    fused = (isinstance(producer, WindowOp) and producer.post.mode == PostMode.PLAIN
             and producer.output == names[main] and net.alone(names[main])
             and names[0] != names[1]
             # A tile of the source must hold the same tile of the output.
             and (residual not in producer.sources
                  or (producer.stride_y, producer.stride_x) == (1, 1)))
    if fused:
        assert isinstance(producer, WindowOp)
        op = producer
        del net.out.tensors[op.output]
        op.output, op.residual = output.name, residual
        op.operator += "+Add"
    else:
        op = net.identity(node, [source], output, residual=residual)
    post = op.post
    post.mode, post.table = PostMode.ADD, table
    post.add_multiplier, post.add_pre, post.add_post = attrs.output_scale
    post.add_zero, post.add_least, post.add_most = attrs.output_zero, attrs.least, attrs.most


def max_pool(net: Lowering, node: Node) -> None:
    """Maximum over windows; padding never wins."""
    attrs = node.attrs
    assert isinstance(attrs, MaxPool)
    source, output = net.plain(node.inputs[0]), net.tensor(node.outputs[0])
    stages = [(source, output, attrs.window, attrs.stride, (attrs.pads[0], attrs.pads[2]))]
    if _gains_by_stages(net, attrs, source, output):
        across = dataclasses.replace(source, name=f"{output.name}@across", width=output.width,
                                     bytes_in_dram=False, alias=None, gather=None)
        (tall, wide), (down, right) = attrs.window, attrs.stride
        stages = [(source, across, (1, wide), (1, right), (0, attrs.pads[2])),
                  (across, output, (tall, 1), (down, 1), (attrs.pads[0], 0))]
    for given, _, window, stride, _ in stages:
        if why := net.beyond(given, window, stride):
            net.leave(node, why)
            return
    for given, made, window, stride, pad in stages:
        net.out.tensors[made.name] = made
        post = net.uniform_post(source.channels) if made is not output else net.uniform_post(
            source.channels, least=attrs.least, most=attrs.most)
        net.emit(node, [given], made, _ones(net, source.channels, window, attrs.dilation), post,
                 stride=stride, pad=pad, pad_value=-128, mode=ArrayMode.MAX)


def _gains_by_stages(net: Lowering, attrs: MaxPool, source: LayerTensor,
                     output: LayerTensor) -> bool:
    """Are maxima of rows, and then of those, fewer cycles than windows at once?"""
    (tall, wide), drain, last = attrs.window, net.config.drain_cycles, output.height * output.width
    return (max(wide, drain) * source.height * output.width + max(tall, drain) * last
            < max(tall * wide, drain) * last - _LEAST_GAIN)


def _ones(net: Lowering, channels: int, window: tuple[int, int],
          dilation: tuple[int, int] = (1, 1), *, weight: int = 1, source: int = 0) -> list[Taps]:
    """Windows of one weight each of every channel, the same everywhere."""
    kernel = np.full((channels, *window, 1), weight, np.int8)
    return sparse_taps(net.config, kernel, np.full(channels, source), np.arange(channels),
                       dilation)


def average_pool(net: Lowering, node: Node) -> None:
    """Mean over windows, one window operator per number of valid inputs."""
    attrs = node.attrs
    assert isinstance(attrs, AveragePool)
    source, output = net.plain(node.inputs[0]), net.tensor(node.outputs[0])
    if why := net.beyond(source, attrs.window, attrs.stride):
        net.leave(node, why)
        return
    regions = pool_regions(attrs, source.height, source.width, output.height, output.width)
    scales = {count: average_scale(count, attrs.origin) for *_, count in regions}
    failed = [count for count, scale in scales.items() if scale is None]
    if failed:
        net.leave(node, f"no exact reciprocal of a window of {failed[0]} values")
        return
    blocks = _ones(net, source.channels, attrs.window, attrs.dilation)
    for y, x, height, width, count in regions:
        scale = scales[count]
        assert scale is not None
        net.emit(node, [source], output, blocks,
                  net.uniform_post(source.channels, scale, -attrs.origin * count, attrs.origin,
                                   attrs.least, attrs.most),
                  stride=attrs.stride, rect=(y, x, height, width),
                  pad=(attrs.pads[0] - y * attrs.stride[0],
                       attrs.pads[2] - x * attrs.stride[1]))


def mean(net: Lowering, node: Node) -> None:
    """Mean, or largest value, over rows, columns or both; of large feature maps by parts."""
    attrs = node.attrs
    assert isinstance(attrs, Mean | ReduceMax)
    shape = net.graph.tensors[node.inputs[0]].shape
    source, output = net.plain(node.inputs[0]), net.tensor(node.outputs[0])
    spatial = {len(shape) - 2: "width"}
    if math.prod(shape[:-3]) == 1:
        spatial[len(shape) - 3] = "height"
    if not set(attrs.axes) <= set(spatial):
        net.leave(node, f"over axes {attrs.axes}, which are not rows and columns")
        return
    over = {spatial[axis] for axis in attrs.axes}
    window = (source.height if "height" in over else 1,
              source.width if "width" in over else 1)
    part, why = 0, net.beyond(source, window)
    if why and "width" in over:
        part = max(size for size in range(1, MAX_STRIDE + 1) if source.width % size == 0)
        rest = window[0], source.width // part
        if part == 1 or max(rest) > MAX_WINDOW or 2 * math.prod(rest) >= net.config.words:
            part = 0
    if why and not part:
        net.leave(node, why)
        return
    output.height, output.width = source.height // window[0], source.width // window[1]
    output.channels = source.channels
    if isinstance(attrs, ReduceMax):
        if part:
            source, window = _across(net, node, source, part, "most"), rest
        net.emit(node, [source], output, _ones(net, source.channels, window),
                 net.uniform_post(source.channels), pad_value=-128, mode=ArrayMode.MAX)
        return
    post = net.uniform_post(source.channels, attrs.scale,
                            -attrs.input_zero * window[0] * window[1], attrs.output_zero)
    if not part:
        net.emit(node, [source], output, _ones(net, source.channels, window), post)
        return
    # All values at once are more than the scratchpad holds: sums of parts of rows as two digits.
    digits = [_across(net, node, source, part, name) for name in _DIGITS]
    net.emit(node, digits, output, [_joined(*taps) for taps in zip(*(
        _ones(net, source.channels, rest, weight=weight, source=number)
        for number, (_, weight) in enumerate(_DIGITS.values())), strict=True)], post)


def _across(net: Lowering, node: Node, source: LayerTensor, part: int, name: str) -> LayerTensor:
    """The largest value, or a digit of the sum, of so many values of a row each."""
    made = dataclasses.replace(
        source, name=f"{node.outputs[0]}@{name}", width=source.width // part, bytes_in_dram=False,
        alias=None, gather=None)
    net.out.tensors[made.name] = made
    sums = name in _DIGITS
    net.emit(node, [source], made, _ones(net, source.channels, (1, part)), net.uniform_post(
        source.channels, _DIGITS[name][0] if sums else IDENTITY), stride=(1, part),
        pad_value=-128, mode=ArrayMode.SUM if sums else ArrayMode.MAX)
    return made


def _joined(first: Taps, second: Taps) -> Taps:
    """Those of one lane block that reads both."""
    return Taps(*(np.concatenate([getattr(taps, item.name) for taps in (first, second)])
                  for item in dataclasses.fields(Taps)))


def prelu(net: Lowering, node: Node) -> None:
    """A convolution of each channel for what is below 0, added to what isn't by way of tables."""
    attrs = node.attrs
    assert isinstance(attrs, PRelu)
    signs = set(np.sign(attrs.slopes).tolist()) - {0}
    if len(signs) > 1:
        net.leave(node, "slopes above and below 0; accepted are slopes of one sign")
        return
    source, output = net.plain(node.inputs[0]), net.tensor(node.outputs[0])
    # What isn't below 0 becomes 0 by the clamp, whose other end no result reaches.
    zero = -128 if -1 in signs else 127
    slopes = attrs.slopes.astype(np.int64)
    post = net.uniform_post(source.channels, attrs.below, zero=zero)
    post.bias = -attrs.input_zero * slopes
    kernel = attrs.slopes.reshape(-1, 1, 1, 1)
    above = [requantize(max(_signed(byte) - attrs.input_zero, 0), *attrs.above)
             for byte in range(256)]
    below = [_signed(byte) - zero for byte in range(256)]
    post.mode, post.table = PostMode.ADD, np.array([below, above], np.int64).ravel()
    post.add_multiplier, post.add_pre, post.add_post = IDENTITY
    post.add_zero = attrs.output_zero
    net.emit(node, [source], output, sparse_taps(
        net.config, kernel, np.zeros(source.channels, int), np.arange(source.channels)), post,
        residual=source.name)


def reshape(net: Lowering, node: Node) -> None:
    """Another view where the pixels stay, else a way through DRAM."""
    name = node.outputs[0]
    assert isinstance(node.attrs, Reshape)
    source = net.tensor(node.inputs[0])
    flat = all(isinstance(user.attrs, FullyConnected)
               and user.attrs.kernel.shape[1] in (source.bytes, source.channels)
               for user in net.graph.consumers(name)) and name not in net.graph.outputs
    if pixels(node.attrs.to) == (source.height, source.width, source.channels) or flat or (
            name in net.graph.outputs and not net.graph.consumers(name)):
        net.root[name] = source.name
        return
    source.bytes_in_dram = True
    tensor = net.tensor(name)
    tensor.bytes_in_dram, tensor.alias = True, source.name


def quantize(net: Lowering, node: Node) -> None:
    """Left to the host, at the edge of the network: the array reads and writes int8 only."""
    assert isinstance(node.attrs, Quantize)
    taken, given = node.attrs.types()
    net.leave(node, f"the host converts inputs and outputs of the network: {taken} to {given}")


def pad(net: Lowering, node: Node) -> None:
    """Fused into the convolution that follows where the value is its zero point."""
    attrs = node.attrs
    assert isinstance(attrs, Pad)
    name = node.outputs[0]
    users = net.graph.consumers(name)
    if (len(attrs.pads) == 4 and attrs.pads[3] == (0, 0) and net.alone(name)
            and isinstance(users[0].attrs, Conv2D | DepthwiseConv2D)
            and users[0].attrs.input_zero == attrs.value):
        net.pads[name] = (node.inputs[0], attrs)
        return
    source, output = net.plain(node.inputs[0]), net.tensor(name)
    pads = ((0, 0),) * (4 - len(attrs.pads)) + attrs.pads
    batch = net.graph.tensors[name].shape[:-3]
    if len(attrs.pads) not in (2, 3, 4) or math.prod(batch) != 1:
        net.leave(node, f"padding {attrs.pads} is not of rows, columns and channels")
        return
    (top, _), (left, _), (before, after) = pads[1:]
    channels = source.channels + before + after
    inside = np.arange(channels) - before
    chosen = np.where((inside >= 0) & (inside < source.channels), 0, -1)
    post = net.uniform_post(channels)
    post.bias = np.where(chosen < 0, attrs.value, 0)
    kernel = np.ones((channels, 1, 1, 1), dtype=np.int8)
    net.emit(node, [source], output,
              sparse_taps(net.config, kernel, chosen, np.maximum(inside, 0)), post,
              pad=(top, left), pad_value=attrs.value)


def concat(net: Lowering, node: Node) -> None:
    """Copies; channels of several sources may share a lane block."""
    attrs = node.attrs
    assert isinstance(attrs, Concat)
    shape = net.graph.tensors[node.outputs[0]].shape
    rank = len(shape)
    if attrs.axis < rank - 2 and math.prod(shape[:attrs.axis]) != 1:
        net.leave(node, f"axis {attrs.axis} of {shape} is not rows, columns or channels")
        return
    if takes_channels(net.graph, node):
        net.viewed(node, joined([net.channels(name) for name in node.inputs]))
        return
    sources = [net.plain(name) for name in node.inputs]
    output = net.tensor(node.outputs[0])
    if attrs.axis == rank - 1:
        unique = list(dict.fromkeys(tensor.name for tensor in sources))
        numbers = np.concatenate([np.full(t.channels, unique.index(t.name))
                                  for t in sources])
        first = np.concatenate([np.arange(t.channels) for t in sources])
        kernel = np.ones((len(first), 1, 1, 1), dtype=np.int8)
        net.emit(node, [net.out.tensors[name] for name in unique], output,
                  sparse_taps(net.config, kernel, numbers, first),
                  net.uniform_post(len(first)))
        return
    y = x = 0
    for tensor in sources:
        net.identity(node, [tensor], output, rect=(y, x, tensor.height, tensor.width))
        if attrs.axis == rank - 2:
            x += tensor.width
        else:
            y += tensor.height


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte
