"""The driver on a chip made of Python: it knows LOG and END, and errors on request."""

import dataclasses
import struct

import numpy as np
import pytest

from golden.attributes import Concat, Softmax
from golden.spec import isa
from golden.spec.config import preset
from golden.spec.isa import Opcode, Unit
from golden.spec.program import Binding, ChipStep, HostStep, Program
from golden.spec.registers import (
    COUNTERS,
    ID,
    REGISTERS,
    VERSION,
    Cause,
    Control,
    Region,
    Status,
    offset,
)
from sw.driver.device import Device
from sw.driver.host import attributes_to_json, host_operators
from sw.driver.postmortem import post_mortem
from sw.driver.transport import Transport
from sw.errors import DeviceError, InputError, ModelError

CONFIG = preset("tiny")


class FakeChip(Transport):
    """Copies INPUT to OUTPUT negated, then executes LOG instructions, one "cycle" each."""

    def __init__(self, memory_bytes=1 << 16):
        self.memory_bytes = memory_bytes
        self.memory = bytearray(memory_bytes)
        self.registers = {register.name: 0 for register in REGISTERS}
        self.registers.update(ID=ID, VERSION=VERSION, DIGEST=CONFIG.digest())
        self.fail = self.hang = self.stuck = self.wrong_tag = False
        self.resets = 0

    def read32(self, offset):
        return self.registers[REGISTERS[offset // 4].name]

    def write32(self, offset, value):
        name = REGISTERS[offset // 4].name
        if name == "IRQ_PENDING":
            self.registers[name] &= ~value
        elif name == "CONTROL" and value & Control.SOFT_RESET:
            self.resets += 1
            if not self.stuck:
                self.registers.update(STATUS=0, ERROR_CAUSE=0)
        elif name == "CONTROL" and value & Control.START:
            assert self.registers["STATUS"] in (0, Status.DONE)
            self.registers.update(self.start())
        else:
            assert REGISTERS[offset // 4].access == "rw", name
            self.registers[name] = value

    def read(self, address, size):
        assert 0 <= address and address + size <= self.memory_bytes
        return bytes(self.memory[address:address + size])

    def write(self, address, data):
        assert 0 <= address and address + len(data) <= self.memory_bytes
        self.memory[address:address + len(data)] = data

    def wait(self, timeout_cycles):
        return bool(self.registers["IRQ_ENABLE"] and self.registers["IRQ_PENDING"])

    def start(self):
        registers = self.registers
        base = [registers[f"REGION{i}_BASE"] for i in range(8)]
        assert all(value % 4096 == 0 for value in base)
        size = registers["REGION1_BYTES"]
        values = np.frombuffer(self.read(base[Region.INPUT], size), np.int8)
        self.write(base[Region.OUTPUT], (-values).tobytes())
        counts = dict.fromkeys((counter.name for counter in COUNTERS), 0)
        last = registers["PROGRAM_BYTES"] // 64
        for number in range(last):
            at = registers["PROGRAM_ADDRESS"] + 64 * number
            opcode, fields = isa.decode(self.read(at, 64))
            counts["cycles"] += 10 + number
            counts["beats_read"] += 16
            counts["beats_written"] += 2
            if opcode == Opcode.LOG:
                self.write(base[fields["region"]] + fields["address"], struct.pack(
                    "<16I", fields["tag"] + self.wrong_tag, *counts.values()))
        state = {f"COUNT_{name.upper()}": value for name, value in counts.items()}
        if self.hang:
            return {**state, "STATUS": Status.RUNNING, "FETCHED": last, "SEMAPHORES_WAITED":
                    1 << isa.semaphore(Unit.LOAD, Unit.MAC) | 1 << isa.semaphore(
                        Unit.STORE, Unit.MAC)}
        if self.fail:
            return {**state, "STATUS": Status.ERROR, "IRQ_PENDING": 1, "ERROR_TAG": 8, "FETCHED": 1,
                    "ERROR_CAUSE": Cause.ADDRESS, "ERROR_UNIT": Unit.MAC, "ERROR_ADDRESS": 0x1234}
        return {**state, "STATUS": Status.DONE, "IRQ_PENDING": 1}


def log(tag, address):
    return isa.encode(Opcode.LOG, tag=tag, region=Region.LOG, address=address)


def make(**changes):
    concat = Concat(axis=1)
    given = Binding("given", Region.INPUT, 0, (1, 8), "int8", 0.5, 1)
    negated = Binding("negated", Region.OUTPUT, 0, (1, 8), "int8", 0.5, 1)
    both = Binding("both", Region.OUTPUT, 16, (1, 16), "int8", 0.5, 1)
    end = isa.encode(Opcode.END)
    values = dict(
        network="demo", config=dataclasses.asdict(CONFIG), digest=CONFIG.digest(),
        constants=log(7, 0) + log(8, 64) + end + log(9, 128) + end,
        regions={Region.INPUT: 8, Region.OUTPUT: 32, Region.LOG: 192}, inputs=[given],
        outputs=[negated, both],
        steps=[ChipStep(0, 192), HostStep("Concat", "join", attributes_to_json(concat),
                                          [given, negated], [both]), ChipStep(192, 128)],
        layers=[{"tag": tag, "name": f"layer{tag}", "operator": "Conv2D", "unit": "mac", "macs": 0,
                 "ideal_cycles": 0} for tag in (7, 8, 9)])
    return Program(**{**values, **changes})


GIVEN = np.arange(-4, 4, dtype=np.int8).reshape(1, 8)


def loaded(**changes):
    chip = FakeChip()
    device = Device(chip)
    device.load(make(**changes))
    return chip, device


def test_run_gives_outputs_cycles_and_log():
    chip, device = loaded()
    for inputs in ({"given": GIVEN}, [GIVEN]):
        result = device.run(inputs)
        assert np.array_equal(result.outputs["negated"], -GIVEN)
        assert np.array_equal(result.outputs["both"], np.concatenate([GIVEN, -GIVEN], 1))
        assert result.outputs["both"].dtype == np.int8
        assert result.cycles == result.counters["cycles"] == 33 + 21
        assert result.counters["beats_read"] == 80
        assert [(item.tag, item.layer, item.step) for item in result.log] == [
            (7, "layer7", 0), (8, "layer8", 0), (9, "layer9", 2)]
        assert [item.counters["cycles"] for item in result.log] == [10, 21, 10]
        assert [item.delta["cycles"] for item in result.log] == [10, 11, 10]
        assert [item.bytes_read for item in result.log] == [64, 64, 64]
        assert [item.bytes_written for item in result.log] == [8, 8, 8]
        assert [name for name, _ in result.host_seconds] == ["join"]
        assert result.host_seconds[0][1] >= 0
    assert chip.registers["WATCHDOG"] == 1_000_000
    assert chip.registers["REGION0_BYTES"] == 320


def test_wrong_chip_is_refused():
    for name, text in (("ID", "register ID"), ("VERSION", "register VERSION")):
        chip = FakeChip()
        chip.registers[name] ^= 1
        with pytest.raises(DeviceError, match=text):
            Device(chip)


def test_digest_mismatch_names_both_sides():
    device = Device(FakeChip())
    other = preset("base")
    program = make(config=dataclasses.asdict(other), digest=other.digest())
    with pytest.raises(DeviceError) as caught:
        device.load(program)
    for text in (f"{other.digest():#010x}", f"{CONFIG.digest():#010x}", "base", "tiny", "lanes=16",
                 "lanes=4"):
        assert text in str(caught.value)
    chip = FakeChip()
    chip.registers["DIGEST"] = 5
    with pytest.raises(DeviceError, match="of no preset"):
        Device(chip).load(make())


def test_program_must_fit_and_be_known():
    with pytest.raises(DeviceError, match="needs 16384 bytes of DRAM, there are 16383"):
        Device(FakeChip(16383)).load(make())
    Device(FakeChip(16384)).load(make())
    device = Device(FakeChip())
    with pytest.raises(ModelError, match="'Dream'"):
        device.load(make(steps=[HostStep("Dream", "x")]))
    with pytest.raises(ModelError, match="multiple of 64"):
        device.load(make(steps=[ChipStep(3, 64)]))
    with pytest.raises(DeviceError, match="no program"):
        device.run([GIVEN])


@pytest.mark.parametrize("inputs, text", [
    ({"taken": GIVEN}, "the model's are given"),
    ([GIVEN, GIVEN], "2 inputs, the model has 1"),
    ([GIVEN[0]], r"input given is int8 \(8,\), accepted is int8 \(1, 8\)"),
    ([GIVEN.astype(np.uint8)], "accepted is int8"),
])
def test_wrong_inputs_are_refused(inputs, text):
    _, device = loaded()
    with pytest.raises(InputError, match=text):
        device.run(inputs)


def test_error_is_explained_and_the_next_run_works():
    chip, device = loaded()
    before = chip.resets
    chip.fail = True
    with pytest.raises(DeviceError) as caught:
        device.run([GIVEN])
    text = str(caught.value)
    for part in ("step 0 of demo", "ADDRESS in unit MAC", "tag 8, layer layer8", "0x00001234",
                 "1 of 3, the last: LOG of layer layer7", "semaphores waited for: none",
                 "cycles 33", "beats_written 6"):
        assert part in text, part
    assert chip.resets == before + 1
    chip.fail = False
    assert np.array_equal(device.run([GIVEN]).outputs["negated"], -GIVEN)


@pytest.mark.parametrize("cause, unit, known", [
    (Cause.PROGRAM_END, Unit.SEQUENCER, False), (Cause.READ_SLAVE_ERROR, Unit.SEQUENCER, False),
    (Cause.WATCHDOG, Unit.SEQUENCER, False), (Cause.ILLEGAL_OPCODE, Unit.SEQUENCER, True),
    (Cause.READ_SLAVE_ERROR, Unit.LOAD, True), (Cause.WATCHDOG, Unit.MAC, True)])
def test_no_layer_is_blamed_where_no_instruction_was(cause, unit, known):
    registers = {"STATUS": Status.ERROR, "ERROR_CAUSE": cause, "ERROR_UNIT": unit, "ERROR_TAG": 7}
    text = post_mortem(make(), make().steps[0], lambda name: registers.get(name, 0))
    assert f"{cause.name} in unit {unit.name}" in text
    assert ("instruction: tag 7, layer layer7" if known else "instruction: none") in text


@pytest.mark.parametrize("status", [Status.RUNNING, Status.ERROR])
def test_a_chip_that_would_ignore_start_is_reset(status):
    chip, device = loaded()
    before = chip.resets
    chip.registers["STATUS"] = status
    assert device.run([GIVEN]).cycles == 54
    assert chip.resets == before + 1


def test_a_refused_program_changes_nothing():
    chip, device = loaded()
    state = bytes(chip.memory), dict(chip.registers), dict(device.bases), chip.resets
    base = preset("base")
    for changes in ({"config": dataclasses.asdict(base), "digest": base.digest()},
                    {"regions": {Region.INPUT: 8, Region.OUTPUT: 1 << 17, Region.LOG: 192}},
                    {"steps": [HostStep("Dream", "x")]}):
        with pytest.raises((DeviceError, ModelError)):
            device.load(make(**changes))
        assert state == (bytes(chip.memory), chip.registers, device.bases, chip.resets)
    result = device.run([GIVEN])
    assert np.array_equal(result.outputs["negated"], -GIVEN)
    assert [item.bytes_read for item in result.log] == [64, 64, 64]


def test_time_out_is_explained_and_the_next_run_works():
    chip, device = loaded()
    chip.hang = True
    with pytest.raises(DeviceError) as caught:
        device.run([GIVEN], timeout_cycles=77)
    for part in ("no interrupt within 77 cycles", "did not finish (status RUNNING)",
                 "6 (LOAD to MAC)", "14 (STORE to MAC)", "3 of 3, the last: END"):
        assert part in str(caught.value), part
    chip.hang = False
    assert device.run([GIVEN]).cycles == 54
    chip.hang = chip.stuck = True
    with pytest.raises(DeviceError, match="soft reset did not end"):
        device.run([GIVEN])


def test_foreign_log_record_is_refused():
    chip, device = loaded()
    chip.wrong_tag = True
    before = chip.resets
    with pytest.raises(DeviceError, match="has tag 8, its instruction 7"):
        device.run([GIVEN])
    assert chip.resets == before + 1


def test_host_operators_are_the_golden_ones():
    operators = host_operators()
    assert "Conv2D" not in operators and "Softmax" in operators
    attrs = attributes_to_json(Softmax(multiplier=1 << 30, pre=24, least_difference=-200))
    (result,) = operators["Softmax"](attrs, [GIVEN])
    assert result.shape == (1, 8) and result.dtype == np.int8 and result[0, -1] == result.max()
    (moved,) = operators["Reshape"]({"to": [2, 4]}, [GIVEN])
    assert moved.tolist() == GIVEN.reshape(2, 4).tolist()


def test_bad_host_steps_are_model_errors():
    step = make().steps[1]
    for changed, text in (
            (dataclasses.replace(step, attrs={"axis": 5}), "axis 5"),
            (dataclasses.replace(step, attrs={"axes": 1}), "axes"),
            (dataclasses.replace(step, outputs=[]), "gives 1 tensors"),
            (dataclasses.replace(step, outputs=[dataclasses.replace(
                step.outputs[0], dtype="uint8")]), "both is uint8")):
        _, device = loaded(steps=[changed])
        with pytest.raises(ModelError, match=text):
            device.run([GIVEN])


def test_offsets_follow_the_register_table():
    chip, _ = loaded()
    assert chip.read32(offset("DIGEST")) == CONFIG.digest()
