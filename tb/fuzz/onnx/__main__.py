"""Random ONNX networks: quantized, imported, compiled and run; golden = machine (= RTL), and each
node within 1 of ONNX Runtime's."""

import argparse
import json
import sys
from pathlib import Path

from tb.fuzz.__main__ import commit
from tb.fuzz.chips import CHIPS
from tb.fuzz.onnx.campaign import Campaign, table
from tb.fuzz.onnx.case import Case


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.fuzz.onnx", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="networks to compare")
    parser.add_argument("--seed", type=int, default=0, help="number of the first one")
    parser.add_argument("--preset", default=",".join(CHIPS),
                        help=f"chips, of {', '.join(CHIPS)} (default: all)")
    parser.add_argument("--rtl", type=int, default=0, metavar="N",
                        help="of those on small chips, one in N runs on the RTL (default: none)")
    parser.add_argument("--case", help="one case only: its name, or the file of a shrunk one")
    parser.add_argument("--failures", type=int, default=3, help="stop after so many")
    parser.add_argument("--shrink-seconds", type=float, default=60, help="spent on each failure")
    parser.add_argument("--json", type=Path, help="write the account here")
    parser.add_argument("--page", type=Path, metavar="JSON",
                        help="print the page of an account written before, run nothing")
    args = parser.parse_args()
    if args.page:
        print(table(json.loads(args.page.read_text())), end="")
        return 0
    chips = tuple(args.preset.split(","))
    if unknown := set(chips) - set(CHIPS):
        parser.error(f"no chip {', '.join(sorted(unknown))}; there are {', '.join(CHIPS)}")
    campaign = Campaign(chips, args.rtl, most_failures=args.failures,
                        shrink_seconds=args.shrink_seconds,
                        tell=lambda text: print(text, flush=True))
    if args.case:
        try:
            case = Case.named(args.case)
        except ValueError as error:
            parser.error(str(error))
        print(case)
        if (outcome := campaign.one(case)) is not None:
            print(f"{outcome.imported.graph}\ngolden = engine, within 1 of ONNX Runtime's")
        for reason in campaign.refused:
            print(f"refused: {reason}")
        return bool(campaign.failures)
    campaign.run(args.count, args.seed)
    account = {"command": f"python -m tb.fuzz.onnx {' '.join(sys.argv[1:])}", "commit": commit(),
               **campaign.account()}
    print(table(account))
    if args.json:
        args.json.write_text(json.dumps(account, indent=1) + "\n")
    return bool(campaign.failures)


if __name__ == "__main__":
    sys.exit(main())
