"""Kernels for benches of the whole unit, with their streams, and how kernels fail."""

import numpy as np

from golden.drp.kernel import Kernel
from golden.drp.stream import ONE, Loop, Stream, TapAt
from golden.spec.drp.contexts import LAST, element_context, input_context, output_context
from golden.spec.drp.controller import Cause, end_state, state_record
from golden.spec.drp.fabric import fabric
from golden.spec.drp.operations import Op
from golden.spec.drp.streams import Border, Format, Tap

__all__ = ["COUNT", "ERRORS", "GATHER_ERRORS", "MOST", "TINY", "WORDS", "copier", "gatherer",
           "linear", "merged", "mixed", "picture", "placed", "positions"]

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
        outputs=((output_context(TINY).encode({"push": 1, "stage": 2}),),
                 (output_context(TINY).encode({}),)),
        states=(state.encode(fields | changes),))


def gatherer(count=COUNT, later=1, pops=1, pushes=1, when=0):
    """Positions from input 0 go to output 1, what is there comes from input 1 and goes to output 0.

    Parameters
    ----------
    count : int
        Of positions.
    later : int
        Passes after a position's push in which what is there is taken, 0 to 9.
    pops, pushes : int
        0: nothing is taken nor pushed to output 0, no position is pushed.
    when : int
        Condition of what is taken, and pushed to output 0.
    """
    copy, column = TINY.sources - 1, TINY.columns - 1
    element = element_context(TINY).encode
    words = {0: copy, 3: column, 4: copy, 1: column}
    push, pop = output_context(TINY).encode, input_context(TINY).encode
    return Kernel(
        fabric=TINY, elements=tuple(
            (element({"op": Op.PASS, "a": words[number]} if number in words else {}),)
            for number in range(TINY.elements)),
        inputs=((pop({"pop": 1}),), (pop({"pop": pops, "stage": 3 + later, "when": when}),)),
        outputs=((push({"push": pops, "stage": 6 + later, "source": 1, "when": when}),),
                 (push({"push": pushes, "stage": 3}),)),
        states=(state_record(TINY).encode({
            "stages": 6 + later, "count0": count, "count1": 1, "count2": 1, "count3": 1,
            "next": end_state(TINY)}),))


def picture(count, base, **changes):
    """An indirect stream of so many vectors, of a picture of 4 x 8 words."""
    return Stream(**{"base": base, "row_step": 32, "column_step": 4, "height": 4, "width": 8,
                     "format": Format.W32, "indirect": True, "loops": (Loop(count),)} | changes)


def merged(kernels):
    """One kernel of kernels of one context and one state: state k begins kernel k."""
    record, fabric_ = state_record(TINY), kernels[0].fabric

    def joined(name):
        return tuple(tuple(word for part in parts for word in part)
                     for parts in zip(*(getattr(kernel, name) for kernel in kernels), strict=True))

    return Kernel(
        fabric=fabric_, elements=joined("elements"), inputs=joined("inputs"),
        outputs=joined("outputs"), states=tuple(
            record.encode(record.decode(kernel.states[0]) | {"base": place})
            for place, kernel in enumerate(kernels)))


def positions(rng, count):
    """Words of positions in and around a picture of 4 x 8."""
    return [rng.randint(-2, 5) % 65536 << 16 | rng.randint(-2, 9) % 65536 for _ in range(count)]


def mixed(rng, jobs=8):
    """Kernels with positions from data and without: (kernel, [(inputs, outputs)], memory), where
    job k begins in state k of the kernel, and memory is (WORDS,) uint32."""
    kernels, streams = [], []
    memory = np.array([rng.getrandbits(32) for _ in range(WORDS)], "<u4")
    for number in range(jobs):
        count = rng.choice((1, 3, 9, 33, 50))
        memory[64 * number:64 * number + count] = positions(rng, count)
        source, target = linear(count, 256 * number), linear(count, 8192 + 256 * number)
        if rng.random() < 0.4:  # to either output
            port = rng.randrange(2)
            kernels.append(gatherer(count, pops=0) if port else copier(count0=count))
            streams.append(([source, None], [None, target] if port else [target]))
            continue
        kernels.append(gatherer(count, rng.randint(1, 9)))
        width, inner = rng.choice((8, 5)), rng.choice([1, count])
        made = picture(
            count, 4096 + 4 * rng.randrange(64), row_step=4 * width, width=width,
            format=rng.choice((Format.W32, Format.I16, Format.U8)),
            border=rng.choice(list(Border)), fill=rng.getrandbits(32), x0=rng.choice((0, ONE)),
            loops=(Loop(inner, dy=ONE // 2), Loop(count // inner, dx=ONE // 2)),
            taps=(TapAt(rng.choice((Tap.DATA, Tap.DATA, Tap.ROW, Tap.FRACTION_X)), 9, 9, 4),))
        streams.append(([source, made], [target]))
    return merged(kernels), streams, memory


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
# By name: (cause, suspect, changes of the gatherer, vectors of its picture, whether output 1 has a
# stream, base of the picture).
GATHER_ERRORS = {
    "none": (Cause.NONE, 0, {}, COUNT, False, 0),
    "left": (Cause.STREAM, 1, {"pops": 0}, COUNT, False, 0),
    "positions left": (Cause.STREAM, 1, {"when": LAST}, 1, False, 0),
    "no picture": (Cause.STREAM, 3, {"pops": 0}, 0, False, 0),
    "vectors left": (Cause.STREAM, 1, {}, COUNT + 1, False, 0),
    "one too few": (Cause.STREAM, 1, {}, COUNT - 1, False, 0),
    "a stream": (Cause.STREAM, 3, {}, COUNT, True, 0),
    "past memory": (Cause.ADDRESS, 1, {}, COUNT, False, 4 * WORDS - 8),
    "not aligned": (Cause.ADDRESS, 1, {}, COUNT, False, 6),
    "before": (Cause.WATCHDOG, 0, {"later": 0}, COUNT, False, 0),
    "not pushed": (Cause.WATCHDOG, 0, {"pushes": 0}, COUNT, False, 0),
    "no room": (Cause.WATCHDOG, 0, {"pops": 0, "count": 40}, 40, False, 0),
    "room": (Cause.STREAM, 1, {"pops": 0, "count": 32}, 40, False, 0),
}
