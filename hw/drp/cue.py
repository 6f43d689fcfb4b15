"""What goes with a context address from the controller to all that execute it."""

from amaranth.lib import data

from golden.spec.drp.contexts import LOOPS

__all__ = ["cue_layout"]


def cue_layout(fabric):
    """Beside the address: which step this is, and which passes are under way.

    ``valid``: there is a step at all; ``end``: the kernel has ended (and no step); ``decides``: the
    last step of a state that branches; ``number``: of the step, for histories; ``turn``: of its
    pass; ``first``, ``last``: of that pass's iteration, by level; ``valids``: per stage, whether it
    is valid.
    """
    return data.StructLayout({
        "valid": 1, "end": 1, "decides": 1, "number": range(fabric.history),
        "turn": range(fabric.stages), "first": LOOPS, "last": LOOPS, "valids": fabric.stages})
