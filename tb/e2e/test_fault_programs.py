"""Programs that are wrong, on purpose: each ends in its named error state, of which `machine` says
the same, is explained by the driver, and leaves a chip on which the next run is correct.
"""

import itertools
import random

import pytest

from golden.spec import isa
from golden.spec.isa import Opcode, PostMode, Target, Unit
from golden.spec.layout import (
    BLOCK_HEADER,
    PARAMETER_HEADER,
    TABLE_ENTRIES,
    BlockFormat,
    ItemKind,
    parameter_item_beats,
)
from golden.spec.registers import Cause, Region
from hw.bus.axi import Response
from sw.errors import DeviceError
from tb.lib.fault_rig import END, GRAPHS, LIMIT, SIZE, load_word, made, rig, store_word
from tb.lib.quick import quick


@pytest.mark.parametrize("opcode", [0, 8, 255])
@pytest.mark.parametrize("name", GRAPHS)
def test_illegal_opcode(name, opcode):
    bench = rig(name)
    for index in (0, 3, len(bench.instructions()) - 1):
        at = bench.place(index)
        tag = bench.instructions()[index][2]["tag"]
        bench.stops(bench.patched(at, bytes([opcode])), Cause.ILLEGAL_OPCODE, Unit.SEQUENCER, tag,
                    bench.device.bases[Region.CONSTANTS] + at,
                    f"instructions fetched: {index + 1} of ")


@pytest.mark.parametrize("name", GRAPHS)
def test_empty_memory(name):
    bench = rig(name)
    program = bench.patched(bench.step.offset, bytes(bench.step.bytes))
    text = bench.stops(program, Cause.ILLEGAL_OPCODE, Unit.SEQUENCER, 0,
                       bench.device.bases[Region.CONSTANTS] + bench.step.offset)
    assert "the last: illegal opcode 0" in text


