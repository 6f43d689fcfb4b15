"""Configuration of one chip: a frozen description, its presets and its digest."""

import dataclasses
import functools
import hashlib
import json
from dataclasses import dataclass, field

from golden.spec.drp.fabric import FABRICS, Fabric
from golden.spec.drp.image import tables as drp_tables
from golden.spec.errors import ConfigError

__all__ = ["PRESETS", "Config", "ConfigError", "preset"]


def _model(default: int) -> int:
    """A field that describes the simulated surroundings, not the chip: not in the digest."""
    return field(default=default, metadata={"model": True})


@dataclass(frozen=True, kw_only=True)
class Config:
    """One chip. Sizes are counts, never logarithms.

    Parameters
    ----------
    name : str
        Preset it began as.
    lanes : int
        L: output channels computed at once; equals M, the channels of a group and bytes of a
        word, because a lane block writes exactly one word per pixel. A power of two, 4 to 32.
    columns : int
        Q: output pixels computed at once, 1 to 16.
    drain : int
        D: accumulators post-processed a cycle; divides lanes.
    banks : int
        Scratchpad banks, a power of two.
    bank_words : int
        Words (of M bytes) in a bank, a power of two.
    weight_rows : int
        Rows of L (value, index) pairs in the weight ring.
    list_entries : int
        Entries in the group-list ring.
    parameter_beats : int
        Beats of M bytes in the ring of bias and requantization parameters.
    lane_blocks : int
        Lane-block descriptors that can wait in the weight store.
    lut_columns : int
        Columns whose multipliers are built from LUTs instead of DSP blocks.
    queue_depth : int
        Instructions waiting in each unit's queue.
    burst_beats : int
        Longest AXI burst, 1 to 256.
    bursts_in_flight : int
        Read bursts outstanding at most.
    read_beats : int
        Beats the load unit buffers; a burst is only asked for when it has room here.
    drp : str
        Fabric of the DRP's tile (`golden.spec.drp.fabric`), "none" for a chip without.
    clock_mhz : int
        Clock at which inferences per second are stated.
    dram_bytes : int
        Simulated memory: bytes a cycle, shared by reads and writes.
    dram_latency : int
        Simulated memory: cycles from accepted address to first beat.

    Raises
    ------
    ConfigError
        Naming field, value and rule.
    """

    name: str = "custom"
    lanes: int = 16
    columns: int = 8
    drain: int = 8
    banks: int = 8
    bank_words: int = 1024
    weight_rows: int = 4096
    list_entries: int = 4096
    parameter_beats: int = 512
    lane_blocks: int = 64
    lut_columns: int = 1
    queue_depth: int = 4
    burst_beats: int = 16
    bursts_in_flight: int = 8
    read_beats: int = 256
    drp: str = "none"
    clock_mhz: int = _model(100)
    dram_bytes: int = _model(16)
    dram_latency: int = _model(40)

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.name not in ("name", "drp") and (not isinstance(value, int)
                                                     or isinstance(value, bool)):
                raise ConfigError(f"{item.name} is {value!r}, accepted is an integer")
        self._need("lanes", self.lanes in (4, 8, 16, 32), "4, 8, 16 or 32")
        self._need("columns", 1 <= self.columns <= 16, "1 to 16")
        self._need("drain", self.drain >= 1 and self.lanes % self.drain == 0,
                   f"a divisor of lanes ({self.lanes})")
        self._need("banks", self.banks in (1, 2, 4, 8, 16, 32), "a power of two, 1 to 32")
        self._need("bank_words",
                   16 <= self.bank_words <= 65536 and not self.bank_words & (self.bank_words - 1),
                   "a power of two, 16 to 65536")
        self._need("banks", self.words <= 1 << 16,
                   f"banks x bank_words at most 65536 (bank_words is {self.bank_words})")
        self._need("weight_rows", 2 * self.lanes <= self.weight_rows <= 65536,
                   f"{2 * self.lanes} to 65536")
        self._need("list_entries", 16 <= self.list_entries <= 65536, "16 to 65536")
        self._need("parameter_beats", 20 <= self.parameter_beats <= 4096, "20 to 4096")
        self._need("lane_blocks", 2 <= self.lane_blocks <= 1024, "2 to 1024")
        self._need("lut_columns", 0 <= self.lut_columns <= self.columns,
                   f"0 to columns ({self.columns})")
        self._need("queue_depth", 2 <= self.queue_depth <= 16, "2 to 16")
        self._need("burst_beats", self.burst_beats in (1, 2, 4, 8, 16, 32, 64, 128, 256),
                   "a power of two, 1 to 256")
        self._need("bursts_in_flight", 1 <= self.bursts_in_flight <= 8, "1 to 8")
        self._need("read_beats", 2 * self.burst_beats <= self.read_beats <= 4096,
                   f"twice burst_beats ({2 * self.burst_beats}) to 4096")
        fits = [name for name, fabric in FABRICS.items() if fabric.word_bytes == self.lanes]
        self._need("drp", self.drp in ("none", *fits),
                   f"none or a fabric with words of {self.lanes} bytes: {', '.join(fits) or '-'}")
        self._need("clock_mhz", self.clock_mhz >= 1, "1 or more")
        self._need("dram_bytes", 1 <= self.dram_bytes <= 1024, "1 to 1024")
        self._need("dram_latency", 0 <= self.dram_latency <= 10000, "0 to 10000")

    def _need(self, name: str, good: bool, accepted: str) -> None:
        if not good:
            raise ConfigError(f"{name} is {getattr(self, name)!r}, accepted is {accepted}")

    @property
    def fabric(self) -> Fabric | None:
        """Shape of the DRP's tile; None without."""
        return FABRICS.get(self.drp)

    @property
    def group(self) -> int:
        """M: channels of a group, bytes of a word, bytes of a bus beat."""
        return self.lanes

    @property
    def words(self) -> int:
        """Scratchpad size in words."""
        return self.banks * self.bank_words

    @property
    def address_bits(self) -> int:
        """Bits of a scratchpad word address; the low bits select the bank."""
        return self.words.bit_length() - 1

    @property
    def bank_bits(self) -> int:
        """Low bits of a word address that select the bank."""
        return self.banks.bit_length() - 1

    @property
    def index_bits(self) -> int:
        """Bits of a weight's index: its channel within the group."""
        return self.group.bit_length() - 1

    @property
    def macs_per_cycle(self) -> int:
        """L x Q."""
        return self.lanes * self.columns

    @property
    def drain_cycles(self) -> int:
        """Cycles to post-process one tile of L x Q accumulators, one pass."""
        return self.columns * self.lanes // self.drain

    @property
    def weight_row_bits(self) -> int:
        """Bits of a row in the weight ring: L x (value, index)."""
        return self.lanes * (8 + self.index_bits)

    def hardware(self) -> dict[str, int | str]:
        """The fields that shape the hardware (the digest's part of the configuration)."""
        return {item.name: getattr(self, item.name) for item in dataclasses.fields(self)
                if item.name != "name" and not item.metadata.get("model")}

    def digest(self) -> int:
        """32 bits over configuration, fabric, instruction, register and layout tables."""
        return _digest(json.dumps(self.hardware(), sort_keys=True), self.fabric)

    def replace(self, **changes: object) -> "Config":
        """A copy with fields changed; an unknown field is refused by name."""
        known = {item.name for item in dataclasses.fields(self)}
        for name in changes:
            if name not in known:
                raise ConfigError(f"no configuration field {name!r}; fields are "
                                  f"{', '.join(sorted(known - {'name'}))}")
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


