"""Manager of the chip's AXI4-Lite registers, with random stalls."""

from collections import deque

from cocotb.triggers import Event

from hw.bus.axi import AXI4Lite
from tb.cocotb.channel import ends
from tb.cocotb.rules import AxiRules

__all__ = ["AxilMaster"]

STROBES = 0xF


class AxilMaster:
    """Reads and writes registers; any number may be under way, each kind in order.

    Parameters
    ----------
    dut : handle
    stalls : Stalls
    """

    def __init__(self, dut, stalls):
        self.channels = ends(dut, "axil", AXI4Lite().flip(), stalls)
        self.ar, self.r, self.aw, self.w, self.b = self.channels.values()
        self.rules = AxiRules(self.channels)
        self.reading, self.writing = deque(), deque()

    def clear(self):
        """Drive idle inputs; for use in reset."""
        for channel in self.channels.values():
            channel.clear()

    def check_quiet(self):
        """Hold the chip to silence, in reset."""
        for channel in (self.r, self.b):
            assert channel.quiet(), f"{channel.name}: valid is high in reset"

    def step(self):
        """Once after every rising edge."""
        for channel in self.channels.values():
            channel.sample()
        self.rules.step()
        for source in (self.ar, self.aw, self.w):
            source.step()
        for sink, waiting in ((self.r, self.reading), (self.b, self.writing)):
            answer = sink.step()
            if answer:
                event, result = waiting.popleft()
                result.update(answer)
                event.set()

    async def read(self, address):
        """(data, response)."""
        self.ar.pending.append({"addr": address})
        answer = await self._answer(self.reading)
        return answer["data"], answer["resp"]

    async def write(self, address, data, strobes=STROBES):
        """The response."""
        self.aw.pending.append({"addr": address})
        self.w.pending.append({"data": data, "strb": strobes})
        return (await self._answer(self.writing))["resp"]

    @staticmethod
    async def _answer(waiting):
        event, result = Event(), {}
        waiting.append((event, result))
        await event.wait()
        return result
