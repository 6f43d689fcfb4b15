"""What `sentei estimate` tells against what the RTL takes, whole networks at every rate.

``python bench/predictor.py [--json FILE]``. Doorbell to interrupt, preset base, one sample.
"""

import argparse
import json
import sys
from pathlib import Path

from figures import NETWORKS, sentei

RATES = (0.0, 0.5, 0.75, 0.9)
MOST_PERCENT = 3.0


def compared(network: str) -> list[dict]:
    """Each rate of one network, dense first."""
    told = sentei("estimate", network, "--prune", ",".join(map(str, RATES)))
    rows = []
    for item in told["rates"]:
        options = ("--dense",) if item["dense"] else (
            ("--rate", str(item["rate"])) if item["rate"] else ())
        cycles = sentei("run", network, "--samples", "1", "--engine", "rtl", *options)["cycles"]
        rows.append({"network": network, "rate": item["rate"], "dense": item["dense"],
                     "estimate": item["cycles"], "rtl": cycles,
                     "error_percent": round(100 * (item["cycles"] / cycles - 1), 3)})
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    rows = [row for network in NETWORKS for row in compared(network)]
    print(f"{'network':14}{'rate':>12}{'estimate':>11}{'rtl':>11}{'error':>9}")
    for row in rows:
        rate = "dense" if row["dense"] else f"{row['rate']:g}" if row["rate"] else "as published"
        print(f"{row['network']:14}{rate:>12}{row['estimate']:11,}{row['rtl']:11,}"
              f"{row['error_percent']:8.2f}%")
    worst = max(abs(row["error_percent"]) for row in rows)
    print(f"{worst:.2f} % off at most (must {MOST_PERCENT:g} %)")
    if args.json:
        args.json.write_text(json.dumps({
            "command": "python bench/predictor.py", "preset": "base", "most_percent": worst,
            "rows": rows}, indent=1) + "\n")
    return 1 if worst > MOST_PERCENT else 0


if __name__ == "__main__":
    sys.exit(main())