@functools.cache
def _digest(hardware: str, fabric: Fabric | None) -> int:
    from golden.spec import isa, layout, registers  # they need Config for their own types

    tables = [hardware, *(repr(item) for item in
                          (isa.TABLES, registers.TABLES, layout.TABLES))]
    if fabric is not None:
        tables += [repr(fabric), repr(drp_tables(fabric))]
    return int.from_bytes(hashlib.sha256("\n".join(tables).encode()).digest()[:4], "little")


PRESETS: dict[str, Config] = {
    # Small, odd where it may be: shows off-by-ones, simulates in seconds.
    "tiny": Config(name="tiny", lanes=4, columns=3, drain=2, banks=4, bank_words=128,
                   weight_rows=56, list_entries=24, parameter_beats=44, lane_blocks=5,
                   lut_columns=1, queue_depth=3, burst_beats=4, bursts_in_flight=3,
                   read_beats=24, dram_bytes=4, dram_latency=7),
    "tiny_drp": Config(name="tiny_drp", lanes=4, columns=3, drain=2, banks=4, bank_words=128,
                       weight_rows=56, list_entries=24, parameter_beats=44, lane_blocks=5,
                       lut_columns=1, queue_depth=3, burst_beats=4, bursts_in_flight=3,
                       read_beats=24, drp="tiny", dram_bytes=4, dram_latency=7),
    "base": Config(name="base", drp="base"),
    # The 85F board: the same array behind a 16-bit SDRAM; its latency is hw.sdram's, arbiter and
    # pad registers included.
    "ulx3s_85f": Config(name="ulx3s_85f", dram_bytes=2, dram_latency=21),
    "ulx3s_85f_drp": Config(name="ulx3s_85f_drp", columns=4, banks=4, weight_rows=1024,
                            lut_columns=0, drp="board", dram_bytes=2, dram_latency=21),
    # A 25F board: memories in block RAM, 8 MAC a cycle.
    "icesugar_pro": Config(name="icesugar_pro", lanes=4, columns=2, drain=2, banks=2,
                           bank_words=2048, weight_rows=1024, list_entries=512,
                           parameter_beats=256, lane_blocks=16, lut_columns=0, queue_depth=2,
                           burst_beats=16, bursts_in_flight=2, read_beats=256, clock_mhz=50,
                           dram_bytes=2, dram_latency=16),
}


def preset(name: str, **changes: object) -> Config:
    """A preset by name, with fields changed.

    Raises
    ------
    ConfigError
        For an unknown preset or field, or a value out of range.
    """
    if name not in PRESETS:
        raise ConfigError(f"no preset {name!r}; presets are {', '.join(PRESETS)}")
    return PRESETS[name].replace(**changes)
