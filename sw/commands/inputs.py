"""Arguments that say what to run on, and the samples they mean."""

import argparse
from pathlib import Path

from sw.commands.options import count, numbers
from sw.errors import UsageError
from sw.inputs import COLORS, LAYOUTS, RESIZES, Pictures, TensorSpec, read_samples
from sw.inputs.camera import FORMATS, Camera
from sw.report.answers import Reader, read_labels
from sw.session import Model
from sw.zoo import Sample

__all__ = ["add_inputs", "add_pictures", "frames", "only_input", "pictures", "reader", "samples"]


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """``--input``, ``--samples``, ``--camera``, ``--decide`` and the picture options."""
    group = parser.add_argument_group("inputs")
    group.add_argument("--input", nargs="+", action="extend", default=[], metavar="FILE",
                       help="picture, .npy or .wav; several files are several samples, "
                       "name=FILE feeds one of several inputs")
    group.add_argument("--samples", type=count, metavar="K",
                       help="run the first K bundled samples of a zoo network (default: 1, "
                       "where there is no --input)")
    group.add_argument("--labels", type=Path, metavar="FILE", help="class names, one a line")
    group.add_argument("--camera", metavar="FORMAT[:WxH]", help="feed pictures as a camera's "
                       f"frames ({', '.join(FORMATS)}; 640x480 if no size is given), which the "
                       "chip's DRP turns into the network's input")
    group.add_argument("--decide", action="store_true", help="let the chip's DRP end with the "
                       "number of the class, the output's largest value")
    add_pictures(parser)


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """How pictures become inputs."""
    group = parser.add_argument_group(
        "pictures", "real = (pixel - mean) / std, then quantized for the network; without --mean "
        "and --std the pixels 0 to 255 fill the whole range of an 8-bit input")
    group.add_argument("--mean", type=numbers, metavar="X[,Y,Z]",
                        help="in pixel values, for all channels or each")
    group.add_argument("--std", type=numbers, metavar="X[,Y,Z]", help="likewise")
    group.add_argument("--layout", choices=LAYOUTS,
                        help="of the network's input (default: what its shape says)")
    group.add_argument("--color", choices=COLORS,
                        help="order of its channels (default: RGB, gray for one channel)")
    group.add_argument("--resize", choices=RESIZES, default="stretch",
                        help="to the input's size: stretch, crop the middle, or pad with black "
                        "(default: stretch)")


def pictures(arguments: argparse.Namespace) -> Pictures:
    """What the options of `add_pictures` say."""
    return Pictures(arguments.mean, arguments.std, arguments.layout, arguments.color,
                    arguments.resize)


def only_input(model: Model) -> TensorSpec:
    """The one input that a folder of samples is for.

    Raises
    ------
    UsageError
        If there are several.
    """
    if len(model.inputs) != 1:
        raise UsageError(f"{model.path}: {len(model.inputs)} inputs "
                         f"({', '.join(map(str, model.inputs))}); a folder of samples is only "
                         "accepted for networks with one")
    return model.inputs[0]


def frames(arguments: argparse.Namespace, model: Model, camera: Camera) -> list[Sample]:
    """The samples asked for, as a camera's frames.

    Raises
    ------
    UsageError, InputError
        If there are none, or they are no pictures.
    """
    if arguments.input and arguments.samples:
        raise UsageError("--input and --samples: accepted is one of them")
    for option, plain in (("mean", None), ("std", None), ("layout", None), ("color", None),
                          ("resize", "stretch")):
        if getattr(arguments, option) != plain:
            raise UsageError(f"--{option}: with --camera the chip makes the input, pixels less "
                             "128")
    (spec,) = model.inputs
    if arguments.input:
        files = [name.removeprefix(f"{spec.name}=") for name in arguments.input]
        return [Sample(name, {spec.name: camera.frame(Pictures().open(Path(name)))})
                for name in files]
    if model.network is None or not model.network.pictures:
        raise UsageError(f"{model.path}: --camera without --input; accepted are pictures")
    return [Sample(path.name, {spec.name: camera.frame(Pictures().open(path))}, label)
            for path, label in model.network.pictures[:arguments.samples or 1]]


def samples(arguments: argparse.Namespace, model: Model) -> list[Sample]:
    """The samples asked for.

    Raises
    ------
    UsageError, InputError
        If there are none, or they don't fit the model.
    """
    if arguments.input and arguments.samples:
        raise UsageError("--input and --samples: accepted is one of them")
    if arguments.input:
        sound = model.network.sound if model.network else None
        return [Sample(name, arrays) for name, arrays in
                read_samples(arguments.input, model.inputs, pictures(arguments), sound)]
    if model.network is None:
        wanted = "; ".join(map(str, model.inputs))
        raise UsageError(f"{model.path}: no --input; bundled samples are only there for the zoo, "
                         f"this network takes {wanted}")
    return model.network.samples(arguments.samples or 1, model.inputs[0])


def reader(arguments: argparse.Namespace, model: Model) -> Reader:
    """What reads the model's answers."""
    labels = read_labels(arguments.labels) if arguments.labels else ()
    return Reader(model.inputs, model.outputs, model.network, labels, model.classes)
