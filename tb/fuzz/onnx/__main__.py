"""Random ONNX networks: quantized, imported, compiled and run; golden = machine (= RTL), and each
node within 1 of ONNX Runtime's."""

import sys
from typing import Any

from tb.fuzz.command import arguments, run
from tb.fuzz.onnx.campaign import Campaign, page
from tb.fuzz.onnx.case import Case
from tb.fuzz.onnx.check import Outcome


def main() -> int:
    parser = arguments("tb.fuzz.onnx", __doc__, 500, 60)
    parser.add_argument("--rtl", type=int, default=0, metavar="N",
                        help="of those on small chips, one in N runs on the RTL (default: none)")
    return run(parser, campaign=lambda args, **settings: Campaign(rtl=args.rtl, **settings),
               load=Case.named, one=_one, page=page, table=_table)


def _one(campaign: Campaign, outcome: Outcome | None) -> None:
    if outcome is not None:
        print(f"{outcome.imported.graph}\ngolden = engine, within 1 of ONNX Runtime's")
    for reason in campaign.refused:
        print(f"refused: {reason}")


def _table(account: dict[str, Any]) -> str:
    return (f"{account['cases']} networks, {account['mismatches']} mismatches, "
            f"{account['seconds']} s; refused: {account['refused']}")


if __name__ == "__main__":
    sys.exit(main())
