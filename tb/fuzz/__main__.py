"""Random networks, chips and memories: golden = machine = RTL. See docs/fuzz.md."""

import sys
from pathlib import Path

from tb.fuzz.archive import load_case
from tb.fuzz.campaign import Campaign
from tb.fuzz.case import Case
from tb.fuzz.check import Outcome
from tb.fuzz.command import arguments, run
from tb.fuzz.page import page, table


def main() -> int:
    return run(arguments("tb.fuzz", __doc__, 1000, 120),
               campaign=lambda args, **settings: Campaign(**settings), load=_load, one=_one,
               page=page, table=table)


def _load(name: str) -> Case:
    path = Path(name)
    return load_case(path) if path.suffix == ".json" else Case.named(name)


def _one(campaign: Campaign, outcome: Outcome | None) -> None:
    if outcome is None:
        print("refused: the chip's scratchpad is too small")
        return
    for number, (found, told) in enumerate(zip(outcome.rtl, outcome.machine, strict=True)):
        print(f"run {number}: {found.cycles} cycles on the RTL, {told.cycles} on the machine; "
              "golden = machine = RTL")


if __name__ == "__main__":
    sys.exit(main())
