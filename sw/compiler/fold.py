"""Narrow feature maps stored with several pixels of a row side by side as channels.

An array of L lanes computes 8 channels in half of its lanes. The bytes of H x W x C are also those
of H x W/f x fC; seen so, a convolution reads and writes f pixels in one word, and the weights that
belong to none of them are zeros, which the array skips. A stride of f between pixels becomes a
stride of one between words, so that no two pixels of a tile lie in one bank.
"""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np

from golden.spec import layout
from golden.spec.config import Config
from golden.spec.isa import ArrayMode, PostMode
from sw.compiler.lowering import MAX_STRIDE, Lowered
from sw.compiler.pairs import most_pairs, pair_counts
from sw.compiler.taps import scattered_taps
from sw.compiler.window import LayerTensor, WindowOp

__all__ = ["fold_narrow"]

_FOLDS = (2, 4, 8, 16)
_MOST_GROUPS = 8  # channel groups of a folded feature map
_LONGEST_RUN = 8  # feature maps that are folded together at once
_LEAST_GAIN = 16  # cycles


def fold_narrow(config: Config, lowered: Lowered, *, dense: bool) -> None:
    """Fold the feature maps for which the array then needs fewer cycles."""
    tensors = lowered.tensors
    folds = _Search(config, lowered, dense).run()
    ops = [_folded(config, op, tensors, folds) if isinstance(op, WindowOp) else op
           for op in lowered.ops]
    for op in lowered.ops:
        if isinstance(op, WindowOp) and _joins(config, op, tensors, folds):
            source = op.sources[0]
            tensors[source] = _joined(tensors[source], folds[op.output])
    for name, fold in folds.items():
        tensors[name].width //= fold
        tensors[name].channels *= fold
    lowered.ops[:] = ops


class _Search:
    """Finds the folds: runs of consecutive feature maps together, then each alone."""

    def __init__(self, config: Config, lowered: Lowered, dense: bool) -> None:
        self._config, self._tensors, self._dense = config, lowered.tensors, dense
        self._ops = [op for op in lowered.ops if isinstance(op, WindowOp)]
        self._users: dict[str, list[int]] = {}
        for number, op in enumerate(self._ops):
            for name in op.operands:
                self._users.setdefault(name, []).append(number)
        self._costs: dict[tuple[int, tuple[int, ...]], float] = {}

    def run(self) -> dict[str, int]:
        """Fold of every feature map that has one."""
        order = [name for name in self._users if self._choices(name)]
        folds: dict[str, int] = {}
        improved = True
        while improved:
            improved = False
            for start in range(len(order)):
                for length in range(1, _LONGEST_RUN + 1):
                    names = order[start:start + length]
                    for fold in (1, *_FOLDS):
                        if len(names) == length and self._improve(folds, names, fold):
                            improved = True
        return {name: fold for name, fold in folds.items() if fold > 1}

    def _improve(self, folds: dict[str, int], names: list[str], fold: int) -> bool:
        if any(fold > 1 and fold not in self._choices(name) for name in names):
            return False
        users = {number for name in names for number in self._users[name]}
        trial = folds | dict.fromkeys(names, fold)
        gain = sum(self._cost(n, folds) for n in users) - sum(self._cost(n, trial) for n in users)
        if not gain >= _LEAST_GAIN:
            return False
        folds.update(trial)
        return True

    def _choices(self, name: str) -> list[int]:
        """Folds that a feature map's shape allows."""
        tensor = self._tensors[name]
        if tensor.gather:
            return []
        most = _MOST_GROUPS * self._config.group
        return [f for f in _FOLDS if tensor.width % f == 0 and f * tensor.channels <= most]

    def _cost(self, number: int, folds: dict[str, int]) -> float:
        """Cycles of an operator, about; infinite where it can't be."""
        op = self._ops[number]
        key = number, tuple(folds.get(name, 1) for name in op.operands)
        if key not in self._costs:
            self._costs[key] = math.inf
            if _possible(op, self._tensors, folds):
                folded = _folded(self._config, op, self._tensors, folds)
                if op.array_mode == ArrayMode.SUM or _uniform(folded):
                    self._costs[key] = _cycles(self._config, folded, self._dense)
        return self._costs[key]


