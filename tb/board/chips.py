"""What is soldered on the simulated board, as Verilog."""

from amaranth.hdl import Module, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.sdram.interface import SdramPins
from hw.system import System
from tb.lib.sdram import VERILOG, verilog_parameters
from tb.lib.verilated import generate

__all__ = ["FpgaChip", "board_verilog"]

PAD_REGISTERS = 2  # one out, one in
SDRAM_TRIP = 1  # with its clock half a period late; fpga.top's is more, for delays not simulated

# The SDRAM's clock rises where ours falls, and its time begins with CKE: until then power-up has
# not begun.
_BOARD = """
module board(input clk, input rst, input rx, output tx, output ready, output working,
             output register_written, output memory_written, output [31:0] violations);
    wire cke, cs_n, ras_n, cas_n, we_n, dq_oe;
    wire [BA-1:0] ba;
    wire [A-1:0] a;
    wire [1:0] dqm;
    wire [15:0] dq_o, dq_i;
    fpga fpga(.clk(clk), .rst(rst), .rx(rx), .tx(tx), .ready(ready), .working(working),
              .register_written(register_written), .memory_written(memory_written),
              .pads__cke(cke), .pads__cs_n(cs_n), .pads__ras_n(ras_n), .pads__cas_n(cas_n),
              .pads__we_n(we_n), .pads__ba(ba), .pads__a(a), .pads__dqm(dqm),
              .pads__dq_o(dq_o), .pads__dq_oe(dq_oe), .pads__dq_i(dq_i));
    reg on = 0;
    always @(posedge clk) if (cke) on <= 1;
    sdram_model #(PARAMETERS) sdram(.clk(~clk & on), .cke(cke), .cs_n(cs_n),
              .ras_n(ras_n), .cas_n(cas_n), .we_n(we_n), .ba(ba), .a(a), .dqm(dqm),
              .dq_i(dq_o), .dq_oe(dq_oe), .dq_o(dq_i));
    assign violations = sdram.violations;
endmodule
"""


class FpgaChip(wiring.Component):
    """`System` and the registers in the pads, as `fpga.top` has them, observed.

    Parameters
    ----------
    config : Config
    part : SdramTiming
    clock_hz, baud : int

    Members
    -------
    rx : In(1)
    tx : Out(1)
    pads : Out(SdramPins)
    ready, working : Out(1)
        As of `System`.
    register_written : Out(1)
        Pulse: the link writes a register of the chip.
    memory_written : Out(1)
        Pulse: the link begins to write to the memory.
    """

    def __init__(self, config, part, *, clock_hz, baud):
        self._system = System(config, part, clock_hz=clock_hz, baud=baud,
                              pad_registers=PAD_REGISTERS)
        super().__init__({
            "rx": In(1, init=1), "tx": Out(1, init=1), "pads": Out(SdramPins(part)),
            "ready": Out(1), "working": Out(1),
            "register_written": Out(1), "memory_written": Out(1),
        })

    def elaborate(self, platform):
        m = Module()
        m.submodules.system = system = self._system
        for name, member in self.pads.signature.members.items():
            inner, outer = getattr(system.sdram, name), getattr(self.pads, name)
            m.d.sync += inner.eq(outer) if member.flow is In else outer.eq(inner)
        m.d.comb += [system.rst.eq(ResetSignal()), system.rx.eq(self.rx), self.tx.eq(system.tx),
                     self.ready.eq(system.ready), self.working.eq(system.working)]
        for pulse, port in ((self.register_written, system.link.axil.aw),
                            (self.memory_written, system.link.axi.aw)):
            m.d.comb += pulse.eq(port.valid & port.ready)
        return m


def board_verilog(config, part, *, clock_hz, baud):
    """Module ``board``: the FPGA and an SDRAM that counts how often its rules are broken."""
    parameters = verilog_parameters(part, clock_hz / 1e6, trip=SDRAM_TRIP, fatal=0)
    text = _BOARD.replace("PARAMETERS", ", ".join(
        f".{name}({value})" for name, value in parameters.items()))
    for name, bits in (("[BA-1", parameters["BANK_BITS"]), ("[A-1", parameters["ROW_BITS"])):
        text = text.replace(name, f"[{bits - 1}")
    fpga = generate(FpgaChip(config, part, clock_hz=clock_hz, baud=baud), "fpga")
    return VERILOG.read_text() + fpga + text  # its timescale is for all that follows
