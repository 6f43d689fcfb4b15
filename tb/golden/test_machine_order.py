"""Queues, semaphores, program errors and races of the machine."""

import numpy as np
import pytest

from golden.machine import MachineError, UndefinedError
from golden.spec.config import preset
from golden.spec.isa import Opcode, Target, Unit
from golden.spec.numerics import IDENTITY
from golden.spec.registers import COUNTERS, DRP_COUNTERS, Cause
from golden.weights import LaneBlock
from tb.golden.machine_rig import Rig, conv_lane_blocks, sem

L, M, S = Unit.LOAD, Unit.MAC, Unit.STORE


def load(rig, words, dst, **values):
    """LOAD of words without SYNC."""
    data = np.full((words, 4), dst, np.int8)
    rig.add(Opcode.LOAD, target=Target.SCRATCHPAD, address=rig.put(data), run_bytes=4 * words,
            runs=1, count0=1, count1=words, step1=4, count2=1, row_bytes=4 * words, tail=4,
            dst=dst, dst_step1=1, **values)


def store(rig, words, src, **values):
    """STORE of words without SYNC; gives its address."""
    at = rig.room(4 * words)
    rig.add(Opcode.STORE, address=at, run_bytes=4 * words, runs=1, count0=1, count1=words,
            count2=1, tail=4, src=src, src_step1=1, **values)
    return at


def test_semaphores_order_units():
    rig = Rig(preset("tiny"))
    places = []
    for _ in range(6):  # the same words again and again
        load(rig, 5, 3, post=sem(L, S), wait=sem(S, L) if places else 0)
        places.append(store(rig, 5, 3, wait=sem(L, S), post=sem(S, L)))
    rig.run()
    for at in places:
        np.testing.assert_array_equal(rig.read(at, 20), 3)
    spans = {unit: [item for item in rig.machine.instructions if item.unit == unit]
             for unit in (L, S)}
    for before, after in zip(spans[L], spans[S], strict=True):
        assert before.done < after.taken
    for before, after in zip(spans[S], spans[L][1:], strict=False):
        assert before.done < after.taken
    assert rig.machine.counters["load_wait_semaphore"] > 0


def test_units_overlap():
    """Independent loads and stores run at the same time."""
    rig = Rig(preset("base"))
    rig.add(Opcode.LOAD, address=rig.room(16384), run_bytes=16384, runs=1, count0=1,
            count1=1024, step1=16, count2=1, row_bytes=16384, tail=16, dst=0, dst_step1=1)
    rig.add(Opcode.STORE, address=rig.room(16384), run_bytes=16384, runs=1, count0=1, count1=1024,
            count2=1, tail=16, src=4096, src_step1=1)
    counters = rig.run()
    # Bound by the bandwidth that both share, plus latencies.
    assert 2048 <= counters["cycles"] < 2048 + 250
    assert counters["load_busy"] + counters["store_busy"] > 1.5 * counters["cycles"]


@pytest.mark.parametrize("order", ["load", "store"])
def test_race_is_found_whatever_the_timing(order):
    rig = Rig(preset("tiny"))
    if order == "load":
        load(rig, 2, 3)
        store(rig, 2, 4)
    else:
        store(rig, 2, 4)
        load(rig, 2, 3)
    with pytest.raises(UndefinedError, match=r"word 4, .* with nothing that orders them"):
        rig.run()


def test_races_through_a_third_unit():
    """Order carries over: load, then mac, then store needs no semaphore load to store."""
    config = preset("tiny")
    lanes = LaneBlock(np.zeros(4), *(np.full(4, value) for value in IDENTITY), [])
    for linked in (True, False):
        rig = Rig(config)
        load(rig, 2, 3, post=sem(L, M))
        rig.load_weights([lanes])
        rig.add(Opcode.MAC, wait=sem(L, M), post=sem(M, S), **rig.mac(
            in_base=0, in_shape=(1, 2), out_base=10, out_shape=(1, 2), blocks=1))
        at = store(rig, 2, 3, wait=sem(M, S) if linked else 0)
        if linked:
            rig.run()
            np.testing.assert_array_equal(rig.read(at, 8), 3)
        else:
            with pytest.raises(UndefinedError, match=r"instruction 3 .* reads word 3"):
                rig.run()


