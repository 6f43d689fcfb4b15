"""The whole MAC unit against a model, with random instructions and stalls."""

import random

import numpy as np
import pytest

from golden.spec.config import preset
from golden.spec.isa import ArrayMode, PostMode
from tb.lib.quick import quick
from tb.unit.mac.bench import conflicts, expected, job, run

TINY = preset("tiny")
CONFIGS = {
    "tiny": TINY,
    "odd": TINY.replace(columns=5, lanes=8, drain=4, banks=8, weight_rows=64),
    "one": TINY.replace(columns=1, drain=4, banks=1, lut_columns=0),
    "twelve": TINY.replace(columns=12, drain=1, banks=2, lut_columns=12),
    "base": preset("base", bank_words=32),
}


def image_of(config, rng):
    """Random scratchpad contents, (words, M) int8."""
    return rng.integers(-128, 128, (config.words, config.group)).astype(np.int8)


def random_entries(config, rng, mode):
    """One lane block's entries, with up to M rows each; some without any."""
    entries = []
    for _ in range(rng.integers(1, 7)):
        n = rng.choice([0, 1, 1, 2, config.group, rng.integers(1, config.group + 1)])
        if mode == ArrayMode.MAX:
            n = 1
        shape = (n, config.lanes)
        values = rng.integers(-128, 128, shape) if mode == ArrayMode.SUM else np.ones(shape, int)
        far = rng.random() < 0.05
        entries.append((int(255 if far else rng.integers(0, 4)), int(rng.integers(0, 4)),
                        int(rng.integers(0, config.words)), values,
                        rng.integers(0, config.group, shape)))
    none = (0, 0, 0, np.zeros((0, config.lanes), int), np.zeros((0, config.lanes), int))
    if mode == ArrayMode.MAX:
        return [*entries, none]
    return [none] if rng.random() < 0.15 else entries


def random_job(config, rng, size):
    mode = rng.choice([ArrayMode.SUM, ArrayMode.SUM, ArrayMode.MAX])
    return job(
        config, [random_entries(config, rng, mode) for _ in range(rng.integers(1, 4))],
        array_mode=int(mode), tag=int(rng.integers(0, 1000)), keep=int(rng.integers(0, 2)),
        out_width=int(rng.integers(1, size)), out_height=int(rng.integers(1, size)),
        in_base=int(rng.integers(0, 1 << 16)), in_row_step=int(rng.integers(0, 1 << 16)),
        iy0=int(rng.choice([-4096, 4090, *range(-4, 2)])), ix0=int(rng.integers(-4, 2)),
        stride_y=int(rng.integers(1, 4)), stride_x=int(rng.choice([0, 1, 1, 2, 3, 63])),
        in_height=int(rng.choice([4095, *range(2, 12)])), in_width=int(rng.integers(2, 12)),
        pad_value=int(rng.integers(-128, 128)), zero=-7, add_multiplier=12345)


def check(config, image, tasks, record, note):
    """Every accumulator of a real pixel, the commands and the counters."""
    tiles = [(task, tile) for task in tasks for tile in expected(config, image, task)]
    got = np.array(record.vectors).reshape(len(tiles), config.columns, config.lanes)
    for number, (_, tile) in enumerate(tiles):
        np.testing.assert_array_equal(got[number, :len(tile)], tile, f"{note}, tile {number}")
    assert [(c.blocks, c.tiles, c.keep) for c in record.commands] == [
        (t.fields["blocks"], t.fields["tiles"], t.fields["keep"]) for t in tasks], note
    assert [(p.tag, p.zero, p.add_multiplier, p.out_width) for p in record.post] == [
        (t.fields["tag"], t.fields["zero"], t.fields["add_multiplier"], t.fields["out_width"])
        for t in tasks], note
    assert record.conflicts == sum(conflicts(config, task) for task in tasks), note
    assert record.row_columns == sum(
        t.fields["out_width"] * t.fields["out_height"] * sum(len(e[3]) for e in block)
        for t in tasks for block in t.blocks), note


