"""Calibration samples from a folder, as float inputs of a network."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sw.errors import InputError
from sw.inputs import Pictures, TensorSpec, read_folder

__all__ = ["read_calibration"]


def read_calibration(folder: Path, specs: Sequence[TensorSpec], pictures: Pictures, *,
                     crops: int = 0, seed: int = 0) -> list[dict[str, NDArray]]:
    """All samples of a folder, each with all inputs of the network.

    Parameters
    ----------
    folder : Path
        Pictures and .npy; for a network of several inputs a folder for each, of its name, whose
        k-th samples belong together; a lone one belongs to all.
    specs : sequence of TensorSpec
        The inputs.
    pictures : Pictures
    crops, seed : int
        As for `read_folder`.

    Raises
    ------
    InputError
        If there is no sample, or one can't be read.
    """
    if len(specs) == 1:
        stacks = {specs[0].name: read_folder(folder, specs[0], pictures, crops=crops, seed=seed)}
    else:
        names = ", ".join(spec.name for spec in specs)
        for spec in specs:
            if not (folder / spec.name).is_dir():
                raise InputError(f"{folder / spec.name}: no such folder; accepted for a network of "
                                 f"{len(specs)} inputs is a folder for each in {folder}: {names}")
        stacks = {spec.name: read_folder(folder / spec.name, spec, pictures, crops=crops, seed=seed)
                  for spec in specs}
    counts = {name: len(stack) for name, stack in stacks.items()}
    most = max(counts.values())
    if set(counts.values()) - {1, most}:
        given = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise InputError(f"{folder}: every input needs as many samples, or one for all; found are "
                         f"{given}")
    return [{name: np.asarray(stack[at % len(stack)]) for name, stack in stacks.items()}
            for at in range(most)]
