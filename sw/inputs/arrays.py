"""``.npy`` inputs: the network's own bytes, or real numbers to quantize."""

from pathlib import Path

import numpy as np

from sw.errors import InputError
from sw.inputs.spec import TensorSpec

__all__ = ["load_array", "read_array"]


def load_array(path: Path, accepted: str) -> np.ndarray:
    """The array of a ``.npy`` file.

    Parameters
    ----------
    path : Path
    accepted : str
        What messages end with.

    Raises
    ------
    InputError
        If there is none, or it is damaged.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or 'not readable as .npy'}") from error
    except (ValueError, EOFError, SyntaxError, MemoryError) as error:
        raise InputError(f"{path}: not a readable .npy file; {accepted}") from error
    if not isinstance(values, np.ndarray):
        raise InputError(f"{path}: an archive of several arrays; {accepted}")
    return values


def read_array(path: Path, spec: TensorSpec) -> np.ndarray:
    """One sample from a ``.npy`` file.

    Parameters
    ----------
    path : Path
        Holds the input's own type, taken as it is, or floats, which are quantized.
    spec : TensorSpec

    Returns
    -------
    array of the input's shape and type

    Raises
    ------
    InputError
        Naming file, type, shape and what is accepted.
    """
    accepted = f"accepted for input {spec} is .npy of {spec.dtype} (taken as it is) or of floats"
    values = spec.shaped(load_array(path, accepted), str(path))
    if values.dtype != spec.dtype and not np.issubdtype(values.dtype, np.floating):
        raise InputError(f"{path}: type {values.dtype}; {accepted}")
    if not np.isfinite(values).all():
        raise InputError(f"{path}: holds NaN or infinity; accepted are finite numbers")
    if values.dtype == spec.dtype:
        return np.ascontiguousarray(values).reshape(spec.shape)  # it gives scalars an axis
    return spec.quantize(values)
