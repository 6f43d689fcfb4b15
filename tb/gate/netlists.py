"""Netlists ready to be simulated."""

import fcntl
import hashlib
import os
import tempfile
from pathlib import Path

from fpga import netlist as mapper
from fpga.toolchain import Toolchain
from golden.spec.config import Config
from hw.export import TOP
from sw.engines.rtl.builder import cache_folder, generate_verilog
from tb.gate.models import block_models, logic_models

__all__ = ["chip_netlist"]

# The vendor's cells dissolve into what their models say, which halves the simulators' work.
_DISSOLVE = """\
read_verilog -lib +/ecp5/cells_bb.v
read_verilog models.v
read_verilog netlist.v
hierarchy -top {top}
proc
flatten
opt_expr
opt_clean -purge
write_verilog -noattr dissolved.v
"""


def chip_netlist(config: Config) -> str:
    """The whole chip as a netlist of ECP5's cells with their models; made once, then cached.

    Flip-flops and memories begin as anything.
    """
    yosys = Toolchain(native=False).yosys
    verilog, models = generate_verilog(config), logic_models(unknown_start=True)
    key = "\0".join((yosys.version, Path(mapper.__file__).read_text(), _DISSOLVE, models, verilog))
    folder = cache_folder() / "gate"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.v"
    with open(kept.with_suffix(".lock"), "w") as lock, tempfile.TemporaryDirectory() as name:
        fcntl.flock(lock, fcntl.LOCK_EX)  # who wants the same meanwhile waits for it
        if not kept.exists():
            place = Path(name)
            mapper.netlist(verilog, TOP, yosys, place)
            (place / "models.v").write_text(models)
            (place / "dissolve.ys").write_text(_DISSOLVE.format(top=TOP))
            yosys.run(["-Q", "dissolve.ys"], place, "dissolve.log")
            part = kept.with_suffix(".part")
            part.write_text((place / "dissolved.v").read_text())
            os.replace(part, kept)
    return kept.read_text() + block_models(unknown_start=True)
