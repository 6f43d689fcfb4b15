"""The ground on which operators are lowered: feature maps, emission, common windows."""

import dataclasses
import math
from dataclasses import dataclass, field

import numpy as np

from golden.attributes import Pad, Quantize
from golden.edges import DequantizeLinear, FloatSoftmax, QuantizeLinear, Transpose
from golden.external import External
from golden.graph import Graph, Node
from golden.movement import Take
from golden.spec.config import Config
from golden.spec.isa import ArrayMode
from golden.spec.numerics import IDENTITY
from sw.compiler.taps import sparse_taps
from sw.compiler.views import ChannelView, copy_taps, may_view
from sw.compiler.window import HostOp, KernelOp, LayerTensor, Operator, Post, Taps, WindowOp
from sw.driver.host import attributes_to_json
from sw.drp.operators import KERNELS, Site, placed
from sw.errors import InputError, ModelError

__all__ = ["MAX_STRIDE", "MAX_WINDOW", "MOST_COPIES", "Lowered", "Lowering", "pixels"]

_MOVES = (Take, Transpose)
_HOST = (QuantizeLinear, DequantizeLinear, FloatSoftmax, Quantize, External)  # never the chip's
MAX_WINDOW = 256
MAX_STRIDE = 63
MOST_COPIES = 64  # windows that one operator becomes, where it is many


@dataclass
class Lowered:
    """Operators in order of execution, and the feature maps between them.

    ``root`` names the feature map that holds a graph tensor which is only another view of it.
    """

    ops: list[Operator] = field(default_factory=list)
    tensors: dict[str, LayerTensor] = field(default_factory=dict)
    root: dict[str, str] = field(default_factory=dict)

    def origin(self, name: str) -> str:
        """The feature map whose bytes a tensor's are."""
        name = self.root.get(name, name)
        while name in self.tensors and (seen := self.tensors[name].alias):
            name = self.root.get(seen, seen)
        return name