def _possible(op: WindowOp, tensors: dict[str, LayerTensor], folds: dict[str, int]) -> bool:
    """Can the operator read and write its feature maps folded so?"""
    before, after = folds.get(op.sources[0], 1), folds.get(op.output, 1)
    if op.gate:
        return all(folds.get(name, 1) == 1 for name in op.operands)
    if before == after == 1 and (not op.residual or folds.get(op.residual, 1) == 1):
        return all(folds.get(name, 1) == 1 for name in op.operands)
    return (len(op.sources) == 1
            and (not op.residual or folds.get(op.residual, 1) == after)
            and (after == 1 or op.width == tensors[op.output].width)
            and (op.width == after or op.stride_x * after % before == 0)
            and (op.stride_x * after <= MAX_STRIDE * before or op.width == after))


def _uniform(op: WindowOp) -> bool:
    """Does every entry hold as many values of a maximum for every lane in use?"""
    for taps in op.blocks:
        counts = taps.present.sum(axis=1)
        counts = counts[:, counts.any(axis=0)]
        if (counts != counts[:, :1]).any():
            return False
    return True


def _joins(config: Config, op: WindowOp, tensors: dict[str, LayerTensor],
           folds: dict[str, int]) -> bool:
    """Can the gathered windows of several pixels be gathered as one word?"""
    source, after = tensors[op.sources[0]], folds.get(op.output, 1)
    return (source.gather is not None and after > 1
            and _joined(source, after).channels <= config.group)


def _joined(source: LayerTensor, after: int) -> LayerTensor:
    """Gathered windows of as many pixels in a word."""
    gather = source.gather
    assert gather is not None
    return dataclasses.replace(
        source, width=source.width // after,
        channels=source.channels + (after - 1) * gather.stride * gather.channels,
        gather=dataclasses.replace(gather, stride=gather.stride * after))


def _cycles(config: Config, op: WindowOp, dense: bool) -> float:
    """Cycles of the array, of the drain or of the weights, whatever takes longest."""
    tiles = -(-op.height * op.width // config.columns)
    vectors = config.drain_cycles * (2 if op.post.mode == PostMode.ADD else 1)
    apart = config.banks // math.gcd(op.stride_x, config.banks)
    fetch = -(-min(config.columns, op.width) // apart)
    array = beats = 0
    for taps in op.blocks:
        pairs = pair_counts(taps.weights)
        counts = most_pairs(np.maximum(pairs, taps.present) if dense else pairs)
        counts = counts[counts > 0]
        array += max(int(np.maximum(counts, fetch).sum()), vectors)
        beats += layout.parameter_item_beats(config) + sum(
            layout.block_beats(config, layout.BlockFormat.PAIRS, n) for n in counts.tolist())
    return max(array * tiles, beats)


def _folded(config: Config, op: WindowOp, tensors: dict[str, LayerTensor],
            folds: dict[str, int]) -> WindowOp:
    """The operator on folded feature maps."""
    before, after = folds.get(op.sources[0], 1), folds.get(op.output, 1)
    if before == after == 1:
        return op
    channels, gather = tensors[op.sources[0]].channels, tensors[op.sources[0]].gather
    outputs = len(op.post.bias)
    joins = _joins(config, op, tensors, folds)
    pad = -(-op.pad_left // before)
    stride = op.stride_x * after // before if op.width > after and not joins else 1
    parts = []
    for dy, dx, source, lane, value in _weights(config, op):
        for phase in range(after):
            lanes = phase * outputs + lane
            if joins:
                assert gather is not None
                step = gather.stride * gather.channels
                parts.append((dy, dx, phase * step + source, lanes, value))
                continue
            column = phase * op.stride_x - op.pad_left + dx
            parts.append((dy, column // before + pad, column % before * channels + source, lanes,
                          value))
    dy, dx, source, lane, value = (np.concatenate(items) for items in zip(*parts, strict=True))
    return dataclasses.replace(
        op, width=op.width // after, stride_x=stride, pad_left=pad,
        blocks=scattered_taps(config, dy, dx, source, lane, value, outputs * after),
        post=op.post.repeated(after))


def _weights(config: Config, op: WindowOp) -> Iterator[tuple[np.ndarray, ...]]:
    """(dy, dx, input channel, output channel, value) of all weights, by lane block."""
    for number, taps in enumerate(op.blocks):
        entry, channel, lane = np.nonzero(taps.present)
        where = taps.where[entry]
        yield (where[:, 2], where[:, 3], where[:, 1] * config.group + channel,
               number * config.lanes + lane, taps.weights[entry, channel, lane])
