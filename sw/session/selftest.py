"""Is the board sound: link, registers, memory, chip."""

from collections.abc import Callable

import numpy as np

from golden import executor
from golden.attributes import Add, Conv2D, DepthwiseConv2D
from golden.graph import Graph, Node, Quant, Tensor
from golden.spec.config import Config
from golden.spec.numerics import quantize_multiplier
from golden.spec.registers import offset
from sw.compiler import compile_graph
from sw.driver.device import Device
from sw.driver.transport import Transport
from sw.errors import MismatchError

__all__ = ["selftest"]

_PATTERNS = (0x00000000, 0xFFFFFFFF, 0xAAAAAAAA, 0x55555555)
_BLOCK = 1024
_SIZE, _CHANNELS = 8, 20
_REGISTER = "WATCHDOG"  # one that keeps 32 bits and does nothing by itself


def selftest(transport: Transport, config: Config, *, blocks: int = 16, seed: int = 0,
             tell: Callable[[str], None] = lambda text: None) -> dict[str, int]:
    """Write and read registers and memory, and run a small network.

    Parameters
    ----------
    transport : Transport
    config : Config
        The chip's.
    blocks : int
        Of 1 KiB, spread over the memory by powers of two, so that every address line counts.
    seed : int
        Of the data.
    tell : callable
        Told each test.

    Returns
    -------
    dict
        ``registers``, ``memory_bytes`` written and read, ``cycles`` of the network.

    Raises
    ------
    MismatchError
        Naming the first thing that is wrong.
    """
    rng = np.random.default_rng(seed)
    tell("registers")
    for value in _PATTERNS:
        transport.write32(offset(_REGISTER), value)
        found = transport.read32(offset(_REGISTER))
        if found != value:
            raise MismatchError(f"register {_REGISTER}: {value:#010x} was written, {found:#010x} "
                                "is read")
    tell("memory")
    # The same offset in each power of two, and odd ends: lines stuck together show as one place
    # that has another's data once all are written.
    places = [0, *(1 << bit for bit in range(
        _BLOCK.bit_length() - 1, transport.memory_bytes.bit_length() - 1))]
    chosen = [places[at] for at in
              sorted({round(x) for x in np.linspace(0, len(places) - 1, min(blocks, len(places)))})]
    data = {place: rng.bytes(_BLOCK - 3) for place in chosen}
    for place, written in data.items():
        transport.write(place + 1, written)
    for place, written in data.items():
        back = transport.read(place + 1, len(written))
        if back != written:
            at = next(index for index, pair in enumerate(zip(written, back, strict=True))
                      if pair[0] != pair[1])
            raise MismatchError(f"memory at {place + 1 + at:#x}: {written[at]:#04x} was written, "
                                f"{back[at]:#04x} is read")
    tell("a network")
    graph = _network(rng)
    inputs = {name: rng.integers(-128, 128, graph.tensors[name].shape).astype(np.int8)
              for name in graph.inputs}
    device = Device(transport)
    device.load(compile_graph(graph, config))
    result = device.run(inputs)
    wanted = executor.run(graph, inputs)
    for name, values in wanted.items():
        wrong = int((result.outputs[name] != values).sum())
        if wrong:
            raise MismatchError(f"the test network: {wrong} of {values.size} bytes of {name} are "
                                "wrong")
    return {"registers": len(_PATTERNS), "memory_bytes": sum(map(len, data.values())),
            "cycles": result.cycles}


def _network(rng: np.random.Generator) -> Graph:
    """Convolutions, depthwise, an addition; weights sparse in part."""
    graph = Graph("selftest")

    def tensor(name: str, shape: tuple[int, ...]) -> str:
        return graph.add(Tensor(name, shape, "int8", Quant(0.1, 0))).name

    def scaled(channels: int) -> dict:
        multiplier, pre, post = quantize_multiplier(0.004)
        return {"bias": rng.integers(-500, 500, channels).astype(np.int32),
                "multiplier": np.full(channels, multiplier, np.int32),
                "pre": np.full(channels, pre, np.int32),
                "post": np.full(channels, post, np.int32), "input_zero": 3, "output_zero": -5}

    shape = (1, _SIZE, _SIZE, _CHANNELS)
    kernel = rng.integers(-127, 128, (_CHANNELS, 3, 3, 3)).astype(np.int8)
    point = rng.integers(-127, 128, (_CHANNELS, 1, 1, _CHANNELS)).astype(np.int8)
    point[rng.random(point.shape) < 0.6] = 0
    depth = rng.integers(-127, 128, (1, 3, 3, _CHANNELS)).astype(np.int8)
    half = quantize_multiplier(0.5)
    graph.inputs = (tensor("input", (1, _SIZE, _SIZE, 3)),)
    for name, given, attrs in (
            ("first", ("input",), Conv2D(kernel=kernel, window=(3, 3), pads=(1, 1, 1, 1),
                                         **scaled(_CHANNELS))),
            ("depthwise", ("first",), DepthwiseConv2D(
                kernel=depth, window=(3, 3), pads=(1, 1, 1, 1), **scaled(_CHANNELS))),
            ("pointwise", ("depthwise",), Conv2D(kernel=point, window=(1, 1),
                                                 **scaled(_CHANNELS))),
            ("sum", ("first", "pointwise"), Add(
                input_zeros=(0, 0), input_scales=(half, half), output_scale=half,
                output_zero=0, left_shift=20))):
        graph.nodes.append(Node(name, given, (tensor(name, shape),), attrs))
    graph.outputs = ("sum",)
    graph.validate()
    return graph
