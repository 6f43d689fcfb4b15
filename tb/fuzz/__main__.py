"""Random networks, chips and memories: golden = machine = RTL. See docs/fuzz.md."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from tb.fuzz.archive import load_case
from tb.fuzz.campaign import Campaign
from tb.fuzz.case import Case
from tb.fuzz.chips import CHIPS
from tb.fuzz.page import page, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="cases to compare")
    parser.add_argument("--seed", type=int, default=0, help="number of the first case")
    parser.add_argument("--preset", default=",".join(CHIPS),
                        help=f"chips, of {', '.join(CHIPS)} (default: all)")
    parser.add_argument("--case", help="one case only: its name, or the file of a shrunk one")
    parser.add_argument("--failures", type=int, default=3, help="stop after so many")
    parser.add_argument("--shrink-seconds", type=float, default=120, help="spent on each failure")
    parser.add_argument("--json", type=Path, help="write the account here")
    parser.add_argument("--page", type=Path, metavar="JSON",
                        help="print the page of an account written before, run nothing")
    args = parser.parse_args()
    if args.page:
        print(page(json.loads(args.page.read_text())), end="")
        return 0
    chips = tuple(args.preset.split(","))
    if unknown := set(chips) - set(CHIPS):
        parser.error(f"no chip {', '.join(sorted(unknown))}; there are {', '.join(CHIPS)}")
    if args.case:
        try:
            file = Path(args.case)
            case = load_case(file) if file.suffix == ".json" else Case.named(args.case)
        except (OSError, ValueError) as error:
            parser.error(str(error))
        return _one(case, args.shrink_seconds)
    campaign = Campaign(chips, most_failures=args.failures, shrink_seconds=args.shrink_seconds,
                        tell=lambda text: print(text, flush=True))
    campaign.run(args.count, args.seed)
    account = {"command": f"python -m tb.fuzz {' '.join(sys.argv[1:])}", "commit": commit(),
               **campaign.account()}
    print(table(account))
    if args.json:
        args.json.write_text(json.dumps(account, indent=1) + "\n")
    return bool(campaign.failures)


def _one(case: Case, seconds: float) -> int:
    print(case)
    campaign = Campaign((case.chip,), shrink_seconds=seconds)
    outcome = campaign.one(case)
    if campaign.failures:
        return 1
    if outcome is None:
        print("refused: the chip's scratchpad is too small")
        return 0
    for run, (found, told) in enumerate(zip(outcome.rtl, outcome.machine, strict=True)):
        print(f"run {run}: {found.cycles} cycles on the RTL, {told.cycles} on the machine; "
              "golden = machine = RTL")
    return 0


def commit() -> str:
    """The sources' commit, if they are a checkout."""
    try:
        run = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude=*"],
                             capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:
        return "unknown"
    return run.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
