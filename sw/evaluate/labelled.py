"""Labelled samples from a folder: with a ``labels.csv``, or a folder for each class."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sw.errors import InputError
from sw.inputs import (
    Pictures,
    SoundFrontEnd,
    TensorSpec,
    folders_in,
    read_file,
    read_folder,
    read_stack,
    sample_files,
)

__all__ = ["Labelled", "read_labelled"]

_TABLE = "labels.csv"
_ACCEPTED = (f"accepted is a folder with {_TABLE} (first column: file, or index into the samples "
             "of a .npy; a column whose name begins with label: the class's number or name), or "
             "with a folder of samples for each class")


@dataclass(frozen=True, eq=False)
class Labelled:
    """Samples and their classes.

    Parameters
    ----------
    samples : ndarray [samples, *shape of the input]
    labels : ndarray [samples] of int
    folders : tuple of str
        Names of the classes' folders, by class, where only their order tells the class.
    """

    samples: NDArray
    labels: NDArray
    folders: tuple[str, ...] = ()

    def some(self, limit: int | None) -> "Labelled":
        """So many of the samples, evenly from all, in their order; None for all."""
        count = len(self.labels)
        if limit is None or limit >= count:
            return self
        chosen = np.arange(limit) * count // limit
        return Labelled(self.samples[chosen], self.labels[chosen], self.folders)


def read_labelled(folder: Path, spec: TensorSpec, pictures: Pictures, *, classes: int,
                  names: Sequence[str] = (), sound: SoundFrontEnd | None = None) -> Labelled:
    """Read a labelled folder.

    Parameters
    ----------
    folder : Path
    spec : TensorSpec
        The network's one input.
    pictures : Pictures
    classes : int
        Of the network's output.
    names : sequence of str
        Of the classes, where known: what folders and labels may be called.
    sound : SoundFrontEnd, optional

    Raises
    ------
    InputError
        Naming the folder, file or line, and what is accepted.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; {_ACCEPTED}")
    if (folder / _TABLE).is_file():
        return _by_table(folder, spec, pictures, sound, classes, names)
    inside = folders_in(folder)
    if not inside:
        raise InputError(f"{folder}: no labels; {_ACCEPTED}")
    known = bool(names) or all(path.name.isdecimal() for path in inside)
    if not known and len(inside) != classes:
        raise InputError(f"{folder}: {len(inside)} folders for {classes} classes; name them by "
                         "number, or give the classes' names (--labels)")
    parts, labels = [], []
    for number, path in enumerate(inside):
        label = _label(path.name, classes, names, str(path)) if known else number
        parts.append(read_folder(path, spec, pictures, sound=sound))
        labels += [label] * len(parts[-1])
    return Labelled(np.concatenate(parts), np.array(labels),
                    () if known else tuple(path.name for path in inside))


def _label(text: str, classes: int, names: Sequence[str], origin: str) -> int:
    """A class by number or name."""
    text = text.strip()
    lower = [name.lower() for name in names]
    if text.isdecimal() and int(text) < classes:
        return int(text)
    if text.lower() in lower:
        return lower.index(text.lower())
    known = f", or one of {', '.join(names)}" if names else ""
    raise InputError(f"{origin}: label {text!r}; accepted are 0 to {classes - 1}{known}")


def _by_table(folder: Path, spec: TensorSpec, pictures: Pictures, sound: SoundFrontEnd | None,
              classes: int, names: Sequence[str]) -> Labelled:
    table = folder / _TABLE
    try:
        with table.open(newline="", encoding="utf-8") as file:
            header, *rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: can't be read ({error}); {_ACCEPTED}") from error
    except ValueError:
        raise InputError(f"{table}: empty; {_ACCEPTED}") from None
    column = next((at for at, title in enumerate(header)
                   if title.strip().lower().startswith("label")), None)
    if column is None or not rows:
        raise InputError(f"{table}: {len(rows)} rows, columns {', '.join(header)}; {_ACCEPTED}")
    for number, row in enumerate(rows):
        if len(row) <= column:
            raise InputError(f"{table}, row {number + 2}: no label; {_ACCEPTED}")
    labels = [_label(row[column], classes, names, f"{table}, row {number + 2}")
              for number, row in enumerate(rows)]
    paths = [folder / row[0] for row in rows]
    missing = [path for path in paths if not path.is_file()]
    if len(missing) < len(paths):
        if missing:
            raise InputError(f"{missing[0]}: no such file, but {table} names it")
        samples = np.stack([read_file(path, spec, pictures, sound) for path in paths])
    else:
        stack = _stack(folder, spec)
        counted = header[0].strip().lower() == "index"
        chosen = [row[0].strip() for row in rows] if counted else [*map(str, range(len(rows)))]
        for number, text in enumerate(chosen):
            if not (text.isdecimal() and int(text) < len(stack)):
                raise InputError(f"{table}, row {number + 2}: sample {text!r}; accepted are files "
                                 f"that exist, or 0 to {len(stack) - 1}")
        samples = stack[[int(text) for text in chosen]]
    return Labelled(samples, np.array(labels))


def _stack(folder: Path, spec: TensorSpec) -> NDArray:
    """The one array of samples in the folder."""
    found, wrong = [], ""
    for path in sample_files(folder):
        if path.suffix.lower() == ".npy":
            try:
                found.append(read_stack(path, spec))
            except InputError as error:
                wrong = f" ({error})"
    if len(found) != 1:
        raise InputError(f"{folder}: {_TABLE} names no files that are there, and {len(found)} .npy "
                         f"fit the network's input {spec}, must be 1{wrong}")
    return found[0]
