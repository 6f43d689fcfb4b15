"""The bytes of a program's constants."""

from golden.spec.isa import INSTRUCTION_BYTES

__all__ = ["Constants"]


class Constants:
    """The bytes of Region.CONSTANTS as they grow."""

    def __init__(self) -> None:
        self.data = bytearray()

    def add(self, raw: bytes, align: int = INSTRUCTION_BYTES) -> int:
        """Append aligned; return the offset."""
        self.data.extend(bytes(-len(self.data) % align))
        offset = len(self.data)
        self.data.extend(raw)
        return offset
