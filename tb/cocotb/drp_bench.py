"""Cocotb tests of the DRP: random kernels and random streams against golden, and every error."""

from collections import deque
from dataclasses import replace

import cocotb
import numpy as np

from golden.drp.kernel import Kernel
from golden.drp.tile import Tile
from golden.spec.drp.controller import Cause
from golden.spec.drp.image import SECTION, Space
from hw.drp.words import TileRead
from tb.cocotb.bench import BlockBench
from tb.unit.drp.images import image, streams_image
from tb.unit.drp.kernels import (
    COUNT,
    ERRORS,
    GATHER_ERRORS,
    MOST,
    TINY,
    WORDS,
    copier,
    gatherer,
    linear,
    mixed,
    picture,
    placed,
    positions,
)
from tb.unit.drp.programs import program
from tb.unit.drp.streams import random_stream

SIZE = TINY.word_bytes
COPIES = 8
LIMIT = 60  # of kernels that fail: more than those that don't take
# Beside what tb.unit.drp.kernels has: (cause, suspect, base of the output).
OUTPUTS = {"output past memory": (Cause.ADDRESS, 2, SIZE * WORDS - 8),
           "output not aligned": (Cause.ADDRESS, 2, 1026 + 1),
           "no such space": (Cause.NONE, 0, 1024)}


class Host:
    """Loads and starts kernels as fast as the unit takes them; the scratchpad's end.

    Parameters
    ----------
    bench : BlockBench
    memory : (bytes,) uint8
    jobs : list of (list of int, dict)
        Words of an image, and the payload of the run that follows it.
    """

    def __init__(self, bench, memory, jobs):
        self.memory, self.bench, self.rng = memory, bench, bench.stalls.rng
        self.image, self.run, self.write, self.asked = (
            bench.streams[name] for name in ("image", "run", "write", "read.addr"))
        self.data, self.loaded, self.done = (
            bench.pin(name) for name in ("read.data", "loaded", "done"))
        self.jobs, self.loads = deque(jobs), False
        self.finished = self.steps = 0
        self.flight = deque([None] * (TileRead.LATENCY - 1))  # words on their way

    def step(self):
        """Once after every rising edge."""
        self.finished += int(self.done.value)
        self.steps += int(self.bench.pin("step").value)
        if self.loads and self.image.idle and int(self.loaded.value):
            self.run.pending.append(self.following)
            self.loads = False
        elif not self.loads and self.run.idle and self.jobs:
            words, self.following = self.jobs.popleft()
            self.image.pending.extend(words)
            self.loads = True
        if self.write.moved:
            item = self.write.fields
            for byte in range(SIZE):
                if item["strobe"] >> byte & 1:
                    self.memory[item["addr"] * SIZE + byte] = item["data"] >> 8 * byte & 255
        at = self.asked.fields * SIZE
        self.flight.append(int.from_bytes(self.memory[at:at + SIZE].tobytes(), "little")
                           if self.asked.moved else None)
        word = self.flight.popleft()
        self.data.value = self.rng.getrandbits(8 * SIZE) if word is None else word


@cocotb.test()
@cocotb.parametrize(seed=range(2))
async def drp_kernels(dut, seed):
    """A random kernel, and again on other streams while it still runs."""
    bench = BlockBench(dut, "drp", f"kernels {seed}")
    made = program(TINY, bench.rng)
    streams, values, expected = placed([made, made])
    memory = np.zeros(WORDS, "<u4")
    for word, value in values.items():
        memory[word] = value
    run = {"first": 0, "limit": MOST}
    host = Host(bench, memory.view(np.uint8), [
        (image(made.kernel) + streams_image(TINY, *streams[0]), run),
        (streams_image(TINY, *streams[1]), run)])
    await bench.power_on(host)
    await bench.until(lambda: host.finished == 2)
    await bench.idle(20)
    assert not bench.get("busy"), f"{bench.place}: busy when all is done"
    assert bench.get("cause") == Cause.NONE, f"{bench.place}: cause {bench.get('cause')}"
    assert host.steps == 2 * made.steps, f"{bench.place}: {host.steps} steps"
    # The second run finds in memories of elements what the first one left there.
    first = sum(map(len, made.outputs)) if made.kernel.tables else len(expected)
    for word, value in list(expected.items())[:first]:
        assert value is None or memory[word] == value, (
            f"{bench.place}: word {word} is {memory[word]:08x}, not {value:08x}")


