"""LiteRT as a reference, and what happens where it can't be one."""

import builtins

import numpy as np
import pytest

from sw.errors import ReferenceError_
from sw.reference import run_litert, trace_litert
from tb.lib.record_networks import MODELS, RECORD
from tb.lib.tflite_builder import ModelBuilder


def test_outputs_and_traces():
    pytest.importorskip("ai_edge_litert")
    with np.load(RECORD) as record:
        data, outputs = record["dscnn/inputs"], record["dscnn/outputs"]
    (found,) = run_litert(MODELS["dscnn"], [data])
    assert np.array_equal(found, outputs)
    traced = trace_litert(MODELS["dscnn"], [data])
    assert np.array_equal(traced["Identity"], outputs)
    assert len(traced) > 13


def test_refused_files(tmp_path):
    pytest.importorskip("ai_edge_litert")
    model = ModelBuilder()
    data, output = model.tensor((1, 4)), model.tensor((1, 4))
    model.operator("SOFTMAX", [data], [output], table="SoftmaxOptions", Beta=1.0)
    (tmp_path / "scale.tflite").write_bytes(model.finish([data], [output]))
    (tmp_path / "empty.tflite").write_bytes(b"")
    for path in (tmp_path / "scale.tflite", tmp_path / "empty.tflite", tmp_path / "none.tflite"):
        with pytest.raises(ReferenceError_, match="LiteRT refuses the file") as caught:
            run_litert(path, [np.zeros((1, 4), np.int8)])
        assert caught.value.exit_code == 9


def test_unreadable_names(tmp_path):
    pytest.importorskip("ai_edge_litert")
    path = tmp_path / "name.tflite"
    path.write_bytes(MODELS["dscnn"].read_bytes().replace(b"Identity", b"\xe9dentity"))
    with pytest.raises(ReferenceError_, match="can't read the names"):
        run_litert(path, [np.zeros((1, 49, 10, 1), np.int8)])


@pytest.mark.parametrize("inputs", [[], [np.zeros((1, 9, 9, 1), np.int8)],
                                    [np.zeros((1, 49, 10, 1), np.float32)]])
def test_wrong_inputs(inputs):
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(ReferenceError_, match="dscnn"):
        run_litert(MODELS["dscnn"], inputs)


def test_not_installed(monkeypatch):
    importer = builtins.__import__

    def absent(name, *args, **kwargs):
        if name.startswith("ai_edge_litert"):
            raise ImportError(f"No module named {name!r}")
        return importer(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ReferenceError_, match="not installed"):
        run_litert(MODELS["dscnn"], [np.zeros((1, 49, 10, 1), np.int8)])
