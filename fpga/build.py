"""From a board and a preset to a bitstream: Yosys, nextpnr for each seed, ecppack.

nextpnr packs, `fpga.place` places, nextpnr routes, `fpga.verify` proves the bitstream.
"""

import json
import os
import re
import resource
import statistics
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from fpga.annealer import annealer
from fpga.area import area, blocks, multipliers
from fpga.boards import Board
from fpga.dsp_registers import pack_registers
from fpga.floorplan import floorplan
from fpga.netlist import synthesize
from fpga.page import page
from fpga.paths import critical_path
from fpga.place import EFFORT
from fpga.report import fastest
from fpga.routing import BY_TIME, Crowded, Passes, Unrouted, aim
from fpga.toolchain import Tool, Toolchain, kill_all
from fpga.top import BoardTop
from fpga.verify import Different, Verified, device_of, verify
from golden.spec.config import Config
from sw.errors import ToolError, UsageError

__all__ = ["Build", "check_fits", "verify_build", "write_report"]

Tell = Callable[[str], None]

TOP = "top"
# Parts of the chip, and what is beside it.
_BLOCK = re.compile(rf"^module (\\{TOP}\.system\.(?:npu\.)?\w+) ?\(", re.MULTILINE)
_SOURCE = re.compile(r' *\(\* src = "[^"]*" \*\)\s*')
_PHASE = re.compile(r"^Info: (Packing|Placing|Routing|Promoting|Running|Setting|"
                    r"at iteration|\s+at (?:initial|iter))")
_SHRINK = {
    "lut4": "shrink columns or lanes (--set columns=...)",
    "ff": "shrink columns or lanes (--set columns=...)",
    "dsp": "shrink columns or drain, or build more columns' multipliers from LUTs (--set "
           "lut_columns=...)",
    "ebr": "shrink bank_words, weight_rows, list_entries or read_beats (--set bank_words=...)"}
_NANOSECONDS = 1e3  # of a period of 1 MHz
_PLACED = 0.97  # of the period is what placing goes for: routes have detours
# Of the clock: the router's own reckoning is some tenths of a MHz off. At last whatever comes out.
_TARGETS = (1.01, 0.95, 0.0)
_PICTURE = "floorplan.png"
# What a build leaves for its users: none of an earlier one's is to be taken for this one's.
_RESULTS = ("report.json", "report.html", _PICTURE, f"{TOP}.bit", f"{TOP}.wrong.bit")
# A seed whose placement is crowded is placed again, so many times in all, each with a seed so much
# greater.
_PLACINGS, _ANEW = 3, 1000
_MEGABYTE = 1 << 10  # of ru_maxrss, which counts kilobytes


