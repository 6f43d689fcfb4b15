"""A folder of samples: pictures, recordings, arrays of one sample or many."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sw.errors import InputError
from sw.inputs.arrays import read_array
from sw.inputs.pictures import Pictures
from sw.inputs.reader import SoundFrontEnd, read_file
from sw.inputs.spec import TensorSpec

__all__ = ["PICTURE_SUFFIXES", "calibration_folders", "folders_in", "read_folder", "read_stack",
           "sample_files"]

PICTURE_SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif",
                              ".tiff", ".webp"))
_ARRAY, _SOUND = ".npy", ".wav"
_SMALLEST_CROP = 0.4  # of the shorter side


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}; accepted is a folder of samples") from error


def _samples(paths: Sequence[Path]) -> list[Path]:
    return [path for path in paths if path.is_file()
            and path.suffix.lower() in PICTURE_SUFFIXES | {_ARRAY, _SOUND}]


def folders_in(folder: Path) -> list[Path]:
    """Folders in a folder, hidden ones left out, in order of their names.

    Raises
    ------
    InputError
        If it is no folder or can't be read.
    """
    return [path for path in _inside(folder) if path.is_dir() and not path.name.startswith(".")]


def sample_files(folder: Path) -> list[Path]:
    """Files of a folder that may hold samples, in order of their names.

    Raises
    ------
    InputError
        If it is no folder, can't be read, or has none.
    """
    files = _samples(_inside(folder))
    if not files:
        inner = " of its own, and folders in it aren't read" if folders_in(folder) else ""
        raise InputError(f"{folder}: no samples{inner}; accepted are pictures, .npy (one sample or "
                         "many) and, where a sound front end is known, .wav")
    return files


def calibration_folders(folder: Path) -> tuple[list[Path], list[Path]]:
    """Where samples without labels are taken from.

    Parameters
    ----------
    folder : Path
        Of samples; or without any, but with folders of them, as labelled sets have one for each
        class.

    Returns
    -------
    (list of Path, list of Path)
        Folders to read, and those in the folder that are left out.

    Raises
    ------
    InputError
        If it is no folder or can't be read.
    """
    inside = folders_in(folder)
    return (inside, []) if inside and not _samples(_inside(folder)) else ([folder], inside)


def read_stack(path: Path, spec: TensorSpec) -> NDArray:
    """Samples of a ``.npy`` file, [samples, *spec.shape]: one, or as many as its leading axis has.

    Raises
    ------
    InputError
        Naming file, type, shape and what is accepted.
    """
    try:
        values = np.load(path, allow_pickle=False, mmap_mode="r")
    except (OSError, ValueError, EOFError, SyntaxError, MemoryError):
        return read_array(path, spec)[None]  # says what is wrong
    if not isinstance(values, np.ndarray) or values.ndim < 2:
        return read_array(path, spec)[None]
    one = [size for size in spec.shape if size != 1]
    if [size for size in values.shape if size != 1] == one:
        return read_array(path, spec)[None]
    if [size for size in values.shape[1:] if size != 1] != one:
        raise InputError(f"{path}: {values.dtype}{list(values.shape)}, accepted for input {spec} "
                         f"is that, or many with a leading axis")
    if not len(values):
        raise InputError(f"{path}: {values.dtype}{list(values.shape)} holds no sample; accepted "
                         "are one or more")
    if values.dtype != spec.dtype:
        if not np.issubdtype(values.dtype, np.floating):
            raise InputError(f"{path}: type {values.dtype}; accepted for input {spec} are "
                             f"{spec.dtype} and floats")
    if not np.isfinite(values).all():
        raise InputError(f"{path}: holds NaN or infinity; accepted are finite numbers")
    if values.dtype != spec.dtype:
        values = spec.quantize(np.asarray(values))
    return np.ascontiguousarray(values).reshape(-1, *spec.shape)


def read_folder(folder: Path, spec: TensorSpec, pictures: Pictures, *,
                sound: SoundFrontEnd | None = None, crops: int = 0, seed: int = 0) -> NDArray:
    """All samples of a folder.

    Parameters
    ----------
    folder : Path
    spec : TensorSpec
        The network's one input.
    pictures : Pictures
    sound : SoundFrontEnd, optional
    crops : int
        Random parts of each picture, besides the whole: squares or what the input's shape is,
        from 0.4 to 1 of the picture's size, half of them mirrored.
    seed : int
        Of the crops.

    Returns
    -------
    ndarray [samples, *spec.shape]

    Raises
    ------
    InputError
        If there is none, or one can't be read.
    """
    rng = np.random.default_rng(seed)
    found: list[NDArray] = []
    for path in sample_files(folder):
        if path.suffix.lower() == _ARRAY:
            found.extend(read_stack(path, spec))
            continue
        found.append(read_file(path, spec, pictures, sound))
        if crops and path.suffix.lower() != _SOUND:
            found.extend(_crops(path, spec, pictures, crops, rng))
    return np.stack(found)


def _crops(path: Path, spec: TensorSpec, pictures: Pictures, count: int,
           rng: np.random.Generator) -> Sequence[NDArray]:
    picture = pictures.open(path)
    height, width = pictures.size(spec, str(path))
    largest = min(picture.width / width, picture.height / height)
    found = []
    for _ in range(count):
        scale = largest * rng.uniform(_SMALLEST_CROP, 1)
        left = rng.uniform(0, picture.width - scale * width)
        top = rng.uniform(0, picture.height - scale * height)
        part = picture.crop((round(left), round(top), round(left + scale * width),
                             round(top + scale * height)))
        if rng.random() < 0.5:
            part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        found.append(pictures.convert(part, spec, str(path)))
    return found
