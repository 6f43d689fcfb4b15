"""The machine: compiled programs at instruction level, with a timing model.

An independent statement of golden.spec, in numpy; it shares no operator with the golden model.
"""

from golden.machine.errors import MachineError, UndefinedError
from golden.machine.instruction import Instruction
from golden.machine.machine import Machine
from golden.machine.timing import Timing

__all__ = ["Instruction", "Machine", "MachineError", "Timing", "UndefinedError"]
