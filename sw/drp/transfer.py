"""Bytes between DRAM and scratchpad, as they are."""

from collections.abc import Iterator

from golden.spec.config import Config
from golden.spec.isa import Opcode, Target
from golden.spec.registers import Region
from sw.instructions.sync import Instruction, Span

__all__ = ["copy_in", "copy_out"]

_MOST = 4095  # words of a LOAD or STORE: its counts have 12 bits


def _parts(config: Config, size: int) -> Iterator[tuple[int, int, int]]:
    """(first byte, bytes, words) of what one instruction moves."""
    most = _MOST * config.group
    for first in range(0, size, most):
        part = min(size - first, most)
        yield first, part, -(-part // config.group)


def copy_in(config: Config, tag: int, region: Region, offset: int, size: int,
            word: int) -> list[Instruction]:
    """LOADs of bytes as they lie in DRAM to scratchpad words from ``word`` on."""
    found, group = [], config.group
    for first, part, words in _parts(config, size):
        # Constants are there from the beginning.
        reads: list[Span] = [] if region is Region.CONSTANTS else [
            (region.name, offset + first, offset + first + part)]
        to = word + first // group
        found.append(Instruction(Opcode.LOAD, {
            "tag": tag, "target": Target.SCRATCHPAD, "region": region, "address": offset + first,
            "run_bytes": part, "runs": 1, "count0": 1, "count1": words, "step1": group,
            "count2": 1, "row_bytes": part, "tail": group, "dst": to, "dst_step1": 1},
            reads, [("sp", to, to + words)]))
    return found


def copy_out(config: Config, tag: int, region: Region, offset: int, size: int,
             word: int) -> list[Instruction]:
    """STOREs of bytes from scratchpad words to DRAM."""
    found, group = [], config.group
    for first, part, words in _parts(config, size):
        at = word + first // group
        found.append(Instruction(Opcode.STORE, {
            "tag": tag, "region": region, "address": offset + first, "run_bytes": part, "runs": 1,
            "count0": words, "count1": 1, "count2": 1, "tail": part - (words - 1) * group,
            "src": at, "src_step0": 1},
            [("sp", at, at + words)], [(region.name, offset + first, offset + first + part)]))
    return found
