"""What crosses between chip and DRAM in one inference, by kind, as a program's instructions say."""

from dataclasses import dataclass
from typing import Any

from golden.spec.isa import INSTRUCTION_BYTES, Opcode, Target
from golden.spec.layout import LOG_BYTES
from golden.spec.program import ChipStep, Program
from sw.report.disassembly import disassemble

__all__ = ["Chain", "Traffic"]


@dataclass(frozen=True)
class Chain:
    """Layers that take turns strip by strip, so that what is between them stays on the chip.

    Parameters
    ----------
    layers : tuple of str
    saved : int
        Bytes of the feature maps between them, which would be written and read once.
    """

    layers: tuple[str, ...]
    saved: int


@dataclass(frozen=True)
class Traffic:
    """Bytes of one inference; unaligned edges count as what they hold.

    Parameters
    ----------
    feature_maps_read, feature_maps_written : int
        Inputs and outputs of the network are among them.
    weights : int
        Weight streams, tables and kernels, as often as they are loaded.
    program : int
        Instructions.
    log : int
        Records of counters.
    chains : tuple of Chain
    """

    feature_maps_read: int
    feature_maps_written: int
    weights: int
    program: int
    log: int
    chains: tuple[Chain, ...]

    @classmethod
    def of(cls, program: Program) -> "Traffic":
        """That of a program."""
        maps = written = weights = instructions = log = 0
        for step in program.steps:
            if not isinstance(step, ChipStep):
                continue
            for line in disassemble(program, step):
                instructions += INSTRUCTION_BYTES
                if line.opcode == Opcode.LOG:
                    log += LOG_BYTES
                if line.opcode not in (Opcode.LOAD, Opcode.STORE):
                    continue
                size = line.fields["run_bytes"] * line.fields["runs"]
                if line.opcode == Opcode.STORE:
                    written += size
                elif line.fields["target"] == Target.SCRATCHPAD:
                    maps += size
                else:
                    weights += size
        info = program.info
        chains = tuple(Chain(tuple(program.layer(tag) for tag in tags), saved)
                       for tags, saved in zip(info.get("chains", ()), info.get("saved", ()),
                                              strict=False))
        return cls(maps, written, weights, instructions, log, chains)

    def json(self) -> dict[str, Any]:
        """As ``sentei report --json`` prints it."""
        return {**vars(self), "chains": [vars(chain) for chain in self.chains]}

    def lines(self) -> list[tuple[str, int]]:
        """(what, bytes) for people."""
        return [("feature maps read", self.feature_maps_read),
                ("feature maps written", self.feature_maps_written),
                ("weights, tables, kernels", self.weights), ("program", self.program),
                ("log records", self.log)]
