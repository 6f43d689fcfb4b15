"""What the MAC unit costs in cycles."""

import random

import numpy as np
import pytest

from golden.spec.config import preset
from tb.lib.quick import quick
from tb.unit.mac.bench import conflicts, job, run

TINY = preset("tiny")
CONFIGS = {
    "tiny": TINY,
    "odd": TINY.replace(columns=5, lanes=8, drain=4, banks=8, weight_rows=64),
    "wide_drain": TINY.replace(columns=4, drain=4),
    "base": preset("base", bank_words=32),
}
SMALL = ("tiny", "odd", "wide_drain")  # `base` takes ten seconds a test


def layer(config, entries, n, *, tiles=4, blocks=2, stride=1):
    """Tiles in one row of pixels far from any padding, ``entries`` entries of ``n`` rows."""
    rows = np.ones((n, config.lanes), int), np.zeros((n, config.lanes), int)
    return job(config, [[(0, 0, 5 * e, *rows) for e in range(entries)]] * blocks,
               out_width=tiles * config.columns, out_height=1, in_base=0, in_row_step=1,
               iy0=0, ix0=0, stride_y=1, stride_x=stride, in_height=4095, in_width=4095)


def measure(name, tasks, pace=1):
    config = CONFIGS[name]
    image = np.zeros((config.words, config.group), np.int8)
    return run(config, image, tasks, random.Random(1), pace=pace)


def starts(config, record):
    """Cycles in which first vectors of tiles were taken."""
    return np.array(record.vector_cycles[::config.drain_cycles])


@pytest.mark.parametrize("name, pace", [
    *((name, pace) for name in SMALL for pace in (1, 2)), ("base", 1)])
def test_long_tiles_have_no_bubbles(name, pace):
    """Rows follow each other without a gap, over tiles, lane blocks and instructions.

    Between instructions the walker pauses for 2 cycles, which shows where tiles are so short that
    it is never ahead.
    """
    config = CONFIGS[name]
    n = config.group
    entries = -(-pace * config.drain_cycles // n)
    tasks = [layer(config, entries, n, tiles=3) for _ in range(2)]
    record = measure(name, tasks, pace)
    assert record.conflicts == 0
    each = 2 * 3 * entries * n
    assert len(record.row_cycles) == 2 * each
    gaps = np.diff(record.row_cycles) - 1
    assert gaps[each - 1] == (2 if entries * n <= config.columns else 0), record.row_cycles
    assert not np.delete(gaps, each - 1).any(), record.row_cycles


@pytest.mark.parametrize("name, pace, entries", [
    *((name, pace, entries) for name in SMALL for pace in (1, 2) for entries in (1, 3, 9)),
    ("base", 1, 3)])
def test_short_tiles_run_at_drain_rate(name, pace, entries):
    """As in depthwise convolutions: entries of one row; walking may pause between instructions."""
    config = CONFIGS[name]
    record = measure(name, [layer(config, entries, 1), layer(config, entries, 1)], pace)
    period = max(entries, pace * config.drain_cycles)
    steps = np.diff(starts(config, record))
    steps[len(steps) // 2] -= 2 if period == config.columns else 0
    assert np.all(steps[1:] == period), steps
    assert record.conflicts == 0


@pytest.mark.parametrize("name", quick(2, "tiny", "odd", "base"))
def test_conflicts(name):
    """At a stride of all banks a fetch takes a cycle a column; long entries hide that."""
    config = CONFIGS[name]
    for n in (1, config.group):
        entries = 2 * config.drain_cycles // n if n > 1 else 9
        task = layer(config, entries, n, stride=config.banks)
        record = measure(name, [task])
        assert record.conflicts == conflicts(config, task)
        assert record.conflicts == 2 * 4 * entries * (config.columns - 1)
        steps = np.diff(starts(config, record))[3:]
        period = entries * max(n, config.columns)
        assert np.all(steps == max(period, config.drain_cycles)), (n, steps)


@pytest.mark.parametrize("name", ["tiny", "base"])
def test_latency(name):
    """As the unit's docstring says."""
    config = CONFIGS[name]
    record = measure(name, [layer(config, 1, 2, tiles=1, blocks=1)])
    assert record.row_cycles == [config.columns + 13, config.columns + 14]
    assert record.vector_cycles[0] == record.row_cycles[-1] + 11


def test_wait_reasons():
    """A short tile waits for its drain, a conflicting one for words."""
    config = CONFIGS["tiny"]
    drained = measure("tiny", [layer(config, 1, 1, tiles=12)], pace=2)
    assert drained.waits["drain"] > 0.8 * drained.busy
    fetched = measure("tiny", [layer(config, 16, 1, stride=config.banks)])
    assert fetched.waits["words"] > 0.5 * fetched.busy
    assert fetched.waits["weights"] == 0
