"""A PyTorch model as the steps that the chip will run, found by tracing it with torch.fx."""

import contextlib
import io
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from sw.errors import ModelError
from sw.prune.torch.modes import inference

__all__ = ["Step", "Trace", "trace"]

Limits = tuple[float | None, float | None]
Pair = tuple[int, int]


@dataclass(eq=False)
class Step:
    """One operator of the chip, with the normalization before and the clamp after it.

    Parameters
    ----------
    name : str
        Its module's path, or the traced node's name.
    kind : str
        conv, linear, add, clamp, pad, max_pool, average_pool, mean or flatten.
    inputs : tuple of str
        Names of the traced values that it reads.
    output : str
        Name of the value that it writes: the last of the traced nodes that it stands for.
    shape : tuple of int
        Of the output for one sample, batch included.
    norm : str
        Path of the batch normalization folded into it, if any.
    clamp : (least, most) or None
        What follows it: None for no limit.
    window, stride, padding : (y, x)
        Of a pooling step.
    pads : (top, bottom, left, right)
        Pixels of zeros that a padding step adds.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    output: str
    shape: tuple[int, ...] = ()
    norm: str = ""
    clamp: Limits | None = None
    window: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def weighted(self) -> bool:
        """Has it weights? They are those of the module of its name."""
        return self.kind in ("conv", "linear")

    @property
    def own_scale(self) -> bool:
        """Has its output a quantization of its own? (Others keep their input's.)"""
        return self.kind not in ("pad", "max_pool", "average_pool", "flatten")


@dataclass(eq=False)
class Trace:
    """A traced model.

    Parameters
    ----------
    graph : fx.Graph
        As traced.
    steps : list of Step
        In the order they run.
    input, output : str
        Names of the values given and asked for.
    shape : tuple of int
        Of the input, batch 1.
    """

    graph: fx.Graph
    steps: list[Step] = field(default_factory=list)
    input: str = ""
    output: str = ""
    shape: tuple[int, ...] = ()

    def flattened(self, step: Step) -> tuple[int, ...] | None:
        """(C, H, W) of the feature map whose flat form a step reads, if it is one."""
        before = next((item for item in self.steps if item.output == step.inputs[0]), None)
        if before is None or before.kind != "flatten":
            return None
        first = next((item for item in self.steps if item.output == before.inputs[0]), None)
        shape = self.shape if first is None else first.shape
        return shape[1:] if len(shape) == 4 else None


def _pair(value: Any) -> Pair:
    first, second = value if isinstance(value, tuple | list) else (value, value)
    return int(first), int(second)


def trace(model: nn.Module, example: torch.Tensor) -> Trace:
    """Trace a model.

    Raises
    ------
    ModelError
        Where it can't be traced, or does what has no counterpart; the text names the node.
    """
    try:
        graph = fx.Tracer().trace(model)
    except Exception as error:  # whatever the user's forward() does with a stand-in for a tensor
        raise ModelError(f"{type(model).__name__} can't be traced by torch.fx: {error}; accepted "
                         "is a forward() whose course does not depend on the data") from error
    module = fx.GraphModule(model, graph)
    try:
        # ShapeProp prints a trace of its own.
        with inference(module), contextlib.redirect_stderr(io.StringIO()):
            ShapeProp(module).propagate(example[:1])
    except Exception as error:  # likewise, of tensors that don't fit
        raise ModelError(f"{type(model).__name__} can't take example_input of shape "
                         f"{tuple(example.shape)}: {error.__cause__ or error}") from error
    return _Tracing(model, graph, example).run()


class _Tracing:
    """Turns traced nodes into steps."""

    def __init__(self, model: nn.Module, graph: fx.Graph, example: torch.Tensor) -> None:
        self.modules = dict(model.named_modules())
        self.graph = graph
        self.found = Trace(graph, shape=(1, *example.shape[1:]))
        self.value: dict[fx.Node, str] = {}  # of each node: the value that it is
        self.last: dict[str, tuple[Step, fx.Node]] = {}  # by value: its step and latest node
        self.used: set[str] = set()

    def run(self) -> Trace:
        inputs = [node for node in self.graph.nodes if node.op == "placeholder"]
        if len(inputs) != 1:
            raise ModelError(f"forward() takes {len(inputs)} inputs, accepted is 1")
        self.found.input = self.value[inputs[0]] = inputs[0].name
        for node in self.graph.nodes:
            if node.op == "output":
                result = node.args[0]
                if not isinstance(result, fx.Node):
                    raise ModelError("forward() returns several values, accepted is one tensor")
                self.found.output = self.value[result]
            elif node.op in ("call_module", "call_function", "call_method") and node.users:
                self.visit(node)
        if not self.found.steps:
            raise ModelError("forward() computes nothing")
        return self.found

    def fail(self, node: fx.Node, text: str) -> ModelError:
        return ModelError(f"node {node.name!r} ({self.describe(node)}): {text}")

    def describe(self, node: fx.Node) -> str:
        if node.op == "call_module":
            return f"{type(self.modules[str(node.target)]).__name__} {node.target!r}"
        return str(getattr(node.target, "__name__", node.target))

    def visit(self, node: fx.Node) -> None:
        if node.op == "call_module":
            module = self.modules[str(node.target)]
            handler = next((function for kind, function in _MODULES.items()
                            if isinstance(module, kind)), None)
            options = dict(vars(module)) if handler else {}
        else:
            handler, names = _CALLS.get(node.target, (None, ()))
            options = dict(zip(names, node.args[1:], strict=False))
            options.update(node.kwargs)
        if handler is None:
            if "tensor_meta" not in node.meta:
                return  # arithmetic on shapes, which the traced shapes already tell
            known = ", ".join(sorted({kind.__name__ for kind in _MODULES}))
            calls = ", ".join(sorted({getattr(call, "__name__", call) for call in _CALLS}))
            raise self.fail(node, f"is not supported; supported modules are {known}; functions and "
                                  f"methods {calls}")
        handler(self, node, options)

    def step(self, node: fx.Node, kind: str, inputs: tuple[Any, ...] = (), **more: Any) -> Step:
        """A step of its own."""
        sources = inputs or node.args[:1]
        for source in sources:
            if not isinstance(source, fx.Node) or source not in self.value:
                raise self.fail(node, f"reads {source!r}, accepted are computed tensors")
        name = str(node.target) if node.op == "call_module" else node.name
        item = Step(name, kind, tuple(self.value[source] for source in sources), node.name,
                    self.shape(node), **more)
        self.found.steps.append(item)
        self.value[node] = item.output
        self.last[item.output] = item, node
        return item

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        return tuple(node.meta["tensor_meta"].shape)

    def alone(self, node: fx.Node) -> Step | None:
        """The step that writes this node's input, if nothing else reads that."""
        source: Any = node.args[0]
        name = self.value.get(source, "")
        if name not in self.last or len(source.users) != 1:
            return None
        item, last = self.last[name]
        return item if last is source else None

    def join(self, node: fx.Node, item: Step) -> None:
        """Let a step stand for this node too."""
        self.value[node] = item.output = node.name
        self.last[node.name] = item, node


def _same(tracing: _Tracing, node: fx.Node, options: dict[str, Any]) -> None:
    """Nothing in inference."""
    source: Any = node.args[0]
    tracing.value[node] = tracing.value[source]
    if item := tracing.alone(node):
        tracing.join(node, item)


def _weighted(kind: str) -> Callable[[_Tracing, fx.Node, dict[str, Any]], None]:
    def handle(tracing: _Tracing, node: fx.Node, options: dict[str, Any]) -> None:
        name = str(node.target)
        if name in tracing.used:
            raise tracing.fail(node, "is used twice; accepted is a layer of its own each time")
        tracing.used.add(name)
        module = tracing.modules[name]
        if kind == "conv" and module.padding_mode != "zeros":
            raise tracing.fail(node, f"padding of mode {module.padding_mode!r}, accepted is zeros")
        if kind == "linear" and len(tracing.shape(node)) != 2:
            raise tracing.fail(node, f"gives {tracing.shape(node)}, accepted is (batch, values)")
        tracing.step(node, kind)

    return handle


def _norm(tracing: _Tracing, node: fx.Node, options: dict[str, Any]) -> None:
    module, item = tracing.modules[str(node.target)], tracing.alone(node)
    if item is None or not item.weighted or item.norm or item.clamp is not None:
        raise tracing.fail(node, "does not follow a convolution or linear layer of its own, into "
                                 "which it could be folded")
    if module.running_var is None:
        raise tracing.fail(node, "has no running statistics")
    item.norm = str(node.target)
    tracing.join(node, item)


def _clamp(least: float | None, most: float | None) -> Callable[..., None]:
    def handle(tracing: _Tracing, node: fx.Node, options: dict[str, Any]) -> None:
        limits = options.get("min_val", least), options.get("max_val", most)
        item = tracing.alone(node)
        if item is not None and item.clamp is None and item.own_scale:
            item.clamp = limits
            tracing.join(node, item)
        else:
            tracing.step(node, "clamp", clamp=limits)

    return handle


def _add(tracing: _Tracing, node: fx.Node, options: dict[str, Any]) -> None:
    shapes = [tuple(arg.meta["tensor_meta"].shape) for arg in node.args[:2]
              if isinstance(arg, fx.Node) and "tensor_meta" in arg.meta]
    if len(shapes) != 2 or shapes[0] != shapes[1] or options.get("alpha", 1) != 1:
        raise tracing.fail(node, f"adds tensors of shapes {shapes}; accepted are two of one shape")
    tracing.step(node, "add", node.args[:2])


def _pool(kind: str) -> Callable[..., None]:
    def handle(tracing: _Tracing, node: fx.Node, options: dict[str, Any]) -> None:
        window = _pair(options["kernel_size"])
        stride = options.get("stride")
        for name, accepted in (("ceil_mode", False), ("dilation", 1), ("divisor_override", None),
                               ("return_indices", False)):
            if options.get(name, accepted) != accepted:
                raise tracing.fail(node, f"{name} is {options[name]}, accepted is {accepted}")
        padding = _pair(options.get("padding", 0))
        if kind == "average_pool" and padding != (0, 0) and options.get("count_include_pad", True):
            raise tracing.fail(node, f"padding {padding} counts as values; accepted is "
                                     "count_include_pad=False")
        tracing.step(node, kind, window=window, stride=_pair(stride) if stride else window,
                     padding=padding)

    return handle


def _adaptive(tracing: _Tracing, node: fx.Node, options: dict[str, Any]) -> None:
    if options["output_size"] not in (1, (1, 1), [1, 1]):
        raise tracing.fail(node, f"output size {options['output_size']}, accepted is 1")
    tracing.step(node, "mean")


def _mean(tracing: _Tracing, node: fx.Node, options: dict[str, Any]) -> None:
    axes = options.get("dim", ())
    if sorted(axis % 4 for axis in (axes if isinstance(axes, tuple | list) else [axes])) != [2, 3]:
        raise tracing.fail(node, f"averages axes {axes}, accepted are (2, 3)")
    tracing.step(node, "mean")


def _pad(tracing: _Tracing, node: fx.Node, options: dict[str, Any]) -> None:
    amounts: tuple[int, ...] = tuple(options.get("pad", options.get("padding")) or ())
    value = options.get("value") or 0
    if (options.get("mode", "constant") != "constant" or value != 0
            or len(amounts) not in (2, 4) or min(amounts) < 0):
        raise tracing.fail(node, f"pads by {amounts} with {options.get('mode', 'constant')} "
                                 f"{value}; accepted are rows and columns of zeros")
    left, right, top, bottom = (*amounts, 0, 0)[:4]
    tracing.step(node, "pad", pads=(top, bottom, left, right))


def _flatten(tracing: _Tracing, node: fx.Node, options: dict[str, Any]) -> None:
    before, after = tracing.shape(node.args[0]), tracing.shape(node)  # type: ignore[arg-type]
    if len(after) != 2 or after[0] != before[0]:
        raise tracing.fail(node, f"makes {after} of {before}, accepted is (batch, values)")
    tracing.step(node, "flatten")


_Handler = Callable[[_Tracing, fx.Node, dict[str, Any]], None]
_MODULES: dict[type, _Handler] = {
    nn.Conv2d: _weighted("conv"), nn.Linear: _weighted("linear"),
    nn.BatchNorm2d: _norm, nn.BatchNorm1d: _norm,
    nn.ReLU: _clamp(0.0, None), nn.ReLU6: _clamp(0.0, 6.0), nn.Hardtanh: _clamp(-1.0, 1.0),
    nn.MaxPool2d: _pool("max_pool"), nn.AvgPool2d: _pool("average_pool"),
    nn.AdaptiveAvgPool2d: _adaptive, nn.Flatten: _flatten, nn.ZeroPad2d: _pad,
    nn.Dropout: _same, nn.Dropout2d: _same, nn.Identity: _same,
}
_MAX = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_AVERAGE = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad",
            "divisor_override")
_CALLS: dict[Any, tuple[_Handler, tuple[str, ...]]] = {
    **dict.fromkeys((torch.relu, F.relu, "relu"), (_clamp(0.0, None), ())),
    F.relu6: (_clamp(0.0, 6.0), ()),
    F.hardtanh: (_clamp(-1.0, 1.0), ("min_val", "max_val")),
    **dict.fromkeys((operator.add, operator.iadd, torch.add, "add"), (_add, ("other",))),
    F.max_pool2d: (_pool("max_pool"), _MAX), F.avg_pool2d: (_pool("average_pool"), _AVERAGE),
    F.pad: (_pad, ("pad", "mode", "value")),
    F.adaptive_avg_pool2d: (_adaptive, ("output_size",)),
    **dict.fromkeys((torch.mean, "mean"), (_mean, ("dim", "keepdim"))),
    **dict.fromkeys((torch.flatten, "flatten", "view", "reshape", torch.reshape), (_flatten, ())),
    "contiguous": (_same, ()),
}
