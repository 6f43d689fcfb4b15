"""Parts as data: times to cycles, the slowest of several, what is refused."""

import dataclasses

import pytest

from hw.sdram.interface import Command, Geometry, SdramPins
from hw.sdram.timing import PARTS, SdramTiming, slowest

PART = PARTS["IS42S16160B-7"]


@pytest.mark.parametrize("mhz, cas, expected", [
    (100, 2, {"rcd": 2, "rp": 2, "ras": 5, "rc": 7, "rfc": 7, "rrd": 2, "wr": 2, "interval": 781}),
    (142, 3, {"rcd": 3, "rp": 3, "ras": 7, "rc": 10, "rrd": 2, "wr": 2, "interval": 1109}),
    (50, 2, {"rcd": 1, "rp": 1, "ras": 3, "rc": 4, "rfc": 4, "rrd": 1, "wr": 1, "mrd": 2,
             "interval": 390}),
])
def test_cycles(mhz, cas, expected):
    cycles = PART.cycles(mhz)
    assert cycles.cas == cas
    assert {name: getattr(cycles, name) for name in expected} == expected
    assert cycles.power_up * cycles.interval >= PART.power_up * mhz / 1000


@pytest.mark.parametrize("mhz", [25, 33.3, 66.667, 75, 99.9, 100, 125, 142.8])
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_never_too_short(part, mhz):
    mhz = min(mhz, 1000 / part.cas3)
    cycles, period = part.cycles(mhz), 1000 / mhz
    for name in ("rcd", "rp", "ras", "rc", "rfc", "rrd", "wr", "mrd"):
        count, fewest = getattr(cycles, name), getattr(part, f"{name}_cycles", 1)
        least = max(getattr(part, name), fewest * period)
        assert count * period >= least - 1e-6 and (count - 1) * period < least
    assert cycles.interval * period <= part.interval
    assert period >= (part.cas2, part.cas3)[cycles.cas - 2] - 1e-3


def test_every_part_has_32_MiB_or_more():
    assert all(part.size >= 32 << 20 for part in PARTS.values())
    assert PARTS["any-32MiB-7"].size == 32 << 20


@pytest.mark.parametrize("mhz", [50, 70, 75, 100, 133])
@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_any_is_slow_enough_for_all(part, mhz):
    """Each count of cycles is at least that of the part, whatever rounding does."""
    some = PARTS["any-32MiB-7"].cycles(mhz)
    own = part.cycles(mhz, cas=some.cas)
    assert some.interval <= own.interval
    for name in ("rcd", "rp", "ras", "rc", "rfc", "rrd", "wr", "mrd"):
        assert getattr(some, name) >= getattr(own, name), name


def test_times_that_makers_give_in_cycles():
    assert PARTS["W9825G6KH-6"].cycles(50) == dataclasses.replace(
        PARTS["IS42S16160G-7"].cycles(50), rrd=2, wr=2, ras=3, cas=2)


def test_slowest():
    fast = dataclasses.replace(PARTS["IS42S16160G-7"], refresh_ms=32)
    wide = PARTS["AS4C32M16SB-7"]
    both = slowest("both", fast, wide)
    assert both == dataclasses.replace(wide, name="both", columns=512, refresh_ms=32)


@pytest.mark.parametrize("change, text", [
    ({"rows": 5000}, "rows is 5000"), ({"rows": 1024}, "rows is 1024"),
    ({"banks": 8}, "banks is 8"), ({"columns": 2048}, "columns is 2048"),
    ({"rcd": 0}, "rcd is 0"), ({"refresh_ms": -1}, "refresh_ms is -1")])
def test_refused(change, text):
    with pytest.raises(ValueError, match=text):
        dataclasses.replace(PART, **change)


@pytest.mark.parametrize("mhz, cas, text", [
    (143.5, None, "mhz is 143.5"), (101, 2, "mhz is 101"), (0, None, "mhz is 0"),
    (50, 1, "cas is 1")])
def test_refused_clock(mhz, cas, text):
    with pytest.raises(ValueError, match=text):
        PART.cycles(mhz, cas=cas)


@pytest.mark.parametrize("beat_bytes, words, burst, commands", [
    (4, 2, 2, 1), (8, 4, 4, 1), (16, 8, 8, 1), (32, 16, 8, 2)])
def test_geometry(beat_bytes, words, burst, commands):
    geometry = Geometry(PART, beat_bytes)
    assert (geometry.words, geometry.burst, geometry.commands) == (words, burst, commands)
    assert (geometry.row_pins, geometry.bank_pins, geometry.column_bits) == (13, 2, 9)
    assert 1 << geometry.column_beats == 1024 // beat_bytes


def test_geometry_refused():
    with pytest.raises(ValueError, match="beat_bytes is 64"):
        Geometry(PART, 64)


def test_pins():
    assert SdramPins(PART) == SdramPins(PART) != SdramPins(PARTS["IS42S16160G-7"])
    pins = SdramPins(PART).create()
    assert (len(pins.a), len(pins.ba), len(pins.dqm), len(pins.dq_o)) == (13, 2, 2, 16)
    assert pins.cs_n.init == 1 and pins.dqm.init == 3 and pins.cke.init == 0
    assert isinstance(PART, SdramTiming) and Command.NOP == 7