@pytest.mark.parametrize("name", GRAPHS)
def test_truncated_program(name):
    bench = rig(name)
    for size in (SIZE, bench.step.bytes // SIZE // 2 * SIZE, bench.step.bytes - SIZE):
        bench.stops(bench.cut(size), Cause.PROGRAM_END, Unit.SEQUENCER, None,
                    bench.device.bases[Region.CONSTANTS] + bench.step.offset + size,
                    f"instructions fetched: {size // SIZE} of {size // SIZE}, the last: ")


@pytest.mark.parametrize("name", GRAPHS)
def test_program_without_end(name):
    bench = rig(name)
    last = len(bench.instructions()) - 1
    program = bench.patched(bench.place(last), isa.encode(Opcode.SYNC))
    bench.stops(program, Cause.PROGRAM_END, Unit.SEQUENCER, None,
                bench.device.bases[Region.CONSTANTS] + bench.step.offset + bench.step.bytes)


def test_what_follows_end_does_no_harm():
    """Illegal instructions behind END, and memory that refuses to give them."""
    bench = rig("tiny")
    program = made(bench.config, [load_word(bench.config), END], size=16 * SIZE)
    bench.device.load(program)
    bench.rtl.inject(2 * SIZE, 14 * SIZE, Response.DECERR)
    assert bench.device.run({}, timeout_cycles=LIMIT).counters["instructions"] == 2
    bench.works()


@pytest.mark.parametrize("name", GRAPHS)
def test_outside_a_region(name):
    bench = rig(name)
    for opcode, unit, fields in ((Opcode.LOAD, Unit.LOAD, {"target": Target.SCRATCHPAD}),
                                 (Opcode.LOAD, Unit.LOAD, {"target": Target.WEIGHTS}),
                                 (Opcode.STORE, Unit.STORE, {}), (Opcode.LOG, Unit.STORE, {})):
        index, values = bench.find(opcode, last=True, **fields)
        base = bench.device.bases[values["region"]]
        room = bench.program.region_bytes(Region(values["region"]))
        size = values.get("run_bytes", SIZE)
        beat = bench.config.group
        outside = (room - size) // beat * beat + beat
        for region, address, told in ((values["region"], outside, base + outside),
                                      (values["region"], 1 << 31, base + (1 << 31)),
                                      (15, 64, 64), (7, 0, 0)):
            bench.stops(bench.changed(index, region=region, address=address), Cause.REGION, unit,
                        values["tag"], told)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_later_run_leaves_its_region(name):
    bench = rig(name)
    config, beat = bench.config, bench.config.group
    fields = dict(tag=2, address=4096 - 3 * beat, runs=4, run_stride=2 * beat)
    for instruction, unit, region in ((load_word(config, **fields), Unit.LOAD, Region.WORK),
                                      (store_word(config, **fields), Unit.STORE, Region.OUTPUT)):
        program = made(config, [load_word(config, tag=1), instruction, END])
        bench.device.load(program)
        told = bench.device.bases[region] + 4096 + beat
        bench.stops(program, Cause.REGION, unit, 2, told)


def _addresses(opcode, values, field):
    """The word addresses an instruction touches from ``field`` on, in order."""
    kind = field.split("_")[0]
    if opcode == Opcode.MAC:
        for block in range(values["blocks"]):
            address = values[field] + block * values[f"{kind}_block_step"]
            for _ in range(values["out_height"]):
                for x in range(values["out_width"]):
                    yield address + x & 0xFFFF
                address += values["out_width"] - 1 + values[f"{kind}_row_step"]
        return
    for position in itertools.product(*(range(values[name]) for name in (
            "runs", "count2", "count1", "count0"))):
        steps = (values[f"{kind}_{name}"] for name in ("run_step", "step2", "step1", "step0"))
        moved = sum(i * step for i, step in zip(position, steps, strict=True))
        yield values[field] + moved & 0xFFFF


@pytest.mark.parametrize("words", [0, 5, "last"])
@pytest.mark.parametrize("name", GRAPHS)
def test_outside_the_scratchpad(name, words):
    """Addresses of loads, stores, outputs and residuals, at once or from some word on."""
    bench = rig(name)
    for opcode, unit, field, fields in (
            (Opcode.LOAD, Unit.LOAD, "dst", {"target": Target.SCRATCHPAD}),
            (Opcode.STORE, Unit.STORE, "src", {}),
            (Opcode.MAC, Unit.MAC, "out_base", {"post_mode": PostMode.PLAIN}),
            (Opcode.MAC, Unit.MAC, "out_base", {"post_mode": PostMode.ADD}),
            (Opcode.MAC, Unit.MAC, "res_base", {"post_mode": PostMode.ADD})):
        index, values = bench.find(opcode, **fields)
        size = bench.config.words
        start = size - 1 if words == "last" else size + words
        told = next(address for address in _addresses(opcode, {**values, field: start}, field)
                    if address >= size)
        bench.stops(bench.changed(index, **{field: start}), Cause.ADDRESS, unit, values["tag"],
                    told)


@pytest.mark.parametrize("name", GRAPHS)
def test_outside_the_table(name):
    bench = rig(name)
    index, values = bench.find(Opcode.LOAD, target=Target.TABLE)
    for first in (TABLE_ENTRIES - 2, TABLE_ENTRIES + 8):
        bench.stops(bench.changed(index, dst=first), Cause.ADDRESS, Unit.LOAD, values["tag"],
                    max(first, TABLE_ENTRIES))


def _header(bench, record, at, **fields):
    """The header of an item in a weight stream, changed."""
    word = int.from_bytes(bench.program.constants[at:at + record.bytes], "little")
    values = record.decode(word)
    return record.encode({**values, **{
        name: change(values[name]) if callable(change) else change
        for name, change in fields.items()}}).to_bytes(record.bytes, "little")


@pytest.mark.parametrize("wrong", [
    {"kind": 0}, {"kind": ItemKind.BLOCK}, {"entries": 0}, {"rows": lambda rows: rows + 1},
    {"rows": lambda rows: rows - 1}, {"rows": 0}], ids=lambda item: next(iter(item)))
@pytest.mark.parametrize("name", GRAPHS)
def test_bad_parameters_item(name, wrong):
    bench = rig(name)
    for last in (False, True):
        _, values = bench.find(Opcode.LOAD, last=last, target=Target.WEIGHTS)
        program = bench.patched(values["address"], _header(
            bench, PARAMETER_HEADER, values["address"], **wrong))
        tag = bench.find(Opcode.LOAD, target=Target.WEIGHTS, address=values["address"])[1]["tag"]
        bench.stops(program, Cause.WEIGHT_STREAM, Unit.LOAD, tag)


@pytest.mark.parametrize("wrong", [
    {"kind": 0}, {"kind": ItemKind.PARAMETERS}, {"kind": 3}, {"format": len(BlockFormat)},
    {"n": "M + 1"}, {"n": 255}, {"n": lambda n: n - 1}],
    ids=lambda item: next(iter(item)))
@pytest.mark.parametrize("name", GRAPHS)
def test_bad_block_item(name, wrong):
    bench = rig(name)
    config = bench.config
    if wrong == {"n": "M + 1"}:
        wrong = {"n": config.group + 1}
    _, values = bench.find(Opcode.LOAD, target=Target.WEIGHTS)
    at = values["address"] + parameter_item_beats(config) * config.group
    program = bench.patched(at, _header(bench, BLOCK_HEADER, at, **wrong))
    bench.stops(program, Cause.WEIGHT_STREAM, Unit.LOAD, values["tag"])


@pytest.mark.parametrize("name", GRAPHS)
def test_weights_that_never_come(name):
    """A LOAD of the weight stream is cut short: its MAC waits until the watchdog barks."""
    bench = rig(name)
    index, values = bench.find(Opcode.LOAD, last=True, target=Target.WEIGHTS)
    _, mac = bench.find(Opcode.MAC, last=True)
    program = bench.changed(index, run_bytes=values["run_bytes"] - bench.config.group)
    bench.stops(program, Cause.WATCHDOG, Unit.MAC, mac["tag"], 0, "semaphores waited for: ")


@pytest.mark.parametrize("name, count", quick(
    2, ("tiny", 20), ("base", 6), ("tiny", 60), ("base", 12)))
def test_random_corruption(name, count):
    """Bits of the constants flip: whatever that does, the driver gets the chip back."""
    bench = rig(name)
    rng = random.Random(name)
    for number in range(count):
        raw = bytearray(bench.program.constants)
        low, size = ((bench.step.offset, bench.step.bytes) if number % 3 else (0, len(raw)))
        flips = [(low + rng.randrange(size), rng.randrange(8)) for _ in range(rng.randint(1, 4))]
        print(f"{name} {number}: flips (byte, bit) {flips}")
        for at, bit in flips:
            raw[at] ^= 1 << bit
        program = bench.patched(0, bytes(raw))
        bench.device.load(program)
        try:
            bench.device.run(bench.inputs, timeout_cycles=5 * bench.cycles)
        except DeviceError as error:
            ends = ("the chip stopped: ", "no interrupt within ", "log record ")
            assert any(text in str(error) for text in ends), error
            assert "the soft reset did not end" not in str(error), error
        bench.works()