@dataclass(frozen=True)
class Build:
    """One build of a board's bitstream.

    Parameters
    ----------
    board : Board
    config : Config
    clock_mhz : float
        Of chip and memory: what timing is held against.
    folder : Path
        Made if it isn't there; a build's files in it are replaced.
    tools : Toolchain
    effort : int
        Moves for each cell that placements are annealed with (`fpga.place`); with 0 nextpnr places.
    """

    board: Board
    config: Config
    clock_mhz: float
    folder: Path
    tools: Toolchain
    effort: int = EFFORT

    def run(self, seeds: Sequence[int], tell: Tell, jobs: int = 1) -> dict:
        """All of it.

        Parameters
        ----------
        seeds : sequence of int
            Of placement; the bitstream is that of the fastest.
        tell : callable
            Told what is being done.
        jobs : int
            Seeds at a time.

        Returns
        -------
        dict
            The report (see `fpga.report`), also written as ``report.json``.

        Raises
        ------
        ToolError
            If a tool fails.
        UsageError
            If the design is larger than the device.
        """
        started = time.monotonic()
        tell("generating")
        top = BoardTop(self.board, self.config, self.clock_mhz)  # refuses what can't be built
        check_fits({"dsp": multipliers(self.config)}, self.board, self.config)
        self._look_for_tools()
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in _RESULTS:
            (self.folder / name).unlink(missing_ok=True)
        self.generate(top)
        cells, registers = self.synthesize(tell)
        total = area(cells.values())
        rows = blocks(cells, self._blocks())
        check_fits(total, self.board, self.config)
        synthesized = time.monotonic()
        # PyPI's compiles itself on its first use, which must not be twice at once.
        self.tools.nextpnr.run(["--version"], self.folder, "nextpnr.log")
        runs, failed = self._routes(seeds, tell, jobs)
        best = fastest(runs)
        self.pack(best["seed"], tell)
        clocks = [item["clock_mhz"] for item in runs]
        available = asdict(self.board.device)
        report = {
            "board": self.board.name, "preset": self.config.name,
            "digest": f"0x{self.config.digest():08x}",
            "verilog_sha256": sha256((self.folder / f"{TOP}.v").read_bytes()).hexdigest(),
            "macs_per_cycle": self.config.lanes * self.config.columns,
            "seeds": runs, "failed_seeds": failed, "clock_mhz_target": self.clock_mhz,
            "clock_mhz": {"median": statistics.median(clocks), "best": max(clocks)},
            # A seed that failed counts as a clock of 0.
            "timing_met": statistics.median([*clocks, *(0 for _ in failed)]) >= self.clock_mhz,
            **{kind: {"used": total[kind], "available": available[kind]} for kind in total},
            "dsp_registers": registers, "blocks": rows, "critical_path": best.pop("critical_path"),
            "verified": None,
            "tools": self.tools.versions(), "effort": self.effort,
            "command": self._command(len(seeds)),
            "synthesis_seconds": round(synthesized - started), **_taken(started),
        }
        for item in runs:
            item.pop("critical_path", None)
        floorplan(self.folder / f"seed{best['seed']}.json", [name for name in rows if name],
                  self.folder / _PICTURE)
        # There is a report of hours of work even if the proof finds something.
        write_report(self.folder, report)
        report["verified"] = asdict(self._verify(best["seed"], tell))
        report |= _taken(started)
        write_report(self.folder, report)
        return report

    def _look_for_tools(self) -> None:
        """Those that are needed late, lest hours pass before they are missed."""
        device_of(self.board.nextpnr)
        if self.effort:
            annealer()

    def _command(self, seeds: int) -> str:
        """What gives this build again, with the same tools."""
        return (f"sentei fpga build --board {self.board.name} --preset {self.config.name} "
                f"--clock {self.clock_mhz:g} --seeds {seeds} --effort {self.effort}")

    def _routes(self, seeds: Sequence[int], tell: Tell,
                jobs: int) -> tuple[list[dict], dict[int, str]]:
        """What came of those that could be routed, and why others could not."""
        failed: dict[int, Exception] = {}
        stopped = threading.Event()

        def heard(text: str) -> None:
            if stopped.is_set():
                raise ToolError("stopped")
            tell(text)

        def attempt(seed: int) -> dict | None:
            try:
                return self.route(seed, heard)
            except (ToolError, OSError, ValueError, LookupError) as error:
                # The last two: a file that a program left in pieces.
                failed[seed] = error
                tell(f"seed {seed}: {error}")
                return None

        with ThreadPoolExecutor(jobs) as pool:
            try:
                runs = [run for run in pool.map(attempt, seeds) if run]
            except BaseException:  # an interrupt; the pool waits for its threads, which take hours
                stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                kill_all()
                raise
        if not runs:
            raise failed[seeds[0]]
        return runs, {seed: str(error) for seed, error in failed.items()}

    def generate(self, top: BoardTop) -> None:
        """``top.v`` and its constraints."""
        os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
        plan = self.board.platform().prepare(top, TOP, debug_verilog=True)
        # Not the RTLIL beside it: attributes of memories (no_rw_check) only come this way.
        for source, name in ((f"{TOP}.debug.v", f"{TOP}.v"), (f"{TOP}.lpf", f"{TOP}.lpf")):
            content = plan.files[source]
            text = content.decode() if isinstance(content, bytes) else content
            # Where in our sources something comes from is a matter of the machine.
            (self.folder / name).write_text(_SOURCE.sub("", text))

    def synthesize(self, tell: Tell) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
        """``top.v`` to ``top.json``: types by cell, and registers in use by multiplier."""
        names = set(_BLOCK.findall((self.folder / f"{TOP}.v").read_text()))
        netlist = synthesize(self.folder, TOP, names, self.tools.yosys, tell)
        module = netlist["modules"][TOP]
        registers = pack_registers(module)
        (self.folder / f"{TOP}.json").write_text(json.dumps(netlist))
        return {name: cell["type"] for name, cell in module["cells"].items()}, registers

    def route(self, seed: int, tell: Tell) -> dict:
        """``top.json`` placed and routed: one of the report's ``seeds``."""
        started = time.monotonic()

        def own(text: str) -> None:
            tell(f"seed {seed}: {text}")

        for kind in ("config", "json", "report"):
            (self.folder / f"seed{seed}.{kind}").unlink(missing_ok=True)
        written = ["--textcfg", f"seed{seed}.config", "--write", f"seed{seed}.json",
                   "--report", f"seed{seed}.report"]
        placing, placings = None, 1
        if self.effort:
            placing, placings = self._laid(seed, written, own)
        else:
            self._nextpnr(seed, ["--json", f"{TOP}.json", *written], f"seed{seed}.log", own)
        (self.folder / f"seed{seed}.placed.json").unlink(missing_ok=True)
        found = json.loads((self.folder / f"seed{seed}.report").read_text())
        clock = max((name for name in found["fmax"]),
                    key=lambda name: found["fmax"][name]["constraint"], default=None)
        if clock is None:
            raise ToolError(f"nextpnr found no clock; see {self.folder / f'seed{seed}.log'}")
        achieved = found["fmax"][clock]["achieved"]
        return {"seed": seed, "clock_mhz": round(achieved, 2),
                "timing_met": achieved >= self.clock_mhz,
                "seconds": round(time.monotonic() - started),
                "placing": placing, "placings": placings,
                "critical_path": critical_path(found, clock)}

    def _laid(self, seed: int, written: Sequence[str],
              tell: Tell) -> tuple[dict[str, Any], int]:
        """``top.json`` placed, as often as it needs, and routed."""
        number = 1
        while True:
            placing = self._placed(seed, seed + _ANEW * (number - 1), tell)
            last = number == _PLACINGS
            try:
                self._routed(seed, written, tell, last=last)
                return placing, number
            except Crowded as why:
                if last:
                    raise
                tell(f"{why}; placing anew")
            number += 1

    def _routed(self, seed: int, written: Sequence[str], tell: Tell, *, last: bool) -> None:
        """``seedN.placed.json`` routed for the clock that is wanted, for less, or for any.

        Raises
        ------
        Crowded
            If it can't be; of a placement that isn't the last one, if that takes long.
        """
        placed = self.folder / f"seed{seed}.placed.json"
        for part in _TARGETS:
            aim(placed, (part or 1) * self.clock_mhz)
            by_time = [BY_TIME] if part else []
            try:
                self._nextpnr(seed, ["--json", placed.name, "--no-pack", *by_time, *written],
                              f"seed{seed}.log", tell, patient=not part)
                return
            except Unrouted as why:
                if not part or (isinstance(why, Crowded) and not last):
                    raise
                tell(f"{why}, for {part * self.clock_mhz:g} MHz; once more for less")

    def _placed(self, seed: int, own: int, tell: Tell) -> dict[str, Any]:
        """``top.json`` packed, and placed to ``seedN.placed.json`` with a seed of its own."""
        packed, log = f"seed{seed}.packed.json", f"seed{seed}.place.log"
        self._nextpnr(seed, ["--json", f"{TOP}.json", "--pack-only", "--write", packed],
                      f"seed{seed}.pack.log", tell)
        period = _PLACED * _NANOSECONDS / self.clock_mhz
        # Nothing of the folder is to be taken for a module (-P).
        Tool("place", (sys.executable, "-P", "-m", "fpga.place"), "", "native").run(
            [packed, f"seed{seed}.placed.json", str(own), str(period), str(self.effort)],
            self.folder, log,
            lambda text: None if text.startswith("{") else tell(f"placing, {text}"))
        (self.folder / packed).unlink()
        found: dict[str, Any] = json.loads((self.folder / log).read_text().splitlines()[-1])
        return found

    def _nextpnr(self, seed: int, arguments: Sequence[str], log: str, tell: Tell, *,
                 patient: bool = True) -> None:
        passes = Passes(patient=patient)

        def line(text: str) -> None:
            routed = passes.told(text)
            if routed or _PHASE.match(text):
                tell(routed or text.removeprefix("Info: ").strip())

        # The packed netlist keeps the router's name: both runs are told it.
        self.tools.nextpnr.run([
            *self.board.nextpnr, *arguments, "--lpf", f"{TOP}.lpf", "--seed", str(seed), "--freq",
            f"{self.clock_mhz:g}", "--router", "router2", "--timing-allow-fail",
        ], self.folder, log, line)

    def pack(self, seed: int, tell: Tell) -> None:
        """A seed's ``seedN.config`` to ``top.bit``."""
        tell("packing")
        self.tools.ecppack.run(["--compress", "--input", f"seed{seed}.config", "--bit",
                                f"{TOP}.bit"], self.folder, "ecppack.log")

    def _verify(self, seed: int, tell: Tell) -> Verified:
        tell("decoding the bitstream")
        try:
            found = verify_build(self.folder, seed, self.board)
        except Different:
            bitstream = self.folder / f"{TOP}.bit"
            bitstream.replace(bitstream.with_suffix(".wrong.bit"))  # for a look, for no board
            raise
        tell(str(found))
        return found

    def _blocks(self) -> list[str]:
        """Names that cells of the chip's parts begin with."""
        text = (self.folder / f"{TOP}.v").read_text()
        return sorted({name.removeprefix(f"\\{TOP}.") for name in _BLOCK.findall(text)})


