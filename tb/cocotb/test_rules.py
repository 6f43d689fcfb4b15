"""Every rule is silent while it is kept and speaks up once it is broken."""

from types import SimpleNamespace

import pytest

from tb.cocotb.rules import AxiRules, BurstLimits, StreamRule

LIMITS = BurstLimits(beat_bytes=4, burst_beats=4, in_flight=2)
NAMES = ("ar", "r", "aw", "w", "b")


@pytest.mark.parametrize("cycles", [
    [(0, 1, 0), (1, 1, 5), (1, 1, 6), (0, 0, 6)],
    [(1, 0, 5), (1, 0, 5), (1, 1, 5), (1, 0, 7), (1, 1, 7)],
])
def test_stream(cycles):
    rule = StreamRule("s")
    assert [rule.see(*cycle) for cycle in cycles] == [bool(v and r) for v, r, _ in cycles]


@pytest.mark.parametrize("cycles, text", [
    ([(1, 0, 5), (0, 0, 5)], "s: valid dropped before ready"),
    ([(1, 0, 5), (0, 1, 5)], "s: valid dropped before ready"),
    ([(1, 0, 5), (1, 0, 6)], "s: payload changed from 0x5 to 0x6"),
    ([(1, 1, 5), (1, 0, 4), (1, 1, 6)], "s: payload changed from 0x4 to 0x6"),
])
def test_stream_broken(cycles, text):
    rule = StreamRule("s")
    with pytest.raises(AssertionError, match=text):
        for cycle in cycles:
            rule.see(*cycle)


def play(cycles, limits=LIMITS):
    """Cycles of {channel: fields}; a channel's name with a "?" means offered, not taken."""
    channels = {name: SimpleNamespace(name=f"x.{name}") for name in NAMES}
    rules = AxiRules(channels, limits)
    for cycle in cycles:
        for name, channel in channels.items():
            channel.moved = name in cycle
            channel.valid = channel.moved or f"{name}?" in cycle
            channel.fields = cycle.get(name, {})
        rules.step()


def ask(channel, beats=1, address=0):
    return {channel: {"addr": address, "len": beats - 1}}


def beat(channel, last):
    return {channel: {"last": last}}


ANSWER = {"b": {"resp": 0}}


@pytest.mark.parametrize("cycles", [
    [ask("ar", 2), ask("ar", 1, 4092) | beat("r", 0), beat("r", 1), beat("r", 1) | ask("ar", 4)],
    [ask("aw", 2), beat("w", 0), beat("w", 1), ANSWER],
    [beat("w", 0), beat("w", 1), ask("aw", 2), ANSWER],  # data before its address
    [beat("w", 1), beat("w", 0), ask("aw", 1), ask("aw", 2), ANSWER, beat("w", 1), ANSWER],
    [ask("aw") | beat("w", 1), ask("aw") | ANSWER, ask("aw") | beat("w", 1), ANSWER],
    [ask("ar", 4, 4096 - 16), ask("ar", 4, 4096)],
])
def test_axi(cycles):
    play(cycles)


@pytest.mark.parametrize("cycles, text", [
    ([ask("ar", 2), beat("r", 1)], "x.r: last is 1 with 1 beats"),
    ([ask("ar", 1), beat("r", 0)], "x.r: last is 0 with 0 beats"),
    ([beat("r", 1)], "x.r: answers what nobody asked"),
    ([{"r?": {}}], "x.r: answers what nobody asked"),
    ([ask("ar") | {"r?": {}}], "x.r: answers what nobody asked"),  # asked in this very cycle
    ([ask("ar"), beat("r", 1), {"r?": {}}], "x.r: answers what nobody asked"),
    ([ask("ar"), ask("ar"), ask("ar")], "x.ar: more than 2 bursts in flight"),
    ([ask("ar", 2, 4092)], "x.ar: burst of 2 beats at 0xffc crosses 4096 bytes"),
    ([ask("ar", 5)], "x.ar: burst of 5 beats at 0x0 is longer than 4"),
    ([ask("ar", 1, 6)], "x.ar: burst of 1 beats at 0x6 is not beat aligned"),
    ([ask("aw", 2, 4092)], "x.aw: burst of 2 beats at 0xffc crosses 4096 bytes"),
    ([ask("aw", 5)], "x.aw: burst of 5 beats at 0x0 is longer than 4"),
    ([ask("aw"), beat("w", 1), ask("aw"), ask("aw")], "x.aw: more than 2 bursts in flight"),
    ([ask("aw", 2), beat("w", 1)], "x.w: last is 1 with 1 beats"),
    ([ask("aw", 2), beat("w", 0), beat("w", 0)], "x.w: last is 0 with 0 beats"),
    ([beat("w", 0), beat("w", 0), ask("aw", 2)], "x.w: last is 0 with 0 beats"),
    ([ANSWER], "x.b: answers what nobody asked"),
    ([ask("aw", 2), beat("w", 0), {"b?": {}}], "x.b: answers"),
    ([beat("w", 1), {"b?": {}}], "x.b: answers"),
    ([ask("aw"), beat("w", 1) | {"b?": {}}], "x.b: answers"),
    ([ask("aw"), beat("w", 1), ANSWER, ANSWER], "x.b: answers"),
])
def test_axi_broken(cycles, text):
    with pytest.raises(AssertionError, match=text):
        play(cycles)


def test_lite():
    """Bursts of one beat, without their fields, and any number of them."""
    address, data = {"addr": 4}, {"data": 1}
    play([{"ar": address, "aw": address, "w": data}] * 5 + [{"r": data} | ANSWER] * 5, None)
    for cycles, text in (([{"ar": address}, {"r": data}, {"r": data}], "x.r: answers"),
                         ([{"aw": address}, ANSWER], "x.b: answers")):
        with pytest.raises(AssertionError, match=text):
            play(cycles, None)
