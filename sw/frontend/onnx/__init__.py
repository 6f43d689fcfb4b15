"""Reads quantized ONNX networks: QuantizeLinear/DequantizeLinear pairs, and the QLinear operators.

Float arithmetic between int8 tensors becomes the chip's integer arithmetic: each result is within
1 of ONNX Runtime's for the same inputs (``scales``). Later a quantizer makes such networks of
float ones; nothing here depends on who wrote the pairs.
"""

from sw.frontend.onnx.importer import Imported, import_model, load

__all__ = ["Imported", "import_model", "load"]
