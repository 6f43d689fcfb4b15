"""Plants small faults in the RTL; the benches of tb/unit must notice each."""

import argparse
import json
import sys
import time
from pathlib import Path

from tb.mutate.mutations import BLOCKS, MUTATIONS
from tb.mutate.runner import Outcome, Result, run, sound, time_limit

LEAST = 0.9  # of the faults that are not equivalent
GOOD = (Outcome.CAUGHT, Outcome.HANG, Outcome.EQUIVALENT)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.mutate", description=__doc__)
    parser.add_argument("--block", action="append", default=[],
                        help="this block, or all of an area, only (may be repeated)")
    parser.add_argument("--only", metavar="ID", help="one fault only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the account here")
    args = parser.parse_args()
    for name in args.block:
        if name not in BLOCKS and not any(block.startswith(name + ".") for block in BLOCKS):
            parser.error(f"no block {name}; there are {', '.join(BLOCKS)}")
    chosen = [mutation for mutation in MUTATIONS
              if args.only in (None, mutation.id)
              and (not args.block or any(f"{mutation.block}.".startswith(name + ".")
                                         for name in args.block))]
    if not chosen:
        parser.error(f"no fault {args.only}; there are {', '.join(m.id for m in MUTATIONS)}")

    begun = time.monotonic()
    seconds: dict[str, float] = {}
    results: dict[str, Result] = {}
    for number, mutation in enumerate(chosen, 1):
        if mutation.block not in seconds:
            seconds[mutation.block] = sound(mutation.block)
        result = run(BLOCKS[mutation.block], mutation, time_limit(seconds[mutation.block]))
        results[mutation.id] = result
        left = (time.monotonic() - begun) / number * (len(chosen) - number)
        print(f"{number:3}/{len(chosen)}  {mutation.id:28} {result.outcome:20} "
              f"{result.seconds:5.1f} s  {result.by}  (ETA {left:.0f} s)", flush=True)

    account = _account(chosen, results)
    print(_table(account))
    if args.json:
        args.json.write_text(json.dumps(account, indent=1) + "\n")
    return 0 if account["survived"] == 0 and account["score"] >= LEAST else 1


def _account(chosen, results):
    """Totals, totals by block, and every fault with what became of it."""
    blocks = {}
    for mutation in chosen:
        block = blocks.setdefault(mutation.block, {"faults": 0, "caught": 0, "equivalent": 0})
        outcome = results[mutation.id].outcome
        block["faults"] += 1
        block["caught"] += outcome in (Outcome.CAUGHT, Outcome.HANG)
        block["equivalent"] += outcome is Outcome.EQUIVALENT
    total = {key: sum(block[key] for block in blocks.values())
             for key in ("faults", "caught", "equivalent")}
    return {
        "command": f"python -m tb.mutate {' '.join(sys.argv[1:])}",
        **total,
        "survived": sum(result.outcome not in GOOD for result in results.values()),
        "score": _score(total),
        "blocks": {name: {**block, "score": _score(block)} for name, block in blocks.items()},
        "results": {mutation.id: {
            "file": mutation.file, "fault": mutation.fault,
            "outcome": results[mutation.id].outcome, "by": results[mutation.id].by,
            "seconds": round(results[mutation.id].seconds, 1),
            **({"equivalent": mutation.equivalent} if mutation.equivalent else {}),
        } for mutation in chosen},
    }


def _score(counts):
    """Share of the faults that are not equivalent that was caught; 1 if there are none."""
    relevant = counts["faults"] - counts["equivalent"]
    return round(counts["caught"] / relevant, 4) if relevant else 1.0


def _table(account):
    lines = [f"{'block':24} faults caught equivalent  score"]
    for name, block in [*account["blocks"].items(), ("all", account)]:
        lines.append(f"{name:24} {block['faults']:6} {block['caught']:6} "
                     f"{block['equivalent']:10} {block['score']:6.1%}")
    for name, result in account["results"].items():
        if result["outcome"] not in GOOD:
            lines.append(f"{result['outcome']}: {name}, {result['fault']}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
