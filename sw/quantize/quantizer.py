"""From a float network and samples to a quantized one, by the choices that lose least."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from sw.errors import InputError, ModelError
from sw.quantize.correction import corrected_biases
from sw.quantize.equalize import equalized
from sw.quantize.histogram import observe
from sw.quantize.network import Network
from sw.quantize.placement import Placement, place
from sw.quantize.quality import SignalToNoise
from sw.quantize.ranges import METHODS, Quant, chosen_range
from sw.quantize.regions import function_of
from sw.quantize.session import Samples, open_session
from sw.quantize.sharing import shared_quants
from sw.quantize.weights import Codes, quantized_weights
from sw.quantize.writer import written

__all__ = ["Choices", "Quantized", "Trial", "output_ratios", "quantize", "split"]

AUTO = "auto"
_HELD = 4  # every so many-th sample is held out
_MOST_HELD = 16
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Choices:
    """How to quantize.

    Parameters
    ----------
    method : str
        One of METHODS, or ``auto``: the one that loses least on held-out samples.
    equalize, correct : bool or None
        Cross-layer equalization and bias correction; None: where they lose less.
    exclude : frozenset of str
        Nodes that stay float.
    """

    method: str = AUTO
    equalize: bool | None = None
    correct: bool | None = None
    exclude: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Trial:
    """One way that was tried.

    Parameters
    ----------
    method : str
    equalized, corrected : bool
    decibels : dict of str to float
        By output, on the held-out samples.
    """

    method: str
    equalized: bool
    corrected: bool
    decibels: dict[str, float]

    @property
    def score(self) -> float:
        """Mean of the outputs' decibels."""
        return float(np.mean(list(self.decibels.values())))


@dataclass(frozen=True, eq=False)
class Quantized:
    """A quantized network.

    Parameters
    ----------
    model : onnx.ModelProto
    network : Network
        The float network, equalized where that was chosen.
    placement : Placement
    quants : dict of str to Quant
    codes : dict of int to Codes
    chosen : Trial
    trials : list of Trial
    calibrated, held : int
        Samples.
    """

    model: onnx.ModelProto
    network: Network
    placement: Placement
    quants: Mapping[str, Quant]
    codes: Mapping[int, Codes]
    chosen: Trial
    trials: Sequence[Trial]
    calibrated: int
    held: int


def split(samples: Samples) -> tuple[Samples, Samples]:
    """(for calibration, held out): one in four, evenly from all; a lone sample is both."""
    if len(samples) < 2:
        return samples, samples
    held = list(range(len(samples) - 1, -1, -_HELD))[::-1]
    rest = [sample for at, sample in enumerate(samples) if at not in set(held)]
    step = max(len(held) / _MOST_HELD, 1.0)
    return rest, [samples[held[int(at * step)]] for at in range(min(len(held), _MOST_HELD))]


def output_ratios(model: onnx.ModelProto, samples: Samples,
                  wanted: Sequence[Mapping[str, NDArray]]) -> dict[str, float]:
    """Decibels of each output of a model against what it should be, sample by sample."""
    session = open_session(model)
    ratios = {name: SignalToNoise() for name in wanted[0]}
    for sample, outputs in zip(samples, wanted, strict=True):
        for name, values in zip(outputs, session.run([*outputs], dict(sample)), strict=True):
            ratios[name].add(outputs[name], values)
    return {name: ratio.decibels for name, ratio in ratios.items()}


def float_outputs(model: onnx.ModelProto, samples: Samples) -> list[dict[str, NDArray]]:
    """Outputs of a model by name, for each sample."""
    session, names = open_session(model), [item.name for item in model.graph.output]
    return [dict(zip(names, session.run(names, dict(sample)), strict=True)) for sample in samples]


class _Form:
    """The float network in one form, with what its tensors look like on the samples."""

    def __init__(self, network: Network, exclude: frozenset[str], samples: Samples,
                 progress: Progress) -> None:
        self.network, self.samples, self.progress = network, samples, progress
        self.placement = place(network, exclude)
        if not self.placement.products:
            raise ModelError("nothing to quantize: no node has constant weights that the chip "
                             "takes (Conv, ConvTranspose, Gemm, MatMul)")
        self.histograms = observe(network, self.placement.points, samples, progress)
        self.functions = {name: function_of(network, region)
                          for name, region in self.placement.regions.items()}

    def quants(self, method: str) -> dict[str, Quant]:
        """Quantizations of all points by one method."""
        ranges = {}
        for name in self.placement.points:
            self.progress(f"{method}: {name}")
            own = "minmax" if name in self.network.inputs else method
            ranges[name] = chosen_range(self.histograms[name], own, self.functions.get(name))
        return shared_quants(self.network, self.placement, ranges)

    def codes(self, quants: Mapping[str, Quant],
              biases: Mapping[int, NDArray] | None = None) -> dict[int, Codes]:
        """Weights in int8."""
        return {at: quantized_weights(self.network, at,
                                      quants[self.network.nodes[at].input[0]].scale,
                                      (biases or {}).get(at))
                for at in self.placement.products.values()}

    def corrected(self, quants: Mapping[str, Quant],
                  codes: Mapping[int, Codes]) -> dict[int, Codes]:
        """Weights in int8 with corrected biases."""
        return self.codes(quants, corrected_biases(self.network, self.placement, quants, codes,
                                                   self.samples, self.progress))

    def model(self, quants: Mapping[str, Quant], codes: Mapping[int, Codes]) -> onnx.ModelProto:
        """The quantized model."""
        return written(self.network, self.placement, quants, codes)


def quantize(model: onnx.ModelProto, samples: Samples, choices: Choices = Choices(),
             progress: Progress = lambda _: None) -> Quantized:
    """Quantize a prepared float model.

    Parameters
    ----------
    model : onnx.ModelProto
        As `sw.quantize.source.prepare` gives it.
    samples : sequence of mapping of str to ndarray
        Inputs by name, float32, batch included; one in four is held out and tells which choice is
        best.
    choices : Choices
    progress : callable

    Raises
    ------
    InputError
        If there are no samples, or they tell nothing of a tensor.
    ModelError
        If nothing can be quantized.
    """
    if not samples:
        raise InputError("no calibration samples; accepted are one or more")
    calibration, held = split(samples)
    networks = [(False, Network(model))]
    if choices.equalize is not False and (other := equalized(networks[0][1])) is not None:
        networks.append((True, other))
    if choices.equalize:
        networks = networks[1:] or networks
    wanted = float_outputs(model, held)
    best: tuple[Trial, _Form, dict[str, Quant], dict[int, Codes], onnx.ModelProto] | None = None
    trials: list[Trial] = []
    for is_equalized, network in networks:
        form = _Form(network, choices.exclude, calibration, progress)
        for method in METHODS if choices.method == AUTO else (choices.method,):
            quants = form.quants(method)
            codes = form.codes(quants)
            for corrected in (False, True) if choices.correct is None else (choices.correct,):
                if corrected:
                    codes = form.corrected(quants, codes)
                found = form.model(quants, codes)
                progress(f"trying {method}")
                trial = Trial(method, is_equalized, corrected, output_ratios(found, held, wanted))
                trials.append(trial)
                if best is None or trial.score > best[0].score:
                    best = trial, form, quants, codes, found
    assert best is not None
    trial, form, quants, codes, found = best
    return Quantized(found, form.network, form.placement, quants, codes, trial, trials,
                     len(calibration), len(held))
