"""Library kernels as programs of a chip, held against the kernels themselves."""

from functools import cache

import numpy as np

from sw.driver.device import Device
from sw.drp.compiler import compile_kernel
from sw.drp.library import LIBRARY
from sw.drp.library.samples import sample
from sw.drp.program import kernel_program

__all__ = ["check_kernel"]


@cache
def _compiled(name, fabric):
    return compile_kernel(LIBRARY[name], fabric)


def check_kernel(config, name, rng, size, transports):
    """Run a kernel on random data of about a size; gives results of each transport's run."""
    kernel, compiled = LIBRARY[name], _compiled(name, config.fabric)
    call = sample(kernel, rng, *size)
    arrays, _ = kernel.bind(call.arrays)
    program = kernel_program(compiled, call.arrays, config, sizes=call.sizes, grids=call.grids)
    wanted = kernel(*call.arrays, sizes=call.sizes, grids=call.grids)
    results = []
    for transport in transports:
        device = Device(transport)
        device.load(program)
        results.append(device.run(arrays))
        found = list(results[-1].outputs.values())
        for port, one in enumerate(wanted if isinstance(wanted, tuple) else (wanted,)):
            np.testing.assert_array_equal(found[port], one,
                                          f"{name} {size} on {type(transport).__name__}")
    return program, results
