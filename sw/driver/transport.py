"""What the driver needs of a chip: registers, memory, and a way to wait."""

import abc
from collections.abc import Sequence

from sw.driver.result import Occupied

__all__ = ["Transport"]


class Transport(abc.ABC):
    """A chip and its memory, however they are reached.

    Members
    -------
    memory_bytes : int
        Size of the DRAM, which begins at address 0.
    """

    memory_bytes: int

    @abc.abstractmethod
    def read32(self, offset: int) -> int:
        """Read the register at a byte offset."""

    @abc.abstractmethod
    def write32(self, offset: int, value: int) -> None:
        """Write the register at a byte offset."""

    @abc.abstractmethod
    def read(self, address: int, size: int) -> bytes:
        """Read DRAM."""

    @abc.abstractmethod
    def write(self, address: int, data: bytes) -> None:
        """Write DRAM."""

    @abc.abstractmethod
    def wait(self, timeout_cycles: int) -> bool:
        """Let the chip run until its interrupt (True) or for this many cycles (False)."""

    def occupied(self) -> Sequence[Occupied]:
        """What the instructions of the last run occupied, in the program's order; nothing where
        that isn't known."""
        return ()

    def close(self) -> None:  # noqa: B027 (there may be nothing to release)
        """Release what the transport holds; it can't be used after it."""
