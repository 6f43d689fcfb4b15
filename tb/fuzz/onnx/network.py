"""Random ONNX networks: convolutional ones of every operator that docs/operators.md lists."""

from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import TensorProto, helper

from tb.fuzz.onnx.maps import MapSketch
from tb.fuzz.onnx.sketch import FORMS, MICROSOFT, Value

__all__ = ["Drawn", "draw"]

LEAST_OPSET = 8
_STEPS = {
    "convolution": 8, "transposed": 2, "pooled": 3, "reduced": 1, "function": 6, "sloped": 1,
    "summed": 4, "joined": 3, "gated": 1, "sliced": 1, "parted": 1, "shuffled": 1, "turned": 1,
    "reshaped": 1, "padded": 2, "resized": 2, "gathered": 1, "blocks": 2, "same": 1, "alone": 2,
    "lined": 1, "foreign": 1}


@dataclass(frozen=True)
class Drawn:
    """A network.

    Parameters
    ----------
    model : onnx.ModelProto
    form : str
        ``float`` for one that is to be quantized first; see `tb.fuzz.onnx.sketch.FORMS`.
    opset : int
    shapes : dict of str to tuple of int
        Of inputs whose sizes the model leaves open.
    """

    model: onnx.ModelProto
    form: str
    opset: int
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)


