"""Netlists ready to be simulated."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from fpga import dsp_registers, wide_muxes
from fpga import netlist as mapper
from fpga.toolchain import Toolchain
from golden.spec.config import Config
from hw.export import TOP
from sw.cache import cache_folder, making
from sw.engines.rtl.builder import generate_verilog
from tb.gate.models import block_models, cautious_models, logic_models

__all__ = ["chip_netlist"]

# The vendor's cells dissolve into what their models say, which halves the simulators' work.
_DISSOLVE = """\
read_verilog -lib +/ecp5/cells_bb.v
read_verilog -lib kept.v
read_verilog models.v
read_verilog netlist.v
hierarchy -top {top}
proc
flatten
opt_expr
opt_clean -purge
write_verilog -noattr dissolved.v
"""


def chip_netlist(config: Config, *, cautious: bool = False) -> str:
    """The whole chip as a netlist of ECP5's cells with their models; made once, then cached.

    Flip-flops and memories begin as anything.

    Parameters
    ----------
    config : Config
    cautious : bool
        For a simulator that knows X: nothing forgets one. Flip-flops and small memories then stay
        cells, or Icarus would look for each among all signals of the chip.
    """
    yosys, verilog = Toolchain(native=False).yosys, generate_verilog(config)
    own = cautious_models() if cautious else {}
    models, kept = logic_models(unknown_start=True, without=own), "\n".join(own.values())

    def map_cells(folder: Path) -> str:
        return mapper.netlist(verilog, TOP, yosys, folder)

    def dissolve(folder: Path) -> str:
        (folder / "netlist.v").write_text(cells)
        (folder / "models.v").write_text(models)
        (folder / "kept.v").write_text(kept)
        (folder / "dissolve.ys").write_text(_DISSOLVE.format(top=TOP))
        yosys.run(["-Q", "dissolve.ys"], folder, "dissolve.log")
        return (folder / "dissolved.v").read_text()

    sources = [Path(module.__file__ or "").read_text()
               for module in (mapper, dsp_registers, wide_muxes)]
    cells = _cached(map_cells, yosys.version, *sources, verilog)
    return "\n".join((_cached(dissolve, yosys.version, _DISSOLVE, models, kept, cells), kept,
                      block_models(unknown_start=True)))


def _cached(make: Callable[[Path], str], *key: str) -> str:
    """What ``make`` returns, given a folder to work in; made once for every key."""
    digest = hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
    kept = cache_folder() / "gate" / f"{digest}.v"
    with making(kept) as missing, tempfile.TemporaryDirectory() as name:
        if missing:
            part = kept.with_suffix(".part")
            part.write_text(make(Path(name)))
            os.replace(part, kept)
    return kept.read_text()
