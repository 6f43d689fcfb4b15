"""How a tile stops."""

from golden.spec.drp.controller import Cause

__all__ = ["TileError"]


class TileError(Exception):
    """A tile in an error state.

    Parameters
    ----------
    cause : Cause
    text : str
        What happened, where.
    """

    def __init__(self, cause: Cause, text: str) -> None:
        super().__init__(f"{cause.name}: {text}")
        self.cause = cause
