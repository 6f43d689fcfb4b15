"""What the registers tell about a chip that stopped in its error state or never finished."""

from collections.abc import Callable

from golden.spec import isa
from golden.spec.isa import Unit
from golden.spec.program import ChipStep, Program
from golden.spec.registers import COUNTERS, DRP_COUNTERS, Cause, Status

__all__ = ["post_mortem", "semaphore_name"]


def semaphore_name(number: int) -> str:
    """``6 (LOAD to MAC)``: a semaphore and the units between which the compiler uses it."""
    names = {isa.semaphore(producer, consumer): f"{producer.name} to {consumer.name}"
             for producer in Unit for consumer in Unit}
    names[isa.RELEASED] = "DRP to LOAD, descriptors"
    return f"{number} ({names[number]})"


def post_mortem(program: Program, step: ChipStep, read: Callable[[str], int]) -> str:
    """Several lines: unit, cause, instruction, address, semaphores waited for, counters.

    Parameters
    ----------
    program : Program
        What was running.
    step : ChipStep
        Its step that was.
    read : callable
        Value of a register by name.
    """
    status = Status(read("STATUS"))
    if Status.ERROR in status:
        tag = read("ERROR_TAG")
        cause, unit = _name(Cause, read("ERROR_CAUSE")), _name(Unit, read("ERROR_UNIT"))
        # What stops the fetch is met by no instruction; an illegal one has its tag.
        none = unit == Unit.SEQUENCER.name and cause != Cause.ILLEGAL_OPCODE.name
        lines = [f"the chip stopped: {cause} in unit {unit}",
                 "instruction: none" if none else
                 f"instruction: tag {tag}, layer {program.layer(tag)}",
                 f"address: {read('ERROR_ADDRESS'):#010x}"]
    else:
        lines = [f"the chip did not finish (status {status.name or int(status)})"]
    total = step.bytes // isa.INSTRUCTION_BYTES
    fetched = read("FETCHED")
    lines.append(f"instructions fetched: {fetched} of {total}{_last(program, step, fetched)}")
    waited = read("SEMAPHORES_WAITED")
    names = [semaphore_name(number) for number in range(isa.SEMAPHORES) if waited >> number & 1]
    lines.append(f"semaphores waited for: {', '.join(names) or 'none'}")
    counters = ", ".join(f"{counter.name} {read('COUNT_' + counter.name.upper())}"
                         for counter in COUNTERS + DRP_COUNTERS)
    lines.append(f"counters: {counters}")
    return "\n".join(lines)


def _name(kind: type[Cause] | type[Unit], value: int) -> str:
    return kind(value).name if value in tuple(kind) else f"{kind.__name__} {value}"


def _last(program: Program, step: ChipStep, fetched: int) -> str:
    """The last fetched instruction, in words."""
    if not 0 < fetched <= step.bytes // isa.INSTRUCTION_BYTES:
        return ""
    start = step.offset + (fetched - 1) * isa.INSTRUCTION_BYTES
    try:
        opcode, fields = isa.decode(program.constants[start:start + isa.INSTRUCTION_BYTES])
    except ValueError as error:
        return f", the last: {error}"
    return f", the last: {opcode.name} of layer {program.layer(fields['tag'])}"
