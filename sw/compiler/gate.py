"""Products of a feature map and a computed value for each of its channels: gates.

The values are weights of a convolution of each channel. Weights are bytes in DRAM, where the
operator that computes the values stores them: into the weight stream, between constant headers and
parameters, one beat for each lane block.

sum of (x - zx)(v - zv) = x v - zv x - zx v + zx zv: beside v itself, x has the constant weights
-zv; what lies outside of the feature map reads as a constant, which v weighs again.
"""

from dataclasses import dataclass

import numpy as np

from golden.spec.config import Config
from golden.spec.isa import MAC
from golden.spec.layout import BLOCK_HEADER, header_beats, parameter_item_beats
from sw.compiler.pack import PackedBlock, PackedOp, padded_post
from sw.compiler.taps import sparse_taps
from sw.compiler.window import Gate, LayerTensor, Taps, WindowOp

__all__ = ["Places", "gate_of", "gate_taps", "pack_gate", "places"]

_MOST_BLOCKS = MAC.field("blocks").range[1]
_BEYOND = BLOCK_HEADER.field("dy").range[1]


@dataclass(frozen=True)
class Places:
    """Where values lie in a gate's weight stream: ``copies`` of each lane block's, in bytes from
    its begin; and bytes from lane block to lane block."""

    copies: tuple[int, ...]
    stride: int


def gate_of(config: Config, tensor: str, source: LayerTensor, zeros: tuple[int, int]) -> Gate | str:
    """How values are weights of a feature map; why not, if they can't.

    Parameters
    ----------
    tensor : str
        The values.
    source : LayerTensor
        The feature map.
    zeros : tuple of int
        Zero points of both, the feature map's first.
    """
    groups = source.groups(config.group)
    if groups > _MOST_BLOCKS or 2 * groups > config.words:
        return f"{source.channels} channels at once, which the scratchpad or an instruction can't"
    # Weights of -zero point: in int8, which 128 isn't.
    beside = tuple(part for part in (min(-zeros[1], 127), -zeros[1] - min(-zeros[1], 127)) if part)
    value, again = (64, 2) if zeros[0] == -128 else (-zeros[0], int(zeros[0] != 0))
    if again and min(source.height, source.width) > _BEYOND:
        return (f"{source.height} x {source.width} pixels with a zero point that isn't 0; accepted "
                f"are up to {_BEYOND} rows or columns")
    low = source.height <= _BEYOND
    beyond = (source.height, 0) if low else (0, source.width)
    return Gate(tensor, beside, beyond if again else (0, 0), value, again)


def gate_taps(config: Config, channels: int) -> list[Taps]:
    """What an operator with a gate reads: each channel itself."""
    return sparse_taps(config, np.ones((channels, 1, 1, 1), np.int8), np.zeros(channels, int),
                       np.arange(channels))


def pack_gate(config: Config, op: WindowOp) -> PackedOp:
    """The operator's weights, zeros where values are to be."""
    gate, lanes = op.gate, config.lanes
    assert gate is not None
    inside = np.array([0, *gate.beside])
    rows = [np.repeat(inside[:, None], lanes, axis=1).astype(np.int8),
            np.zeros((gate.again, lanes), np.int8)][:2 if gate.again else 1]
    blocks = []
    for taps in op.blocks:
        (where,) = taps.where
        places = [where, where + [0, 0, *gate.beyond]][:len(rows)]
        blocks.append(PackedBlock(
            np.array(places), np.array([len(item) for item in rows]), rows,
            [np.tile(np.arange(lanes), (len(item), 1)) for item in rows], 0, 0))
    return PackedOp(blocks, *padded_post(config, op))


def places(config: Config, gate: Gate) -> Places:
    """Where `pack_gate` left room for values."""
    first, header, inside = parameter_item_beats(config), header_beats(config), 1 + len(gate.beside)
    outside = first + header + inside + header
    copies = (first + header, *(outside + row for row in range(gate.again)))
    end = outside + gate.again if gate.again else outside - header
    return Places(tuple(beat * config.group for beat in copies), end * config.group)
