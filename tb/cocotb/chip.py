"""The chip under cocotb as a Transport, so that the real driver runs it."""

import cocotb
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import ClockCycles, Event, First, RisingEdge, Timer

from hw.bus.axi import Response
from sw.driver.transport import Transport
from sw.errors import DeviceError
from tb.cocotb.axi import AxiMemory
from tb.cocotb.axil import AxilMaster
from tb.cocotb.channel import Stalls

__all__ = ["Chip"]

PERIOD = 10  # ns
RESET_CYCLES = 4
ACCESS_CYCLES = 2_000
RUN_CYCLES = 100_000


class Chip(Transport):
    """Top module, clock, DRAM and register manager.

    The methods of Transport block: call them, or a driver that does, in a function given to
    ``use``. Nothing waits for ever, so that no thread of ``use`` is left behind.

    Parameters
    ----------
    dut : handle
        The top module.
    config : Config
    seed : int or str
        Of stalls and latencies.
    memory_bytes : int

    Members
    -------
    memory : AxiMemory
    registers : AxilMaster
    """

    def __init__(self, dut, config, seed, *, memory_bytes=1 << 16):
        self.dut, self.memory_bytes = dut, memory_bytes
        stalls = Stalls(seed)
        self.memory = AxiMemory(dut, config, memory_bytes, stalls)
        self.registers = AxilMaster(dut, stalls)
        self._failure, self._failed = None, Event()
        self._clock, self._task = Clock(dut.clk, PERIOD, unit="ns"), None
        dut._log.info("stall seed is %r", seed)

    async def power_on(self):
        """Start the clock, reset, start the agents."""
        agents = self.memory, self.registers
        for agent in agents:
            agent.clear()
        self.dut.rst.value = 1
        self._clock.start()
        await ClockCycles(self.dut.clk, RESET_CYCLES)
        for agent in agents:
            agent.check_quiet()
        assert not int(self.dut.irq.value), "irq is high in reset"
        self.dut.rst.value = 0
        self._task = cocotb.start_soon(self._run(agents))

    def stop(self):
        """Let the pins be, so that another Chip can take them."""
        self._task.cancel()
        self._clock.stop()

    async def use(self, function, *arguments):
        """Result of a function that uses the methods of Transport."""
        return await bridge(function)(*arguments)

    async def access(self, coroutine):
        """Result of a method of ``registers``, which must come soon."""
        task = cocotb.start_soon(coroutine)
        await self._until(task, ACCESS_CYCLES)
        assert task.done(), f"no answer from a register within {ACCESS_CYCLES} cycles"
        return task.result()

    def read32(self, offset):
        data, response = resume(self.access)(self.registers.read(offset))
        self._good(response, f"read of register {offset:#x}")
        return data

    def write32(self, offset, value):
        response = resume(self.access)(self.registers.write(offset, value))
        self._good(response, f"write of register {offset:#x}")

    def read(self, address, size):
        return bytes(self.memory.data[address:address + size])

    def write(self, address, data):
        self.memory.data[address:address + len(data)] = data

    def wait(self, timeout_cycles):
        return resume(self._wait)(min(timeout_cycles, RUN_CYCLES))

    async def _wait(self, cycles):
        if not int(self.dut.irq.value):
            await self._until(RisingEdge(self.dut.irq), cycles)
        return bool(int(self.dut.irq.value))

    async def _run(self, agents):
        """Step the agents; what they find reaches whoever waits for the chip."""
        edge = RisingEdge(self.dut.clk)
        try:
            while True:
                await edge
                for agent in agents:
                    agent.step()
        except Exception as error:
            self._failure = error
            self._failed.set()

    async def _until(self, trigger, cycles):
        await First(trigger, self._failed.wait(), Timer(cycles * PERIOD, unit="ns"))
        if self._failure is not None:
            raise self._failure

    @staticmethod
    def _good(response, what):
        if response != Response.OKAY:
            raise DeviceError(f"{what}: AXI4-Lite response {Response(response).name}")
