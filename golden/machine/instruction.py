"""A fetched instruction, and the record of what became of it."""

from dataclasses import dataclass, field

from golden.machine.errors import UndefinedError
from golden.spec.isa import OPCODE_UNIT, Opcode, Unit

__all__ = ["Instruction"]


@dataclass
class Instruction:
    """One instruction of a run.

    Parameters
    ----------
    index : int
        Position in the program.
    opcode : Opcode
    fields : dict of str to int

    Members
    -------
    queued, taken, done : float
        Cycles at which it was dispatched, its semaphores were taken, its effects were complete.
    """

    index: int
    opcode: Opcode
    fields: dict[str, int] = field(repr=False)
    queued: float = 0.0
    taken: float = 0.0
    done: float = 0.0

    @property
    def unit(self) -> Unit:
        """What executes it."""
        return OPCODE_UNIT[self.opcode]

    @property
    def tag(self) -> int:
        """Layer number."""
        return self.fields["tag"]

    def need(self, good: bool, text: str) -> None:
        """Refuse what the contract leaves undefined."""
        if not good:
            raise UndefinedError(f"instruction {self.index} ({self.opcode.name}, tag {self.tag}): "
                                 f"{text}")

    def need_positive(self, *names: str) -> None:
        """Refuse fields that must not be zero."""
        for name in names:
            self.need(self.fields[name] > 0, f"{name} is 0, accepted is 1 or more")