def write_report(folder: Path, report: dict) -> None:
    """A build's report into its folder, as JSON and as a page with the floorplan there."""
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    picture = folder / _PICTURE
    (folder / "report.html").write_text(page(report, picture if picture.is_file() else None))


def _taken(started: float) -> dict[str, int]:
    """So far: time, and the memory of the largest program."""
    largest = max(resource.getrusage(who).ru_maxrss
                  for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {"seconds": round(time.monotonic() - started), "memory_mb": largest // _MEGABYTE}


def verify_build(folder: Path, seed: int, board: Board) -> Verified:
    """Prove a build's bitstream against its netlist (`fpga.verify`).

    Parameters
    ----------
    folder : Path
        Where it was built.
    seed : int
        That the bitstream is of.
    board : Board

    Raises
    ------
    Different
        If they differ.
    ToolError
        If a file is missing, or isn't one.
    """
    return verify(folder / f"{TOP}.json", folder / f"seed{seed}.json", folder / f"{TOP}.lpf",
                  folder / f"{TOP}.bit", board.nextpnr)


def check_fits(used: dict[str, int], board: Board, config: Config) -> None:
    """Refuse what the device can't hold.

    Raises
    ------
    UsageError
        Naming resource, excess and what to shrink.
    """
    for kind, needed in used.items():
        available = getattr(board.device, kind)
        if needed > available:
            raise UsageError(
                f"preset {config.name} needs {needed:,} {kind.upper()}, the device of "
                f"{board.name} has {available:,}: {needed - available:,} too many; "
                f"{_SHRINK[kind]}")
