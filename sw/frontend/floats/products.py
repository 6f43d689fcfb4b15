"""Matrix products."""

import math
from collections.abc import Callable

import numpy as np
import tflite

from sw.frontend.floats.activations import finish
from sw.frontend.floats.network import Step

__all__ = ["TRANSLATORS"]


def _fully_connected(step: Step) -> None:
    """Rows of the input times the transposed kernel, which may be computed too."""
    options = step.options(tflite.FullyConnectedOptions)
    if options.WeightsFormat != tflite.FullyConnectedOptionsWeightsFormat.DEFAULT:
        raise step.fail("shuffled weights are not supported")
    outputs, depth = step.shape(1)
    rows = math.prod(step.shape()) // depth
    source = step.value()
    if step.shape() != (rows, depth):
        source = step.inner("Reshape", [source, step.constant(
            np.array([rows, depth], np.int64), "rows")], "flat")
    kernel = step.net.real(step.index(1))
    inputs = [source, step.constant(kernel, "kernel") if kernel is not None else step.value(1)]
    if step.has(2):
        inputs.append(step.constant(step.real(2, "bias"), "bias"))
    if step.result == (rows, outputs):
        finish(step, "Gemm", inputs, options.FusedActivationFunction, transB=1)
        return
    product = step.inner("Gemm", inputs, "product", transB=1)
    shape = step.constant(np.array(step.result, np.int64), "shape")
    finish(step, "Reshape", [product, shape], options.FusedActivationFunction)


def _batch_matmul(step: Step) -> None:
    options, names = step.options(tflite.BatchMatMulOptions), []
    for at, turned in ((0, options.AdjX), (1, options.AdjY)):
        rank = len(step.shape(at))
        name = step.value(at)
        if turned:
            name = step.inner("Transpose", [name], f"turned{at}",
                              perm=[*range(rank - 2), rank - 1, rank - 2])
        names.append(name)
    step.emit("MatMul", names)


TRANSLATORS: dict[str, Callable[[Step], None]] = {
    "BATCH_MATMUL": _batch_matmul,
    "FULLY_CONNECTED": _fully_connected,
}
