"""How a machine run can fail."""

from golden.spec.isa import Unit
from golden.spec.registers import Cause

__all__ = ["MachineError", "UndefinedError"]


class MachineError(Exception):
    """The chip's error state.

    Members
    -------
    cause : Cause
    unit : Unit
    tag : int
        Of the instruction that met it.
    address : int
        DRAM (bytes) or scratchpad (words) address concerned, else 0.
    """

    def __init__(self, cause: Cause, unit: Unit, tag: int = 0, address: int = 0,
                 text: str = "") -> None:
        super().__init__(f"{cause.name} in unit {unit.name}, tag {tag}, address {address:#x}"
                         + (f": {text}" if text else ""))
        self.cause, self.unit, self.tag, self.address = cause, unit, tag, address


class UndefinedError(Exception):
    """A program does what golden.spec leaves undefined; the chip may do anything then."""
