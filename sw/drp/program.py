"""A kernel's call as a program of the whole chip: strips in, kernel, strips out."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from golden.spec.config import Config
from golden.spec.isa import Opcode
from golden.spec.program import Binding, ChipStep, Program
from golden.spec.registers import Region
from sw.drp.compiler import Compiled
from sw.drp.domain import Grid
from sw.drp.launcher import Launcher
from sw.drp.recorder import Picture
from sw.drp.streamed import Streamed
from sw.errors import InputError
from sw.instructions.constants import Constants
from sw.instructions.sync import Instruction, synchronize

__all__ = ["kernel_program"]

_ALIGN = 64  # of arrays in DRAM


def kernel_program(compiled: Compiled, given: tuple[np.ndarray, ...], config: Config, *,
                   sizes: Mapping[str, int] | None = None,
                   grids: Mapping[str, Grid] | None = None) -> Program:
    """The program that runs a kernel once; its inputs are the kernel's streams.

    Parameters
    ----------
    compiled : Compiled
        For the chip's fabric.
    given : tuple of ndarray
        As the kernel's arguments; only tables' values count.
    config : Config
        A chip with a DRP.
    sizes, grids
        As the kernel's.

    Raises
    ------
    InputError
        For arrays that don't fit, or a chip without that fabric.
    """
    if config.fabric is None or config.fabric != compiled.mapping.fabric:
        raise InputError(f"{compiled.kernel.name} is mapped on fabric "
                         f"{compiled.mapping.fabric.name}, preset {config.name} has "
                         f"{config.fabric.name if config.fabric else 'no DRP'}")
    arrays, tables = compiled.kernel.bind(given)
    domain = compiled.kernel.domain(arrays, sizes, grids)
    inputs, ends = [], dict.fromkeys((Region.INPUT, Region.OUTPUT), 0)

    def binding(name: str, region: Region, shape: tuple[int, ...], dtype: str) -> Binding:
        made = Binding(name, region, ends[region], shape, dtype)
        ends[region] += -(-made.bytes // _ALIGN) * _ALIGN
        return made

    for name, array in arrays.items():
        inputs.append(binding(name, Region.INPUT, array.shape, array.dtype.name))
    shape = tuple(domain.sizes.values())[:domain.kept]
    outputs = [binding(f"result{port}", Region.OUTPUT,
                       shape + ((out.channels,) if out.channels > 1 else ()), out.type.memory)
               for port, out in enumerate(compiled.kernel.outs)]

    constants = Constants()
    launcher = Launcher(config, constants)
    streams = len(compiled.kernel.streams)
    call = Streamed(compiled, domain, tuple((item.name, 0) for item in inputs[:streams]),
                    tuple((item.name, 0) for item in outputs), tuple(tables.values()),
                    next((Picture(item.name, 0, *item.shape) for item in inputs[streams:]), None),
                    most=config.words)
    instructions = call.emit(config, launcher, 0, 0, {
        item.name: (item.region, item.offset) for item in (*inputs, *outputs)})
    synchronize(instructions, {"sp": config.words, **launcher.spaces, **{
        region.name: size for region, size in ends.items()}})
    instructions.append(Instruction(Opcode.END, {}))
    raw = b"".join(item.encode() for item in instructions)
    step = ChipStep(constants.add(raw), len(raw))
    return Program(
        network=compiled.kernel.name, config=dataclasses.asdict(config), digest=config.digest(),
        constants=bytes(constants.data), regions={**ends, Region.WORK: 0, Region.LOG: 0},
        inputs=inputs, outputs=outputs, steps=[step],
        layers=[{"tag": 0, "name": compiled.kernel.name, "operator": "KERNEL", "unit": "drp",
                 "macs": 0, "ideal_cycles": 0}],
        info={"strips": len(call.strips(config)), "fabric": config.drp, "ii": compiled.mapping.ii})