class _Network(MapSketch):
    """Draws one network."""

    def __init__(self, seed: int, form: str | None, steps: int) -> None:
        rng = np.random.default_rng(seed)
        form = form or str(rng.choice(FORMS, p=(0.25, 0.5, 0.25)))
        newest = onnx.defs.onnx_opset_version()
        super().__init__(rng, form, int(rng.integers(10 if form == "integers" else LEAST_OPSET,
                                                     newest + 1)))
        self.most_steps = steps
        self.maps: list[Value] = []
        self.open: dict[str, tuple[int, ...]] = {}

    def draw(self) -> Drawn:
        for number in range(2 if self.chance(0.1) else 1):
            self.maps.append(self._entered("x" if number == 0 else f"x{number}"))
        value = self.maps[0]
        kinds, shares = list(_STEPS), np.array([*_STEPS.values()])
        for _ in range(self.integer(1, self.most_steps)):
            if len(value.shape) != 4:
                break
            if np.prod(value.shape) > 1000:
                value = self.narrowed(value)
            kind = str(self.rng.choice(kinds, p=shares / shares.sum()))
            value = getattr(self, kind)(self.pick(self.maps) if self.chance(0.15) else value)
            if len(value.shape) == 4:
                self.maps.append(value)
        if self.form == "float" and not any(node.op_type in ("Conv", "ConvTranspose")
                                            for node in self.nodes):
            value = self.convolution(value)
        self._left(getattr(self, self.pick(("_map", "_classifier", "_rows", "_detector")))(value))
        for item in self.maps[1:]:
            if self.chance(0.08) and item is not value:
                self._left(item)
        return Drawn(self._finished(), self.form, self.opset, self.open)

    def _entered(self, name: str) -> Value:
        """An input, float or of integers."""
        shape = (1, self.integer(1, 8), *(self.integer(4, 12) for _ in range(2)))
        if self.maps:
            shape = self.maps[0].shape
        stated: list[int | str] = list(shape)
        if self.chance(0.2):
            stated[0] = "N"
        if self.chance(0.1):
            stated[2:] = "h", "w"
            self.open[name] = shape
        if self.form != "float" and self.chance(0.15):
            scale, zero, step = self.parameters_of()
            dtype = self._kinds[zero]
            return self.integers(self.input(shape, dtype, name, stated), shape, scale, zero, step)
        found = self.input(shape, TensorProto.FLOAT, name, stated)
        return self.closed(found) if self.chance(0.95) else Value(shape, found)

    # Heads

    def _map(self, value: Value) -> Value:
        return value

    def _classifier(self, value: Value) -> Value:
        value = self.reduced(value) if self.chance(0.5) else self.rounded(value)
        depth, outputs = int(np.prod(value.shape)), self.integer(1, 10)
        if depth > 800:
            value = self.reduced(value)
            depth = int(np.prod(value.shape))
        if self.form == "integers" and self.chance(0.6):
            return self._integer_product(value, depth, outputs)
        flat = self._flat(self.real(value))
        if self.chance(0.5):
            turned = self.chance(0.6)
            shape = (outputs, depth) if turned else (depth, outputs)
            inputs = [flat, self.weights_of(shape, 0 if turned else 1, depth)]
            if self.chance(0.7) or self.opset < 11:
                inputs.append(self.bias_of(outputs))
            extra = {"alpha": 0.5, "beta": 2.0} if self.chance(0.2) else {}
            found = self.node("Gemm", *inputs, transB=int(turned), **extra)
        else:
            found = self.node("MatMul", flat, self.weights_of((depth, outputs), 1, depth))
            if self.chance(0.6):
                found = self.node("Add", found, self.numbers((outputs,), -0.3, 0.3))
        return self._ended_rows(self.closed(found))

    def _flat(self, name: str) -> str:
        if self.chance(0.5):
            return self.node("Flatten", name)
        if self.shapes[name][2:] == (1, 1) and self.chance(0.5):
            inputs, attributes = self.listed(13, "axes", (2, 3))
            return self.node("Squeeze", name, *inputs, **attributes)
        return self.shaped(name, (1, int(np.prod(self.shapes[name]))))

    def _integer_product(self, value: Value, depth: int, outputs: int) -> Value:
        codes = self.node("Flatten", value.codes) if self.opset >= 9 else value.codes
        each = self.chance(0.5)
        scales = self.scales_of(outputs, depth, each)
        zeros = np.zeros(scales.shape, np.int8)
        scale, zero, step = self.parameters_of()
        turned = self.chance(0.5)
        if self.chance(0.5):
            each_bias = self.rng.uniform(-0.3, 0.3, outputs) / (value.step * scales)
            found = self.node(
                "QGemm", codes, value.scale, value.zero,
                self.constant(self.codes_of((outputs, depth) if turned else (depth, outputs))),
                self.constant(scales), self.constant(zeros),
                self.constant(np.rint(each_bias).astype(np.int32)), scale, zero,
                domain=MICROSOFT, transB=int(turned))
        else:
            found = self.node("QLinearMatMul", codes, value.scale, value.zero,
                              self.constant(self.codes_of((depth, outputs))),
                              self.constant(scales), self.constant(zeros), scale, zero)
        return self._ended_rows(self.integers(found, (1, outputs), scale, zero, step))

    def _ended_rows(self, value: Value) -> Value:
        kind = self.integer(0, 3)
        if kind == 0 and value.shape[-1] > 1:
            return Value(value.shape, self.node("Softmax", self.real(value),
                                                axis=len(value.shape) - 1))
        if kind == 1:
            return self.closed(self.node("Sigmoid", self.real(value)), 0.3)
        return value

    def _rows(self, value: Value) -> Value:
        """A product of each pixel's channels."""
        value = self.rounded(value)
        _, channels, height, width = value.shape
        given = self.shaped(self.real(value), (1, channels, height * width))
        given = self.node("Transpose", given, perm=[0, 2, 1])
        outputs = self.integer(1, 12)
        found = self.node("MatMul", given, self.weights_of((channels, outputs), 1, channels))
        if self.chance(0.6):
            found = self.affine(found, outputs)
        value = self.closed(self.clamped(found) if self.chance(0.3) else found)
        return self._ended_rows(value)

    def _detector(self, value: Value) -> Value:
        """Two maps' predictions one behind the other."""
        values, depth = [value, self.pick(self.maps)], self.integer(2, 6)
        rows = []
        for item in map(self.rounded, values):
            channels = item.shape[1]
            made = self.closed(self.node("Conv", self.real(item), self.weights_of(
                (depth, channels, 1, 1), 0, channels), self.bias_of(depth)))
            turned = self.node("Transpose", self.real(made), perm=[0, 2, 3, 1])
            rows.append(self.shaped(turned, (1, int(np.prod(made.shape)) // depth, depth)))
        return self._ended_rows(self.closed(self.node("Concat", *rows, axis=1)))

    # The model

    def _left(self, value: Value) -> None:
        """An output, float or of integers."""
        if value.codes and self.chance(0.2):
            name, kind = value.codes, self._kinds[value.codes]
        else:
            name, kind = self.real(value), TensorProto.FLOAT
        given = {item.name for item in (*self.inputs, *self.outputs)}
        if name in given or name in self._data or (self.form == "float" and name not in {
                output for node in self.nodes for output in node.output}):
            name = self._given(self.node("Identity", name), kind, value.shape)
        self.output(name, kind, len(value.shape))

    def _finished(self) -> onnx.ModelProto:
        if self.chance(0.1):  # what nobody reads
            super().node("Relu", self.inputs[0].name if self.form == "float" else self.real(
                self.maps[0]))
        if self.chance(0.2):
            for node in self.nodes:
                if self.chance(0.5):
                    node.name = ""
        if self.chance(0.2):
            self.nodes = [self.nodes[at] for at in self.rng.permutation(len(self.nodes))]
        model = self.model()
        if self.chance(0.1):  # as before version 4
            model.graph.input.extend(helper.make_tensor_value_info(
                item.name, item.data_type, item.dims) for item in self.constants)
        return model


def draw(seed: int, form: str | None = None, steps: int = 7) -> Drawn:
    """The network of a number; ``steps`` at most follow one another."""
    return _Network(seed, form, steps).draw()
