"""PyTorch modules as networks, without a file in between. ::

    from sw.pytorch import compile_module, quantize_module

    quantize_module(net, samples, "net_int8.onnx")    # sentei run net_int8.onnx
    program = compile_module(net, samples, "base")

Needs the extra ``[torch]``. What has been trained with `sw.prune.Pruner` has its own ``export``.
"""

import inspect
import warnings
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from golden.spec.config import Config, preset
from golden.spec.program import Program
from sw.compiler import compile_graph
from sw.errors import InputError, ModelError, ToolError, UsageError
from sw.frontend.onnx import import_model
from sw.quantize import Choices, Quantized, prepare, quantize, read_float

__all__ = ["compile_module", "export_module", "quantize_module"]

OPSET = 17


def export_module(model: Any, example_input: Any) -> onnx.ModelProto:
    """The float network as ONNX, for one sample.

    Parameters
    ----------
    model : torch.nn.Module
        Exported as it evaluates, and left in the mode that it is in.
    example_input : Tensor, ndarray, or tuple of them
        Inputs of ``forward``, batch first; of a batch the first sample is taken.

    Raises
    ------
    ToolError
        If PyTorch is not installed.
    UsageError
        If ``model`` is no module.
    InputError
        If ``example_input`` holds no sample.
    ModelError
        If PyTorch can't export it.
    """
    torch = _torch()
    if not isinstance(model, torch.nn.Module):
        raise UsageError(f"model is {type(model).__name__}; accepted are torch.nn.Module")
    given = tuple(torch.as_tensor(item)[:1] for item in _tuple(example_input))
    if not given or any(not item.numel() for item in given):
        raise InputError(f"example_input has sizes {[list(item.shape) for item in given]}; "
                         "accepted is at least one sample, batch first")
    written = BytesIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of traces, and that another exporter is newer
            torch.onnx.export(model, given, written, dynamo=False, opset_version=OPSET,
                              input_names=_names(model, len(given)))
    except Exception as error:  # whatever forward() and the exporter raise
        raise ModelError(f"{type(model).__name__}: PyTorch can't export it: "
                         f"{type(error).__name__}: {' '.join(str(error).split())[:300]}") from error
    return onnx.load_model_from_string(written.getvalue())


def quantize_module(model: Any, samples: Any, path: Path | str | None = None,
                    choices: Choices | None = None) -> Quantized:
    """Quantize a module to int8, as ``sentei quantize``.

    Parameters
    ----------
    model : torch.nn.Module
    samples : Tensor, ndarray, or iterable
        Batches for calibration, as the network will see them: one, or an iterable of batches, each
        a tensor or, for a module of several inputs, a tuple of them.
    path : Path or str, optional
        The .onnx file to write.
    choices : Choices, optional

    Raises
    ------
    As `export_module` and `sw.quantize.quantize` do.
    """
    batches = [samples] if _is_array(samples) else list(samples)
    if not batches:
        raise InputError("no calibration samples; accepted are one or more")
    name = Path(f"{type(model).__name__}.onnx")
    exported = export_module(model, batches[0])
    inputs = [item.name for item in exported.graph.input]
    given = []
    for batch in batches:
        arrays = [np.asarray(_numbers(item), np.float32) for item in _tuple(batch)]
        if len(arrays) != len(inputs) or len({len(item) for item in arrays}) != 1:
            raise InputError(f"a batch of sizes {[list(item.shape) for item in arrays]}; accepted "
                             f"are as many samples of each of {', '.join(inputs)}")
        given += [dict(zip(inputs, (item[at:at + 1] for item in arrays), strict=True))
                  for at in range(len(arrays[0]))]
    found = quantize(prepare(name, read_float(name, {}, exported.SerializeToString())), given,
                     choices or Choices())
    if path is not None:
        onnx.save(found.model, path)
    return found


def compile_module(model: Any, samples: Any, config: Config | str = "base",
                   choices: Choices | None = None) -> Program:
    """Quantize a module and compile it for a chip.

    Parameters
    ----------
    model, samples, choices
        As for `quantize_module`.
    config : Config or str
        The chip, or its preset's name.

    Raises
    ------
    As `quantize_module`, and ModelError for what can't be compiled.
    """
    found = quantize_module(model, samples, choices=choices)
    imported = import_model(Path(f"{type(model).__name__}.onnx"), None,
                            found.model.SerializeToString())
    return compile_graph(imported.graph, preset(config) if isinstance(config, str) else config)


def _torch() -> Any:
    try:
        import torch  # by itself hundreds of megabytes
        import torch.onnx
    except ImportError as error:
        raise ToolError(f"PyTorch is not installed ({error}); pip install sentei[torch]") from None
    return torch


def _tuple(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, (tuple, list)) else (given,)


def _is_array(given: Any) -> bool:
    return hasattr(given, "shape") or not isinstance(given, Iterable)


def _numbers(given: Any) -> Any:
    return given.detach().cpu().numpy() if hasattr(given, "detach") else given


def _names(model: Any, count: int) -> list[str]:
    """What ``forward`` calls its inputs."""
    names = [name for name, item in inspect.signature(model.forward).parameters.items()
             if item.kind in (item.POSITIONAL_ONLY, item.POSITIONAL_OR_KEYWORD)]
    return names[:count] if len(names) >= count else [f"input{at}" for at in range(count)]
