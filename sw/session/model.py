"""A model argument, opened: a network file, a zoo network or a compiled program."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from golden.graph import Graph, GraphError
from golden.graph import Tensor as GraphTensor
from golden.spec.config import Config
from golden.spec.container import MAGIC
from golden.spec.program import Binding, Program
from sw.compiler import compile_graph
from sw.errors import BadConfigError, ModelError, UsageError
from sw.frontend import load
from sw.inputs import TensorSpec
from sw.prune.rate import prune_to_rate
from sw.zoo import Network, find, model_digest, recognize

__all__ = ["PROGRAM_SUFFIX", "Model", "at_rate", "compiled", "extendable", "open_model"]

PROGRAM_SUFFIX = ".sentei"
_ORIGIN = "model_sha256"  # in Program.info: whose labels and samples fit


@dataclass(frozen=True)
class Model:
    """An opened model.

    Parameters
    ----------
    name : str
    path : Path
    inputs, outputs : list of TensorSpec
    network : Network, optional
        What the zoo knows of it.
    graph : Graph, optional
        None for a compiled program.
    program : Program, optional
        None for a model that is to be compiled.
    shapes : mapping of str to tuple of int
        Sizes given for inputs that the file leaves open.
    classes : int
        If not 0, the output is the number of one of so many.
    """

    name: str
    path: Path
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    network: Network | None = None
    graph: Graph | None = None
    program: Program | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    classes: int = 0


def _of_tensor(tensor: GraphTensor) -> TensorSpec:
    scale, zero_point = ((tensor.quant.scale, tensor.quant.zero_point) if tensor.quant
                         else (0.0, 0))
    return TensorSpec(tensor.name, tensor.shape, np.dtype(tensor.dtype), scale, zero_point)


def _of_binding(binding: Binding) -> TensorSpec:
    return TensorSpec(binding.name, binding.shape, np.dtype(binding.dtype), binding.scale,
                      binding.zero_point)


def _is_program(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == PROGRAM_SUFFIX or file.read(len(MAGIC)) == MAGIC


def open_model(argument: str, shapes: Mapping[str, tuple[int, ...]] | None = None) -> Model:
    """Open what the command line calls MODEL.

    Parameters
    ----------
    argument : str
        Name of the zoo, ``.tflite``, ``.onnx`` or program file.
    shapes : mapping of str to tuple of int, optional
        Sizes of inputs that an ``.onnx`` file leaves open.

    Raises
    ------
    UsageError, ModelError, ProgramError
        If there is no such thing, or it can't be read.
    """
    path, network = find(argument)
    if _is_program(path):
        if shapes:
            raise UsageError(f"--shape: {path} is compiled, its shapes are fixed")
        program = Program.load(path)
        return Model(program.network, path, [*map(_of_binding, program.inputs)],
                     [*map(_of_binding, program.outputs)], recognize(program.info.get(_ORIGIN)),
                     program=program)
    try:
        graph = load(path, shapes)
        graph.validate()
    except GraphError as error:
        raise ModelError(f"{path}: {error}") from error
    graph.name = network.name if network else path.stem
    return Model(graph.name, path, [_of_tensor(graph.tensors[name]) for name in graph.inputs],
                 [_of_tensor(graph.tensors[name]) for name in graph.outputs], network, graph,
                 shapes=shapes or {})


def at_rate(model: Model, config: Config, rate: float | None) -> Model:
    """The model with its smallest weights gone, as `prune_to_rate`; None leaves it.

    Raises
    ------
    UsageError
        For a rate out of range, or a compiled program.
    """
    if rate is None:
        return model
    if model.graph is None:
        raise UsageError(f"{model.path}: --rate needs the model itself, not a compiled program")
    return dataclasses.replace(model, graph=prune_to_rate(model.graph, config, rate))


def extendable(model: Model, option: str, *new: str) -> Graph:
    """The graph of a model that gets an operator more.

    Parameters
    ----------
    model : Model
    option : str
        That asks for it.
    new : str
        Names of its tensors and nodes.

    Raises
    ------
    UsageError
        If it is compiled, or has one of the names already.
    """
    if model.graph is None:
        raise UsageError(f"{model.path}: {option} needs the model itself, not a compiled program")
    taken = set(model.graph.tensors) | {node.name for node in model.graph.nodes}
    for name in new:
        if name in taken:
            raise UsageError(f"{model.path}: {option}: it has a {name!r} already")
    return model.graph


def compiled(model: Model, config: Config, *, dense: bool = False,
             progress: Callable[[str], None] | None = None) -> Program:
    """The model's program for a configuration.

    Raises
    ------
    BadConfigError
        If the model is a program for another configuration.
    ModelError
        If it can't be compiled.
    """
    if model.program is None:
        assert model.graph is not None
        program = compile_graph(model.graph, config, dense=dense, progress=progress)
        program.info[_ORIGIN] = model_digest(model.path)
        return program
    if model.program.digest != config.digest():
        chip = model.program.config["name"]
        raise BadConfigError(
            f"{model.path}: compiled for another configuration or version (digest "
            f"0x{model.program.digest:08x}, preset {chip}) than the chip asked for (digest "
            f"0x{config.digest():08x}, preset {config.name}); compile the model again")
    return model.program
