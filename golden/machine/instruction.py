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
    passed, wanted, taken, done : int
        Cycles in which its last beat was dispatched, it stood whole at the head of its queue, its
        semaphores were taken, and it retired; 0 if not yet.
    """

    index: int
    opcode: Opcode
    fields: dict[str, int] = field(repr=False)
    passed: int = 0
    wanted: int = 0
    taken: int = 0
    done: int = 0

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
