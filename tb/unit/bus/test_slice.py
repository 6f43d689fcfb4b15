"""AXISlice: every channel keeps its items, in its own direction."""

import random

import pytest

from hw.bus.axi import AXI4, AXI4Lite
from hw.bus.slice import AXISlice
from tb.pysim import collect, drive, simulate


@pytest.mark.parametrize("bus", [AXI4(4), AXI4Lite()], ids=["AXI4", "AXI4Lite"])
@pytest.mark.parametrize("stall", [0, 0.4])
def test_channels(bus, stall):
    dut, count = AXISlice(bus), 60
    benches, sent = [], {}
    for index, name in enumerate(("ar", "aw", "w", "r", "b")):
        source, sink = ((dut.subordinate, dut.manager) if name in "rb"
                        else (dut.manager, dut.subordinate))
        source, sink = getattr(source, name), getattr(sink, name)
        rng = random.Random(index)
        sent[name] = [{field: rng.getrandbits(shape.width) for field, shape
                       in ((field, source.payload.shape()[field]) for field, _
                           in source.payload.shape())} for _ in range(count)]

        def feed(ctx, source=source, items=sent[name], rng=rng):
            return drive(ctx, source, items, rng=rng, stall=stall)

        def take(ctx, sink=sink, index=index):
            return collect(ctx, sink, count, rng=random.Random(index + 9), stall=stall)

        benches += [feed, take]
    # Nothing but its own latency stands between the items of a channel.
    got = simulate(dut, *benches, cycles=400 if stall else count + 3)[1::2]
    for (name, items), found in zip(sent.items(), got, strict=True):
        assert [{field: item[field] for field in items[0]} for item in found] == items, name
