// ECP5's flip-flop, begins as X; an X in its enable or reset is one in its output, unless nothing
// depends on it. Yosys's model takes such an X for 0. With SETTLE, a delay, it takes a value at
// random then, unless it is known or in reset.
module TRELLIS_FF(input CLK, LSR, CE, DI, output reg Q);
    parameter GSR = "ENABLED", CEMUX = "1", CLKMUX = "CLK", LSRMUX = "LSR";
    parameter SRMODE = "LSR_OVER_CE", REGSET = "RESET";

    wire next = CEMUX == "CE" ? (CE ? DI : Q) : CEMUX == "INV" ? (CE ? Q : DI) : DI;
    wire reset = LSRMUX == "INV" ? ~LSR : LSR;
    wire clock = CLKMUX == "INV" ? ~CLK : CLK;
    wire value = reset ? REGSET == "SET" : next;

    always @(posedge clock) Q <= value;

`ifdef SETTLE
    initial `SETTLE if (reset === 1'b0 && Q === 1'bx) Q = $urandom;
`endif

    initial if (CEMUX == "0" || SRMODE != "LSR_OVER_CE")
        $fatal(1, "TRELLIS_FF %m: no model of its mode");
endmodule
