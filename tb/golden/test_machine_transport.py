"""The machine as a transport: registers, start, interrupt, errors."""

import numpy as np
import pytest

from golden.spec import isa
from golden.spec.config import preset
from golden.spec.isa import Opcode, Target, Unit
from golden.spec.layout import LOG_BYTES
from golden.spec.registers import ID, VERSION, Cause, Control, Status, offset
from sw.engines.machine import MachineTransport
from sw.errors import DeviceError


class Host:
    """Writes registers by name."""

    def __init__(self):
        self.config = preset("tiny")
        self.chip = MachineTransport(self.config, memory_bytes=1 << 16)
        self.set("IRQ_ENABLE", 1)
        self.set("WATCHDOG", 500)
        self.set("REGION1_BASE", 0x1002)  # the low bits don't exist
        self.set("REGION1_BYTES", 0x100)

    def get(self, name):
        return self.chip.read32(offset(name))

    def set(self, name, value):
        self.chip.write32(offset(name), value)

    def start(self, *program):
        raw = b"".join(program)
        self.chip.write(0x100, raw)
        self.set("PROGRAM_ADDRESS", 0x100)
        self.set("PROGRAM_BYTES", len(raw))
        self.set("CONTROL", Control.START)


LOG = isa.encode(Opcode.LOG, region=1, address=8, tag=6)
END = isa.encode(Opcode.END)


def test_identity():
    host = Host()
    assert (host.get("ID"), host.get("VERSION")) == (ID, VERSION)
    assert host.get("DIGEST") == host.config.digest()
    assert host.get("REGION1_BASE") == 0x1000
    with pytest.raises(DeviceError, match="DIGEST can't be written"):
        host.set("DIGEST", 1)
    with pytest.raises(DeviceError, match="no register at 0x1000"):
        host.chip.read32(0x1000)
    with pytest.raises(DeviceError, match="outside the DRAM"):
        host.chip.write(0xFFFF, b"ab")


def test_run_interrupt_and_log():
    host = Host()
    host.start(LOG, END)
    assert host.get("STATUS") == Status.RUNNING
    assert not host.chip.wait(3)
    assert host.get("STATUS") == Status.RUNNING
    assert host.chip.wait(10_000)
    assert host.get("STATUS") == Status.DONE
    assert host.get("COUNT_INSTRUCTIONS") == host.get("FETCHED") == 2
    assert np.frombuffer(host.chip.read(0x1008, LOG_BYTES), "<u4")[0] == 6
    host.set("IRQ_PENDING", 1)
    assert not host.chip.wait(1)
    host.set("IRQ_ENABLE", 0)
    host.start(END)
    assert not host.chip.wait(10_000)
    assert (host.get("STATUS"), host.get("IRQ_PENDING")) == (Status.DONE, 1)


def test_error_and_reset():
    host = Host()
    host.start(isa.encode(Opcode.LOG, region=1, address=0x100, tag=9), END)
    assert host.chip.wait(10_000)
    assert host.get("STATUS") == Status.ERROR
    assert host.get("ERROR_CAUSE") == Cause.REGION
    assert host.get("ERROR_UNIT") == Unit.STORE
    assert (host.get("ERROR_TAG"), host.get("ERROR_ADDRESS")) == (9, 0x1100)
    host.start(LOG, END)  # refused
    assert host.get("STATUS") == Status.ERROR
    host.set("CONTROL", Control.SOFT_RESET)
    assert host.get("STATUS") == host.get("ERROR_CAUSE") == 0
    host.start(LOG, END)
    assert host.chip.wait(10_000)
    assert host.get("STATUS") == Status.DONE


def test_watchdog():
    stuck = isa.encode(Opcode.LOG, region=1, wait=1, tag=3)
    host = Host()
    host.start(stuck, END)
    assert not host.chip.wait(500)
    assert host.chip.wait(500)
    assert (host.get("ERROR_CAUSE"), host.get("ERROR_TAG")) == (Cause.WATCHDOG, 3)
    assert host.get("SEMAPHORES_WAITED") == 1
    host.set("CONTROL", Control.SOFT_RESET)
    host.set("IRQ_PENDING", 1)
    host.set("WATCHDOG", 0)
    host.start(stuck, END)
    assert not host.chip.wait(1 << 40)
    assert host.get("STATUS") == Status.RUNNING


def test_undefined_program():
    host = Host()
    with pytest.raises(DeviceError, match=r"no defined meaning: instruction 0 .*runs is 0"):
        host.start(isa.encode(Opcode.LOAD, region=1, target=Target.TABLE, run_bytes=4), END)
