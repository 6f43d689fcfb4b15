"""The command line of a campaign."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tb.fuzz.base_campaign import BaseCampaign
from tb.fuzz.base_case import BaseCase
from tb.fuzz.chips import CHIPS

__all__ = ["arguments", "run"]


def arguments(module: str, text: str | None, count: int, seconds: float) -> argparse.ArgumentParser:
    """What every campaign is asked; ``count`` and ``seconds`` are defaults."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=text)
    parser.add_argument("--count", type=int, default=count, help="cases to compare")
    parser.add_argument("--seed", type=int, default=0, help="number of the first case")
    parser.add_argument("--preset", default=",".join(CHIPS),
                        help=f"chips, of {', '.join(CHIPS)} (default: all)")
    parser.add_argument("--case", help="one case only: its name, or the file of a shrunk one")
    parser.add_argument("--failures", type=int, default=3, help="stop after so many")
    parser.add_argument("--shrink-seconds", type=float, default=seconds,
                        help="spent on each failure")
    parser.add_argument("--json", type=Path, help="write the account here")
    parser.add_argument("--page", type=Path, metavar="JSON",
                        help="print the page of an account written before, run nothing")
    return parser


def run(parser: argparse.ArgumentParser, *, campaign: Callable[..., BaseCampaign],
        load: Callable[[str], BaseCase], one: Callable[[Any, Any], None],
        page: Callable[[dict[str, Any]], str], table: Callable[[dict[str, Any]], str]) -> int:
    """Run what the arguments ask for.

    Parameters
    ----------
    parser : ArgumentParser
        Of `arguments`, with what this campaign asks besides.
    campaign : callable
        Makes one of arguments and the base's parameters.
    load : callable
        A case by its name or file; ValueError or OSError if there is none.
    one : callable
        Prints what came of a lone case, of campaign and outcome.
    page, table : callable
        An account as a page, and in short.

    Returns
    -------
    int
        1 if anything failed.
    """
    args = parser.parse_args()
    if args.page:
        print(page(json.loads(args.page.read_text())), end="")
        return 0
    chips = tuple(args.preset.split(","))
    if unknown := set(chips) - set(CHIPS):
        parser.error(f"no chip {', '.join(sorted(unknown))}; there are {', '.join(CHIPS)}")
    if args.case:
        try:
            case = load(args.case)
        except (OSError, ValueError) as error:
            parser.error(str(error))
        chips = chips if case.chip in chips else (case.chip,)
    made = campaign(args, chips=chips, most_failures=args.failures,
                    shrink_seconds=args.shrink_seconds, tell=lambda text: print(text, flush=True))
    if args.case:
        print(case)
        outcome = made.one(case)
        if not made.failures:
            one(made, outcome)
        return bool(made.failures)
    made.run(args.count, args.seed)
    account = {"command": f"{parser.prog} {' '.join(sys.argv[1:])}", "commit": _commit(),
               **made.account()}
    print(table(account))
    if args.json:
        args.json.write_text(json.dumps(account, indent=1) + "\n")
    return bool(made.failures)


def _commit() -> str:
    """The sources' commit, if they are a checkout."""
    try:
        found = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude=*"],
                               capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:
        return "unknown"
    return found.stdout.strip() or "unknown"