def pixels(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """(height, width, channels) of a tensor's bytes."""
    if len(shape) == 4 and shape[0] == 1:
        return shape[1], shape[2], shape[3]
    if len(shape) <= 1:
        return 1, 1, math.prod(shape)
    return math.prod(shape[:-2]), shape[-2], shape[-1]


class Lowering:
    """What operators are lowered into: feature maps, and window or host operators."""

    def __init__(self, graph: Graph, config: Config) -> None:
        self.graph, self.config = graph, config
        self.out = Lowered()
        self.root = self.out.root
        self.pads: dict[str, tuple[str, Pad]] = {}  # fused: by output, input and attributes
        self.views: dict[str, ChannelView] = {}  # by output, what nothing has copied
        self.tables: dict[str, tuple[str, np.ndarray]] = {}  # as well: by output, input and table

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
                quant.zero_point if quant else 0, item=np.dtype(tensor.dtype).itemsize)
        return self.out.tensors[name]

    def view(self, source: LayerTensor, height: int, width: int, channels: int) -> LayerTensor:
        """The same bytes as another feature map: by way of DRAM, unless it is the same."""
        if (height, width, channels) == (source.height, source.width, source.channels):
            return source
        source.bytes_in_dram = True
        name = f"{source.name}@{height}x{width}x{channels}"
        if name not in self.out.tensors:
            self.out.tensors[name] = LayerTensor(name, height, width, channels, source.scale,
                                                 source.zero_point, True, source.name)
        return self.out.tensors[name]

    def interleaved(self, output: LayerTensor, tall: int, wide: int) -> LayerTensor:
        """What to write in place of a feature map whose pixels come from blocks in turn.

        Pixel (y, p * W + x) of channels (q, c) is the output's pixel (y * tall + p, x * wide + q),
        W being its width / wide. Its size must be whole blocks.
        """
        if (tall, wide) == (1, 1):
            return output
        name = f"{output.name}@{tall}x{wide}"
        phases = LayerTensor(name, output.height // tall, tall * output.width // wide,
                             wide * output.channels, output.scale, output.zero_point, True)
        self.out.tensors[name] = phases
        output.bytes_in_dram, output.alias = True, name
        return phases

    def plain(self, name: str) -> LayerTensor:
        """A graph tensor with the rows and columns that its shape says."""
        return self.view(self.tensor(name), *pixels(self.graph.tensors[name].shape))

    def channels(self, name: str) -> ChannelView:
        """Where the channels of a graph tensor are."""
        return self.views.get(name) or ChannelView.whole(self.plain(name))

    def viewed(self, node: Node, view: ChannelView) -> None:
        """Let a node's result be channels of other tensors: as they are, or copied."""
        if may_view(self.config, self.graph, node, view):
            self.views[node.outputs[0]] = view
            return
        output = self.tensor(node.outputs[0])
        self.emit(node, list(view.sources), output, copy_taps(self.config, view),
                  self.uniform_post(output.channels), stride=(view.step, 1))

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
        if max(op.kernel_height, op.kernel_width) > MAX_WINDOW or max(stride) > MAX_STRIDE:
            raise ModelError(
                f"node {node.name!r} ({node.op}): window {op.kernel_height}x{op.kernel_width}, "
                f"stride {stride}; accepted are up to {MAX_WINDOW} and {MAX_STRIDE}")
        self.out.ops.append(op)
        return op

    def beyond(self, source: LayerTensor, window: tuple[int, int],
               stride: tuple[int, int] = (1, 1)) -> str:
        """Why the chip can't pool so large a window, or nothing if it can."""
        if max(window) > MAX_WINDOW or max(stride) > MAX_STRIDE:
            return f"window {window}, stride {stride} is beyond {MAX_WINDOW} and {MAX_STRIDE}"
        words = min(window[0], source.height) * min(window[1], source.width) + 1
        if words > self.config.words:
            return (f"a window and its output take {words} words, the scratchpad has "
                    f"{self.config.words}")
        return ""

    def _kernels(self, node: Node) -> str:
        """Give a node to the DRP; nothing, or why it can't have it."""
        if self.config.fabric is None:
            return f"chip {self.config.name} has no DRP"
        if isinstance(node.attrs, _MOVES):
            users = [user for name in node.outputs for user in self.graph.consumers(name)]
            makers = [item for item in self.graph.nodes if set(item.outputs) & set(node.inputs)]
            for side in (makers, users):
                if side and all(isinstance(other.attrs, _HOST) for other in side):
                    return f"the host has its values in hand for {side[0].name!r}"
        (source,), (result,) = node.inputs, node.outputs
        try:
            call = placed(Site(self.config, self.graph.tensors[source].shape, source, result),
                          node.attrs)
        except InputError as error:
            return f"on the DRP: {error}"
        self._as_bytes(node)
        self.out.ops.append(KernelOp(node.name, node.op, list(node.inputs), list(node.outputs),
                                     call))
        return ""

    def _as_bytes(self, node: Node) -> None:
        """A node's tensors cross as the model's own bytes."""
        for name in (*node.inputs, *node.outputs):
            self.tensor(name).bytes_in_dram = True

    def leave(self, node: Node, why: str) -> None:
        """Leave a node to the DRP, or else to the host; ``why`` the array can't have it."""
        if type(node.attrs) in KERNELS:
            refusal = self._kernels(node)
            if not refusal:
                return
            why = f"{why}; {refusal}"
        self._as_bytes(node)
        blobs = {item.name: value for item in dataclasses.fields(node.attrs)
                 if isinstance(value := getattr(node.attrs, item.name), bytes)}
        op = HostOp(node.name, node.op, list(node.inputs), list(node.outputs),
                    attributes_to_json(node.attrs), blobs, why)
        if isinstance(node.attrs, External):
            op.parts, op.macs = node.attrs.parts, node.attrs.macs
        self.out.ops.append(op)

    def uniform_post(self, channels: int, scale: tuple[int, int, int] = IDENTITY, bias: int = 0,
                      zero: int = 0, least: int = -128, most: int = 127) -> Post:
        """The same post-processing for every channel."""
        def filled(value: int) -> np.ndarray:
            return np.full(channels, value, dtype=np.int64)

        multiplier, pre, post = scale
        return Post(filled(bias), filled(multiplier), filled(pre), filled(post), zero, least,
                    most)

    def writers(self, name: str) -> list[int]:
        """Numbers of the operators that write a feature map, or the one it is a view of."""
        name = self.root.get(name, name)
        while name in self.out.tensors and (seen := self.out.tensors[name].alias):
            name = seen
        return [index for index, op in enumerate(self.out.ops) if name in op.writes]

    def identity(self, node: Node, sources: list[LayerTensor], output: LayerTensor,
                  post: Post | None = None, residual: str | None = None,
                  rect: tuple[int, int, int, int] | None = None) -> WindowOp:
        """Every output channel copies one channel, source after source."""
        source = np.concatenate([np.full(t.channels, i) for i, t in enumerate(sources)])
        first = np.concatenate([np.arange(t.channels) for t in sources])
        kernel = np.ones((len(first), 1, 1, 1), dtype=np.int8)
        return self.emit(node, sources, output, sparse_taps(self.config, kernel, source, first),
                         post or self.uniform_post(len(first)), residual=residual, rect=rect)
