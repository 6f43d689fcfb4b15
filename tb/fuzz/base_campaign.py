"""What all campaigns do: run cases one after the other, shrink and save what fails."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from tb.fuzz.base_case import BaseCase
from tb.fuzz.chips import CHIPS

__all__ = ["BaseCampaign", "Failure", "Refused"]

_REPORT_SECONDS = 15


class Refused(Exception):
    """A network that may be refused, and is.

    Parameters
    ----------
    reason : str
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Failure(Exception):
    """A case that fails.

    Parameters
    ----------
    kind : str
        What a smaller case must fail with, too, to be the same failure.
    text : str
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


@dataclass(kw_only=True)
class BaseCampaign:
    """A number of cases; who inherits says what is a case, how it is checked and what is counted.

    Parameters
    ----------
    chips : tuple of str
        Of `CHIPS`; cases take turns.
    folder : Path
        Where failing cases are saved.
    most_failures : int
        The campaign ends after this many.
    shrink_seconds : float
        Spent on each.
    tell : callable
        Told lines of progress.

    Members
    -------
    module : str
        That runs one case again with ``--case``.
    suffix : str
        Of the files of cases.
    kind : type
        Of the cases.
    failures : list of dict
        Case, kind, text, file and command of each.
    seconds : float
    """

    module: ClassVar[str]
    suffix: ClassVar[str]
    kind: ClassVar[type[BaseCase]]
    chips: tuple[str, ...] = tuple(CHIPS)
    folder: Path
    most_failures: int = 3
    shrink_seconds: float = 60
    tell: Callable[[str], None] = print
    failures: list[dict[str, str]] = field(default_factory=list, init=False)
    seconds: float = field(default=0.0, init=False)

    def done(self) -> int:
        """Cases that count."""
        raise NotImplementedError

    def one(self, case: Any) -> Any:
        """Check a case and count it; None if it is refused or fails."""
        raise NotImplementedError

    def account(self) -> dict[str, Any]:
        """Everything about the campaign, for JSON."""
        raise NotImplementedError

    def state(self) -> str:
        """The end of a line of progress."""
        raise NotImplementedError

    def smaller(self, case: Any, fails: Callable[[Any], bool]) -> Any:
        """The smallest case found that fails."""
        raise NotImplementedError

    def save(self, case: Any, path: Path, **more: str) -> None:
        """Write a case that has been shrunk, with texts beside it where the file can hold them."""
        raise NotImplementedError

    def run(self, count: int, first: int) -> None:
        """Compare ``count`` cases, drawn from number ``first`` on; refused ones don't count.

        An interrupt ends the campaign early.
        """
        started = reported = time.monotonic()
        number = first
        try:
            while self.done() < count and len(self.failures) < self.most_failures:
                self.one(self.kind.draw(self.chips[number % len(self.chips)], number))
                number += 1
                self.seconds = time.monotonic() - started
                if time.monotonic() - reported > _REPORT_SECONDS:
                    reported = time.monotonic()
                    self.tell(self._progress(count))
        except KeyboardInterrupt:
            self.tell("interrupted: the account is of what was compared")
        self.tell(self._progress(count))

    def failed(self, case: Any, failure: Failure, check: Callable[[Any], object],
               options: str = "") -> None:
        """Shrink and save a case; ``options`` are needed to run it again."""
        self.tell(f"FAILS {case.name}: {failure}\n{case}\nshrinking")
        last = failure

        def fails(candidate: Any) -> bool:
            nonlocal last
            try:
                check(candidate)
            except Refused:
                return False
            except Failure as found:
                if found.kind == failure.kind:
                    last = found
                    return True
            return False

        small = self.smaller(case, fails)
        path = self.folder / f"{case.name}{self.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        command = f"python -m {self.module} --case {path}{options}"
        self.save(small, path, failure=str(last), command=command)
        self.failures.append({"case": case.name, "kind": failure.kind, "failure": str(failure),
                              "shrunk": str(last), "file": str(path), "command": command})
        self.tell(f"shrunk: {last}\n{small}\nagain, whole:  python -m {self.module} --case "
                  f"{case.name}{options}\nagain, shrunk: {command}")

    def _progress(self, count: int) -> str:
        rate = self.done() / max(self.seconds, 1e-9)
        left = round((count - self.done()) / max(rate, 1e-9))
        return (f"{self.done()} of {count} cases, {rate:.1f}/s, {left // 60}:{left % 60:02} left, "
                f"{len(self.failures)} failed, {self.state()}")
