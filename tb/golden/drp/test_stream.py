"""Streams against a slow statement of their positions, on random descriptors."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.drp.errors import TileError
from golden.drp.stream import ONE, Loop, Stream, TapAt
from golden.spec.drp.controller import Cause
from golden.spec.drp.streams import ELEMENT_BYTES, Border, Format, Tap

MEMORY = np.random.default_rng(5).integers(0, 256, 4096, np.uint8)


def element(stream, address):
    size = ELEMENT_BYTES[stream.format]
    raw = bytes(MEMORY[address:address + size])
    if stream.format in (Format.I8X2, Format.U8X2):
        parts = [int.from_bytes(raw[n:n + 1], "little", signed=stream.format is Format.I8X2)
                 for n in (0, 1)]
        return (parts[0] & 0xFFFF) | (parts[1] & 0xFFFF) << 16
    return int.from_bytes(raw, "little", signed=stream.format in (Format.I8, Format.I16)) & (
        2**32 - 1)


def slow(stream, lanes):
    """As golden.spec.drp.streams says, one by one."""
    for index in itertools.product(*(range(loop.count) for loop in reversed(stream.loops))):
        index = index[::-1]
        for tap in stream.taps:
            vector = []
            for lane in range(lanes):
                def total(start, name, lane=lane, index=index):
                    moves = sum(i * getattr(loop, name)
                                for i, loop in zip(index, stream.loops, strict=True))
                    return start + moves + lane * getattr(stream, f"lane_{name}")

                y = total(stream.y0, "dy") + tap.dy * ONE
                x = total(stream.x0, "dx") + tap.dx * ONE
                row, column = math.floor(y / ONE), math.floor(x / ONE)
                inside = 0 <= row < stream.height and 0 <= column < stream.width
                value = {Tap.FRACTION_Y: y % ONE, Tap.FRACTION_X: x % ONE,
                         Tap.ROW: row & 0xFFFFFFFF, Tap.COLUMN: column & 0xFFFFFFFF}.get(tap.what)
                if value is None and stream.border is Border.CONSTANT and not inside:
                    value = stream.fill
                if value is None:
                    row = min(max(row, 0), stream.height - 1)
                    column = min(max(column, 0), stream.width - 1)
                    value = element(stream, stream.base + total(0, "dbase") + tap.dbase
                                    + row * stream.row_step + column * stream.column_step)
                vector.append(value)
            yield vector


MOVE = st.integers(-3 * ONE, 3 * ONE)


@st.composite
def streams(draw):
    form = draw(st.sampled_from(list(Format)))
    size = ELEMENT_BYTES[form]
    steps = st.integers(-6, 6).map(lambda n: n * size)
    loops = st.builds(Loop, st.integers(1, 4), MOVE, MOVE, steps)
    taps = st.builds(TapAt, st.sampled_from(list(Tap)), st.integers(-3, 3), st.integers(-3, 3),
                     steps)
    return Stream(base=2048, row_step=draw(st.integers(0, 40)) * size, column_step=size,
                  height=draw(st.integers(1, 8)), width=draw(st.integers(1, 9)), format=form,
                  y0=draw(MOVE), x0=draw(MOVE), lane_dy=draw(MOVE), lane_dx=draw(MOVE),
                  lane_dbase=draw(steps), border=draw(st.sampled_from(list(Border))),
                  fill=draw(st.integers(0, 2**32 - 1)),
                  loops=tuple(draw(st.lists(loops, max_size=4))),
                  taps=tuple(draw(st.lists(taps, min_size=1, max_size=4))))


@settings(deadline=None)
@given(stream=streams(), lanes=st.sampled_from([1, 2, 4]))
def test_reads(stream, lanes):
    assert stream.read(MEMORY, lanes).tolist() == list(slow(stream, lanes))


@given(stream=streams())
def test_descriptors_encode(stream):
    again = Stream.decode(stream.encode())
    assert again.loops[:len(stream.loops)] == stream.loops and again.taps == stream.taps
    assert all(loop == Loop() for loop in again.loops[len(stream.loops):])
    assert (again.base, again.fill, again.format, again.y0) == (
        stream.base, stream.fill, stream.format, stream.y0)


@pytest.mark.parametrize(("form", "value", "kept", "limited"), [
    (Format.I8, 300, [44], [127]), (Format.U8, 2**32 - 5, [251], [0]),
    (Format.I16, 40000, [0x40, 0x9C], [0xFF, 0x7F]), (Format.U16, 70000, [0x70, 0x11], [255, 255]),
    (Format.W32, 0x80000001, [1, 0, 0, 0x80], [1, 0, 0, 0x80]),
    (Format.I8X2, 0x0100FF00, [0, 0], [0x80, 0x7F]),
    (Format.U8X2, 0xFFFF0105, [5, 255], [255, 0])])
@pytest.mark.parametrize("saturate", [False, True])
def test_narrowing(form, value, kept, limited, saturate):
    memory = np.full(16, 0xAA, np.uint8)
    stream = Stream(base=4, row_step=0, column_step=ELEMENT_BYTES[form], height=1, width=1,
                    format=form, saturate=saturate)
    stream.write(memory, np.array([[value]], np.uint32))
    wanted = limited if saturate else kept
    assert memory[4:4 + len(wanted)].tolist() == wanted
    assert (np.delete(memory, range(4, 4 + len(wanted))) == 0xAA).all()


def test_writes_outside_are_dropped():
    memory = np.zeros(16, np.uint8)
    stream = Stream(base=4, row_step=0, column_step=1, height=1, width=3, format=Format.U8,
                    x0=-2 * ONE, lane_dx=ONE, loops=(Loop(4, dx=2 * ONE),))
    stream.write(memory, np.arange(1, 9, dtype=np.uint32).reshape(4, 2))
    assert memory.tolist() == [0] * 4 + [3, 4, 5] + [0] * 9


@pytest.mark.parametrize(("base", "form"), [(4096, Format.U8), (4094, Format.W32),
                                            (2, Format.W32), (1, Format.I16)])
def test_past_memory_and_unaligned(base, form):
    stream = Stream(base=base, row_step=0, column_step=4, height=1, width=1, format=form)
    for act in (lambda: stream.read(MEMORY, 1),
                lambda: stream.write(MEMORY.copy(), np.zeros((1, 1), np.uint32))):
        with pytest.raises(TileError, match="byte") as caught:
            act()
        assert caught.value.cause is Cause.ADDRESS


def test_too_many_loops_and_taps():
    with pytest.raises(ValueError, match="5 loops"):
        Stream(base=0, row_step=0, column_step=1, height=1, width=1, format=Format.U8,
               loops=(Loop(),) * 5).encode()
