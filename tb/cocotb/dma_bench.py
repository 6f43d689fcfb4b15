"""Cocotb tests of the DMA: load and store unit on one AXI4 memory, fetch beside them."""

import cocotb
import numpy as np

from golden.machine import Machine
from golden.spec.isa import Opcode, Target, encode
from golden.spec.layout import TABLE_ENTRIES
from hw.dma.burst import PAGE_BYTES
from hw.interfaces import REGION
from tb.cocotb.axi import AxiMemory
from tb.cocotb.bench import BlockBench, WordReader
from tb.cocotb.blocks import CONFIG
from tb.unit.dma.shapes import load_shapes, random_load, random_store, store_shapes

SIZE = 2 * PAGE_BYTES  # of a region, as the shapes have it
SOURCE, SINK = 3, 5  # regions
BASES = {SOURCE: PAGE_BYTES, SINK: PAGE_BYTES + SIZE}
MEMORY = PAGE_BYTES + 2 * SIZE
FETCH = 40  # beats of a run, at most
PROGRAM = 1 << 16  # where the machine has its program


def random_table(rng):
    """A LOAD of some table entries."""
    run_bytes, runs = rng.randint(1, 5) * CONFIG.group, rng.randint(1, 3)
    return {"target": Target.TABLE, "address": rng.randrange(200) * CONFIG.group, "runs": runs,
            "run_bytes": run_bytes, "run_stride": rng.choice((0, 5 * CONFIG.group)),
            "dst": rng.randrange(TABLE_ENTRIES - run_bytes * runs // 4 + 1)}


def random_weights(rng):
    """A LOAD of some beats of the weight stream, which nobody parses here."""
    return random_table(rng) | {"target": Target.WEIGHTS, "run_bytes": rng.randint(1, 30)
                                * CONFIG.group}


def program(rng):
    """(loads, stores) in the order in which each unit gets them."""
    loads = [random_load(rng, CONFIG, shape) for shape in load_shapes]
    loads += [make(rng) for make in (random_table, random_table, random_weights, random_weights)]
    stores = [random_store(rng, CONFIG, shape) for shape in 2 * store_shapes]
    rng.shuffle(loads)
    rng.shuffle(stores)
    for region, items in ((SOURCE, loads), (SINK, stores)):
        for index, fields in enumerate(items):
            fields.update(region=region, tag=index, post=rng.getrandbits(16))
    return loads, stores


def execute(opcode, instructions, memory, words):
    """The machine after instructions of one kind, each on its own."""
    machine = Machine(CONFIG, 2 * PROGRAM, check_races=False)
    machine.dram.data[:MEMORY] = np.frombuffer(memory, np.uint8)
    for region, base in BASES.items():
        machine.dram.regions[region] = (base, SIZE)
    machine.chip.words[:] = words
    raw = b"".join(encode(opcode, **{**fields, "post": 0}) for fields in instructions)
    raw += encode(Opcode.END)
    machine.dram.data[PROGRAM:PROGRAM + len(raw)] = np.frombuffer(raw, np.uint8)
    machine.run(PROGRAM, len(raw))
    return machine


class Retirements:
    """Post masks, in order."""

    def __init__(self, bench, unit):
        self.bench, self.name, self.seen = bench, f"{unit}.retire", []

    def step(self):
        retire = self.bench.get(self.name)
        if retire["valid"]:
            self.seen.append(retire["post"])


def beats_of(memory, address, size):
    return [int.from_bytes(memory[at:at + CONFIG.group], "little")
            for at in range(address, address + size, CONFIG.group)]


@cocotb.test()
@cocotb.parametrize(seed=range(4))
async def dma_matches_golden(dut, seed):
    bench = BlockBench(dut, "dma", seed, skip="axi")
    rng = bench.rng
    memory = AxiMemory(dut, CONFIG, MEMORY, bench.stalls, bus="dma.axi")
    memory.data[:] = before = rng.randbytes(MEMORY)
    words = np.frombuffer(rng.randbytes(CONFIG.words * CONFIG.group), np.uint8).reshape(
        -1, CONFIG.group)
    loads, stores = program(rng)
    # From where no store writes.
    fetches = [{"addr": CONFIG.group * rng.randrange(BASES[SINK] // CONFIG.group - FETCH),
                "beats": rng.randint(1, FETCH)} for _ in range(8)]
    done = {unit: Retirements(bench, unit) for unit in ("load", "store")}
    await bench.power_on(memory, WordReader(bench, "store.read", words), *done.values())
    regions = sum(REGION.const({"base": base, "bytes": SIZE}).as_bits() << region * REGION.size
                  for region, base in BASES.items())
    for unit, opcode, items in (("load", Opcode.LOAD, loads), ("store", Opcode.STORE, stores)):
        bench.pin(f"{unit}.regions").value = regions
        bench.streams[f"{unit}.i"].pending.extend(
            int.from_bytes(encode(opcode, **fields), "little") for fields in items)
    bench.streams["fetch.run"].pending.extend(fetches)
    total = sum(run["beats"] for run in fetches)
    taken = bench.taken
    await bench.until(lambda: len(done["load"].seen) == len(loads) and memory.idle
                      and len(done["store"].seen) == len(stores)
                      and len(taken["fetch.beat"]) == total)
    await bench.idle(40)

    for unit, items in (("load", loads), ("store", stores)):
        bench.check(f"{unit} posts", done[unit].seen, [fields["post"] for fields in items])
        assert not bench.get(f"{unit}.error")["valid"], f"{bench.place}: {unit} in error"
        assert not bench.get(f"{unit}.busy"), f"{bench.place}: {unit} busy"
    assert bench.get("store.quiet"), f"{bench.place}: not quiet"
    parsed = [fields for fields in loads if fields.get("target") != Target.WEIGHTS]
    golden, got = execute(Opcode.LOAD, parsed, before, words), words.copy()
    table = np.zeros(TABLE_ENTRIES, np.uint32)
    for item in taken["load.words"]:
        got[item["addr"]] = np.frombuffer(item["data"].to_bytes(CONFIG.group, "little"), np.uint8)
    for item in taken["load.table"]:
        table[item["addr"]] = item["data"]
    np.testing.assert_array_equal(got, golden.chip.words, bench.place)
    np.testing.assert_array_equal(table.view(np.int32), golden.chip.table, bench.place)
    bench.check("weights", taken["load.weights"], [
        beat for fields in loads if fields.get("target") == Target.WEIGHTS
        for run in range(fields["runs"])
        for beat in beats_of(before, BASES[SOURCE] + fields["address"] + run * fields["run_stride"],
                             fields["run_bytes"])])
    golden = execute(Opcode.STORE, stores, before, words)
    assert memory.data == golden.dram.data[:MEMORY].tobytes(), f"{bench.place}: bytes stored"
    bench.check("fetched", [(item["data"], item["last"]) for item in taken["fetch.beat"]], [
        (beat, index == run["beats"] - 1) for run in fetches for index, beat in enumerate(
            beats_of(before, run["addr"], run["beats"] * CONFIG.group))])
