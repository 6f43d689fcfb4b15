"""What a person sees while waiting, on stderr."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape

__all__ = ["Progress"]


class Progress:
    """Steps with their elapsed time: a spinner on a terminal, plain lines elsewhere.

    Parameters
    ----------
    plain : bool
        Plain lines even on a terminal.
    heartbeat : float
        Seconds between signs of life of a long step in plain mode.
    """

    def __init__(self, *, plain: bool = False, heartbeat: float = 10.0) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._plain = plain or not sys.stderr.isatty()
        self._heartbeat = heartbeat
        self._detail = ""
        self._last_line = 0.0

    def note(self, text: str) -> None:
        """One line of its own."""
        if self._plain:
            print(text, file=sys.stderr, flush=True)
        else:
            self._console.print(text, markup=False)

    def update(self, *detail: object) -> None:
        """Say how far the step under way is."""
        self._detail = " ".join(str(item) for item in detail)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show ``text`` at once, and how long it has taken until the block ends."""
        start, stop = time.monotonic(), threading.Event()
        self._detail = ""

        def line() -> str:
            detail = f": {self._detail}" if self._detail else ""
            return f"{text}{detail} ({time.monotonic() - start:.0f} s)"

        def beat() -> None:
            while not stop.wait(self._heartbeat):
                self.note(f"  … {line()}")

        if self._plain:
            self.note(f"{text} …")
            thread = threading.Thread(target=beat, daemon=True)
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join()
            return
        with self._console.status(escape(line())) as status:
            def spin() -> None:
                while not stop.wait(0.2):
                    status.update(escape(line()))

            thread = threading.Thread(target=spin, daemon=True)
            thread.start()
            try:
                yield
            finally:
                stop.set()
                thread.join()
        self._console.print(f"[green]✓[/] {escape(text)} [dim]{time.monotonic() - start:.1f} s[/]")
