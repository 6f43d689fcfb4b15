"""Counts and lists in sentences."""

from collections.abc import Sequence

__all__ = ["counted", "listed", "shortened"]

_LONGEST = 40


def counted(number: int, noun: str) -> str:
    """A number with what it counts: ``1 sample``, ``1,000 samples``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shortened(name: str) -> str:
    """A name's end, which tells most: those that converters write are chains of others."""
    return name if len(name) <= _LONGEST else f"…{name[1 - _LONGEST:]}"


def listed(names: Sequence[str], most: int) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if names[most:] else "")