RANDOM = [("tiny", 0, 0.0), ("tiny", 1, 0.4), ("tiny", 2, 0.4), ("odd", 0, 0.4), ("odd", 1, 0.0),
          ("one", 0, 0.4), ("twelve", 0, 0.4)]
MORE = [("tiny", 0, 0.4), ("tiny", 1, 0.0), ("tiny", 2, 0.0), ("tiny", 3, 0.0), ("tiny", 3, 0.4),
        ("odd", 0, 0.0), ("odd", 1, 0.4), ("one", 0, 0.0), ("one", 1, 0.0), ("one", 1, 0.4),
        ("twelve", 0, 0.0), ("base", 0, 0.0), ("base", 0, 0.4)]


@pytest.mark.parametrize("name, seed, stall", quick(len(RANDOM), *RANDOM, *MORE))
def test_random(name, seed, stall):
    config, rng = CONFIGS[name], np.random.default_rng(seed)
    image = image_of(config, rng)
    tasks = [random_job(config, rng, 3 if name == "base" else 7)
             for _ in range(2 if name == "base" else 4)]
    record = run(config, image, tasks, random.Random(seed), pace=1 + seed % 2, stall=stall,
                 tile_stall=stall and 0.9 * (seed % 3) / 2)
    check(config, image, tasks, record, f"{name}, seed {seed}, stall {stall}")


@pytest.mark.parametrize("name", ["tiny", "odd", "one"])
@pytest.mark.parametrize("pause", quick(1, 0.95, 0.8))
def test_slow_drain(name, pause):
    """Tiles of one row, taken slowly, with pauses anywhere: no accumulator is overwritten."""
    config, rng = CONFIGS[name], np.random.default_rng(9)
    shape = (1, config.lanes)
    entries = [(0, 0, 0, rng.integers(-128, 128, shape), rng.integers(0, config.group, shape))]
    task = job(config, [entries], out_width=12 * config.columns, out_height=1, in_base=0,
               in_row_step=1, iy0=0, ix0=0, stride_y=1, stride_x=1, in_height=1, in_width=4095)
    image = image_of(config, rng)
    record = run(config, image, [task], random.Random(9), tile_stall=pause, pause=pause)
    check(config, image, [task], record, f"{name}, pause {pause}")


@pytest.mark.parametrize("columns", [8, 12, 16])
def test_skew(columns):
    """Entries of one row after long ones: words wait in every slot, and are replaced at once."""
    config = TINY.replace(columns=columns, drain=4, banks=16, bank_words=32)
    rng = np.random.default_rng(columns)

    def entry(n):
        shape = (n, config.lanes)
        return (0, 0, int(rng.integers(0, config.words)), rng.integers(-128, 128, shape),
                rng.integers(0, config.group, shape))

    entries = [entry(config.group) for _ in range(16)] + [entry(1) for _ in range(80)]
    task = job(config, [entries], out_width=2 * columns, out_height=1, in_base=7, in_row_step=1,
               iy0=0, ix0=0, stride_y=1, stride_x=1, in_height=1, in_width=4095)
    image = image_of(config, rng)
    record = run(config, image, [task], random.Random(columns))
    check(config, image, [task], record, f"{columns} columns")
    assert np.all(np.diff(record.row_cycles) == 1)


@pytest.mark.parametrize("name", ["tiny", "odd"])
def test_max_of_negative(name):
    """MAX begins with the first row, not with 0."""
    config, rng = CONFIGS[name], np.random.default_rng(5)
    image = rng.integers(-128, -100, (config.words, config.group)).astype(np.int8)
    rows = np.ones((1, config.lanes), int)
    lanes = np.arange(config.lanes).reshape(1, -1) % config.group
    entries = [(0, dx, dx, rows, lanes) for dx in range(3)] + [(0, 0, 0, rows[:0], lanes[:0])]
    task = job(config, [entries] * 2, array_mode=int(ArrayMode.MAX), out_width=7, out_height=2,
               in_base=3, in_row_step=1, iy0=0, ix0=0, stride_y=1, stride_x=1, in_height=9,
               in_width=9, pad_value=-128, post_mode=int(PostMode.TABLE))
    record = run(config, image, [task], random.Random(5))
    check(config, image, [task], record, name)
