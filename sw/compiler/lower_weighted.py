"""Convolution, depthwise convolution and fully connected layers as windows."""

import dataclasses

import numpy as np

from golden.attributes import Conv2D, DepthwiseConv2D, FullyConnected, Weighted
from golden.graph import Node
from golden.transposed import TransposedConv2D
from sw.compiler.lowering import MAX_WINDOW, Lowering
from sw.compiler.taps import conv_taps, scattered_taps, sparse_taps
from sw.compiler.views import ChannelView, conv_view_taps
from sw.compiler.window import Gather, LayerTensor, Post, WindowOp

__all__ = ["conv2d", "depthwise_conv2d", "fully_connected", "transposed_conv2d"]


def _weighted_post(attrs: Weighted, sums: np.ndarray, times: int = 1) -> Post:
    """Post-processing of ``times`` pixels side by side; ``sums`` are those of their weights."""
    post = Post(attrs.bias.astype(np.int64), attrs.multiplier, attrs.pre, attrs.post,
                attrs.output_zero, attrs.least, attrs.most).repeated(times)
    post.bias = (post.bias - attrs.input_zero * sums + (1 << 31)) % (1 << 32) - (1 << 31)
    return post


def _source(net: Lowering, node: Node) -> tuple[LayerTensor, tuple[int, int, int, int]]:
    """A window operator's input and the padding fused from a Pad before it."""
    name = node.inputs[0]
    if name in net.pads:
        before, attrs = net.pads[name]
        (_, (top, bottom), (left, right), _) = attrs.pads
        return net.plain(before), (top, bottom, left, right)
    return net.plain(name), (0, 0, 0, 0)


def conv2d(net: Lowering, node: Node) -> None:
    """Convolution; a thin input that begins in DRAM is gathered."""
    attrs = node.attrs
    assert isinstance(attrs, Conv2D)
    if node.inputs[0] in net.views:
        _viewing(net, node, attrs, net.views[node.inputs[0]])
        return
    source, extra = _source(net, node)
    output = net.tensor(node.outputs[0])
    kernel = attrs.kernel
    pad = (attrs.pads[0] + extra[0], attrs.pads[2] + extra[2])
    stride, dilation = attrs.stride, attrs.dilation
    macs = output.height * output.width * kernel.size
    post = _weighted_post(attrs, kernel.astype(np.int64).sum(axis=(1, 2, 3)))
    if attrs.groups > 1:
        depth = kernel.shape[3]
        first = np.arange(len(kernel)) // (len(kernel) // attrs.groups) * depth
        blocks = sparse_taps(net.config, kernel, np.zeros(len(kernel), int), first, dilation)
    else:
        gathered = _gathered(net, node, source, attrs, pad, output)
        if gathered:
            source, pad, stride = gathered, (pad[0], 0), (stride[0], 1)
            kernel = kernel.reshape(len(kernel), kernel.shape[1], 1, -1)
        blocks = conv_taps(net.config, kernel, dilation)
    net.emit(node, [source], output, blocks, post, stride=stride, pad=pad, macs=macs,
              pad_value=attrs.input_zero)


def _viewing(net: Lowering, node: Node, attrs: Conv2D, view: ChannelView) -> None:
    """A convolution that reads channels where they are."""
    output, kernel = net.tensor(node.outputs[0]), attrs.kernel
    net.emit(node, list(view.sources), output,
             conv_view_taps(net.config, kernel, attrs.dilation, view),
             _weighted_post(attrs, kernel.astype(np.int64).sum(axis=(1, 2, 3))),
             stride=(attrs.stride[0] * view.step, attrs.stride[1]),
             pad=(attrs.pads[0] * view.step, attrs.pads[2]), pad_value=attrs.input_zero,
             macs=output.height * output.width * kernel.size)


def _gathered(net: Lowering, node: Node, source: LayerTensor, attrs: Conv2D, pad: tuple[int, int],
              output: LayerTensor) -> LayerTensor | None:
    """The gathered form of a thin feature map that begins in DRAM, if that can be used."""
    _, _, width, channels = attrs.kernel.shape
    begins = source.bytes_in_dram and not any(
        isinstance(net.out.ops[index], WindowOp) for index in net.writers(source.name))
    if (not begins or width * channels > net.config.group
            or attrs.dilation[1] != 1 or pad[1] * channels >= net.config.group
            or (width == 1 and attrs.stride[1] == 1)
            or attrs.stride[1] * channels >= 1 << 16):
        return None
    tensor = LayerTensor(
        f"{source.name}@{node.name}", source.height, output.width, width * channels,
        source.scale, attrs.input_zero, alias=source.name,
        gather=Gather(source.width, channels, attrs.stride[1], pad[1]))
    net.out.tensors[tensor.name] = tensor
    return tensor


