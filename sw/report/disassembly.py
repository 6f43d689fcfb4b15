"""Programs as text: instructions by the tables of `golden.spec.isa`."""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from golden.spec.isa import (
    HEADER,
    INSTRUCTION_BYTES,
    SEMAPHORES,
    ArrayMode,
    Opcode,
    PostMode,
    Target,
    Unit,
    decode,
    semaphore,
)
from golden.spec.program import ChipStep, Program
from golden.spec.registers import Region
from sw.errors import ModelError

__all__ = ["Line", "disassemble"]

_ENUMS: dict[str, type[enum.IntEnum]] = {
    "target": Target, "region": Region, "array_mode": ArrayMode, "post_mode": PostMode}
_SEMAPHORES = {semaphore(producer, consumer): f"{producer.name}>{consumer.name}"
               for producer in Unit for consumer in Unit}
_HEADER = {field.name for field in HEADER.fields}


@dataclass(frozen=True)
class Line:
    """One instruction.

    Parameters
    ----------
    address : int
        Byte offset in the constants.
    opcode : Opcode
    layer : str
        Name of the layer that its tag belongs to.
    fields : dict
        All fields of the instruction.
    """

    address: int
    opcode: Opcode
    layer: str
    fields: dict[str, int]

    @property
    def waits(self) -> list[str]:
        """Semaphores taken, as producer>consumer."""
        return _semaphores(self.fields["wait"])

    @property
    def posts(self) -> list[str]:
        """Semaphores given."""
        return _semaphores(self.fields["post"])

    @property
    def operands(self) -> dict[str, int | str]:
        """Fields that aren't zero, header apart; enumerations by name."""
        return {name: _named(name, value) for name, value in self.fields.items()
                if name not in _HEADER and (value or name in _ENUMS)}

    def json(self) -> dict[str, Any]:
        """For programs."""
        return {"address": self.address, "opcode": self.opcode.name, "tag": self.fields["tag"],
                "layer": self.layer, "wait": self.waits, "post": self.posts,
                "operands": self.operands}

    def __str__(self) -> str:
        parts = [f"{self.address:08x}  {self.opcode.name:<5} {self.layer}"]
        if self.waits:
            parts.append(f"wait {' '.join(self.waits)}")
        if self.posts:
            parts.append(f"post {' '.join(self.posts)}")
        parts += [f"{name}={value}" for name, value in self.operands.items()]
        return "  ".join(parts)


def _semaphores(mask: int) -> list[str]:
    return [_SEMAPHORES[bit] for bit in range(SEMAPHORES) if mask >> bit & 1]


def _named(name: str, value: int) -> int | str:
    kind = _ENUMS.get(name)
    if kind is None or value not in tuple(kind):
        return value
    return kind(value).name


def disassemble(program: Program, step: ChipStep) -> Iterator[Line]:
    """The instructions of one run of the chip.

    Raises
    ------
    ModelError
        At an illegal opcode.
    """
    for address in range(step.offset, step.offset + step.bytes, INSTRUCTION_BYTES):
        try:
            opcode, fields = decode(program.constants[address:address + INSTRUCTION_BYTES])
        except ValueError as error:
            raise ModelError(f"{program.network}: instruction at 0x{address:x}: {error}") from None
        yield Line(address, opcode, program.layer(fields["tag"]), fields)
