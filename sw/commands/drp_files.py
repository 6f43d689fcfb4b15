"""Arrays of a kernel's parameters from files, and its results to files."""

import argparse
import math
from pathlib import Path

import numpy as np

from sw.drp.domain import Grid
from sw.drp.kernel import Kernel
from sw.drp.library.samples import Call, sample
from sw.drp.types import In
from sw.engines.machine import MEMORY_BYTES
from sw.errors import InputError, UsageError
from sw.inputs import Pictures, existing, load_array

__all__ = ["arrays_of", "check_picture", "files_of", "numbered", "read_values", "write_values"]


def numbered(path: Path, count: int) -> list[Path]:
    """The file, or one for each of several."""
    return [path] if count == 1 else [path.with_stem(f"{path.stem}-{number}")
                                      for number in range(1, count + 1)]


def arrays_of(arguments: argparse.Namespace, kernel: Kernel) -> Call:
    """Arguments of the run: files, or random data."""
    free = [name for name, spec in kernel.streams.items() if spec.step == "free"]
    if arguments.size and not free:
        raise UsageError(f"--size {arguments.size}: {kernel.name} doesn't resize; accepted is "
                         "--size for kernels with a stream of a free step")
    if not arguments.input:
        call = sample(kernel, np.random.default_rng(arguments.seed), 24, 32)
        if not arguments.size:
            return call
    elif len(arguments.input) != len(kernel.arrays):
        raise UsageError(f"{kernel.name} takes {len(kernel.arrays)} arrays "
                         f"({', '.join(kernel.arrays)}); accepted is --input for each, in this "
                         "order")
    else:
        call = Call(tuple(_read(path, name, kernel) for path, name in
                          zip(arguments.input, kernel.arrays, strict=True)))
    if not free:
        return call
    try:
        height, width = (int(part) for part in (arguments.size or "").split(","))
    except ValueError:
        raise UsageError(f"{kernel.name} resizes; accepted is --size height,width") from None
    if height < 1 or width < 1:
        raise UsageError(f"--size {arguments.size}: accepted are two sizes of 1 or more")
    shapes = dict(zip(kernel.arrays, (array.shape for array in call.arrays), strict=True))
    return Call(call.arrays, {"y": height, "x": width},
                {name: Grid.resize((shapes[name][0], shapes[name][1]), (height, width))
                 for name in free if len(shapes[name]) > 1})  # else the domain refuses it


def files_of(arguments: argparse.Namespace, kernel: Kernel, call: Call) -> list[Path]:
    """Paths for the results; refuses results that they or the memory can't hold."""
    domain = kernel.domain(kernel.bind(call.arrays)[0], call.sizes, call.grids)
    count, most = math.prod(domain.sizes.values()), MEMORY_BYTES // 4
    if count > most:
        raise UsageError((f"--size {arguments.size}" if arguments.size else kernel.name)
                         + f": {count:,} elements, accepted are {most:,}, as many 32-bit values "
                         "as the simulated memory holds")
    if not arguments.output:
        return []
    files = numbered(arguments.output, len(kernel.outs))
    for path, out in zip(files, kernel.outs, strict=True):
        shape = tuple(domain.sizes.values())[:domain.kept]
        check_picture(path, out.type.memory, (*shape, out.channels) if out.channels > 1 else shape)
    return files


def check_picture(path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    """Refuse a picture's file for what is none."""
    if path.suffix.lower() != ".npy" and (
            dtype != "uint8" or (len(shape) != 2 and (len(shape) != 3 or shape[2] != 3))):
        raise UsageError(f"-o {path}: the result is {dtype}{shape}, no gray or RGB picture; "
                         "accepted is .npy")


def _read(path: Path, name: str, kernel: Kernel) -> np.ndarray:
    """A parameter's array from a file."""
    if path.suffix.lower() == ".npy":
        return read_values(path)
    spec = kernel.streams.get(name) or kernel.gathers.get(name)
    axes, channels = ((spec.axes, spec.channels) if isinstance(spec, In) else ("yx", 1))
    if spec is None or spec.type.memory != "uint8" or axes != "yx" or channels not in (1, 3):
        raise InputError(f"{path}: {name} isn't a gray or RGB picture; accepted is .npy")
    return read_values(path, "L" if channels == 1 else "RGB")


def read_values(path: Path, mode: str = "L") -> np.ndarray:
    """An array from .npy, or a picture."""
    existing(path, "a picture or .npy")
    if path.suffix.lower() == ".npy":
        return load_array(path, "accepted is .npy of one array")
    return np.array(Pictures().open(path).convert(mode))


def write_values(values: np.ndarray, path: Path) -> None:
    if path.suffix.lower() == ".npy":
        with path.open("wb") as file:  # by name, numpy appends .npy to .NPY
            np.save(file, values)
        return
    from PIL import Image

    Image.fromarray(values).save(path)
