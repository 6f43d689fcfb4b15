"""Refusals of kernels, at the user's line."""

import sys
from types import FrameType

from sw.errors import ModelError

__all__ = ["KernelError", "at_line"]


class KernelError(ModelError):
    """A kernel that can't be compiled; the text begins with file and line."""


def at_line(file: str, text: str) -> KernelError:
    """The error at the innermost line of ``file`` under execution."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != file:
        frame = frame.f_back
    line = frame.f_lineno if frame is not None else 0
    return KernelError(f"{file}:{line}: {text}")