def test_mac_that_reads_what_the_mac_before_wrote():
    config = preset("tiny")
    blocks = conv_lane_blocks(config, np.ones((1, 1, 4, 4), np.int8), (1, 2), np.zeros(4))
    for linked in (True, False):
        rig = Rig(config)
        rig.load_weights(blocks + blocks)
        rig.add(Opcode.MAC, post=sem(M, M), **rig.mac(
            in_base=0, in_shape=(1, 2), out_base=10, out_shape=(1, 2), blocks=1))
        rig.add(Opcode.MAC, wait=sem(M, M) if linked else 0, **rig.mac(
            in_base=10, in_shape=(1, 2), out_base=20, out_shape=(1, 2), blocks=1))
        if linked:
            rig.run()
        else:
            with pytest.raises(UndefinedError, match=r"instruction 2 .* reads word 10"):
                rig.run()


def move(rig, opcode, address, **values):
    """LOAD or STORE of three 4-byte runs, 12 bytes apart; each its own words."""
    common = dict(address=address, run_bytes=4, runs=3, run_stride=12, count0=1, count1=1,
                  count2=1, tail=4, **values)
    if opcode == Opcode.LOAD:
        rig.add(opcode, row_bytes=4, dst=10, dst_run_step=1, **common)
    else:
        rig.add(opcode, src=20, src_run_step=1, **common)


@pytest.mark.parametrize("order", [(Opcode.LOAD, Opcode.STORE), (Opcode.STORE, Opcode.LOAD)])
def test_races_in_dram(order):
    link = sem(*(L if opcode == Opcode.LOAD else S for opcode in order))
    for apart, linked, good in ((0, False, False), (0, True, True), (4, False, True),
                                (3, False, False), (12, False, False), (36, False, True)):
        rig = Rig(preset("tiny"))
        at = rig.room(100)
        move(rig, order[0], at, post=link if linked else 0)
        move(rig, order[1], at + apart, wait=link if linked else 0)
        if good:
            rig.run()
        else:
            with pytest.raises(UndefinedError, match="moves DRAM byte"):
                rig.run()


def test_deadlock():
    rig = Rig(preset("tiny"))
    load(rig, 2, 3, tag=4)
    store(rig, 2, 3, tag=5, wait=sem(L, S))
    with pytest.raises(MachineError, match=r"STORE instruction 1 .tag 5. waits for semaphore 7"
                       ) as caught:
        rig.run()
    assert (caught.value.cause, caught.value.unit, caught.value.tag) == (Cause.WATCHDOG, S, 5)
    assert rig.machine.semaphores_waited == sem(L, S)


def test_head_of_line_blocking():
    """A full queue, besides the instruction at its head, stops dispatch to every unit."""
    config = preset("tiny")
    for waiting in (config.queue_depth + 1, config.queue_depth + 2):
        rig = Rig(config)
        for _ in range(waiting):
            store(rig, 1, 3, wait=sem(L, S))
        for _ in range(waiting):
            load(rig, 1, 9, post=sem(L, S))
        if waiting == config.queue_depth + 1:
            rig.run()
        else:
            with pytest.raises(MachineError, match="WATCHDOG"):
                rig.run()


def test_semaphore_overflow():
    rig = Rig(preset("tiny"))
    for _ in range(256):
        load(rig, 1, 3, post=1, tag=6)
    with pytest.raises(MachineError, match="semaphore 0") as caught:
        rig.run()
    assert caught.value.cause == Cause.SEMAPHORE_OVERFLOW


def test_program_errors():
    rig = Rig(preset("tiny"))
    load(rig, 1, 3)
    with pytest.raises(MachineError) as caught:
        rig.run(end=False)
    assert (caught.value.cause, caught.value.unit) == (Cause.PROGRAM_END, Unit.SEQUENCER)
    rig.program.append(bytes([0xFF, 0, 0x34, 0x12]) + bytes(60))
    with pytest.raises(MachineError) as caught:
        rig.run()
    assert (caught.value.cause, caught.value.tag) == (Cause.ILLEGAL_OPCODE, 0x1234)
    assert rig.machine.fetched == len(rig.program) - 1  # END follows it
    assert caught.value.address % 64 == 0 and caught.value.address > 0


def test_state_and_counters():
    rig = Rig(preset("tiny"))
    load(rig, 3, 7)
    first = rig.run()
    assert set(first) == {item.name for item in COUNTERS + DRP_COUNTERS}
    assert first["instructions"] == 2 and rig.machine.fetched == 2
    assert first["beats_read"] == 2 * 16 + 3
    rig.program = []
    at = store(rig, 3, 7)  # the scratchpad outlives a run
    second = rig.run()
    np.testing.assert_array_equal(rig.read(at, 12), 7)
    assert second["instructions"] == 2 and second["beats_written"] == 3
