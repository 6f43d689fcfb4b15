"""Semaphores: enough of them that every conflict is ordered, and no more."""

import itertools

import numpy as np
import pytest

from golden.spec.config import preset
from golden.spec.isa import SEMAPHORE_BITS, SEMAPHORES, Opcode, Unit, semaphore
from sw.instructions.sync import Instruction, synchronize

SIZES = {"sp": 64, "table": 1, "WORK": 1024}
LOAD, MAC, STORE = Opcode.LOAD, Opcode.MAC, Opcode.STORE
# Instructions in the longest queue there is: behind in their unit, but later ones may have run.
MOST_QUEUED = preset("base", queue_depth=16).queue_depth


def word(first, end=None, space="sp"):
    return [(space, first, first + 1 if end is None else end)]


def item(opcode, reads=(), writes=()):
    return Instruction(opcode, {}, list(reads), list(writes))


def pairs(instructions):
    """(producer, consumer) of every semaphore: the k-th wait takes the k-th post."""
    found = []
    for bit in range(SEMAPHORES):
        posts = [i for i, entry in enumerate(instructions) if entry.post >> bit & 1]
        waits = [i for i, entry in enumerate(instructions) if entry.wait >> bit & 1]
        assert len(posts) == len(waits), f"semaphore {bit}: {posts} posted, {waits} waited"
        for producer, consumer in zip(posts, waits, strict=True):
            assert bit == semaphore(instructions[producer].unit, instructions[consumer].unit)
            found.append((producer, consumer))
    return sorted(found)


def solve(*instructions):
    synchronize(list(instructions), SIZES)
    return pairs(instructions)


def before(instructions):
    """[i, j]: instruction i is complete when j starts, by queues and semaphores alone."""
    count = len(instructions)
    # Nodes 2 i and 2 i + 1 are the start and the end of instruction i.
    reach = np.zeros((2 * count, 2 * count), bool)
    latest = {}
    for index, entry in enumerate(instructions):
        reach[2 * index, 2 * index + 1] = True
        if entry.unit in latest:
            last = latest[entry.unit]
            if entry.unit == Unit.MAC:  # overlaps the one before, but starts and ends after it
                reach[2 * last, 2 * index] = reach[2 * last + 1, 2 * index + 1] = True
            else:
                reach[2 * last + 1, 2 * index] = True
        latest[entry.unit] = index
    for producer, consumer in pairs(instructions):
        reach[2 * producer + 1, 2 * consumer] = True
    for middle in range(2 * count):
        reach |= reach[:, middle:middle + 1] & reach[middle:middle + 1]
    return reach[1::2, ::2]


def meet(some, others):
    return any(a[0] == b[0] and a[1] < b[2] and b[1] < a[2]
               for a, b in itertools.product(some, others))


def check_ordered(instructions, seed):
    order = before(instructions)
    for j, later in enumerate(instructions):
        for i, earlier in enumerate(instructions[:j]):
            conflict = meet(earlier.writes, later.reads)
            if earlier.unit != later.unit:  # a unit writes in order, after it has read
                conflict |= (meet(earlier.reads, later.writes)
                             or meet(earlier.writes, later.writes)
                             or any(earlier is other for other in later.after))
            if conflict:
                assert order[i, j], f"seed {seed}: nothing orders {i} {earlier} and {j} {later}"


def check_bounded(instructions):
    """No counter can overflow: in program order, and with everything queued not yet started."""
    for bit in range(SEMAPHORES):
        waiting = 0
        for entry in instructions:
            waiting += entry.post >> bit & 1
            waiting -= entry.wait >> bit & 1
            assert 0 <= waiting < (1 << SEMAPHORE_BITS) - 2 * MOST_QUEUED, bit


def test_read_after_write():
    assert solve(item(LOAD, writes=word(3)), item(MAC, word(3), word(4)),
                 item(STORE, word(4))) == [(0, 1), (1, 2)]


def test_write_after_read():
    assert solve(item(MAC, word(3), word(4)), item(LOAD, writes=word(3))) == [(0, 1)]
    assert solve(item(STORE, word(4)), item(MAC, word(3), word(4))) == [(0, 1)]


def test_write_after_write():
    assert solve(item(MAC, word(3), word(4)), item(LOAD, writes=word(4))) == [(0, 1)]
    assert solve(item(LOAD, writes=word(4)), item(MAC, word(3), word(4))) == [(0, 1)]


def test_neighbours_are_free():
    assert solve(item(LOAD, writes=word(0, 8)), item(MAC, word(8, 16), word(16, 24)),
                 item(STORE, word(24, 32)), item(LOAD, writes=word(32, 64))) == []


def test_two_readers():
    assert solve(item(STORE, word(2)), item(MAC, word(2), word(5)),
                 item(LOAD, writes=word(2))) == [(0, 2), (1, 2)]


def test_memory():
    """Bytes in DRAM order loads and stores too, a grain at a time."""
    stored, loaded = word(100, 120, "WORK"), word(116, 140, "WORK")
    assert solve(item(STORE, word(1), stored), item(LOAD, loaded, word(2))) == [(0, 1)]
    assert solve(item(LOAD, loaded, word(2)), item(STORE, word(1), stored)) == [(0, 1)]
    far = word(512, 600, "WORK")
    assert solve(item(STORE, word(1), stored), item(LOAD, far, word(2))) == []
    assert solve(item(LOAD, stored, word(1)), item(LOAD, stored, word(2))) == []


def test_table():
    table = word(0, space="table")
    assert solve(item(LOAD, writes=table), item(MAC, [*word(1), *table], word(2)),
                 item(LOAD, writes=table)) == [(0, 1), (1, 2)]


