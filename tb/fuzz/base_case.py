"""What every campaign's case is: drawn from its name."""

from dataclasses import dataclass, replace
from typing import Any, Self

from tb.fuzz.chips import CHIPS

__all__ = ["BaseCase"]


@dataclass(frozen=True, eq=False, kw_only=True)
class BaseCase:
    """A network on a chip.

    Parameters
    ----------
    name : str
        ``<chip>-<number>``: everything follows from it, unless the case has been shrunk.
    chip : str
        One of `CHIPS`.
    """

    name: str
    chip: str

    @classmethod
    def draw(cls, chip: str, number: int) -> Self:
        """The case of that number on that chip."""
        raise NotImplementedError

    @classmethod
    def named(cls, name: str) -> Self:
        """The case of a name.

        Raises
        ------
        ValueError
            If it is not the name of one.
        """
        chip, _, number = name.partition("-")
        if chip not in CHIPS or not number.isdecimal():
            raise ValueError(f"case {name!r}: accepted is CHIP-NUMBER, CHIP being one of "
                             f"{', '.join(CHIPS)}, or the file of a shrunk one")
        return cls.draw(chip, int(number))

    def change(self, **values: Any) -> Self:
        """A copy with fields changed."""
        return replace(self, **values)
