"""Area by block for ECP5, by Yosys: ``python -m fpga.synthesize --preset base [-o DIR]``."""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from fpga.area import area, blocks
from fpga.netlist import block_names, mapped
from fpga.toolchain import Toolchain
from golden.spec.config import preset
from hw import export

__all__ = ["synthesize"]


def synthesize(verilog: str, top: str) -> dict[str, dict[str, int]]:
    """LUT4, FF, DSP and EBR as "total" and of each block of the top, largest first."""
    with tempfile.TemporaryDirectory() as folder:
        module = mapped(verilog, top, Toolchain().yosys, Path(folder))
    cells = {name: cell["type"] for name, cell in module["cells"].items()}
    names = [name.removeprefix(f"\\{top}.") for name in block_names(verilog, top)]
    return {"total": area(cells.values()), **blocks(cells, names)}


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="base")
    parser.add_argument("-o", type=Path, default=None, help="write PRESET.json here")
    args = parser.parse_args(argv)
    config = preset(args.preset)
    started = time.monotonic()
    print(f"synthesizing {args.preset} for ECP5 (minutes)", flush=True)
    rows = synthesize(export.generate(config, "ecp5"), export.TOP)
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
