"""Estimated cycles of operators' tiles: the array's, and those of the memory behind it."""

from dataclasses import dataclass

from golden.machine.timing import Timing
from golden.spec.config import Config
from golden.spec.isa import INSTRUCTION_BYTES, PostMode
from golden.spec.layout import BlockFormat, block_beats, parameter_item_beats
from sw.compiler.pack import PackedOp
from sw.compiler.window import LayerTensor, WindowOp

__all__ = ["Cost", "Traffic", "latency", "op_cost", "table_load", "transfer"]

_TIMING = Timing()


@dataclass(frozen=True)
class Cost:
    """What one operator costs, however it is tiled.

    Parameters
    ----------
    tile : int
        Cycles of Q output pixels in the array, all lane blocks, their drain included.
    weights : float
        Cycles in which its weight stream passes the memory's port.
    stays : bool
        The weight store holds the stream whole, so that it is loaded once for all tiles.
    pixels : int
        The most output pixels of one tile (a lane block larger than the weight ring streams, one
        tile of Q pixels at a time); 0 is no limit.
    """

    tile: int = 1
    weights: float = 0.0
    stays: bool = True
    pixels: int = 0


@dataclass
class Traffic:
    """Cycles of the load unit, the store unit and the memory's port, all at work side by side."""

    config: Config
    loading: float = 0.0
    storing: float = 0.0
    port: float = 0.0

    @property
    def cycles(self) -> float:
        """Those of the busiest one."""
        return max(self.loading, self.storing, self.port)

    def load(self, cycles: float, count: int = 1) -> None:
        """LOADs whose data takes so many cycles each; few of them wait for it at a time."""
        delay = self.config.dram_latency + _TIMING.load_start + _TIMING.load_data
        self.loading += count * max(cycles + _TIMING.load_pause,
                                    (cycles + delay) / _TIMING.loads_asked)
        self.port += count * (cycles + _bytes(self.config, INSTRUCTION_BYTES))

    def store(self, cycles: float, count: int = 1) -> None:
        """STOREs, one after the other."""
        delay = self.config.dram_latency + _TIMING.store_start + _TIMING.store_end
        self.storing += count * (cycles + delay)
        self.port += count * (cycles + _bytes(self.config, INSTRUCTION_BYTES))

    def add(self, other: "Traffic", count: int = 1) -> None:
        """So many times another one's."""
        self.loading += count * other.loading
        self.storing += count * other.storing
        self.port += count * other.port

    def mac(self, count: int = 1) -> None:
        """The instructions of the array."""
        self.port += count * _bytes(self.config, INSTRUCTION_BYTES)


def op_cost(config: Config, op: WindowOp, packed: PackedOp) -> Cost:
    """The cost of a packed operator."""
    drain = config.drain_cycles * (2 if op.post.mode == PostMode.ADD else 1)
    rows, entries = packed.rows, packed.entries
    beats = [block_beats(config, BlockFormat.DENSE if n == config.group else BlockFormat.PAIRS, n)
             for n in range(config.group + 1)]
    total = sum(parameter_item_beats(config) + sum(beats[n] for n in block.counts.tolist())
                for block in packed.blocks)
    large = max(rows) > config.weight_rows or max(entries) > config.list_entries
    # An entry without rows takes a cycle as well.
    cycles = (int(block.counts.clip(1).sum()) for block in packed.blocks)
    return Cost(sum(max(count, drain) for count in cycles), _bytes(config, total * config.group),
                packed.stays(config, 0, len(packed.blocks)), config.columns if large else 0)


def latency(config: Config) -> int:
    """Cycles from a pass's last weight row to the first one of a pass that reads its result."""
    return (_TIMING.drain + config.drain_cycles + _TIMING.post + _TIMING.semaphore
            + _TIMING.mac_start + config.columns)


def table_load(config: Config, op: WindowOp) -> float:
    """Cycles for which an operator waits for its table, if the one before has another one."""
    if op.post.table is None:
        return 0.0
    return (latency(config) + config.dram_latency + _TIMING.load_start + _TIMING.load_data
            + _bytes(config, 4 * len(op.post.table)))


def transfer(config: Config, tensor: LayerTensor, rows: int, columns: int, groups: int) -> float:
    """Cycles in which a box of a feature map passes between scratchpad and memory."""
    words = rows * columns * groups
    if not words:
        return 0.0
    if tensor.gather:
        size = rows * tensor.gather.width * tensor.gather.channels
    elif tensor.bytes_in_dram:
        size = rows * columns * min(groups * config.group, tensor.channels)
    else:
        size = words * config.group
    return max(words, _bytes(config, size))


def _bytes(config: Config, size: int) -> float:
    """Cycles in which so many bytes pass the memory's port."""
    return size / min(config.dram_bytes, config.group)
