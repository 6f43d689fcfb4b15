"""Where people read reports: stdout, with or without a terminal."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

__all__ = ["open_console", "open_table"]

_PLAIN_WIDTH = 150  # where there is no terminal to ask


def open_console() -> Console:
    """Stdout; in a file or pipe as wide as tables need."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)


def open_table(**settings: Any) -> Table:
    """A table without columns yet; ``settings`` are Table's."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", **settings)
