"""Weights of operators as the taps of lane blocks."""

import numpy as np

from golden.spec.config import Config
from sw.compiler.window import Taps

__all__ = ["conv_taps", "scattered_taps", "sparse_taps"]


def conv_taps(config: Config, kernel: np.ndarray, dilation: tuple[int, int]) -> list[Taps]:
    """Taps of a convolution without groups; kernel is (O, y, x, I)."""
    group, lanes = config.group, config.lanes
    outputs, height, width, inputs = kernel.shape
    blocks, groups = -(-outputs // lanes), -(-inputs // group)
    padded = np.zeros((blocks * lanes, height, width, groups * group), kernel.dtype)
    padded[:outputs, :, :, :inputs] = kernel
    present = np.zeros((blocks * lanes, groups * group), dtype=bool)
    present[:outputs, :inputs] = True
    weights = padded.reshape(blocks, lanes, height, width, groups, group)
    weights = weights.transpose(0, 2, 3, 4, 5, 1).reshape(blocks, -1, group, lanes)
    exists = present.reshape(blocks, lanes, groups, group).transpose(0, 2, 3, 1)
    exists = np.tile(exists, (1, height * width, 1, 1))
    y, x, g = (axis.ravel() for axis in np.meshgrid(
        np.arange(height), np.arange(width), np.arange(groups), indexing="ij"))
    where = np.stack([np.zeros_like(g), g, y * dilation[0], x * dilation[1]], axis=1)
    return [Taps(where, weights[b], exists[b]) for b in range(blocks)]


def sparse_taps(config: Config, kernel: np.ndarray, source: np.ndarray, first: np.ndarray,
                dilation: tuple[int, int] = (1, 1)) -> list[Taps]:
    """Taps where output channel o reads few channels of one source.

    Parameters
    ----------
    kernel : (O, y, x, K) int8 or int16
    source : (O,) int
        Number of the source tensor; -1 for a channel without weights.
    first : (O,) int
        The first of the K input channels.
    """
    group, lanes = config.group, config.lanes
    outputs, height, width, depth = kernel.shape
    result = []
    for start in range(0, outputs, lanes):
        chosen = [o for o in range(start, min(start + lanes, outputs)) if source[o] >= 0]
        words = sorted({(int(source[o]), (int(first[o]) + k) // group)
                        for o in chosen for k in range(depth)})
        slot = {word: index for index, word in enumerate(words)}
        weights = np.zeros((height, width, len(words), group, lanes), kernel.dtype)
        present = np.zeros(weights.shape, dtype=bool)
        for o in chosen:
            for k in range(depth):
                channel = int(first[o]) + k
                word = slot[int(source[o]), channel // group]
                weights[:, :, word, channel % group, o - start] = kernel[o, :, :, k]
                present[:, :, word, channel % group, o - start] = True
        where = np.array([(s, g, y * dilation[0], x * dilation[1]) for y in range(height)
                          for x in range(width) for s, g in words], dtype=int).reshape(-1, 4)
        shape = (-1, group, lanes)
        result.append(Taps(where, weights.reshape(shape), present.reshape(shape)))
    return result


def scattered_taps(config: Config, dy: np.ndarray, dx: np.ndarray, source: np.ndarray,
                   lane: np.ndarray, value: np.ndarray, outputs: int) -> list[Taps]:
    """Taps of weights given one by one, of one source.

    Parameters
    ----------
    dy, dx, source, lane, value : (W,) int, value int8 or int16
        Row, column and channel that each weight reads, the output channel it adds to, and itself.
    """
    group = source // config.group
    columns, groups = int(dx.max(initial=0)) + 1, int(group.max(initial=0)) + 1
    # Entries in the order in which convolutions have them: rows, columns, channel groups.
    key = (dy * columns + dx) * groups + group
    result = []
    for first in range(0, outputs, config.lanes):
        mine = (lane >= first) & (lane < first + config.lanes)
        places, entry = np.unique(key[mine], return_inverse=True)
        weights = np.zeros((len(places), config.group, config.lanes), value.dtype)
        present = np.zeros(weights.shape, bool)
        at = entry, source[mine] % config.group, lane[mine] - first
        weights[at] = value[mine]
        present[at] = True
        where = np.stack([np.zeros_like(places), places % groups,
                          places // groups // columns, places // groups % columns], axis=1)
        result.append(Taps(where, weights, present))
    return result
