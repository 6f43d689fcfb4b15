"""Show what is in a compiled program: memory map, layers, instructions.

examples:
  sentei compile vww -o vww.sentei
  sentei inspect vww.sentei | less
  sentei inspect vww.sentei --json
"""

import argparse
import json
from collections import Counter
from pathlib import Path

from golden.spec.program import Binding, ChipStep, HostStep, Program
from golden.spec.registers import Region
from sw.commands.options import add_json
from sw.report.disassembly import disassemble
from sw.report.placement import reasons

__all__ = ["add", "execute"]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``sentei inspect``."""
    parser.add_argument("program", type=Path, metavar="PROGRAM",
                        help="a file that sentei compile wrote")
    add_json(parser)


def _place(binding: Binding) -> str:
    return (f"{binding.name}  {binding.dtype}{list(binding.shape)}  {binding.region.name} "
            f"+0x{binding.offset:x}, {binding.bytes} bytes, scale {binding.scale:g}, "
            f"zero point {binding.zero_point}")


def _json(program: Program) -> dict[str, object]:
    def binding(item: Binding) -> dict[str, object]:
        return {**vars(item), "region": item.region.name, "bytes": item.bytes}

    def step(item: ChipStep | HostStep) -> dict[str, object]:
        if isinstance(item, HostStep):
            return {**vars(item), "kind": "host", "inputs": [*map(binding, item.inputs)],
                    "outputs": [*map(binding, item.outputs)],
                    "blobs": {name: len(blob) for name, blob in item.blobs.items()}}
        return {"kind": "chip", "offset": item.offset, "bytes": item.bytes,
                "instructions": [line.json() for line in disassemble(program, item)]}

    return {"network": program.network, "digest": f"0x{program.digest:08x}",
            "configuration": program.config,
            "regions": {region.name: program.region_bytes(region) for region in Region},
            "inputs": [*map(binding, program.inputs)],
            "outputs": [*map(binding, program.outputs)],
            "layers": program.layers, "steps": [step(item) for item in program.steps]}


def _print(program: Program) -> None:
    code = sum(item.bytes for item in program.steps if isinstance(item, ChipStep))
    print(f"{program.network}, compiled for {program.config['name']} "
          f"(digest 0x{program.digest:08x})\n\nmemory map")
    for region in Region:
        print(f"  {region.name:<10} {program.region_bytes(region):>9} bytes")
    print(f"  of CONSTANTS: {code} instructions, {len(program.constants) - code} weights and "
          "tables")
    for heading, bindings in (("inputs", program.inputs), ("outputs", program.outputs)):
        print(f"\n{heading}")
        for item in bindings:
            print(f"  {_place(item)}")
    print("\nlayers")
    for row in program.layers:
        print(f"  {row['tag']:>4}  {row['name']}  {row['operator']} on {row['unit']}, "
              f"{row['macs']} MACs, {row['ideal_cycles']} ideal cycles")
    for number, step in enumerate(program.steps):
        if isinstance(step, HostStep):
            print(f"\nstep {number}: host, {step.op} {step.name}{_settings(step)}")
            for text in reasons(step.attrs.get("parts", ())):
                print(f"  {text}")
            for item in [*step.inputs, *step.outputs]:
                print(f"  {_place(item)}")
        else:
            print(f"\nstep {number}: chip, {step.bytes} bytes of instructions")
            for line in disassemble(program, step):
                print(f"  {line}")


def _settings(step: HostStep) -> str:
    """What an operator of the host does, in a line."""
    if parts := step.attrs.get("parts"):
        counts = Counter(operator for operator, *_ in parts)
        found = [f"{count} x {operator}" if count > 1 else operator
                 for operator, count in counts.items()]
    else:
        found = [f"{name} {value:.6g}" if isinstance(value, float) else f"{name} {value}"
                 for name, value in step.attrs.items()]
    found += [f"{name} {len(blob):,} bytes" for name, blob in step.blobs.items()]
    return f": {', '.join(found)}" if found else ""


def execute(arguments: argparse.Namespace) -> int:
    """Print the program."""
    program = Program.load(arguments.program)
    if arguments.json:
        print(json.dumps(_json(program), indent=1))
    else:
        _print(program)
    return 0
