"""Plants one fault in a copy of the tree and runs the benches that must notice it."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tb.mutate.mutations import BLOCKS, Block, Mutation

__all__ = ["Outcome", "Result", "run", "sound", "time_limit"]

ROOT = Path(__file__).parents[2]
TREE = ("hw", "golden", "sw", "tb", "pyproject.toml")
CAP = 300  # seconds of CPU for the sound benches of a block
WALL = 20  # times as many by the clock: a machine that is busy or paused is no hang
PASSED, FAILED = 0, 1  # pytest's exit status; others mean that it could not run the benches
# A fault that is not even Python, or not Amaranth, is none that a bench notices.
MISTAKES = ("NameError", "AttributeError", "TypeError", "SyntaxError", "ImportError")


class Outcome(StrEnum):
    CAUGHT = "caught"
    HANG = "caught by time-out"
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"
    BROKEN = "broken"  # the benches did not run: this says nothing about them


@dataclass
class Result:
    """What became of a fault: seconds of CPU its benches took, and the test that failed."""

    outcome: Outcome
    seconds: float
    by: str = ""


def run(block: Block, mutation: Mutation | None, limit: int = CAP) -> Result:
    """Benches of ``block`` on a copy with the fault (None: sound); ``limit``: seconds of CPU."""
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        root = Path(folder)
        _copy(root)
        if mutation:
            mutation.apply(root)
        before = _cpu()
        status, text = _pytest(root, block.benches, limit)
        seconds = _cpu() - before
    failed = next((line.removeprefix("FAILED tb/unit/") for line in text.splitlines()
                   if line.startswith("FAILED ")), "")
    by, _, reason = failed.partition(" - ")
    outcome = {-signal.SIGXCPU: Outcome.HANG, FAILED: Outcome.CAUGHT, PASSED: Outcome.SURVIVED}.get(
        status, Outcome.BROKEN)
    if reason.startswith(MISTAKES):
        outcome, text = Outcome.BROKEN, reason
    if outcome is Outcome.SURVIVED and mutation and mutation.equivalent:
        outcome = Outcome.EQUIVALENT
    if outcome is Outcome.BROKEN:
        by = text.strip().splitlines()[-1] if text.strip() else f"status {status}"
    return Result(outcome, seconds, by)


def time_limit(sound: float) -> int:
    """Seconds after which benches that take ``sound`` seconds without a fault hang."""
    return 30 + 4 * round(sound)


def _cpu():
    """Seconds of CPU of all children that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _copy(root):
    for name in TREE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name,
                            ignore=shutil.ignore_patterns("__pycache__", "build"))
        else:
            shutil.copy2(ROOT / name, root / name)


def _pytest(root, benches, limit):
    """(exit status, what it printed); None for one that waits for ever, using no CPU."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider",
               "-m", "slow or not slow",
               *(f"tb/unit/{bench}" for bench in benches)]
    process = subprocess.Popen(
        command, cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 10)))
    try:
        text, _ = process.communicate(timeout=WALL * limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None, f"not done after {WALL * limit} s"
    return process.returncode, text


def sound(name: str) -> float:
    """Seconds the benches of a block take without a fault; RuntimeError if they fail."""
    result = run(BLOCKS[name], None)
    if result.outcome is not Outcome.SURVIVED:
        raise RuntimeError(f"the benches of {name} fail without a fault: "
                           f"{result.outcome}, {result.by}")
    return result.seconds
