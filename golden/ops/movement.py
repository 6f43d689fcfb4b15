"""Values in other places."""

import numpy as np

from golden.movement import DepthToSpace, SpaceToDepth, Take

__all__ = ["depth_to_space", "space_to_depth", "take"]


def take(x: np.ndarray, attrs: Take) -> np.ndarray:
    """Some indices of each axis."""
    for axis, chosen in enumerate(attrs.indices):
        if chosen is not None:
            x = x.take(chosen, axis)
    return x


def depth_to_space(x: np.ndarray, attrs: DepthToSpace) -> np.ndarray:
    """Blocks of pixels out of channels of [N, y, x, C]."""
    samples, height, width, channels = x.shape
    block = attrs.block
    parts = x.reshape(samples, height, width, block, block, channels // block ** 2)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(samples, height * block, width * block, -1)


def space_to_depth(x: np.ndarray, attrs: SpaceToDepth) -> np.ndarray:
    """Channels out of blocks of pixels of [N, y, x, C]."""
    samples, height, width, channels = x.shape
    block = attrs.block
    parts = x.reshape(samples, height // block, block, width // block, block, channels)
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(samples, height // block, width // block, -1)
