"""Parts of the machine's timing by themselves; tb/e2e/test_timing.py holds the whole to the RTL."""

import random

import pytest

from golden.machine.account import Account
from golden.machine.bus import Bus
from golden.machine.kernel import Kernel, Signal
from golden.machine.ring import Ring
from golden.machine.shared_port import SharedPort
from golden.machine.splitter import Splitter
from golden.spec.config import preset
from golden.spec.registers import COUNTERS, DRP_COUNTERS


def cycle_by_cycle(config, reads, writes):
    """Cycles of beats, stepped as sw/engines/rtl/axi_memory.h does: reads' and writes'.

    ``reads`` and ``writes`` are (cycle of the address or of the first beat's offer, beats).
    """
    beat, rate = config.group, config.dram_bytes
    tokens = most = rate + beat - 1
    latency = max(config.dram_latency, 1)
    queues = ([[at + latency, beats] for at, beats in reads], [list(item) for item in writes])
    times, write_next, cycle = ([], []), False, 0
    while queues[0] or queues[1]:
        tokens = min(tokens + rate, most)
        goes = [bool(queue) and queue[0][0] <= cycle and tokens >= beat for queue in queues]
        if all(goes) and tokens < 2 * beat:
            goes[not write_next] = False
            write_next = not write_next
        for queue, moved, go in zip(queues, times, goes, strict=True):
            if go:
                tokens -= beat
                moved.append(cycle)
                queue[0][1] -= 1
                if not queue[0][1]:
                    queue.pop(0)
        cycle += 1
    return times


@pytest.mark.parametrize("seed", range(60))
def test_bus(seed):
    rng = random.Random(seed)
    config = preset("base", dram_bytes=rng.choice((1, 3, 7, 16, 20, 31, 32, 64)),
                    dram_latency=rng.choice((0, 1, 5, 60)))
    reads, writes = ([(at, rng.randint(1, 20)) for at in sorted(
        rng.sample(range(10, 700), rng.randint(0, 25)))] for _ in range(2))
    kernel = Kernel()
    bus = Bus(config, kernel)
    bus.writing = True
    found = ([], [])
    kernel.resume(0, bus.process())
    for at, beats in reads:
        kernel.call(at, lambda at=at, beats=beats: bus.read(
            at, beats, lambda times, ends: found[0].extend(times)))
    for at, beats in writes:  # told two cycles before, as the write master does
        kernel.call(at - 2, lambda at=at, beats=beats: bus.write(
            at, beats, lambda times, ends: found[1].extend(times)))
    kernel.run(lambda: False)
    assert found == cycle_by_cycle(config, reads, writes), f"seed {seed}"


@pytest.mark.parametrize("seed", range(20))
def test_account_adds_up_at_any_cycle(seed):
    """Waterfalls add up before any cycle, and counters never go back."""
    rng, account, now = random.Random(seed), Account(), 0
    names = [counter.name for counter in COUNTERS if counter.name != "cycles"]
    total = dict.fromkeys(names, 0)
    for _ in range(30):
        shares = {name: rng.randint(0, 9) for name in rng.sample(names, 4)}
        end = now + sum(shares.values())
        account.divide(now, end, shares)
        now = end
        for name, amount in shares.items():
            total[name] += amount
    last = account.before(0)
    for time in sorted(rng.sample(range(1, now), 20)):
        values = account.before(time)
        assert sum(values[name] for name in names) == time, f"seed {seed}"
        assert all(values[name] >= last[name] for name in values)
        last = values
    others = {counter.name: 0 for counter in DRP_COUNTERS}
    assert account.before(now) == {**total, **others, "cycles": now}


def test_account_standing():
    account = Account()
    account.add("conflicts", 10, 20, 5)
    account.add("load_busy", 3, 9)
    account.standing.append(lambda time: [("mac_idle", time // 2)])
    assert account.before(14)["conflicts"] == 2
    values = account.before(40)
    assert (values["conflicts"], values["load_busy"], values["mac_idle"]) == (5, 6, 20)


def test_ring_frees_in_order():
    ring = Ring(2)
    assert ring.write() == ring.write() == 0 and not ring.known
    ring.free([7, 9])
    assert ring.known and (ring.write(), ring.write()) == (8, 10) and not ring.known


def test_shared_port_by_bank():
    port = SharedPort(preset("base", banks=2))
    port.use(range(5, 9), [0, 1, 2, 3])
    assert port.first(5, 4) == 6 and port.wait(5, 4) == 6  # 5 and 7 move words of that bank
    assert port.wait(5, 6) == 8 and port.wait(5, 1) == 5


def test_splitter_cuts_and_paces():
    """A burst a cycle within a run, a run of one burst every other cycle."""
    config, kernel = preset("tiny"), Kernel()
    split = Splitter(config, kernel, 4, Signal(kernel))
    bursts = []

    def asks():
        for address, beats in ((8, 9), (16, 4), (32, 1)):
            yield from split.accept(0, address, beats, final=address == 32)

    def takes():
        while len(bursts) < 5:
            if split.offered is None or split.offered > kernel.now:
                yield kernel.now + 1
                continue
            final = split.final
            bursts.append((kernel.now, split.take(kernel.now), final))
            yield kernel.now + 1

    kernel.resume(0, asks())
    kernel.resume(0, takes())
    kernel.run(lambda: len(bursts) == 5)
    assert bursts == [(2, 2, False), (3, 4, False), (4, 3, False), (6, 4, False), (8, 1, True)]
