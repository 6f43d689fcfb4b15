"""Shape of one tile of the DRP: a frozen description and its presets."""

import dataclasses
from dataclasses import dataclass

from golden.spec.drp.operations import Kind
from golden.spec.errors import ConfigError

__all__ = ["FABRICS", "Fabric", "fabric"]


@dataclass(frozen=True, kw_only=True)
class Fabric:
    """One tile: rows x columns elements of 32 bits, times SIMD lanes.

    Element (r, c) has number r * columns + c. All have the ALU; what else they have is listed by
    number. Input stream r is seen by the elements of row r, for r below ``inputs``. Output stream
    k sees the rows r with r * outputs // rows == k.

    Parameters
    ----------
    name : str
        Preset it began as.
    rows, columns : int
        1 to 8 each.
    lanes : int
        Copies of every datapath that run the same contexts: 1, 2, 4 or 8.
    multipliers, shifters, memories, movers : tuple of int
        Elements that have a multiplier, a shifter, a memory (per lane), a lane mover.
    inputs : int
        Input streams, at most rows.
    outputs : int
        Output streams, 1 to rows.
    history : int
        Results an element or input stream remembers, so delays are 0 to history - 1. A power of
        two.
    stages : int
        Passes that may be under way at once: operations with effects have a stage of 0 to
        stages - 1. A power of two.
    contexts : int
        Context words of each element and stream. A power of two.
    states : int
        Controller states. A power of two.
    table_words : int
        32-bit words of each memory, per lane. A power of two.
    fifo : int
        Vectors (one value per lane) an input stream may run ahead.
    word_bytes : int
        Bytes of a scratchpad word, the unit of memory traffic.

    Raises
    ------
    ConfigError
        Naming field, value and rule.
    """

    name: str = "custom"
    rows: int = 4
    columns: int = 4
    lanes: int = 4
    multipliers: tuple[int, ...] = (0, 5, 10, 15)
    shifters: tuple[int, ...] = (1, 6, 11, 12)
    memories: tuple[int, ...] = (2, 7, 8, 13)
    movers: tuple[int, ...] = (3, 4, 9, 14)
    inputs: int = 4
    outputs: int = 2
    history: int = 16
    stages: int = 16
    contexts: int = 512
    states: int = 64
    table_words: int = 512
    fifo: int = 8
    word_bytes: int = 16

    def __post_init__(self) -> None:
        self._need("rows", 1 <= self.rows <= 8, "1 to 8")
        self._need("columns", 1 <= self.columns <= 8, "1 to 8")
        self._need("lanes", self.lanes in (1, 2, 4, 8), "1, 2, 4 or 8")
        for name in ("multipliers", "shifters", "memories", "movers"):
            places = getattr(self, name)
            self._need(name, all(0 <= place < self.elements for place in places)
                       and list(places) == sorted(set(places)),
                       f"rising element numbers below {self.elements}")
        self._need("inputs", 1 <= self.inputs <= self.rows, f"1 to rows ({self.rows})")
        self._need("outputs", 1 <= self.outputs <= self.rows, f"1 to rows ({self.rows})")
        for name, least, most in (("history", 2, 32), ("stages", 2, 64), ("contexts", 16, 4096),
                                  ("states", 4, 256), ("table_words", 16, 65536)):
            value = getattr(self, name)
            self._need(name, least <= value <= most and not value & (value - 1),
                       f"a power of two, {least} to {most}")
        self._need("fifo", 2 <= self.fifo <= 64, "2 to 64")
        self._need("word_bytes", self.word_bytes in (4, 8, 16, 32), "4, 8, 16 or 32")

    def _need(self, name: str, good: bool, accepted: str) -> None:
        if not good:
            raise ConfigError(f"{name} is {getattr(self, name)!r}, accepted is {accepted}")

    @property
    def elements(self) -> int:
        """Elements of the tile."""
        return self.rows * self.columns

    @property
    def sources(self) -> int:
        """Choices of operands a and b: others of the row, others of the column, self, extra."""
        return self.rows + self.columns

    @property
    def thirds(self) -> int:
        """Choices of operand c: others of the column, the row's stream."""
        return self.rows

    @property
    def gather(self) -> int | None:
        """The input that may be indirect: the last one, if there is an output for positions."""
        return self.inputs - 1 if self.outputs > 1 else None

    def place(self, element: int) -> tuple[int, int]:
        """(row, column) of an element."""
        return divmod(element, self.columns)

    def places(self, kind: Kind) -> tuple[int, ...]:
        """Elements that can do operations of a kind."""
        if kind is Kind.ALU:
            return tuple(range(self.elements))
        return {Kind.MULTIPLIER: self.multipliers, Kind.SHIFTER: self.shifters,
                Kind.MEMORY: self.memories, Kind.MOVER: self.movers}[kind]

    def output_of(self, row: int) -> int:
        """Output stream that sees a row."""
        return row * self.outputs // self.rows

    def seen_by_output(self, output: int) -> tuple[int, ...]:
        """Elements an output stream sees, in the order of its select."""
        return tuple(element for element in range(self.elements)
                     if self.output_of(element // self.columns) == output)


FABRICS: dict[str, Fabric] = {
    # Small and not square, shows transposed rows and columns: 2 x 3.
    "tiny": Fabric(name="tiny", rows=2, columns=3, lanes=1, multipliers=(0, 4), shifters=(1, 5),
                   memories=(2,), movers=(), inputs=2, outputs=2, contexts=64, states=8,
                   table_words=32, fifo=2, word_bytes=4),
    # What CGRA papers map a 3x3 convolution on; every element multiplies, every row has a memory.
    "grid3": Fabric(name="grid3", rows=3, columns=3, lanes=1, multipliers=tuple(range(9)),
                    shifters=(1, 5, 6), memories=(0, 3, 6), movers=(), inputs=3, outputs=1),
    "base": Fabric(name="base"),
    "board": Fabric(name="board", lanes=1, movers=()),
}


def fabric(name: str, **changes: object) -> Fabric:
    """A preset by name, with fields changed.

    Raises
    ------
    ConfigError
        For an unknown preset or field, or a value out of range.
    """
    if name not in FABRICS:
        raise ConfigError(f"no fabric {name!r}; fabrics are {', '.join(FABRICS)}")
    known = {item.name for item in dataclasses.fields(Fabric)}
    for item in changes:
        if item not in known:
            raise ConfigError(f"no fabric field {item!r}; fields are {', '.join(sorted(known))}")
    return dataclasses.replace(FABRICS[name], **changes)  # type: ignore[arg-type]
