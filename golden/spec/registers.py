"""AXI4-Lite registers, counters, error causes and DRAM regions."""

import enum
from dataclasses import dataclass, field

from golden.spec.drp import controller

__all__ = [
    "COUNTERS", "DRP_COUNTERS", "ID", "KERNEL_CAUSES", "REGIONS", "REGISTERS", "TABLES",
    "VERSION", "Cause", "Control", "Counter", "Region", "Register", "Status", "offset",
]

ID = int.from_bytes(b"SNTI", "little")
VERSION = 1
REGIONS = 8


class Region(enum.IntEnum):
    """What the compiler uses each base register for."""

    CONSTANTS = 0
    INPUT = 1
    OUTPUT = 2
    WORK = 3
    LOG = 4


class Control(enum.IntFlag):
    """Bits of CONTROL; writing 1 acts, reading gives 0."""

    START = 1
    SOFT_RESET = 2


class Status(enum.IntFlag):
    """Bits of STATUS."""

    RUNNING = 1
    DONE = 2
    ERROR = 4


class Cause(enum.IntEnum):
    """Why the chip stopped in its error state.

    KERNEL_IMAGE is a section of a kernel image that doesn't exist; the other KERNEL causes are
    those of ``golden.spec.drp.controller``, whose address is the stream's number (outputs after
    inputs) if one is at fault, and whose tag is that of the oldest kernel that has not written
    everything: the one that follows it may be at fault.
    """

    NONE = 0
    ILLEGAL_OPCODE = 1
    READ_SLAVE_ERROR = 2
    READ_DECODE_ERROR = 3
    WRITE_SLAVE_ERROR = 4
    WRITE_DECODE_ERROR = 5
    REGION = 6
    ADDRESS = 7
    SEMAPHORE_OVERFLOW = 8
    WATCHDOG = 9
    WEIGHT_STREAM = 10
    PROGRAM_END = 11
    KERNEL_ILLEGAL = 12
    KERNEL_STATE = 13
    KERNEL_STREAM = 14
    KERNEL_ADDRESS = 15
    KERNEL_WATCHDOG = 16
    KERNEL_IMAGE = 17


# What the tile's own causes are to the chip.
KERNEL_CAUSES: dict[controller.Cause, Cause] = {
    cause: Cause[f"KERNEL_{cause.name}"] for cause in controller.Cause
    if cause is not controller.Cause.NONE}


@dataclass(frozen=True)
class Register:
    """One 32-bit register: access is "ro", "rw" or "wo"."""

    name: str
    access: str
    doc: str = field(repr=False)


@dataclass(frozen=True)
class Counter:
    """One 32-bit counter, cleared by START, wrapping."""

    name: str
    doc: str = field(repr=False)


COUNTERS = (
    Counter("cycles", "cycles since START while running"),
    Counter("instructions", "instructions retired"),
    Counter("row_columns", "columns with a pixel, summed over weight rows issued; x L = MACs"),
    Counter("mac_busy", "cycles in which a weight row was issued"),
    Counter("mac_wait_drain", "row ready, accumulators not drained yet"),
    Counter("mac_wait_weights", "words ready, weight row or group list not there yet"),
    Counter("mac_wait_words", "weights ready, activation words not fetched yet"),
    Counter("mac_wait_semaphore", "no mac in the array, the next one waits for a semaphore"),
    Counter("mac_idle", "no mac in the array, none in the queue"),
    Counter("conflicts", "extra cycles for words of one fetch in the same bank"),
    Counter("load_busy", "cycles in which the load unit had an instruction"),
    Counter("load_wait_semaphore", "load unit free, its next instruction waits for a semaphore"),
    Counter("store_busy", "cycles in which the store unit had an instruction"),
    Counter("beats_read", "beats read from DRAM, program included"),
    Counter("beats_written", "beats written to DRAM"),
)  # what LOG writes

# Of a chip with a DRP, else 0; a cycle with a kernel under way that is none of these fills or
# drains its streams.
DRP_COUNTERS = (
    Counter("drp_busy", "cycles with a kernel under way"),
    Counter("drp_steps", "steps of the tile"),
    Counter("drp_wait_in", "tile held by an input stream"),
    Counter("drp_wait_out", "tile held by an output stream"),
    Counter("drp_wait_semaphore", "no kernel under way, the next one waits for a semaphore"),
)

_FIXED = (
    Register("ID", "ro", "0x49544e53, \"SNTI\""),
    Register("VERSION", "ro", "version of the register map"),
    Register("DIGEST", "ro", "digest of configuration, instruction, register and layout tables"),
    Register("CONTROL", "wo", "bit 0 START, bit 1 SOFT_RESET"),
    Register("STATUS", "ro", "bit 0 RUNNING, bit 1 DONE, bit 2 ERROR"),
    Register("IRQ_ENABLE", "rw", "bit 0: interrupt while DONE or ERROR is pending"),
    Register("IRQ_PENDING", "rw", "bit 0: DONE or ERROR since last cleared; write 1 to clear"),
    Register("WATCHDOG", "rw", "cycles without progress before a WATCHDOG error; 0 is never"),
    Register("PROGRAM_ADDRESS", "rw", "byte address of the first instruction, 64-byte aligned"),
    Register("PROGRAM_BYTES", "rw", "length of the program; fetching past it is PROGRAM_END"),
    Register("ERROR_CAUSE", "ro", "Cause of the first error"),
    Register("ERROR_UNIT", "ro", "Unit that met it"),
    Register("ERROR_TAG", "ro", "tag of the instruction that met it"),
    Register("ERROR_ADDRESS", "ro", "DRAM or scratchpad address concerned, else 0"),
    Register("FETCHED", "ro", "instructions fetched since START"),
    Register("SEMAPHORES_WAITED", "ro", "low half: semaphores a queue head waits for and has not"),
)
REGISTERS = (
    _FIXED
    + tuple(Register(f"REGION{i}_BASE", "rw", f"byte address of region {i}, beat aligned")
            for i in range(REGIONS))
    + tuple(Register(f"REGION{i}_BYTES", "rw", f"length of region {i}") for i in range(REGIONS))
    + tuple(Register(f"COUNT_{c.name.upper()}", "ro", c.doc) for c in COUNTERS + DRP_COUNTERS)
)
TABLES = (ID, VERSION, REGIONS, REGISTERS, COUNTERS, DRP_COUNTERS, tuple(Cause), tuple(Region),
          tuple(Control), tuple(Status))


def offset(name: str) -> int:
    """Byte offset of a register.

    Raises
    ------
    KeyError
        If there is none of that name.
    """
    for index, register in enumerate(REGISTERS):
        if register.name == name:
            return 4 * index
    raise KeyError(name)
