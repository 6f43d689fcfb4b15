"""ONNX's own test cases of the operators that we claim, on the golden engine.

Float cases become quantized networks. All are also held against ONNX Runtime node by node.
"""

import re
import warnings

import numpy as np
import onnx
import pytest

from golden import executor
from sw.frontend.onnx import import_model
from sw.onnx_runtime import run_external
from sw.reference_onnx import OnnxReference, node_differences
from tb.lib.onnx_cases import Case, node_cases

pytest.importorskip("onnxruntime")
MODULES = ("add", "averagepool", "clip", "concat", "conv", "dequantizelinear",
           "flatten", "gemm", "globalaveragepool", "identity", "matmul", "maxpool", "pad",
           "qlinearconv", "qlinearmatmul", "quantizelinear", "relu", "reshape", "softmax",
           "squeeze", "transpose", "unsqueeze")
# Cases left out: words of their names to why.
LEFT_OUT = {
    "e4m3fn": "float8", "e5m2": "float8", "e2m1": "float4", "int2": "2 bits", "int4": "4 bits",
    "float16": "float16, which ONNX Runtime's quantized operators haven't",
    "add_int": "a network of nothing quantized", "add_uint": "a network of nothing quantized",
    "edge_pad": "int32", "reflect_pad": "int32", "wrap_pad": "int32",
    "sequence": "no tensors", "identity_opt": "no tensors",
    "training_mode": "training", "epsilon_training": "training",
    "clip_min_greater_than_max": "ONNX and ONNX Runtime differ",
    "large": "seconds for sizes of no interest", "reshape_zero_dim": "no values",
    "allowzero": "no values",
}
# Run by the host: patterns of their names to words of the reason. All others stay the graph's.
ON_HOST = {
    r"(max|average)pool_3d_": "4 axes", r"argmax": "indices",
    r"averagepool_2d_(precomputed_pads|precomputed_same_upper|same_.*|pads|ceil)$": "finer",
    r"add_bcast": "broadcasting", r"gemm_default_matrix_bias": "bias has shape",
    r"concat_(1d_.*|2d_axis_0|2d_axis_negative_2|3d_axis_0|3d_axis_negative_3)$": "batch",
    r"gemm_(transposeA|all_attributes)": "transA", r"linear_axis": "for a computed tensor",
    r"linear_u?int16": "int16", r"blocked": "block_size",
    r"_matmul_(3d|4d|bcast|1d_3d|4d_1d|1d_1d)$": "2 axes", r"qlinearmatmul_3D": "2 axes",
    r"qlinearmatmul_2D|qlinearconv": "symmetric weights",
    r"transpose_(default|all_permutations_[2345])": "order",
}
DECIBELS = 25  # signal over noise of 8 bits in, 8 bits out, and of sums of a few


def chosen():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = node_cases(MODULES)
    return {name: case for name, case in found.items()
            if not any(word in name for word in LEFT_OUT)}


CASES = chosen()


@pytest.mark.parametrize("name", CASES)
def test_case(name, tmp_path):
    case = Case(CASES[name])
    path = tmp_path / "m.onnx"
    onnx.save(case.model, path)
    imported = import_model(path)
    reasons = "; ".join(why for node in imported.graph.nodes if node.op == "External"
                        for _, _, why in node.attrs.parts)
    expected = [text for pattern, text in ON_HOST.items() if re.search(pattern, name)]
    assert bool(reasons) == bool(expected), reasons
    assert all(text in reasons for text in expected), reasons
    found = executor.run(imported.graph, case.inputs, external=run_external)
    for output, wanted in case.outputs.items():
        values = found[output].astype(float)
        assert found[output].shape == wanted.shape, output
        if case.exact:
            assert np.abs(values - wanted.astype(float)).max(initial=0) <= 1, output
        else:
            noise = np.square(values - wanted).sum()
            assert noise <= np.square(wanted).sum() / 10 ** (DECIBELS / 10) + 1e-9, (
                output, noise, str(imported.graph))
    differences = node_differences(imported, case.inputs,
                                   OnnxReference(path, keep_all=True).run(case.inputs))
    assert all(item.largest <= 1 for item in differences if item.exact)
