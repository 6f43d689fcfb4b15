"""The model as quantized ONNX: QuantizeLinear and DequantizeLinear around every operator.

int8 throughout: weights per output channel, batch normalization folded in; feature maps with the
ranges that training saw; biases int32. A weight that is zero stays zero.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from sw.errors import ModelError
from sw.prune.torch.adopt import HOME
from sw.prune.torch.quantizers import MOST, weight_scales
from sw.prune.torch.trace import Step, Trace

__all__ = ["OnnxWriter", "folded"]

_OPSET, _IR = 17, 9
_BIAS_STEPS = 1 << 20  # of a channel without weights: its bias has so many


def folded(model: nn.Module, step: Step, kept: torch.Tensor | None = None
           ) -> tuple[torch.Tensor, torch.Tensor]:
    """(weights, bias) of a layer with its batch normalization folded in.

    ``kept`` is the mask of the weights, as PyTorch has them.
    """
    layer: Any = model.get_submodule(step.name)
    weight = layer.weight.detach().float().cpu()
    if kept is not None:
        weight = weight * kept.cpu()
    bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias.detach().float().cpu()
    if not step.norm:
        return weight, bias
    norm: Any = model.get_submodule(step.norm)
    factor = torch.rsqrt(norm.running_var.float().cpu() + norm.eps)
    shift = torch.zeros_like(factor)
    if norm.affine:
        factor = factor * norm.weight.detach().float().cpu()
        shift = norm.bias.detach().float().cpu()
    bias = (bias - norm.running_mean.float().cpu()) * factor + shift
    return weight * factor.reshape(-1, *[1] * (weight.ndim - 1)), bias


class OnnxWriter:
    """Writes one model.

    Parameters
    ----------
    model : nn.Module
        Adopted by the pruner.
    found : Trace
    owner : mapping of str to str
        Quantizer of every value (`adopt`).
    kept : mapping of str to Tensor
        Masks by layer, as PyTorch has the weights.
    """

    def __init__(self, model: nn.Module, found: Trace, owner: Mapping[str, str],
                 kept: Mapping[str, torch.Tensor]) -> None:
        self.model, self.found, self.owner, self.kept = model, found, owner, kept
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._reals: dict[str, str] = {}  # of every value: the float tensor that has it

    def write(self) -> onnx.ModelProto:
        """The model.

        Raises
        ------
        ModelError
            If a weight is not a number.
        """
        self._reals[self.found.input] = self._quantized("input", self.found.input)
        for step in self.found.steps:
            result = getattr(self, f"_{step.kind}")(step)
            if step.clamp is not None:
                result = self._clamped(result, step)
            self._reals[step.output] = self._quantized(result, step.output)
        self._node("Identity", [self._reals[self.found.output]], "output",
                   f"{self.found.output}.last")
        last = next(step for step in self.found.steps if step.output == self.found.output)
        graph = helper.make_graph(
            self._nodes, type(self.model).__name__,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, self.found.shape)],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, last.shape)],
            self._constants)
        proto = helper.make_model(graph, producer_name="sentei", ir_version=_IR,
                                  opset_imports=[helper.make_opsetid("", _OPSET)])
        onnx.checker.check_model(proto, full_check=True)
        return proto

    def steps(self, value: str) -> tuple[float, int]:
        """(scale, zero point) of a value."""
        home: Any = self.model.get_submodule(HOME)
        scale, zero = home[self.owner[value]].steps()
        return float(scale), int(zero)

    def _node(self, kind: str, inputs: Sequence[str], output: str, name: str = "",
              **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, list(inputs), [output], name=name or output,
                                            **attributes))
        return output

    def _layer(self, kind: str, inputs: Sequence[str], step: Step, **attributes: Any) -> str:
        """The node of a step, by its name; its output isn't: layers may be called as edges are."""
        return self._node(kind, inputs, f"{step.name}.found", step.name, **attributes)

    def _constant(self, name: str, data: NDArray) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(data, order="C"), name))
        return name

    def _quantized(self, source: str, value: str) -> str:
        """A float tensor to int8 and back."""
        scale, zero = self.steps(value)
        parameters = [self._constant(f"{value}.scale", np.array(scale, np.float32)),
                      self._constant(f"{value}.zero", np.array(zero, np.int8))]
        codes = self._node("QuantizeLinear", [source, *parameters], f"{value}.int8")
        return self._node("DequantizeLinear", [codes, *parameters], f"{value}.real")

    def _parameters(self, step: Step) -> list[str]:
        """Weights and bias, from integers."""
        weight, bias = folded(self.model, step, self.kept.get(step.name))
        if not bool(torch.isfinite(weight).all() & torch.isfinite(bias).all()):
            raise ModelError(f"layer {step.name!r}: weights are NaN or infinite")
        source, _ = self.steps(step.inputs[0])
        scales = weight_scales(weight).double()
        codes = (weight.double() / scales.reshape(-1, *[1] * (weight.ndim - 1))).round()
        # A channel without weights has whatever scale its bias needs.
        empty = (codes == 0).reshape(len(codes), -1).all(dim=1)
        scales = torch.where(empty, bias.abs().double().clamp(min=1e-6) / source / _BIAS_STEPS,
                             scales)
        steps = (scales * source).float()
        limit = float((1 << 31) - 1)
        biases = (bias.double() / steps).round().clamp(-limit, limit)
        name, result = step.name, []
        for part, data, scale, kind in (("weight", codes.clamp(-MOST, MOST), scales, np.int8),
                                        ("bias", biases, steps, np.int32)):
            inputs = [self._constant(f"{name}.{part}.int", data.numpy().astype(kind)),
                      self._constant(f"{name}.{part}.scale", scale.numpy().astype(np.float32)),
                      self._constant(f"{name}.{part}.zero", np.zeros(len(scale), kind))]
            result.append(self._node("DequantizeLinear", inputs, f"{name}.{part}", axis=0))
        return result

    def _conv(self, step: Step) -> str:
        layer: Any = self.model.get_submodule(step.name)
        inputs = [self._reals[step.inputs[0]], *self._parameters(step)]
        return self._layer("Conv", inputs, step, kernel_shape=layer.kernel_size,
                           strides=layer.stride, pads=_pads(layer), dilations=layer.dilation,
                           group=layer.groups)

    def _linear(self, step: Step) -> str:
        inputs = [self._reals[step.inputs[0]], *self._parameters(step)]
        return self._layer("Gemm", inputs, step, transB=1)

    def _add(self, step: Step) -> str:
        return self._layer("Add", [self._reals[name] for name in step.inputs], step)

    def _clamp(self, step: Step) -> str:
        return self._reals[step.inputs[0]]

    def _max_pool(self, step: Step) -> str:
        return self._pool("MaxPool", step)

    def _average_pool(self, step: Step) -> str:
        return self._pool("AveragePool", step, count_include_pad=0)

    def _pool(self, kind: str, step: Step, **more: Any) -> str:
        return self._layer(kind, [self._reals[step.inputs[0]]], step, kernel_shape=step.window,
                           strides=step.stride, pads=[*step.padding, *step.padding], **more)

    def _pad(self, step: Step) -> str:
        top, bottom, left, right = step.pads
        amounts = self._constant(f"{step.name}.pads", np.array(
            [0, 0, top, left, 0, 0, bottom, right], np.int64))
        return self._layer("Pad", [self._reals[step.inputs[0]], amounts], step)

    def _mean(self, step: Step) -> str:
        result = self._layer("GlobalAveragePool", [self._reals[step.inputs[0]]], step)
        return result if len(step.shape) == 4 else self._node(
            "Flatten", [result], f"{step.name}.flat", axis=1)

    def _flatten(self, step: Step) -> str:
        return self._layer("Flatten", [self._reals[step.inputs[0]]], step, axis=1)

    def _clamped(self, source: str, step: Step) -> str:
        assert step.clamp is not None
        least, most = step.clamp
        name = f"{step.name}.clamped"
        if (least, most) == (0.0, None):
            return self._node("Relu", [source], name)
        limits = [self._constant(f"{name}.{part}", np.array(value, np.float32)) if value is not None
                  else "" for part, value in (("least", least), ("most", most))]
        return self._node("Clip", [source, *limits], name)


def _pads(layer: Any) -> list[int]:
    """(top, left, bottom, right) of a convolution."""
    if layer.padding == "same":
        total = [step * (size - 1) for step, size in zip(layer.dilation, layer.kernel_size,
                                                         strict=True)]
        return [size // 2 for size in total] + [size - size // 2 for size in total]
    return [0] * 4 if layer.padding == "valid" else [*layer.padding, *layer.padding]
