"""Contents: DRAM behind its regions, scratchpad and tables."""

import numpy as np
from numpy.typing import NDArray

from golden.drp.contents import Contents
from golden.machine.errors import MachineError
from golden.machine.instruction import Instruction
from golden.spec.config import Config
from golden.spec.isa import Unit
from golden.spec.layout import TABLE_ENTRIES
from golden.spec.registers import REGIONS, Cause

__all__ = ["Dram", "OnChip"]


class Dram:
    """Simulated memory: bytes and regions.

    Parameters
    ----------
    size : int
        Bytes.

    Members
    -------
    data : ndarray [size] uint8
    regions : list of (base, bytes)
        As the region registers; `REGIONS` of them.
    """

    def __init__(self, size: int) -> None:
        self.data: NDArray = np.zeros(size, np.uint8)
        self.regions: list[tuple[int, int]] = [(0, 0)] * REGIONS

    def runs(self, instruction: Instruction, size: int, count: int, stride: int) -> NDArray:
        """Byte addresses [runs] of an instruction's runs, checked.

        Raises
        ------
        MachineError
            REGION for bytes outside the region, or of a region that doesn't exist; a decode
            error for bytes outside the memory.
        """
        region = instruction.fields["region"]
        base, length = self.regions[region] if region < REGIONS else (0, 0)
        offset = instruction.fields["address"] + np.arange(count, dtype=np.int64) * stride
        outside = offset + size > length
        if outside.any():
            first = int(offset[outside][0])
            raise MachineError(Cause.REGION, instruction.unit, instruction.tag,
                               (base + first) & 0xFFFFFFFF, f"bytes {first} to {first + size} of "
                               f"region {region}, which has {length}")
        missing = base + offset + size > len(self.data)
        if missing.any():
            stores = instruction.unit == Unit.STORE
            raise MachineError(
                Cause.WRITE_DECODE_ERROR if stores else Cause.READ_DECODE_ERROR,
                instruction.unit, instruction.tag, int(base + offset[missing][0]) & 0xFFFFFFFF,
                f"the memory has {len(self.data)} bytes")
        return base + offset


class OnChip:
    """Contents of the scratchpad, the tables and the DRP.

    Members
    -------
    words : ndarray [words, M] uint8
    table : ndarray [TABLE_ENTRIES] int32
    drp : Contents or None
        Of a chip with a DRP.
    """

    def __init__(self, config: Config) -> None:
        self.words: NDArray = np.zeros((config.words, config.group), np.uint8)
        self.table: NDArray = np.zeros(TABLE_ENTRIES, np.int32)
        self.drp = Contents(config.fabric) if config.fabric else None

    def word_addresses(self, address: NDArray, instruction: Instruction) -> NDArray:
        """Word addresses modulo 2**16; an ADDRESS error if one isn't in the scratchpad."""
        return _limited(address, len(self.words), instruction, "word")

    def table_entries(self, address: NDArray, instruction: Instruction) -> NDArray:
        """Table entries modulo 2**16; an ADDRESS error if there is no such entry."""
        return _limited(address, len(self.table), instruction, "table entry")


def _limited(address: NDArray, size: int, instruction: Instruction, what: str) -> NDArray:
    address = address & 0xFFFF
    bad = address >= size
    if bad.any():
        first = int(address[bad].flat[0])
        raise MachineError(Cause.ADDRESS, instruction.unit, instruction.tag, first,
                           f"{what} {first}, there are {size}")
    return address
