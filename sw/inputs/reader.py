"""Arguments of ``--input`` to samples: which file feeds which input, and how it is read."""

import enum
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sw.errors import InputError
from sw.inputs.arrays import read_array
from sw.inputs.audio import log_mel_window, mfcc, read_wav
from sw.inputs.pictures import Pictures
from sw.inputs.spec import TensorSpec

__all__ = ["SoundFrontEnd", "existing", "read_file", "read_samples"]


class SoundFrontEnd(enum.Enum):
    """How a recording becomes a network's input."""

    MFCC = "mfcc"
    LOG_MEL = "log-mel"


def existing(path: Path, accepted: str = "a picture, .npy or .wav") -> None:
    """Refuse what is no file.

    Raises
    ------
    InputError
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; accepted is {accepted}")
    if path.is_dir():
        raise InputError(f"{path}: a folder; accepted is {accepted}, --input may be given many "
                         "times")


def _read_sound(path: Path, spec: TensorSpec, front_end: SoundFrontEnd | None) -> np.ndarray:
    if front_end is None:
        raise InputError(f"{path}: no sound front end is known for this network; accepted are "
                         f".npy and pictures (recordings: zoo networks dscnn and autoencoder)")
    samples = read_wav(path)
    try:
        features = mfcc(samples) if front_end is SoundFrontEnd.MFCC else log_mel_window(samples)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return spec.shaped(spec.quantize(features, truncate=True), str(path))


def read_file(path: Path, spec: TensorSpec, pictures: Pictures,
              sound: SoundFrontEnd | None) -> np.ndarray:
    """One sample from a file of any kind.

    Raises
    ------
    InputError
        If it can't be read or doesn't fit the input.
    """
    existing(path)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return read_array(path, spec)
    if suffix == ".wav":
        return _read_sound(path, spec, sound)
    if sound is not None:
        raise InputError(f"{path}: not a recording; accepted for this network are .wav and .npy")
    return pictures.read(path, spec)


def _assign(arguments: Sequence[str], names: Sequence[str]) -> dict[str, list[Path]]:
    """Files of each input, in order."""
    files: dict[str, list[Path]] = {name: [] for name in names}
    for argument in arguments:
        name, separator, rest = argument.partition("=")
        if separator and name in files:
            files[name].append(Path(rest))
        elif len(names) == 1 and (not separator or Path(argument).exists()):
            files[names[0]].append(Path(argument))
        else:
            raise InputError(f"--input {argument}: names no input; accepted is name=FILE with "
                             f"name one of {', '.join(names)}")
    return files


def read_samples(arguments: Sequence[str], specs: Sequence[TensorSpec], pictures: Pictures,
                 sound: SoundFrontEnd | None = None) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Samples from command line arguments.

    Parameters
    ----------
    arguments : sequence of str
        ``FILE`` or ``name=FILE``; the k-th file of every input belongs to sample k.
    specs : sequence of TensorSpec
        The network's inputs.
    pictures : Pictures
        Front end of picture files.
    sound : SoundFrontEnd, optional
        Front end of ``.wav`` files.

    Returns
    -------
    list of (name of the sample, arrays by input name)

    Raises
    ------
    InputError
        Naming the file, its shape or type and what is accepted.
    """
    files = _assign(arguments, [spec.name for spec in specs])
    counts = {name: len(paths) for name, paths in files.items()}
    if len(set(counts.values())) > 1:
        given = ", ".join(f"{name}: {count}" for name, count in counts.items())
        raise InputError(f"every input needs as many files; given are {given}")
    return [
        (", ".join(path.name for path in paths),
         {spec.name: read_file(path, spec, pictures, sound)
          for spec, path in zip(specs, paths, strict=True)})
        for paths in zip(*(files[spec.name] for spec in specs), strict=True)
    ]
