"""Kernels for benches of the whole unit, with their streams, and how kernels fail."""

from golden.drp.kernel import Kernel
from golden.drp.stream import Loop, Stream
from golden.spec.drp.contexts import element_context, input_context, output_context
from golden.spec.drp.controller import Cause, end_state, state_record
from golden.spec.drp.fabric import fabric
from golden.spec.drp.operations import Op
from golden.spec.drp.streams import Format

__all__ = ["COUNT", "ERRORS", "MOST", "TINY", "WORDS", "copier", "linear", "placed"]

TINY = fabric("tiny")
WORDS = 4096
MOST = 1 << 20  # steps of a kernel
COUNT = 8


def linear(words, base):
    """A stream of so many values in a row, or none."""
    if not words:
        return None
    return Stream(base=base, row_step=0, column_step=4, height=1, width=words, format=Format.W32,
                  loops=(Loop(words, dx=1 << 16),))


def placed(kernels):
    """Streams of each kernel, memory as (word: value) and what must be in it afterwards."""
    memory, expected, streams, at = {}, {}, [], 0
    for kernel in kernels:
        ends = []
        for vectors, count in zip(kernel.vectors, kernel.taken, strict=True):
            ends.append(linear(count, 4 * at))
            for (value,) in vectors[:count]:
                memory[at] = value
                at += 1
        outs = []
        for vectors in kernel.outputs:
            outs.append(linear(len(vectors), 4 * at))
            for (value,) in vectors:
                expected[at] = value
                at += 1
        streams.append((ends, outs))
    assert at <= WORDS
    return streams, memory, expected


def copier(**changes):
    """A kernel of one context: what input 0 delivers goes out again, COUNT times.

    ``op`` replaces element 0's operation; other changes are of the state.
    """
    op = changes.pop("op", Op.PASS)
    element, state = element_context(TINY), state_record(TINY)
    words = [element.encode({"op": op, "a": TINY.sources - 1}),
             *[element.encode({})] * (TINY.elements - 1)]
    fields = {"stages": 2, "count0": COUNT, "count1": 1, "count2": 1, "count3": 1,
              "next": end_state(TINY)}
    return Kernel(
        fabric=TINY, elements=tuple((word,) for word in words),
        inputs=((input_context(TINY).encode({"pop": 1}),),
                (input_context(TINY).encode({"pop": 0}),)),
        outputs=((output_context(TINY).encode({"push": 1, "stage": 2}),),),
        states=(state.encode(fields | changes),))


# By name: (cause, suspect, changes of the kernel, values of input and output, base of the input).
ERRORS = {
    "none": (Cause.NONE, 0, {}, (COUNT, COUNT), 0),
    "pop beyond": (Cause.STREAM, 0, {}, (COUNT - 1, COUNT), 0),
    "left behind": (Cause.STREAM, 0, {}, (COUNT + 1, COUNT), 0),
    "push beyond": (Cause.STREAM, 2, {}, (COUNT, COUNT - 1), 0),
    "not pushed": (Cause.STREAM, 2, {}, (COUNT, COUNT + 1), 0),
    "not used": (Cause.STREAM, 0, {}, (0, COUNT), 0),
    "past memory": (Cause.ADDRESS, 0, {}, (COUNT, COUNT), 4 * WORDS - 8),
    "no operation": (Cause.ILLEGAL, 0, {"op": 63}, (COUNT, COUNT), 0),
    "no memory": (Cause.ILLEGAL, 0, {"op": Op.LOOKUP}, (COUNT, COUNT), 0),
    "state": (Cause.STATE, 0, {"next": end_state(TINY) + 1}, (COUNT, COUNT), 0),
    "context": (Cause.STATE, 0, {"base": TINY.contexts - 1, "ii": 3}, (COUNT, COUNT), 0),
    "watchdog": (Cause.WATCHDOG, 0, {"count1": 9}, (9 * COUNT, 9 * COUNT), 0),
}
