"""Context words: what elements and streams do in a step.

The tile advances by steps. In each one the controller names a context address, and every element
and stream executes its word there; where a stream can't deliver or take, the whole tile waits
(no step). All steps but that wait are scheduled by the compiler.

An element shows two registers, ``row`` to the others of its row and ``col`` to the others of its
column; it sees both itself. In a step it

1. selects operands a, b, c among registers as they stand in this step. Select codes of a and b,
   in order: ``row`` of the other elements of its row by rising column (0 to columns - 2), ``col``
   of the others of its column by rising row (then rows - 1 codes), *self* (rows + columns - 2):
   its own ``row`` for a, its own ``col`` for b, and *extra* (rows + columns - 1): the register of
   its row's input stream for a, the immediate for b. Operand c only has ``col`` of the others of
   its column (0 to rows - 2) and its row's input stream (rows - 1). In a row without an input
   stream that is 0 for a and c;
2. if ``when`` isn't 0 and the operation has no effect: replaces b by the immediate when the
   condition holds (first value of a reduction);
3. issues the operation; whatever retires in this step is the step's result, which enters the
   history;
4. loads each of ``row`` and ``col``, for the next step, with the result of ``delay`` steps ago
   (0: this step's); but ``row``, if ``route`` is 1, with operand c as selected in this step.

So what an operation of latency L issued in step t computes can be on a link in step t + L + d,
d from 0 to history - 1. A route takes one step and has no history of its own.

An input stream has one register, seen by its row's elements as operands a and c. In a
step with ``pop``, if the stage is valid and the condition holds, it takes the next vector of its
FIFO as the step's result, which enters its history; the register loads for the next step the
result of ``delay`` steps ago. Results of steps without an effective pop aren't specified.

An output stream with ``push``, if the stage is valid and the condition holds, appends the ``row``
register, as it stands in this step, of the element it selects (rising number, among
``Fabric.seen_by_output``).

Stages and conditions: a state runs passes; pass p of a state works at iteration p - s for what
has stage s. The stage is valid if that iteration exists. ``when`` names a flag of that iteration:
0 always, 1 + k: *first k* (the state's loops 0 to k are all at their first value), 5 + k: *last k*
(all at their last). Only POP, PUSH, memory writes and the replacement of a look at valid and
flags; a replacement with an invalid stage may or may not happen.
"""

from golden.spec.drp.fabric import Fabric
from golden.spec.fields import Field, Record

__all__ = ["FIRST", "LAST", "LOOPS", "OP_BITS", "element_context", "input_context",
           "output_context", "stage_bits"]

LOOPS = 4  # of a state; levels of conditions
FIRST, LAST = 1, 5  # ``when`` codes of level 0
OP_BITS = 6


def _bits(count: int) -> int:
    """Bits for codes 0 to count - 1, at least 1."""
    return max(1, (count - 1).bit_length())


def stage_bits(fabric: Fabric) -> int:
    """Bits of a stage."""
    return _bits(fabric.stages)


def _stage(fabric: Fabric) -> tuple[Field, ...]:
    return (Field("stage", stage_bits(fabric), "passes this lags behind"),
            Field("when", 4, "condition: 0 always, 1 + k first k, 5 + k last k"))


def element_context(fabric: Fabric) -> Record:
    """The word of an element: 72 bits, or more on grids larger than 4 x 4."""
    select, delay = _bits(fabric.sources), _bits(fabric.history)
    fields = (
        Field("immediate", 32, "extra of b, replacement of b, distance of LANE"),
        Field("op", OP_BITS, "Op"),
        Field("subword", 2, "Subword"),
        Field("a", select, "select of operand a"),
        Field("b", select, "select of operand b"),
        Field("c", _bits(fabric.thirds), "select of operand c"),
        Field("row_delay", delay, "steps ago of the result that row takes"),
        Field("col_delay", delay, "steps ago of the result that col takes"),
        Field("route", 1, "row takes operand c instead"),
        *_stage(fabric))
    return Record("ELEMENT", fields, max(72, sum(field.bits for field in fields)))


def input_context(fabric: Fabric) -> Record:
    """The word of an input stream."""
    fields = (Field("pop", 1, "take a vector"), *_stage(fabric),
              Field("delay", _bits(fabric.history), "steps ago of the result the register takes"))
    return Record("INPUT", fields, max(18, sum(field.bits for field in fields)))


def output_context(fabric: Fabric) -> Record:
    """The word of an output stream."""
    most = max(len(fabric.seen_by_output(output)) for output in range(fabric.outputs))
    fields = (Field("push", 1, "give a vector"), *_stage(fabric),
              Field("source", _bits(most), "element, counted among those the stream sees"))
    return Record("OUTPUT", fields, max(18, sum(field.bits for field in fields)))
