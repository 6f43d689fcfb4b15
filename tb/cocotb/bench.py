"""One block of tb.cocotb.blocks between agents: random stalls and a rule on every stream."""

import functools
import os
import random
from collections import deque

import numpy as np
from amaranth.lib.wiring import In
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from hw.interfaces import WordRead
from tb.cocotb.blocks import CONFIG, Blocks
from tb.cocotb.channel import Stalls, ends, layout_of, split

__all__ = ["BlockBench", "WordReader"]

PERIOD = 10  # ns
RESET_CYCLES = 3
CYCLES = 20_000


@functools.cache
def _blocks():
    return Blocks(CONFIG)


class BlockBench:
    """Clock, reset and the other end of every stream of a block.

    Parameters
    ----------
    dut : handle
        Top module ``Blocks``.
    name : str
        The block.
    seed : int or str
        Of this test; that of the whole run is added.
    skip : str, optional
        A bus of the block, which has an agent of its own.

    Members
    -------
    streams : dict of str to Channel
        By the members that lead to them, joined by dots.
    taken : dict of str to list
        What came out of each stream the block sends.
    stalls : Stalls
        For other agents.
    place : str
        Block and seeds, for messages.
    rng, numpy : random.Random, numpy.random.Generator
        For stimuli.
    cycle : int
        Cycles since reset.
    """

    def __init__(self, dut, name, seed, skip=""):
        self.dut, self.name, self.cycle = dut, name, 0
        self.stalls = Stalls(f"{os.environ['COCOTB_RANDOM_SEED']} {name} {seed}")
        self.place = f"{name}, seed {self.stalls.seed!r}"
        self.rng = random.Random(f"{self.stalls.seed} data")
        self.numpy = np.random.default_rng(self.rng.getrandbits(64))
        dut._log.info(self.place)
        signature = _blocks().blocks[name].signature
        self.streams = {key: end for key, end in ends(dut, name, signature, self.stalls).items()
                        if key.split(".")[0] != skip}
        self.taken = {key: [] for key in self.streams}
        self._agents = []
        self._layouts = {
            ".".join(path): layout_of(member.shape)
            for path, member, _ in signature.flatten(_blocks().blocks[name]) if member.is_port}

    def pin(self, name):
        """Handle of a port that is no stream, by its members joined by dots."""
        return getattr(self.dut, f"{self.name}.{name}".replace(".", "__"))

    def get(self, name):
        """Value of such a port: raw bits, by field for a struct."""
        bits, layout = int(self.pin(name).value), self._layouts[name]
        return bits if layout is None else split(bits, layout)

    async def power_on(self, *agents):
        """Start the clock, reset; ``agents`` are stepped from then on, before the streams."""
        blocks = _blocks()
        for path, member, _ in blocks.signature.flatten(blocks):
            if member.flow is In:
                getattr(self.dut, "__".join(str(part) for part in path)).value = 0
        self.dut.rst.value = 1
        Clock(self.dut.clk, PERIOD, unit="ns").start()
        await ClockCycles(self.dut.clk, RESET_CYCLES)
        for key, stream in self.streams.items():
            assert stream.quiet(), f"{self.name}.{key}: valid is high in reset"
        self.dut.rst.value = 0
        self._agents = agents

    async def until(self, done, cycles=CYCLES):
        """Clock until ``done()`` is true."""
        edge = RisingEdge(self.dut.clk)
        end = self.cycle + cycles
        while not done():
            assert self.cycle < end, f"{self.place}: stuck"
            await edge
            self.cycle += 1
            for stream in self.streams.values():
                stream.sample()
            for agent in self._agents:
                agent.step()
            for key, stream in self.streams.items():
                item = stream.step()
                if item is not None:
                    self.taken[key].append(item)

    async def idle(self, cycles):
        """Clock for some cycles."""
        end = self.cycle + cycles
        await self.until(lambda: self.cycle >= end)

    def check(self, name, got, expected):
        """Two lists are equal; the message shows the first difference."""
        for index, (have, want) in enumerate(zip(got, expected, strict=False)):
            assert have == want, (
                f"{self.place}: {name} {index} is {have}, not {want}")
        assert len(got) == len(expected), f"{self.place}: {len(got)} {name}, not {len(expected)}"


class WordReader:
    """The scratchpad's end of a WordRead: the word so many cycles after its address.

    Parameters
    ----------
    bench : BlockBench
    name : str
        The port.
    words : ndarray [words, M] uint8
    """

    def __init__(self, bench, name, words):
        self.addresses, self.words = bench.streams[f"{name}.addr"], words
        self.valid, self.data = bench.pin(f"{name}.valid"), bench.pin(f"{name}.data")
        self.rng, self.shown = bench.stalls.rng, True
        self.flight = deque([None] * (WordRead.LATENCY - 1))  # words on their way

    def step(self):
        """Once after every rising edge."""
        asked = self.addresses
        self.flight.append(self.words[asked.fields] if asked.moved else None)
        word = self.flight.popleft()
        if word is not None or self.shown:
            self.shown = word is not None
            self.valid.value = int(self.shown)
            # What is not valid may be anything.
            self.data.value = (int.from_bytes(word.tobytes(), "little") if self.shown
                               else self.rng.getrandbits(8 * self.words.shape[1]))
