"""Post-training quantization: a float ONNX network and samples to a QDQ network."""

from sw.quantize.quantizer import Choices, Quantized, Trial, float_form, quantize
from sw.quantize.source import input_specs, prepare, read_float

__all__ = ["Choices", "Quantized", "Trial", "float_form", "input_specs", "prepare", "quantize",
           "read_float"]
