// ECP5's small memory, begins as X unless it begins as something else than 0; where an X in its
// enable or write address may have written, X is written. Yosys's model writes nothing then.
// SETTLE as in trellis_ff.v.
module TRELLIS_DPR16X4(
    input [3:0] DI, WAD, RAD, input WRE, WCK, output [3:0] DO
);
    parameter WCKMUX = "WCK", WREMUX = "WRE";
    parameter [63:0] INITVAL = 64'h0;

    reg [3:0] words [0:15];
    integer i;
    wire enable = WREMUX == "INV" ? ~WRE : WRE;
    wire clock = WCKMUX == "INV" ? ~WCK : WCK;

    always @(posedge clock)
        if (enable !== 1'b0) begin
            if (^WAD === 1'bx)
                for (i = 0; i < 16; i = i + 1) words[i] <= 4'bx;
            else
                words[WAD] <= enable ? DI : words[WAD];
        end

    assign DO = words[RAD];

`ifdef SETTLE
    integer row;
    initial `SETTLE for (row = 0; row < 16; row = row + 1)
        if (^words[row] === 1'bx) words[row] = $urandom;
`endif

    initial begin
        if (INITVAL != 0)
            for (i = 0; i < 16; i = i + 1) words[i] = INITVAL[4 * i +: 4];
        if (WREMUX == "0" || WREMUX == "1")
            $fatal(1, "TRELLIS_DPR16X4 %m: no model of its mode");
    end
endmodule
