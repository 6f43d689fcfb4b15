"""What the zoo knows about each network."""

import csv
import enum
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sw.errors import UsageError
from sw.inputs import Pictures, SoundFrontEnd, TensorSpec

__all__ = ["NETWORKS", "Network", "Sample", "Task", "find", "model_digest", "recognize"]

_FOLDER = Path(__file__).parent


class Task(enum.Enum):
    """What a network's output means."""

    CLASSES = "classes"
    RECONSTRUCTION = "reconstruction"


@dataclass(frozen=True)
class Sample:
    """One sample.

    Parameters
    ----------
    name : str
    inputs : dict
        Arrays by input name, in the inputs' shapes and types.
    label : int, optional
        Index of the right class, where known.
    """

    name: str
    inputs: dict[str, np.ndarray]
    label: int | None = None


@dataclass(frozen=True)
class Network:
    """One bundled network.

    Parameters
    ----------
    name : str
        On the command line.
    title : str
        One line for people.
    labels : tuple of str
        Class names; empty where the output isn't classes.
    task : Task
    sound : SoundFrontEnd, optional
        How recordings become its input; networks without one take pictures.
    features : str, optional
        File of samples that aren't pictures, an array with one row a sample.
    """

    name: str
    title: str
    labels: tuple[str, ...] = ()
    task: Task = Task.CLASSES
    sound: SoundFrontEnd | None = None
    features: str | None = None

    @property
    def model(self) -> Path:
        """The TensorFlow Lite file."""
        return _FOLDER / "models" / f"{self.name}.tflite"

    @property
    def accepts(self) -> str:
        """Input files it takes, for people."""
        return ".wav, .npy" if self.sound else "pictures, .npy"

    def _rows(self) -> list[dict[str, str]]:
        with (_FOLDER / "samples" / self.name / "labels.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    @property
    def pictures(self) -> list[tuple[Path, int | None]]:
        """Bundled pictures with their labels; none of a network that takes others."""
        folder = _FOLDER / "samples" / self.name
        return [] if self.features else [
            (folder / row["file"], int(row["label"]) if row["label"] else None)
            for row in self._rows()]

    @property
    def sample_count(self) -> int:
        """Bundled samples."""
        return len(self._rows())

    def samples(self, count: int, spec: TensorSpec) -> list[Sample]:
        """The first bundled samples.

        Raises
        ------
        UsageError
            If there are fewer.
        """
        rows = self._rows()
        if not 1 <= count <= len(rows):
            raise UsageError(f"--samples {count}: {self.name} has {len(rows)}, accepted are 1 to "
                             f"{len(rows)}")
        folder = _FOLDER / "samples" / self.name
        if self.features:
            values = list(np.load(folder / self.features)[:count])
        else:
            values = [Pictures().read(folder / row["file"], spec) for row in rows[:count]]
        return [Sample(row["file"], {spec.name: spec.shaped(item, row["file"])},
                       int(row["label"]) if row["label"] else None)
                for row, item in zip(rows, values, strict=False)]


NETWORKS = {network.name: network for network in (
    Network("resnet8", "ResNet8: which of ten things is in a 32x32 picture (MLPerf Tiny)",
            ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
             "truck")),
    Network("dscnn", "DS-CNN: which of ten words is said in a second of sound (MLPerf Tiny)",
            ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "silence",
             "unknown"), sound=SoundFrontEnd.MFCC, features="mfcc.npy"),
    Network("vww", "MobileNetV1 0.25: is a person in a 96x96 picture (MLPerf Tiny)",
            ("no person", "person")),
    Network("autoencoder", "Autoencoder: how unusual a tenth of a second of sound is "
            "(MLPerf Tiny)", task=Task.RECONSTRUCTION, sound=SoundFrontEnd.LOG_MEL,
            features="log_mel.npy"),
)}


def model_digest(path: Path) -> str:
    """What tells model files apart: SHA-256, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def recognize(digest: object) -> Network | None:
    """The bundled network whose file has this digest."""
    return next((network for network in NETWORKS.values()
                 if model_digest(network.model) == digest), None)


def find(model: str) -> tuple[Path, Network | None]:
    """A model argument as its file, and the bundled network that it is, if any.

    Parameters
    ----------
    model : str
        A name of the zoo or a path; a copy of a bundled file is known by its bytes.

    Raises
    ------
    UsageError
        If it is neither.
    """
    if model in NETWORKS and not Path(model).is_file():
        return NETWORKS[model].model, NETWORKS[model]
    path = Path(model)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise UsageError(f"{model}: {what}, and no network of the zoo; accepted is a .tflite, "
                         f".onnx or .sentei file, or one of {', '.join(NETWORKS)}")
    return path, recognize(model_digest(path))
