"""Bit-field tables: the one way in which this project describes packed records."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ["Field", "Record"]


@dataclass(frozen=True)
class Field:
    """One field of a packed record.

    Parameters
    ----------
    name : str
    bits : int
        Width, at least 1.
    doc : str
        Meaning, with unit.
    signed : bool
        Two's complement if true.
    """

    name: str
    bits: int
    doc: str = dataclasses.field(repr=False)  # repr feeds the digest: words may change
    signed: bool = False

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest value, inclusive."""
        if self.signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1


@dataclass(frozen=True)
class Record:
    """A packed record: fields in order, the first at bit 0 (LSB first).

    Parameters
    ----------
    name : str
    fields : tuple of Field
    bits : int
        Total width; fields may leave the upper bits unused (zero).
    """

    name: str
    fields: tuple[Field, ...]
    bits: int

    def __post_init__(self) -> None:
        used = sum(field.bits for field in self.fields)
        if used > self.bits:
            raise ValueError(f"{self.name}: fields take {used} bits, only {self.bits} are there")

    @property
    def bytes(self) -> int:
        """Size in bytes."""
        return self.bits // 8

    def offsets(self) -> Iterable[tuple[int, Field]]:
        """Yield (lowest bit, field) in order."""
        low = 0
        for field in self.fields:
            yield low, field
            low += field.bits

    def field(self, name: str) -> Field:
        """A field by its name."""
        return next(field for field in self.fields if field.name == name)

    def encode(self, values: Mapping[str, int]) -> int:
        """Pack named values into an integer; a missing field is 0.

        Raises
        ------
        ValueError
            For an unknown name or a value out of the field's range.
        """
        unknown = set(values) - {field.name for field in self.fields}
        if unknown:
            raise ValueError(f"{self.name} has no field {', '.join(sorted(unknown))}")
        word = 0
        for low, field in self.offsets():
            value = int(values.get(field.name, 0))
            least, most = field.range
            if not least <= value <= most:
                raise ValueError(
                    f"{self.name}.{field.name} is {value}, accepted are {least} to {most}")
            word |= (value & ((1 << field.bits) - 1)) << low
        return word

    def decode(self, word: int) -> dict[str, int]:
        """Unpack an integer into named values."""
        values = {}
        for low, field in self.offsets():
            value = (word >> low) & ((1 << field.bits) - 1)
            if field.signed and value >> (field.bits - 1):
                value -= 1 << field.bits
            values[field.name] = value
        return values