def depthwise_conv2d(net: Lowering, node: Node) -> None:
    """Depthwise convolution with any channel multiplier."""
    attrs = node.attrs
    assert isinstance(attrs, DepthwiseConv2D)
    source, extra = _source(net, node)
    output = net.tensor(node.outputs[0])
    kernel = attrs.kernel.transpose(3, 1, 2, 0)
    first = np.arange(len(kernel)) // attrs.channel_multiplier
    blocks = sparse_taps(net.config, kernel, np.zeros(len(kernel), int), first,
                         attrs.dilation)
    post = _weighted_post(attrs, kernel.astype(np.int64).sum(axis=(1, 2, 3)))
    net.emit(node, [source], output, blocks, post, stride=attrs.stride,
              pad=(attrs.pads[0] + extra[0], attrs.pads[2] + extra[2]),
              macs=output.height * output.width * kernel.size, pad_value=attrs.input_zero)


def fully_connected(net: Lowering, node: Node) -> None:
    """Matrix product; a flattened feature map is read as a window of its full size."""
    attrs = node.attrs
    assert isinstance(attrs, FullyConnected)
    source, output = net.tensor(node.inputs[0]), net.tensor(node.outputs[0])
    depth = attrs.kernel.shape[1]
    if source.channels == depth:
        kernel = attrs.kernel[:, np.newaxis, np.newaxis]
        rect = (0, 0, source.height, source.width)
    elif source.bytes == depth and max(source.height, source.width) <= MAX_WINDOW:
        kernel = attrs.kernel.reshape(-1, source.height, source.width, source.channels)
        rect = (0, 0, 1, 1)
    else:
        source = net.view(source, 1, source.bytes // depth, depth)
        kernel = attrs.kernel[:, np.newaxis, np.newaxis]
        rect = (0, 0, source.height, source.width)
    output.height, output.width = rect[2], rect[3]
    post = _weighted_post(attrs, attrs.kernel.astype(np.int64).sum(axis=1))
    net.emit(node, [source], output, conv_taps(net.config, kernel, (1, 1)), post,
              macs=attrs.kernel.size * rect[2] * rect[3], rect=rect,
              pad_value=attrs.input_zero)


def transposed_conv2d(net: Lowering, node: Node) -> None:
    """A convolution for each row of a block of outputs as large as the stride.

    Those of a block's columns are side by side as channels; each reads the few weights of its own.
    """
    attrs = node.attrs
    assert isinstance(attrs, TransposedConv2D)
    source, output = net.plain(node.inputs[0]), net.tensor(node.outputs[0])
    (tall, wide), (count, *_) = attrs.stride, attrs.kernel.shape
    height, width = -(-output.height // tall), -(-output.width // wide)
    whole = (height * tall, width * wide) == (output.height, output.width)
    target = output if whole else dataclasses.replace(
        output, name=f"{output.name}@whole", height=height * tall, width=width * wide)
    net.out.tensors[target.name] = target
    phases = net.interleaved(target, tall, wide)
    # Output row y stride + p reads, through kernel row k, input row y + (p + top - k) / stride.
    lane, row, column, depth = (axis.ravel() for axis in np.indices(attrs.kernel.shape))
    weights = np.tile(attrs.kernel.ravel(), wide)
    channel = lane // (count // attrs.groups) * attrs.kernel.shape[3] + depth
    x = np.concatenate([phase + attrs.pads[2] - column for phase in range(wide)])
    across = x % wide == 0
    x //= wide
    left = -min(int(x[across].min(initial=0)), 0)
    for phase in range(tall):
        y = phase + attrs.pads[0] - row
        down = y % tall == 0
        y //= tall
        top = -min(int(y[down].min(initial=0)), 0)
        keep = np.flatnonzero(np.tile(down, wide) & across)
        one = keep % len(row)
        lanes = keep // len(row) * count + lane[one]
        blocks = scattered_taps(net.config, y[one] + top, x[keep] + left, channel[one], lanes,
                                weights[keep], wide * count)
        sums = np.bincount(lanes, weights[keep], wide * count).astype(np.int64)
        post = _weighted_post(attrs, sums, wide)
        net.emit(node, [source], phases, blocks, post, pad=(top, left),
                 rect=(0, phase * width, height, width), macs=height * width * len(keep),
                 pad_value=attrs.input_zero)
    if not whole:
        net.identity(node, [target], output)
