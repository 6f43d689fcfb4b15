// ECP5's multiplier as our netlists use it: 18 x 18 bits, each side signed or not, registers at the
// operands and at the product, or none.
//
// Other pins and parameters (pipeline register, cascades, third operand) are not here, so that a
// netlist that uses them does not elaborate, but for those that Yosys ties low.
module MULT18X18D #(
    parameter REG_INPUTA_CLK = "NONE",
    parameter REG_INPUTB_CLK = "NONE",
    parameter REG_OUTPUT_CLK = "NONE",
    parameter GSR = "ENABLED"
) (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input C17, C16, C15, C14, C13, C12, C11, C10, C9, C8, C7, C6, C5, C4, C3, C2, C1, C0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    input CLK0, CE0, RST0,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
      P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
    // Whether an operand has a sign is taken with it.
    wire [18:0] a_pins = {
        SIGNEDA, A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
    wire [18:0] b_pins = {
        SIGNEDB, B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
    wire [18:0] a, b;
    wire [35:0] pins;
    wire signed [37:0] product = $signed({a[18] & a[17], a[17:0]})
                               * $signed({b[18] & b[17], b[17:0]});

    generate
        if (REG_INPUTA_CLK == "CLK0") begin : a_register
            reg [18:0] kept;
            always @(posedge CLK0) if (RST0) kept <= 0; else if (CE0) kept <= a_pins;
            assign a = kept;
        end else begin : a_wire
            assign a = a_pins;
        end
        if (REG_INPUTB_CLK == "CLK0") begin : b_register
            reg [18:0] kept;
            always @(posedge CLK0) if (RST0) kept <= 0; else if (CE0) kept <= b_pins;
            assign b = kept;
        end else begin : b_wire
            assign b = b_pins;
        end
        if (REG_OUTPUT_CLK == "CLK0") begin : product_register
            reg [35:0] kept;
            always @(posedge CLK0) if (RST0) kept <= 0; else if (CE0) kept <= product[35:0];
            assign pins = kept;
        end else begin : product_wire
            assign pins = product[35:0];
        end
    endgenerate

    assign {
        P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18,
          P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = pins;

    always @(SOURCEA or SOURCEB)
        if (SOURCEA | SOURCEB) $fatal(1, "MULT18X18D %m: no model of its cascades");
endmodule
