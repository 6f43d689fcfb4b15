"""Predicted cycles of runs whose stalls can be counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from golden.drp.stream import ONE, Loop, Stream
from golden.drp.tile import Run
from golden.drp.timing import timing
from golden.spec.drp.fabric import fabric
from golden.spec.drp.streams import GATHER_CYCLES, PLACES, REQUESTS, Border, Format

BASE = fabric("base")  # 4 lanes, words of 16 bytes


def bytes_of(count, **fields):
    """Vectors of 4 neighbouring bytes, one after the other."""
    return Stream(base=0, row_step=64, column_step=1, height=9, width=64, format=Format.U8,
                  **{"lane_dx": ONE, "loops": (Loop(count, dx=4 * ONE),), **fields})


def every_step(count, *, streams=1, outputs=0):
    steps = list(range(count))
    return Run(count, tuple([steps] * streams), tuple([steps] * outputs))


def cycles(stream, count, **fields):
    return timing(BASE, every_step(count), [stream], [None], **fields)


def test_a_word_serves_four_vectors():
    found = cycles(bytes_of(16), 16)
    assert (found.cycles, found.words_read) == (17, 4)  # the first vector takes a cycle


@pytest.mark.parametrize(("fields", "each", "words"), [
    ({"lane_dx": 16 * ONE, "loops": (Loop(8),)}, 4, 32),  # four words a vector
    ({"x0": 14 * ONE, "loops": (Loop(8),)}, 2, 16),  # across a boundary
    ({"loops": (Loop(8),)}, 1, 1),  # the same word again and again
    ({"x0": 62 * ONE, "loops": (Loop(8),)}, 1, 1),  # replicated
    ({"x0": 64 * ONE, "border": Border.CONSTANT, "loops": (Loop(8),)}, 1, 0)])  # filled
def test_requests(fields, each, words):
    found = cycles(bytes_of(8, **fields), 8)
    assert (found.cycles, found.words_read) == (8 * each + 1, words)


def test_inputs_share_the_port():
    rows = [bytes_of(8, y0=row * ONE, loops=(Loop(8, dx=16 * ONE, dy=0),), lane_dx=ONE,
                     border=Border.CONSTANT) for row in range(4)]
    rows = [Stream(**{**vars(row), "loops": (Loop(4, dx=16 * ONE),)}) for row in rows]
    run = every_step(4, streams=4)
    found = timing(BASE, run, rows, [None])
    assert found.words_read == 16 and 16 <= found.cycles <= 18


def test_output_words_are_merged():
    run = every_step(16, streams=0, outputs=1)
    found = timing(BASE, run, [None], [bytes_of(16)])
    assert found.words_written == 4 and found.cycles in (17, 18)


def test_positions_are_known_when_pushed():
    """Four vectors of four words each, after GATHER_CYCLES: 16 requests, a vector when whole."""
    inputs = [None, None, None, bytes_of(4, indirect=True)]
    places = np.tile(np.arange(4, dtype=np.uint32) << np.uint32(16), (4, 1))  # a row a lane
    run = Run(8, ([], [], [], [4, 5, 6, 7]), ([], [0, 1, 2, 3]), places)
    found = timing(BASE, run, inputs, [None, None])
    assert (found.words_read, found.words_written) == (16, 0)
    # The first one's lanes are read one after the other.
    assert found.cycles == GATHER_CYCLES + 3 + 3 * 4 + 1
    late = Run(14, ([], [], [], [10, 11, 12, 13]), ([], [6, 7, 8, 9]), places)
    assert timing(BASE, late, inputs, [None, None]).cycles == found.cycles + 6
    one = Run(8, run.pops, run.pushes, places[:, :1])
    board = timing(replace(BASE, lanes=1, movers=()), one, inputs, [None, None])
    assert board.cycles == GATHER_CYCLES + 2 + 4


@pytest.mark.parametrize(("behind", "waits"), [
    (PLACES + REQUESTS - 2, 0), (GATHER_CYCLES, 0), (GATHER_CYCLES - 1, 1), (GATHER_CYCLES - 4, 4)])
def test_positions_under_way(behind, waits):
    """One a step, taken so many steps later: of so many steps the first one waits for what it
    takes; a step makes no room for its own position."""
    count = 50
    pops = [behind + step for step in range(count)]
    run = Run(pops[-1] + 1, ([], [], [], pops), ([], list(range(count))),
              np.zeros((count, BASE.lanes), np.uint32))
    picture = bytes_of(count, indirect=True, loops=(Loop(count),))
    found = timing(BASE, run, [None, None, None, picture], [None, None])
    assert found.cycles - run.steps == found.waits_in
    assert found.waits_in == waits * -(-count // behind)
    assert (found.waits_out, found.words_read) == (0, 1)
