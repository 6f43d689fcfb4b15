"""From a float network and samples to a quantized one, by the choices that lose least."""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from sw.errors import InputError, ModelError
from sw.quantize.correction import corrected_biases
from sw.quantize.equalize import equalized
from sw.quantize.finer import fine_quants
from sw.quantize.histogram import Histogram, Survey
from sw.quantize.importance import importances
from sw.quantize.network import Network
from sw.quantize.placement import Placement, place
from sw.quantize.quality import SignalToNoise
from sw.quantize.ranges import METHODS, Quant, chosen_range
from sw.quantize.regions import function_of
from sw.quantize.scores import SCORES, score_points, sigmoid
from sw.quantize.session import Samples, Traced
from sw.quantize.sharing import shared_quants
from sw.quantize.split import Split, find_splits, split_network
from sw.quantize.weights import Codes, quantized_weights
from sw.quantize.writer import written

__all__ = ["Choices", "Judge", "Quantized", "Trial", "float_form", "quantize", "split"]

AUTO = "auto"
# In the file, since what its tensors are compared with depends on them.
EQUALIZED, SPLIT = "sentei.equalized", "sentei.split"
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
    split : bool
        Layers whose channels differ too much in front of a curved function fall into two.
    fine : bool or None
        Tables have an index of 9 bits where 8 lose much; None: where that loses less in the end.
    exclude : frozenset of str
        Nodes that stay float.
    scores : frozenset of str
        Outputs that a sigmoid follows outside of the network.
    """

    method: str = AUTO
    equalize: bool | None = None
    correct: bool | None = None
    split: bool = True
    fine: bool | None = None
    exclude: frozenset[str] = frozenset()
    scores: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Trial:
    """One way that was tried.

    Parameters
    ----------
    method : str
    equalized, corrected, fine : bool
    decibels : dict of str to float
        By output, on the held-out samples.
    score : float
        Mean of the decibels of the tensors with which the chip's part ends.
    """

    method: str
    equalized: bool
    corrected: bool
    fine: bool
    decibels: dict[str, float]
    score: float


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
    judge : Judge
        Of the held-out samples.
    splits : list of Split
        Layers that fell into two.
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
    judge: "Judge"
    splits: Sequence[Split]


def split(samples: Samples) -> tuple[Samples, Samples]:
    """(for calibration, held out): one in four, evenly from all; a lone sample is both."""
    if len(samples) < 2:
        return samples, samples
    held = list(range(len(samples) - 1, -1, -_HELD))[::-1]
    rest = [sample for at, sample in enumerate(samples) if at not in set(held)]
    step = max(len(held) / _MOST_HELD, 1.0)
    return rest, [samples[held[int(at * step)]] for at in range(min(len(held), _MOST_HELD))]


class Judge:
    """The float model's outputs on samples, which others are held against.

    Parameters
    ----------
    network : Network
    placement : Placement
    samples : sequence of mapping of str to ndarray
    scores : set of str
        Outputs, and points with which the chip's part ends, that are judged behind a sigmoid.
    """

    def __init__(self, network: Network, placement: Placement, samples: Samples,
                 scores: Set[str] = frozenset()) -> None:
        self._samples, self._outputs, self._scores = samples, network.outputs, scores
        # What softmax or the like make of an answer hides how near it was.
        self._ends = {name: name if name in network.outputs else f"{name}_dequantized"
                      for name in placement.ends(network)}
        names = list(dict.fromkeys((*network.outputs, *self._ends)))
        traced = Traced(network.model, names)
        self._wanted = [dict(traced.run(sample)) for sample in samples]

    def judge(self, model: onnx.ModelProto) -> tuple[dict[str, float], float]:
        """(decibels of each output, their mean where the chip's part ends) of a quantized model."""
        names = {name: name for name in self._outputs} | self._ends
        traced = Traced(model, [*names.values()])
        ratios = {name: SignalToNoise() for name in names}
        points = {given: name for name, given in names.items()}
        for sample, wanted in zip(self._samples, self._wanted, strict=True):
            for given, values in traced.run(sample):
                pair = wanted[points[given]], values
                if points[given] in self._scores:
                    pair = sigmoid(pair[0]), sigmoid(pair[1])
                ratios[points[given]].add(*pair)
        return ({name: ratios[name].decibels for name in self._outputs},
                float(np.mean([ratios[name].decibels for name in self._ends or self._outputs])))


def float_form(model: onnx.ModelProto, quantized: onnx.ModelProto) -> Network:
    """The prepared float model in the form that has been quantized.

    Raises
    ------
    ModelError
        Where inputs, or sizes of tensors of the same names, tell that it is another network.
    """
    network = Network(model)
    properties = {item.key: item.value for item in quantized.metadata_props}
    splits = [Split(name, tuple(narrow)) for name, narrow in
              json.loads(properties.get(SPLIT, "{}")).items()]
    try:
        network = split_network(network, splits)
    except ValueError as error:
        raise ModelError(f"not a quantized form of this network: {error}") from None
    network = (EQUALIZED in properties and equalized(network)) or network
    _check_same(network, Network(onnx.shape_inference.infer_shapes(quantized)))
    return network


def _check_same(network: Network, quantized: Network) -> None:
    if set(network.inputs) != set(quantized.inputs):
        raise ModelError("not a quantized form of this network: its inputs are "
                         f"{', '.join(quantized.inputs)}, this one's {', '.join(network.inputs)}")
    for name, shape in network.shapes.items():
        other = quantized.shapes.get(name, shape)
        if len(other) != len(shape) or any(two and one != two for one, two in
                                           zip(shape, other, strict=True)):
            raise ModelError(f"not a quantized form of this network: {quantized.where(name)} has "
                             f"sizes {list(other)}, here {list(shape)}")


def _properties(is_equalized: bool, splits: Sequence[Split]) -> dict[str, str]:
    """What `float_form` needs."""
    found = {EQUALIZED: "yes"} if is_equalized else {}
    if splits:
        found[SPLIT] = json.dumps({item.node: item.narrow for item in splits})
    return found


def _check_weights(network: Network, placement: Placement) -> None:
    for at in placement.products.values():
        found = network.weights(at)
        assert found is not None
        for name in (found.name, found.bias):
            if name and not np.isfinite(network.constants[name]).all():
                raise ModelError(f"{network.label(at)}: constant {name!r} holds NaN or infinity; "
                                 "accepted are finite weights and biases")


class _Form:
    """The float network in one form, with what its tensors look like on the samples."""

    def __init__(self, network: Network, choices: Choices, samples: Samples,
                 progress: Progress) -> None:
        self.network, self.samples, self.progress = network, samples, progress
        self.placement = place(network, choices.exclude)
        if not self.placement.products:
            raise ModelError("nothing to quantize: no node has constant weights that the chip "
                             "takes (Conv and ConvTranspose of up to two spatial axes, Gemm, "
                             "MatMul)")
        _check_weights(network, self.placement)
        self.scores = score_points(network, self.placement, choices.scores)
        self.ends = set(self.placement.ends(network))
        sums = [network.nodes[at].output[0] for at in self.placement.products.values()]
        survey = Survey(network, self.placement.points, [*self.placement.points, *sums], samples,
                        progress)
        self.importance = importances(network, self.placement, survey.variances)
        self.survey = survey
        self.histograms: dict[str, Histogram] = {}
        self.functions = {name: function_of(network, region)
                          for name, region in self.placement.regions.items()}

    def splits(self) -> list[Split]:
        """Layers that should be split."""
        return find_splits(self.network, self.survey.squares, self.importance)

    def quants(self, method: str) -> dict[str, Quant]:
        """Quantizations of all points by one method."""
        self.histograms = self.histograms or self.survey.histograms(self.importance, self.progress)
        ranges = {}
        for name in self.placement.points:
            self.progress(f"{method}: {name}")
            # Of what decides nothing may be lost: the largest scores are the rarest.
            own = "minmax" if name in self.network.inputs or name in self.ends else method
            ranges[name] = SCORES if name in self.scores else chosen_range(
                self.histograms[name], own, self.functions.get(name))
        return shared_quants(self.network, self.placement, ranges)

    def fine(self, quants: Mapping[str, Quant], method: str) -> dict[str, Quant]:
        """Those in 9 bits of tables' indices; empty where 8 do."""
        return fine_quants(self.network, self.placement, self.histograms, self.functions, quants,
                           method)

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
    for number, sample in enumerate(samples):
        for name, values in sample.items():
            if not np.isfinite(values).all():
                raise InputError(f"input {name!r} holds NaN or infinity on calibration sample "
                                 f"{number + 1}; accepted are finite numbers")
    calibration, held = split(samples)
    network, splits = Network(model), list[Split]()
    form = _Form(network, choices, calibration, progress)
    if choices.split and (splits := form.splits()):
        network = split_network(network, splits)
        form = _Form(network, choices, calibration, progress)
    networks = [(False, network)]
    if choices.equalize is not False and (other := equalized(networks[0][1])) is not None:
        networks.append((True, other))
    if choices.equalize:
        networks = networks[1:] or networks
    judge: Judge | None = None
    best: tuple[Trial, _Form, dict[str, Quant], dict[int, Codes], onnx.ModelProto] | None = None
    trials: list[Trial] = []
    for is_equalized, network in networks:
        if form.network is not network:
            form = _Form(network, choices, calibration, progress)
        judge = judge or Judge(network, form.placement, held, form.scores | choices.scores)
        for method in METHODS if choices.method == AUTO else (choices.method,):
            quants = form.quants(method)
            codes = form.codes(quants)
            for corrected in (False, True) if choices.correct is None else (choices.correct,):
                if corrected:
                    codes = form.corrected(quants, codes)
                found = form.model(quants, codes)
                onnx.helper.set_model_props(found, _properties(is_equalized, splits))
                progress(f"trying {method}")
                trial = Trial(method, is_equalized, corrected, False, *judge.judge(found))
                trials.append(trial)
                if best is None or trial.score > best[0].score:
                    best = trial, form, quants, codes, found
    assert best is not None and judge is not None
    trial, form, quants, codes, found = best
    if choices.fine is not False and (finer := form.fine(quants, trial.method)):
        progress("trying tables with a finer index")
        finer = quants | finer
        codes = form.codes(finer)
        if trial.corrected:
            codes = form.corrected(finer, codes)
        found = form.model(finer, codes)
        onnx.helper.set_model_props(found, _properties(trial.equalized, splits))
        trial = Trial(trial.method, trial.equalized, trial.corrected, True, *judge.judge(found))
        trials.append(trial)
        if choices.fine or trial.score > best[0].score:
            best = trial, form, finer, codes, found
    trial, form, quants, codes, found = best
    return Quantized(found, form.network, form.placement, quants, codes, trial, trials,
                     len(calibration), len(held), judge, splits)
