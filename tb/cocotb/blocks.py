"""The blocks of the chip side by side, each with all its ports at the top: one build for all."""

import os

from amaranth.back import verilog
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from golden.spec.config import preset
from hw.bus.axi import AXI4
from hw.control.sequencer import Sequencer
from hw.dma.load import LoadUnit
from hw.dma.read_master import ReadMaster
from hw.dma.store import StoreUnit
from hw.drp.unit import Unit
from hw.interfaces import RunRead
from hw.mac.unit import MacUnit
from hw.mem.scratchpad import Scratchpad
from hw.mem.weight_store import WeightStore
from hw.post.unit import PostUnit
from tb.unit.drp.kernels import TINY, WORDS

__all__ = ["CONFIG", "TOP", "Blocks", "Dma", "blocks_verilog"]

TOP = "blocks"
CONFIG = preset("tiny")


def _expose(m, unit, port):
    """Wire the members of ``port`` to those of the same names in ``unit``."""
    for name, member in port.signature.members.items():
        inside, outside = getattr(unit, name), getattr(port, name)
        if member.is_signature:
            connect(m, inside, flipped(outside))
        else:
            m.d.comb += outside.eq(inside) if member.flow is Out else inside.eq(outside)


class Dma(wiring.Component):
    """Load unit, store unit and read master on one AXI4 port.

    Parameters
    ----------
    config : Config

    Members
    -------
    axi : Out(AXI4)
    fetch : In(RunRead)
        The read master's other client.
    load, store : Out(all other ports of the unit)
    """

    def __init__(self, config):
        self.units = {"load": LoadUnit(config), "store": StoreUnit(config)}
        self.master = ReadMaster(config)
        members = {"axi": Out(AXI4(config.group)), "fetch": In(RunRead(config))}
        for name, inner in (("load", ("read",)), ("store", ("aw", "w", "b"))):
            ports = self.units[name].signature.members.items()
            members[name] = Out(wiring.Signature(
                {port: member for port, member in ports if port not in inner}))
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules += self.units.values()
        m.submodules.master = master = self.master
        connect(m, self.units["load"].read, master.load)
        connect(m, flipped(self.fetch), master.fetch)
        for name in ("ar", "r", "aw", "w", "b"):
            owner = master if name in ("ar", "r") else self.units["store"]
            connect(m, getattr(owner, name), flipped(getattr(self.axi, name)))
        for name, unit in self.units.items():
            _expose(m, unit, getattr(self, name))
        return m


class Blocks(wiring.Component):
    """All blocks; each one's ports begin with its name.

    Parameters
    ----------
    config : Config
    """

    def __init__(self, config):
        self.blocks = {
            "mac": MacUnit(config), "post": PostUnit(config), "scratchpad": Scratchpad(config),
            "weights": WeightStore(config), "dma": Dma(config), "sequencer": Sequencer(config),
            "drp": Unit(TINY, WORDS)}
        super().__init__({name: Out(block.signature) for name, block in self.blocks.items()})

    def elaborate(self, platform):
        m = Module()
        for name, block in self.blocks.items():
            m.submodules[name] = block
            _expose(m, block, getattr(self, name))
        return m


def blocks_verilog():
    """All blocks of ``CONFIG``, with top module ``TOP``."""
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    return verilog.convert(Blocks(CONFIG), name=TOP, emit_src=False, strip_internal_attrs=True)
