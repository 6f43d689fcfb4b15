"""What tiling is stated in: rectangles of outputs, and scratchpad words that hold feature maps."""

from dataclasses import dataclass

__all__ = ["Buffer", "Tile"]


@dataclass(frozen=True)
class Tile:
    """A rectangle of an operator's output; ``part`` is that of a chain's run that makes it."""

    y: int
    x: int
    height: int
    width: int
    part: int = 0


@dataclass
class Buffer:
    """Scratchpad words that hold a feature map, or a strip of it of ``rows`` x ``columns``.

    ``base`` is where its channel group ``first_group`` begins; later ones follow it.
    """

    base: int
    rows: int
    columns: int
    first_group: int = 0

    @property
    def plane(self) -> int:
        """Words per channel group."""
        return self.rows * self.columns

    def group(self, number: int) -> int:
        """Where a channel group begins, or would if the buffer held it."""
        return self.base + (number - self.first_group) * self.plane