def test_array_after_itself():
    """Consecutive instructions overlap in the array alone, and only reads come too early."""
    assert solve(item(MAC, word(1), word(2)), item(MAC, word(2), word(3))) == [(0, 1)]
    assert solve(item(MAC, word(1), word(2)), item(MAC, word(3), word(2)),
                 item(MAC, word(4), word(1))) == []
    assert solve(item(LOAD, word(0, 9, "WORK"), word(2)),
                 item(LOAD, word(0, 9, "WORK"), word(2))) == []


def test_covered_waits_are_left_out():
    """Who waited for a producer has waited for all before it, and so have those behind."""
    assert solve(item(LOAD, writes=word(1)), item(LOAD, writes=word(2)),
                 item(MAC, word(1, 3), word(8)), item(MAC, word(1), word(9)),
                 item(MAC, word(2), word(10))) == [(1, 2)]


def test_after():
    """What an instruction must follow though it touches nothing of it."""
    first = item(MAC, word(1), word(2))
    log = Instruction(Opcode.LOG, {}, after=[first])
    same = Instruction(Opcode.LOG, {}, after=[log])
    assert solve(first, log, same) == [(0, 1)]


def test_sequencer_instructions_are_passed_over():
    sync = Instruction(Opcode.SYNC, {})
    assert solve(item(LOAD, writes=word(1)), sync, item(MAC, word(1), word(2))) == [(0, 2)]
    assert sync.wait == sync.post == 0


@pytest.mark.parametrize("loads", [100, 600])
def test_posts_are_bounded(loads):
    """Hundreds of loads before the first consumer: later consumers wait for later producers."""
    sizes = {"sp": 2 * loads, "table": 1}
    program = [item(LOAD, writes=word(n)) for n in range(loads)]
    program += [item(MAC, word(n), word(loads + n)) for n in range(loads)]
    synchronize(program, sizes)
    check_bounded(program)
    found = pairs(program)
    assert found == ([(n, loads + n) for n in range(loads)] if loads == 100
                     else [(loads - 1, loads)])


def test_bounded_and_ordered():
    """Bursts of loads between the instructions that need them, some longer than a counter."""
    rng = np.random.default_rng(5)
    program, written = [], 0
    for burst in (3, 260, 1, 40, 300):
        first = written
        for _ in range(burst):
            program.append(item(LOAD, writes=word(written)))
            written += 1
        reads = np.sort(rng.choice(np.arange(first, written), min(burst, 250), replace=False))
        program += [item(MAC, word(int(n)), word(1000 + int(n))) for n in reads]
    synchronize(program, {"sp": 2000, "table": 1})
    check_bounded(program)
    found = pairs(program)
    for index, entry in enumerate(program):
        if entry.unit == Unit.MAC:  # loads end in order, as do the array's starts
            (need,) = (i for i, load in enumerate(program)
                       if load.unit == Unit.LOAD and load.writes == entry.reads)
            assert any(producer >= need and consumer <= index for producer, consumer in found)


def draw(rng, count):
    """Instructions that touch random spans; every so often one that follows another."""
    program = []

    def spans(space="sp", most=4, longest=12):
        result = []
        for _ in range(int(rng.integers(0, most))):
            first = int(rng.integers(0, SIZES[space]))
            result.append((space, first, min(first + int(rng.integers(1, longest)),
                                             SIZES[space])))
        return result

    for _ in range(count):
        opcode = (LOAD, MAC, STORE)[int(rng.integers(3))]
        if opcode == LOAD:
            entry = item(LOAD, spans("WORK", 3, 100), spans())
            if rng.integers(8) == 0:
                entry.writes.append(("table", 0, 1))
        elif opcode == MAC:
            entry = item(MAC, spans(), spans(most=2))
            if rng.integers(4) == 0:
                entry.reads.append(("table", 0, 1))
        else:
            entry = item(STORE, spans(), spans("WORK", 3, 100))
        if program and rng.integers(8) == 0:
            entry.after.append(program[int(rng.integers(len(program)))])
        program.append(entry)
    return program


@pytest.mark.parametrize("seed", range(60))
def test_every_conflict_is_ordered(seed):
    rng = np.random.default_rng(seed)
    program = draw(rng, int(rng.integers(2, 70)))
    synchronize(program, SIZES)
    check_ordered(program, seed)
    check_bounded(program)


@pytest.mark.parametrize("seed", range(20))
def test_every_conflict_is_ordered_when_coarse(seed, monkeypatch):
    """The same with counters that hold next to nothing."""
    monkeypatch.setattr("sw.instructions.sync._MOST_OUTSTANDING", 1)
    program = draw(np.random.default_rng(1000 + seed), 60)
    synchronize(program, SIZES)
    check_ordered(program, seed)
    for first, second in itertools.combinations(pairs(program), 2):
        if [program[i].unit for i in first] == [program[i].unit for i in second]:
            assert first[1] <= second[0], f"seed {seed}: {first} and {second} wait together"


def test_the_check_finds_what_is_missing():
    """Without any one semaphore some random program is found to be unordered."""
    found = 0
    for seed in range(10):
        program = draw(np.random.default_rng(seed), 40)
        synchronize(program, SIZES)
        producer, consumer = pairs(program)[0]
        bit = 1 << semaphore(program[producer].unit, program[consumer].unit)
        program[producer].post &= ~bit
        program[consumer].wait &= ~bit
        try:
            check_ordered(program, seed)
        except AssertionError:
            found += 1
    assert found >= 5
