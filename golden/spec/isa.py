"""Instruction set: fixed 64-byte instructions, in-order queues, counting semaphores.

Execution model
---------------
The sequencer fetches instructions from DRAM in order and appends each to the queue of its unit.
A unit takes the head of its queue once every semaphore in ``wait`` is above zero; taking it
subtracts one from each of them. When everything the instruction reads and writes is done, each
semaphore in ``post`` gains one. Units run decoupled; nothing else orders them. Loads and stores
each run one after the other; a ``MAC`` may start fetching while the previous one still drains, so
a ``MAC`` that reads what an earlier one writes needs a semaphore between them. So does a ``DRP``,
whose kernel follows the one before without a pause. ``SYNC`` holds the
sequencer until all queues and units are empty, ``END`` likewise and ends the program; their
``wait`` and ``post`` must be 0 (the chip ignores them). All semaphores begin at 0.

Scratchpad addresses count words of M bytes and are taken modulo 2**16; an address a unit writes,
or that DMA or post-processing (residuals) reads, and that is not below the size of the
scratchpad is an ``ADDRESS`` error. ``MAC`` input addresses are taken modulo that size.

A chip without a DRP has no ``DRP`` unit: its instruction is an ``ILLEGAL_OPCODE``, and a LOAD must
not have its target.
"""

import enum

from golden.spec.fields import Field, Record

__all__ = [
    "DRP", "END", "HEADER", "INSTRUCTIONS", "INSTRUCTION_BYTES", "LOAD", "LOG", "MAC",
    "OPCODE_UNIT", "RELEASED", "SEMAPHORES", "STORE", "SYNC", "TABLES", "ArrayMode", "Opcode",
    "PostMode", "Target", "Unit", "decode", "encode", "semaphore",
]

INSTRUCTION_BYTES = 64
SEMAPHORES = 16
SEMAPHORE_BITS = 8


class Unit(enum.IntEnum):
    """What executes an instruction."""

    SEQUENCER = 0
    LOAD = 1
    MAC = 2
    STORE = 3
    DRP = 4


class Opcode(enum.IntEnum):
    """Instruction codes; 0 is illegal so that empty memory stops the chip."""

    LOAD = 1
    MAC = 2
    STORE = 3
    LOG = 4
    SYNC = 5
    END = 6
    DRP = 7


class Target(enum.IntEnum):
    """Where a LOAD's data goes.

    SCRATCHPAD takes words: byte j of word (i0, i1, i2) of a run is byte p + i2 step2 of the run,
    p = first + i0 step0 + i1 step1 + j, or ``fill`` where p lies outside [0, row_bytes) or, in
    the last i0, j is ``tail`` or more. Every byte that isn't fill must lie within the run, and
    words must follow one another upwards through it.

    WEIGHTS, TABLE and DRP take the runs' bytes as they are, in beats of M: address, run_bytes and
    run_stride must be multiples of M, and the fields after run_stride, ``dst`` of a TABLE
    excepted, mean nothing. A TABLE's entries follow one another from ``dst``. Runs of WEIGHTS
    and whole LOADs join to one stream, so an item may lie across them. A DRP's runs are whole
    sections of kernel images (``golden.spec.drp.image``).
    """

    SCRATCHPAD = 0
    WEIGHTS = 1
    TABLE = 2
    DRP = 3


class ArrayMode(enum.IntEnum):
    """What an accumulator does with each product.

    SUM adds it (wrapping), MAX keeps the largest, beginning with a pixel's first row. In MAX all
    weights must be 1 (or 0 where a lane isn't used), and of a lane block's entries the last one
    must have no rows, all others some: what else happens there is not specified.
    """

    SUM = 0
    MAX = 1


class PostMode(enum.IntEnum):
    """What post-processing makes of q, what the first requantization and clamp give.

    PLAIN writes q, TABLE the table's entry of all its 9 bits, ADD takes the entry of q and that
    of the residual (see `golden.spec.layout`). Of q PLAIN and ADD take the low 8 bits.
    """

    PLAIN = 0
    TABLE = 1
    ADD = 2


