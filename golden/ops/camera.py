"""NV12 to a network's input."""

import numpy as np

from golden.camera import CameraInput

__all__ = ["camera_input"]

_ONE = 1 << 16
# BT.601: 1.164, 1.596, 0.813, 0.391 and 2.018 with 20 fraction bits.
_BRIGHT, _RED_V, _GREEN_V, _GREEN_U, _BLUE_U = 1220542, 1673527, 852492, 409993, 2116026


def _places(given: int, wanted: int) -> np.ndarray:
    """Where results lie along an axis, 16.16: centres meet."""
    step = round(_ONE * given / wanted)
    return (step - _ONE) // 2 + np.arange(wanted, dtype=np.int64) * step


def _between(low: np.ndarray, high: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    return low + (((high - low) * fraction + _ONE // 2) >> 16)


def camera_input(frame: np.ndarray, attrs: CameraInput) -> np.ndarray:
    """(1, height, width, 3) int8 of a (3 h / 2, w) uint8 frame."""
    rows, columns = frame.shape[-2] * 2 // 3, frame.shape[-1]
    frame = frame.reshape(-1, columns).astype(np.int64)
    bright, colours = frame[:rows], frame[rows:].reshape(rows // 2, columns // 2, 2)
    y, x = _places(rows, attrs.height)[:, None], _places(columns, attrs.width)[None]

    def at(dy: int, dx: int) -> np.ndarray:
        return bright[np.clip((y >> 16) + dy, 0, rows - 1),
                      np.clip((x >> 16) + dx, 0, columns - 1)]

    fy, fx = y & _ONE - 1, x & _ONE - 1
    level = _between(_between(at(0, 0), at(0, 1), fx), _between(at(1, 0), at(1, 1), fx), fy)
    near_y = np.clip(_places(rows // 2, attrs.height) >> 16, 0, rows // 2 - 1)
    near_x = np.clip(_places(columns // 2, attrs.width) >> 16, 0, columns // 2 - 1)
    u, v = (part - 128 for part in np.moveaxis(colours[near_y[:, None], near_x[None]], -1, 0))
    level = np.maximum(level - 16, 0) * _BRIGHT + (1 << 19)
    rgb = np.stack([level + v * _RED_V, level - v * _GREEN_V - u * _GREEN_U,
                    level + u * _BLUE_U], -1) >> 20
    return (np.clip(rgb, 0, 255) - 128).astype(np.int8)[None]
