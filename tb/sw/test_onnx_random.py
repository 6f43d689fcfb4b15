"""Random ONNX networks: each node within 1 of ONNX Runtime's, the machine equal to golden."""

import pytest

from tb.lib.random_onnx import random_onnx
from tb.sw.onnx_check import check

pytest.importorskip("onnxruntime")
BATCHES, EACH = 4, 15


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_networks(batch, tmp_path):
    for seed in range(batch * EACH, (batch + 1) * EACH):
        check(random_onnx(seed).save(tmp_path / f"m{seed}.onnx"), seed=seed, samples=2,
              config="base")
