"""Multiplications of ONNX nodes that the host runs."""

import math
from collections.abc import Callable

import onnx

__all__ = ["macs"]

Shape = tuple[int, ...]
_WEIGHTS_AT = {"Conv": 1, "ConvInteger": 1, "ConvTranspose": 1, "QLinearConv": 3}
_PRODUCTS = ("MatMul", "MatMulInteger", "QLinearMatMul", "Gemm", "QGemm")


def macs(node: onnx.NodeProto, shape: Callable[[str], Shape | None]) -> int:
    """Multiplications of products and convolutions, as far as shapes are known; others have none.

    Parameters
    ----------
    node : NodeProto
    shape : callable
        Gives a tensor's shape, or None.
    """
    names = list(node.input)
    if len(names) < 2:
        return 0
    source, output = shape(names[0]), shape(node.output[0])
    if node.op_type in _WEIGHTS_AT:
        kernel = shape(names[_WEIGHTS_AT[node.op_type]])
        walked = source if node.op_type == "ConvTranspose" else output
        return 0 if kernel is None or walked is None else math.prod(walked) * math.prod(kernel[1:])
    if node.op_type not in _PRODUCTS or source is None or output is None:
        return 0
    turned = any(item.name == "transA" and item.i for item in node.attribute)
    return math.prod(output) * source[0 if turned else -1]
