"""docs/drp.md: the kernel in ten lines works as printed."""

import re
from pathlib import Path

import numpy as np

from golden.spec.drp.fabric import fabric
from sw.drp.compiler import compile_kernel
from sw.drp.open import open_kernel

PAGE = Path(__file__).parents[3] / "docs" / "drp.md"


def test_ten_lines(tmp_path):
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.S)[1]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    path = tmp_path / "edges.py"
    path.write_text(code)
    edges = open_kernel(str(path))
    picture = np.random.default_rng(0).integers(0, 256, (11, 14), np.uint8)
    wide = np.pad(picture.astype(int), ((1, 0), (1, 0)), mode="edge")
    wanted = abs(wide[1:, 1:] - wide[:-1, 1:]) + abs(wide[1:, 1:] - wide[1:, :-1])
    wanted = np.where(wanted > 20, np.minimum(2 * wanted, 255), 0)
    assert (edges(picture) == wanted).all()
    compiled = compile_kernel(edges, fabric("base"))
    assert (compiled.run(picture).outputs[0] == wanted).all() and compiled.proven
