"""Kernels on the whole chip: kernel = machine = rtl, with pauses on the bus, in strips."""

import zlib

import numpy as np
import pytest

from golden.spec.config import preset
from sw.engines.machine import MachineTransport
from sw.engines.rtl.engine import RtlTransport
from tb.lib.kernels import check_kernel

CONFIG = preset("tiny_drp")
MEMORY = 1 << 20
# (rows, columns); what takes several strips in 2 KB last.
SIZES = ((7, 12), (5, 24), (64, 20))
SMALL = ((3, 4), (4, 6))  # of kernels with many channels
KERNELS = ("threshold", "sobel_x", "nearest", "normalize", "quantized_mul", "global_mean",
           "argmax", "average_pool_2x2s2", "max_pool_2x2s2", "rgb_to_gray", "box3")


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("stalls", [0, 30])
def test_kernels(name, stalls):
    seed = zlib.crc32(f"{name} {stalls}".encode())
    rng, strips = np.random.default_rng(seed), []
    print(f"seed {seed}")
    deep = name in ("global_mean", "argmax", "average_pool_2x2s2", "max_pool_2x2s2")
    for size in SMALL if deep else SIZES:
        rtl = RtlTransport(CONFIG, memory_bytes=MEMORY, stall_percent=stalls, seed=seed)
        machine = MachineTransport(CONFIG, memory_bytes=MEMORY)
        program, _ = check_kernel(CONFIG, name, rng, size, (rtl, machine))
        strips.append(program.info["strips"])
        rtl.close()
    assert strips[0] == 1
    assert max(strips) > 1 or name not in ("threshold", "sobel_x", "box3")
