"""LOAD, STORE and LOG of the machine."""

import numpy as np
import pytest

from golden.machine import MachineError, UndefinedError
from golden.spec.config import preset
from golden.spec.isa import Opcode, Target
from golden.spec.layout import LOG_BYTES
from golden.spec.registers import COUNTERS, Cause
from tb.golden.machine_rig import Rig

CONFIGS = [preset("tiny"), preset("base")]


def planar(array, m, fill):
    """[h, w, c] as words [groups x h x w, m], by loops."""
    h, w, c = array.shape
    groups = -(-c // m)
    words = np.full((groups * h * w, m), fill, np.int8)
    for y in range(h):
        for x in range(w):
            for channel in range(c):
                group, lane = divmod(channel, m)
                words[(group * h + y) * w + x, lane] = array[y, x, channel]
    return words


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
@pytest.mark.parametrize("seed", range(6))
def test_tensor_in_and_out(config, seed):
    rng = np.random.default_rng(seed)
    h, w = rng.integers(1, 7, 2)
    c = int(rng.integers(1, 3 * config.group))
    if h * w * -(-c // config.group) > config.words - 9:
        c = config.group
    array = rng.integers(-128, 128, (h, w, c)).astype(np.int8)
    rig = Rig(config)
    rig.load_nhwc(array, dst=9, fill=0x77)
    at = rig.store_nhwc(9, h, w, c)
    counters = rig.run()
    want = planar(array, config.group, 0x77)
    got = rig.machine.chip.words[9:9 + len(want)].view(np.int8)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(rig.read(at, h, w, c), array)
    assert rig.machine.dram.data[at + array.size] == 0xA5  # nothing beyond
    assert counters["beats_written"] == -(-array.size // config.group)
    assert counters["instructions"] == 4


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.name)
@pytest.mark.parametrize("seed", range(6))
def test_thin_gather(config, seed):
    """A kernel row's bytes of every output pixel in a word, fill beyond the row's ends."""
    rng = np.random.default_rng(seed)
    c, stride, pad = (1, 2, 1) if config.group == 4 else (3, int(rng.integers(1, 3)), 1)
    kw = 3
    h, w = 5, int(rng.integers(4, 9))
    ow = (w + 2 * pad - kw) // stride + 1
    image = rng.integers(-128, 128, (h, w, c)).astype(np.int8)
    rig = Rig(config)
    rig.then(Opcode.LOAD, target=Target.SCRATCHPAD, address=rig.put(image),
             run_bytes=image.size, runs=1, first=-pad * c, count0=1, count1=ow, step1=stride * c,
             count2=h, step2=w * c, row_bytes=w * c, tail=kw * c, fill=0xEE, dst=3,
             dst_step1=1, dst_step2=ow)
    rig.run()
    for y in range(h):
        for x in range(ow):
            want = np.full(config.group, 0xEE, np.uint8).view(np.int8)
            for byte in range(kw * c):
                at = x * stride * c + byte - pad * c
                if 0 <= at < w * c:
                    want[byte] = image.reshape(h, -1)[y, at]
            got = rig.machine.chip.words[3 + y * ow + x].view(np.int8)
            np.testing.assert_array_equal(got, want, f"seed {seed}, pixel {y}, {x}")


def test_runs_and_steps():
    """Every field of a LOAD and of a STORE against a loop over all four dimensions."""
    config = preset("tiny")
    data = np.arange(4096, dtype=np.uint32).view(np.uint8)[:4096]
    fields = dict(run_bytes=150, runs=3, run_stride=211, first=-2, count0=2, step0=5, count1=3,
                  step1=11, count2=4, step2=37, row_bytes=33, tail=3, fill=9, dst=7,
                  dst_step0=60, dst_step1=0x10000 - 1, dst_step2=3, dst_run_step=15)
    rig = Rig(config)
    at = rig.put(data) + 13
    words = np.zeros((config.words, 4), np.uint8)
    for run in range(3):
        for i2 in range(4):
            for i1 in range(3):
                for i0 in range(2):
                    for j in range(4):
                        row = -2 + i0 * 5 + i1 * 11 + j
                        there = 0 <= row < 33 and not (i0 == 1 and j >= 3)
                        byte = rig.machine.dram.data[at + run * 211 + i2 * 37 + row]
                        words[7 + i0 * 60 - i1 + i2 * 3 + run * 15, j] = byte if there else 9
    rig.then(Opcode.LOAD, target=Target.SCRATCHPAD, address=at, **fields)
    size = (4 + 1) * 3 * 2
    out = rig.room(200)
    rig.then(Opcode.STORE, address=out + 3, run_bytes=size, runs=2, run_stride=81, count0=2,
             count1=3, count2=2, tail=1, src=10, src_step0=2, src_step1=5, src_step2=17,
             src_run_step=40)
    rig.run()
    np.testing.assert_array_equal(rig.machine.chip.words, words)
    want = np.full(200, 0xA5, np.uint8)
    for run in range(2):
        where = 3 + run * 81
        for i2 in range(2):
            for i1 in range(3):
                for i0, kept in ((0, 4), (1, 1)):
                    word = words[10 + i0 * 2 + i1 * 5 + i2 * 17 + run * 40]
                    want[where:where + kept] = word[:kept]
                    where += kept
    np.testing.assert_array_equal(rig.machine.dram.data[out:out + 200], want)


def test_table():
    rig = Rig(preset("base"))
    table = np.random.default_rng(0).integers(-1 << 31, 1 << 31, 512)
    rig.load_table(table)
    rig.run()
    np.testing.assert_array_equal(rig.machine.chip.table, table)


def test_log():
    rig = Rig(preset("tiny"))
    first, second = rig.room(LOG_BYTES), rig.room(LOG_BYTES)
    rig.then(Opcode.LOG, address=first, tag=0x1234)
    rig.load_words(np.zeros((8, 4), np.int8), 0)
    rig.then(Opcode.LOG, address=second, tag=5)
    rig.run()
    records = [rig.machine.dram.data[at:at + LOG_BYTES].view("<u4") for at in (first, second)]
    assert [record[0] for record in records] == [0x1234, 5]
    names = [item.name for item in COUNTERS]
    values = [dict(zip(names, record[1:].tolist(), strict=True)) for record in records]
    assert 0 < values[0]["cycles"] < values[1]["cycles"] < rig.machine.counters["cycles"]
    assert values[1]["beats_read"] > values[0]["beats_read"] + 8
    assert values[1]["beats_written"] == LOG_BYTES // 4


@pytest.mark.parametrize("change, cause", [
    (dict(region=1), Cause.REGION),
    (dict(region=9), Cause.REGION),
    (dict(address=(1 << 20) - 8), Cause.REGION),
    (dict(address=1 << 20, region=2), Cause.READ_DECODE_ERROR),
    (dict(dst=509), Cause.ADDRESS),
    (dict(target=Target.TABLE, dst=511), Cause.ADDRESS),
    (dict(target=Target.WEIGHTS), Cause.WEIGHT_STREAM),
])
def test_load_errors(change, cause):
    rig = Rig(preset("tiny"))
    rig.machine.dram.regions[2] = (0, 1 << 30)
    fields = dict(target=Target.SCRATCHPAD, address=0, run_bytes=16, runs=1, count0=1, count1=4,
                  step1=4, count2=1, row_bytes=16, tail=4, dst=0, dst_step1=1, tag=77)
    rig.put(np.zeros(64, np.uint8))
    rig.add(Opcode.LOAD, **fields | change)
    with pytest.raises(MachineError) as caught:
        rig.run()
    assert (caught.value.cause, caught.value.tag) == (cause, 77)


@pytest.mark.parametrize("change, text", [
    (dict(run_bytes=15), "past the run"),
    (dict(runs=0), "runs is 0"),
    (dict(tail=0), "tail is 0"),
    (dict(first=-4), "first is -4"),
    (dict(count0=2, step0=9), "backwards"),
    (dict(target=3), "target DRP, and the chip has none"), (dict(target=4), "target 4"),
    (dict(target=Target.WEIGHTS, address=2), "address is 2"),
])
def test_load_undefined(change, text):
    rig = Rig(preset("tiny"))
    rig.put(np.zeros(64, np.uint8))
    rig.add(Opcode.LOAD, **dict(target=Target.SCRATCHPAD, address=0, run_bytes=16, runs=1,
                                count0=1, count1=4, step1=4, count2=1, row_bytes=16, tail=4,
                                dst=0, dst_step1=1) | change)
    with pytest.raises(UndefinedError, match=text):
        rig.run()
