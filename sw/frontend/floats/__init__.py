"""Float TensorFlow Lite networks as ONNX: float32 or float16 weights, sparse ones decoded."""

from sw.frontend.floats.translate import FLOAT_OPERATORS, to_onnx

__all__ = ["FLOAT_OPERATORS", "to_onnx"]