OPCODE_UNIT = {
    Opcode.LOAD: Unit.LOAD, Opcode.MAC: Unit.MAC, Opcode.STORE: Unit.STORE,
    Opcode.LOG: Unit.STORE, Opcode.SYNC: Unit.SEQUENCER, Opcode.END: Unit.SEQUENCER,
    Opcode.DRP: Unit.DRP,
}

_OF_DRP = {(Unit.LOAD, Unit.DRP): 0, (Unit.STORE, Unit.DRP): 1, (Unit.DRP, Unit.STORE): 2,
           (Unit.DRP, Unit.DRP): 3, (Unit.DRP, Unit.LOAD): 4, (Unit.MAC, Unit.DRP): 8,
           (Unit.DRP, Unit.MAC): 12}
# From DRP to LOAD: the descriptors loaded last are in use, others may be loaded.
RELEASED = 5


def semaphore(producer: Unit, consumer: Unit) -> int:
    """The semaphore this project's compiler uses between two units."""
    return _OF_DRP.get((producer, consumer), int(producer) * 4 + int(consumer))


_HEADER = (
    Field("opcode", 8, "Opcode"),
    Field("reserved", 8, "zero"),
    Field("tag", 16, "layer number, for logs and post-mortems"),
    Field("wait", 16, "semaphores to take one from, bit by bit"),
    Field("post", 16, "semaphores to give one to when done, bit by bit"),
)


def _instruction(name: str, *fields: Field) -> Record:
    return Record(name, _HEADER + fields, INSTRUCTION_BYTES * 8)


HEADER = _instruction("HEADER")

LOAD = _instruction(
    "LOAD",
    Field("target", 4, "Target"),
    Field("region", 4, "DRAM region (base register)"),
    Field("address", 32, "byte offset of the first run in the region"),
    Field("run_bytes", 24, "contiguous bytes of a run, at least 1"),
    Field("runs", 16, "runs, at least 1"),
    Field("run_stride", 32, "bytes from a run's start to the next one's (0 repeats the run)"),
    Field("first", 8, "byte position in the run of the first word; above -M", signed=True),
    Field("count0", 12, "words in the innermost dimension (channel groups of a pixel)"),
    Field("step0", 12, "bytes between them"),
    Field("count1", 12, "pixels in a row"),
    Field("step1", 16, "bytes between them"),
    Field("count2", 12, "rows in a run"),
    Field("step2", 24, "bytes between them"),
    Field("row_bytes", 24, "bytes of a row that are data; a byte outside [0, row_bytes) is fill"),
    Field("tail", 8, "valid bytes of the last word of dimension 0 (1 to M); the rest is fill"),
    Field("fill", 8, "byte written where there is no data"),
    Field("dst", 16, "scratchpad word (or table entry) of the first word"),
    Field("dst_step0", 16, "words between neighbours of dimension 0"),
    Field("dst_step1", 16, "words between neighbours of dimension 1"),
    Field("dst_step2", 16, "words between neighbours of dimension 2"),
    Field("dst_run_step", 16, "words between runs"),
)

STORE = _instruction(
    "STORE",
    Field("reserved0", 4, "zero"),
    Field("region", 4, "DRAM region (base register)"),
    Field("address", 32, "byte offset of the first run in the region"),
    Field("run_bytes", 24, "contiguous bytes of a run: ((count0-1) M + tail) count1 count2"),
    Field("runs", 16, "runs, at least 1"),
    Field("run_stride", 32, "bytes from a run's start to the next one's"),
    Field("count0", 12, "words in the innermost dimension (channel groups of a pixel)"),
    Field("count1", 12, "pixels in a row"),
    Field("count2", 12, "rows in a run"),
    Field("tail", 8, "bytes stored of the last word of dimension 0 (1 to M), M of the others"),
    Field("src", 16, "scratchpad word of the first word"),
    Field("src_step0", 16, "words between neighbours of dimension 0"),
    Field("src_step1", 16, "words between neighbours of dimension 1"),
    Field("src_step2", 16, "words between neighbours of dimension 2"),
    Field("src_run_step", 16, "words between runs"),
)