@cocotb.test()
@cocotb.parametrize(seed=range(2))
async def drp_streams(dut, seed):
    """Copies from or to random streams, each kernel loaded while the one before it runs."""
    bench = BlockBench(dut, "drp", f"streams {seed}")
    memory = bench.numpy.integers(0, 256, SIZE * WORDS, np.uint8)
    expected, jobs, states = memory.copy(), [], []
    for number in range(COPIES):
        made = random_stream(bench.rng, 1, output=seed % 2 == 1)
        # Random ones are low in memory; no kernel reads what another one writes.
        other = linear(made.vectors, 4096 + 1024 * number)
        into, out = (other, made) if seed % 2 else (made, other)
        kernel = copier(count0=made.vectors)
        Tile(kernel).run(expected, [into, None], [out])
        states += kernel.states
        jobs.append((streams_image(TINY, [into, None], [out]), {"first": number, "limit": MOST}))
    kernel = copier()
    kernel = Kernel(fabric=TINY, elements=kernel.elements, inputs=kernel.inputs,
                    outputs=kernel.outputs, states=tuple(states))
    jobs[0] = (image(kernel) + jobs[0][0], jobs[0][1])
    host = Host(bench, memory, jobs)
    await bench.power_on(host)
    await bench.until(lambda: host.finished == COPIES)
    await bench.idle(20)
    assert bench.get("cause") == Cause.NONE, f"{bench.place}: cause {bench.get('cause')}"
    bad = np.flatnonzero(memory != expected)
    assert not len(bad), f"{bench.place}: {len(bad)} bytes differ, the first at {bad[0]}"


@cocotb.test()
@cocotb.parametrize(seed=range(2))
async def drp_gathers(dut, seed):
    """Kernels with positions from data and without, each loaded while the one before it runs."""
    bench = BlockBench(dut, "drp", f"gathers {seed}")
    kernel, jobs, words = mixed(bench.rng)
    memory = words.view(np.uint8)
    expected, steps = memory.copy(), 0
    for number, streams in enumerate(jobs):
        steps += Tile(replace(kernel, first=number)).run(expected, *streams).steps
    host = Host(bench, memory, [
        (image(kernel) * (not number) + streams_image(TINY, *streams),
         {"first": number, "limit": MOST}) for number, streams in enumerate(jobs)])
    await bench.power_on(host)
    await bench.until(lambda: host.finished == len(jobs))
    await bench.idle(20)
    assert bench.get("cause") == Cause.NONE, f"{bench.place}: cause {bench.get('cause')}"
    assert host.steps == steps, f"{bench.place}: {host.steps} steps, not {steps}"
    bad = np.flatnonzero(memory != expected)
    assert not len(bad), f"{bench.place}: {len(bad)} bytes differ, the first at {bad[0]}"


@cocotb.test()
@cocotb.parametrize(name=(*GATHER_ERRORS,))
async def drp_gather_errors(dut, name):
    """Cause and suspect of kernels with positions from data."""
    bench = BlockBench(dut, "drp", f"gather errors {name}")
    cause, suspect, changes, vectors, stream, base = GATHER_ERRORS[name]
    count, memory = changes.get("count", COUNT), np.zeros(WORDS, "<u4")
    memory[256:256 + count] = positions(bench.rng, count)
    words = image(gatherer(**changes)) + streams_image(
        TINY, [linear(count, 1024), picture(vectors, base) if vectors else None],
        [linear(count, 2048), linear(count, 4096) if stream else None])
    host = Host(bench, memory.view(np.uint8), [(words, {"first": 0, "limit": LIMIT})])
    await bench.power_on(host)
    await bench.until(lambda: host.finished or bench.get("cause"), 3000)
    await bench.idle(10)
    assert (bench.get("cause"), bench.get("suspect")) == (cause, suspect), (
        f"{bench.place}: cause {bench.get('cause')}, suspect {bench.get('suspect')}")
    assert host.finished == (cause is Cause.NONE), bench.place


@cocotb.test()
@cocotb.parametrize(name=(*ERRORS, *OUTPUTS))
async def drp_errors(dut, name):
    """Cause and suspect, and nothing more happens; a reset, and the next test begins anew."""
    bench = BlockBench(dut, "drp", f"errors {name}")
    target = 1024
    if name in ERRORS:
        cause, suspect, changes, counts, base = ERRORS[name]
    else:
        (cause, suspect, target), changes, counts, base = OUTPUTS[name], {}, (COUNT, COUNT), 0
    memory = np.arange(SIZE * WORDS, dtype=np.uint32).astype(np.uint8)
    words = image(copier(**changes)) + streams_image(
        TINY, [linear(counts[0], base), None], [linear(counts[1], target)])
    refused = name == "no such space"
    if refused:
        words.append(SECTION.encode({"space": max(Space) + 1, "count": 1}))
    host = Host(bench, memory, [(words, {"first": 0, "limit": LIMIT})])
    await bench.power_on(host)
    await bench.until(lambda: host.finished or bench.get("cause") or bench.get("refused"), 3000)
    await bench.idle(10)
    assert (bench.get("cause"), bench.get("suspect")) == (cause, suspect), (
        f"{bench.place}: cause {bench.get('cause')}, suspect {bench.get('suspect')}")
    assert bench.get("refused") == refused, bench.place
    if cause is Cause.NONE and not refused:
        np.testing.assert_array_equal(memory[target:target + SIZE * COUNT],
                                      memory[:SIZE * COUNT], bench.place)
        return
    steps = host.steps
    await bench.idle(100)
    assert host.steps == steps, f"{bench.place}: goes on"
    assert not host.finished, f"{bench.place}: done"
