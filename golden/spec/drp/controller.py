"""Controller states: how the next context is found.

A kernel begins in its first state. A state makes ``stages`` + trips - 1 passes, trips being the
product of its loops' counts; a pass executes contexts base, base + 1, ... base + ii - 1, a step
each. Iterations count through the loops, loop 0 innermost. So the first trips passes start an
iteration each and the rest drain the pipeline. After the last step of the last pass the
controller, in no time, goes on:

1. if ``branch`` is 1 and the flag was set: to ``other``;
2. else, if the state has been left this way fewer than ``repeats`` times since the kernel began
   or since it last went to ``next``: to ``again``, counting one;
3. else to ``next``, with that count back at 0.

The flag is bit 0 of lane 0 of the ``row`` register of element ``flag``, as it stands
``FLAG_DELAY`` steps before the last step of the state; a state that branches has more steps than
that. ``END`` as a state's number ends the kernel: it is done when its output streams have
written everything and its input streams are exhausted (a kernel that leaves data behind is a
``STREAM`` error).

Histories, registers and operations under way carry over from state to state (an operation issued
in the last step of one retires in the next).

Errors stop the tile and name cause and unit: ``ILLEGAL`` (an operation the element lacks or that
doesn't exist, a sub-word it doesn't allow, a ``when`` above 8, a stream's format that doesn't
exist), ``STATE`` (a state number or context address out of range), ``STREAM`` (a pop beyond a
stream's end, a push beyond an output's end, data left at the kernel's end), ``ADDRESS`` (a stream
past memory, or an element across its alignment), ``WATCHDOG`` (more steps than the kernel was
given, or no step for that many cycles).
"""

import enum

from golden.spec.drp.contexts import LOOPS
from golden.spec.drp.fabric import Fabric
from golden.spec.fields import Field, Record

__all__ = ["FLAG_DELAY", "MAX_COUNT", "MAX_II", "Cause", "end_state", "state_record"]

FLAG_DELAY = 2
MAX_II = 64
MAX_COUNT = (1 << 16) - 1  # of a loop


class Cause(enum.IntEnum):
    """Why a tile stopped."""

    NONE = 0
    ILLEGAL = 1
    STATE = 2
    STREAM = 3
    ADDRESS = 4
    WATCHDOG = 5


def end_state(fabric: Fabric) -> int:
    """The number that ends a kernel."""
    return fabric.states


def state_record(fabric: Fabric) -> Record:
    """The word of a state: 192 bits."""
    address = (fabric.contexts - 1).bit_length()
    state = fabric.states.bit_length()  # the end's number included
    return Record("STATE", (
        Field("base", address, "first context of a pass"),
        Field("ii", 6, "steps of a pass - 1"),
        Field("stages", 6, "passes that drain: stages in use - 1"),
        *(Field(f"count{level}", 16, f"iterations of loop {level}, 1 or more")
          for level in range(LOOPS)),
        Field("next", state, "state that follows"),
        Field("again", state, "state that follows the first ``repeats`` times"),
        Field("repeats", 16, "times to go to ``again``"),
        Field("branch", 1, "look at the flag"),
        Field("flag", 6, "element whose row register holds the flag"),
        Field("other", state, "state that follows when the flag is set"),
    ), 192)