LOG = _instruction(
    "LOG",
    Field("reserved0", 4, "zero"),
    Field("region", 4, "DRAM region (base register)"),
    Field("address", 32, "byte offset of the 64-byte record in the region"),
)

MAC = _instruction(
    "MAC",
    Field("array_mode", 2, "ArrayMode"),
    Field("post_mode", 2, "PostMode"),
    Field("keep", 1, "leave the weight store as this instruction found it, for the next strip"),
    Field("blocks", 11, "lane blocks (output words per pixel), at least 1"),
    Field("out_width", 12, "output pixels in a row, at least 1"),
    Field("out_height", 12, "output rows, at least 1"),
    Field("tiles", 24, "ceil(out_width x out_height / Q)"),
    Field("in_base", 16, "word address of input position (iy0, ix0), wherever that lies"),
    Field("in_row_step", 16, "words from a row's last window to the next row's first"),
    Field("iy0", 13, "input row of the first window; negative in the padding", signed=True),
    Field("ix0", 13, "input column of the first window", signed=True),
    Field("stride_y", 6, "input rows per output row"),
    Field("stride_x", 6, "input words per output pixel"),
    Field("in_height", 12, "rows of the input that exist"),
    Field("in_width", 12, "columns of the input that exist"),
    Field("pad_value", 8, "byte read where the input does not exist", signed=True),
    Field("out_base", 16, "word address of the first output pixel of lane block 0"),
    Field("out_row_step", 16, "words from a row's last output to the next row's first"),
    Field("out_block_step", 16, "words from a lane block's first output to the next one's"),
    Field("res_base", 16, "as out_base, for the word added (PostMode.ADD)"),
    Field("res_row_step", 16, "as out_row_step"),
    Field("res_block_step", 16, "as out_block_step"),
    Field("zero", 9, "zero point added by the first requantization", signed=True),
    Field("least", 9, "clamp after the first requantization", signed=True),
    Field("most", 9, "clamp after the first requantization", signed=True),
    Field("add_multiplier", 31, "multiplier of the second requantization (PostMode.ADD)"),
    Field("add_pre", 5, "its left shift before the multiplier"),
    Field("add_post", 5, "its rounding right shift after the multiplier"),
    Field("add_zero", 8, "its zero point", signed=True),
    Field("add_least", 8, "its clamp", signed=True),
    Field("add_most", 8, "its clamp", signed=True),
)

DRP = _instruction(
    "DRP",
    Field("first", 8, "the kernel's first state"),
    Field("limit", 32, "steps, and cycles without a step, above which it is an error"),
    Field("release", 16, "semaphores to give one to when its stream descriptors are in use: those "
                         "loaded last when it is taken; then others may be loaded"),
)

SYNC = _instruction("SYNC")
END = _instruction("END")

INSTRUCTIONS = {
    Opcode.LOAD: LOAD, Opcode.MAC: MAC, Opcode.STORE: STORE,
    Opcode.LOG: LOG, Opcode.SYNC: SYNC, Opcode.END: END, Opcode.DRP: DRP,
}
TABLES = (INSTRUCTION_BYTES, SEMAPHORES, SEMAPHORE_BITS, INSTRUCTIONS, tuple(Unit),
          tuple(Target), tuple(ArrayMode), tuple(PostMode), tuple(OPCODE_UNIT.items()))


def encode(opcode: Opcode, **values: int) -> bytes:
    """One instruction as its 64 bytes, little-endian."""
    return INSTRUCTIONS[opcode].encode({"opcode": opcode, **values}).to_bytes(
        INSTRUCTION_BYTES, "little")


def decode(raw: bytes) -> tuple[Opcode, dict[str, int]]:
    """Opcode and fields of 64 bytes.

    Raises
    ------
    ValueError
        For an illegal opcode.
    """
    word = int.from_bytes(raw, "little")
    code = word & 0xFF
    if code not in tuple(Opcode):
        raise ValueError(f"illegal opcode {code}")
    return Opcode(code), INSTRUCTIONS[Opcode(code)].decode(word)
