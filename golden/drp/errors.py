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
    stream : int
        The stream at fault, if one is; outputs after inputs.
    """

    def __init__(self, cause: Cause, text: str, stream: int = 0) -> None:
        super().__init__(f"{cause.name}: {text}")
        self.cause, self.stream = cause, stream
