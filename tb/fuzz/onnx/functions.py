"""Functions of one tensor, value by value."""

import numpy as np

from tb.fuzz.onnx.sketch import MICROSOFT, Sketch, Value

__all__ = ["FunctionSketch"]

# Operators of one input that are finite everywhere, with their attributes.
_SAFE = {
    "Abs": {}, "Atan": {}, "Ceil": {}, "Celu": {"alpha": (0.5, 2.0)}, "Cos": {},
    "Elu": {"alpha": (0.5, 2.0)}, "Erf": {}, "Floor": {}, "Gelu": {},
    "HardSigmoid": {"alpha": (0.1, 0.4), "beta": (0.3, 0.6)}, "HardSwish": {},
    "LeakyRelu": {"alpha": (0.01, 0.5)}, "Mish": {}, "Neg": {}, "Round": {}, "Selu": {},
    "Shrink": {"lambd": (0.1, 0.8), "bias": (0.0, 0.5)}, "Sigmoid": {}, "Sign": {}, "Sin": {},
    "Softplus": {}, "Softsign": {}, "Tanh": {}, "ThresholdedRelu": {"alpha": (0.1, 1.0)},
    "Swish": {}}
# These need values of some ranges, or are NaN beyond them.
_WILD = ("Acos", "Acosh", "Asin", "Asinh", "Atanh", "Cosh", "Exp", "Log", "Reciprocal", "Sinh",
         "Sqrt", "Tan")


class FunctionSketch(Sketch):
    """Appends functions."""

    def clamped(self, name: str) -> str:
        """Relu or Clip."""
        if self.chance(0.5):
            return self.node("Relu", name)
        low, high = self.pick(((0.0, 6.0), (-1.0, 1.0), (0.0, None), (None, 0.7), (-0.3, 0.4)))
        if self.opset < 11:
            limits = {"min": low, "max": high}
            return self.node("Clip", name, **{key: value for key, value in limits.items()
                                              if value is not None})
        inputs = ["" if value is None else self.constant(np.float32(value))
                  for value in (low, high)]
        return self.node("Clip", name, *(inputs if high is not None else inputs[:1]))

    def function(self, value: Value) -> Value:
        """One function, or a chain of some."""
        value = self.rounded(value)
        name = self.real(value)
        found = self._one(name)
        while self.chance(0.2):
            found = self._one(found)
            if self.form != "float" and self.chance(0.3):
                found = self.real(self.closed(found))
        return self.closed(found)

    def _one(self, name: str) -> str:
        kind = self.integer(0, 9)
        if kind == 0:
            return self.node("Mul", name, self._sigmoid(name))
        if kind == 1:
            return self._hard_swish(name)
        if kind == 2:
            return self._gelu(name)
        if kind == 3:
            return self._with_constant(name)
        if kind == 4 and self.form != "float":
            return self._wild(name)
        if kind == 5 and self.form != "float":
            op = self.pick(("Gelu", "QuickGelu"))
            found = self.node(op, name, domain=MICROSOFT)
            return self._given(found, self._kinds[name], self.shapes[name])
        if kind == 6:
            slope = self.numbers(self.pick(((), (1,))), 0.0, 0.6)
            return self.node("PRelu", name, slope)
        return self._safe(name)

    def _safe(self, name: str) -> str:
        op = self.pick([op for op in _SAFE if self.has(op)])
        attributes = {key: float(np.float32(self.rng.uniform(*limits)))
                      for key, limits in _SAFE[op].items() if self.chance(0.7)}
        if op == "Gelu" and self.chance(0.5):
            attributes["approximate"] = "tanh"
        return self.node(op, name, **attributes)

    def _wild(self, name: str) -> str:
        return self.node(self.pick([op for op in _WILD if self.has(op)]), name)

    def _sigmoid(self, name: str) -> str:
        return self.node(self.pick(("Sigmoid", "HardSigmoid", "Tanh")), name)

    def _hard_swish(self, name: str) -> str:
        moved = self.node("Add", name, self.constant(np.float32(3)))
        if self.opset < 11:
            gate = self.node("Clip", moved, min=0.0, max=6.0)
        else:
            gate = self.node("Clip", moved, self.constant(np.float32(0)),
                             self.constant(np.float32(6)))
        return self.node("Div", self.node("Mul", name, gate), self.constant(np.float32(6)))

    def _gelu(self, name: str) -> str:
        if not self.has("Erf"):
            return self.node("Mul", name, self._sigmoid(name))
        half = self.node("Div", name, self.constant(np.float32(2 ** 0.5)))
        whole = self.node("Add", self.node("Erf", half), self.constant(np.float32(1)))
        return self.node("Mul", self.node("Mul", name, whole), self.constant(np.float32(0.5)))

    def _with_constant(self, name: str) -> str:
        op = self.pick(("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"))
        if op == "Pow":
            return self.node(op, name, self.constant(np.float32(self.pick((2, 3)))))
        constant = self.constant(np.float32(self.rng.uniform(0.3, 1.7)).reshape(
            self.pick(((), (1,)))))
        pair = [name, constant]
        if self.chance(0.4) and op != "Div":
            pair.reverse()
        return self.node(op, *pair)

    def sloped(self, value: Value) -> Value:
        """PRelu with a slope a channel."""
        value = self.rounded(value)
        channels = value.shape[1]
        slope = self.numbers((channels, 1, 1), 0.0 if self.chance(0.8) else -0.5, 0.6)
        return self.closed(self.node("PRelu", self.real(value), slope))
