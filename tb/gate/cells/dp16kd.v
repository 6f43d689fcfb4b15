// ECP5's block RAM, 18 Kbit, as Yosys uses it: no output register, no reset, all chip selects low.
//
// Two ports of 1, 2, 4, 9 or 18 bits, or one that writes (A) and one that reads (B) with 36 bits in
// either or both. What a port writes while the other one reads it, and what both write at once, is
// X: the device promises nothing. Both ports are taken to be on the same clock edges. With
// UNKNOWN_START outputs begin as X, and so do contents, unless they begin as something else than 0;
// with SETTLE, a delay, what is X then takes a value at random.
module DP16KD (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5,
      DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CLKA, CEA, OCEA, WEA, RSTA, CSA2, CSA1, CSA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5,
      DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CLKB, CEB, OCEB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5,
      DOA4, DOA3, DOA2, DOA1, DOA0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5,
      DOB4, DOB3, DOB2, DOB1, DOB0
);
    parameter DATA_WIDTH_A = 18, DATA_WIDTH_B = 18;
    parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL";
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB";
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG";
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000";
    parameter RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC", GSR = "ENABLED";
    parameter [319:0]
        INITVAL_00 = 320'h0, INITVAL_01 = 320'h0, INITVAL_02 = 320'h0, INITVAL_03 = 320'h0,
        INITVAL_04 = 320'h0, INITVAL_05 = 320'h0, INITVAL_06 = 320'h0, INITVAL_07 = 320'h0,
        INITVAL_08 = 320'h0, INITVAL_09 = 320'h0, INITVAL_0A = 320'h0, INITVAL_0B = 320'h0,
        INITVAL_0C = 320'h0, INITVAL_0D = 320'h0, INITVAL_0E = 320'h0, INITVAL_0F = 320'h0,
        INITVAL_10 = 320'h0, INITVAL_11 = 320'h0, INITVAL_12 = 320'h0, INITVAL_13 = 320'h0,
        INITVAL_14 = 320'h0, INITVAL_15 = 320'h0, INITVAL_16 = 320'h0, INITVAL_17 = 320'h0,
        INITVAL_18 = 320'h0, INITVAL_19 = 320'h0, INITVAL_1A = 320'h0, INITVAL_1B = 320'h0,
        INITVAL_1C = 320'h0, INITVAL_1D = 320'h0, INITVAL_1E = 320'h0, INITVAL_1F = 320'h0,
        INITVAL_20 = 320'h0, INITVAL_21 = 320'h0, INITVAL_22 = 320'h0, INITVAL_23 = 320'h0,
        INITVAL_24 = 320'h0, INITVAL_25 = 320'h0, INITVAL_26 = 320'h0, INITVAL_27 = 320'h0,
        INITVAL_28 = 320'h0, INITVAL_29 = 320'h0, INITVAL_2A = 320'h0, INITVAL_2B = 320'h0,
        INITVAL_2C = 320'h0, INITVAL_2D = 320'h0, INITVAL_2E = 320'h0, INITVAL_2F = 320'h0,
        INITVAL_30 = 320'h0, INITVAL_31 = 320'h0, INITVAL_32 = 320'h0, INITVAL_33 = 320'h0,
        INITVAL_34 = 320'h0, INITVAL_35 = 320'h0, INITVAL_36 = 320'h0, INITVAL_37 = 320'h0,
        INITVAL_38 = 320'h0, INITVAL_39 = 320'h0, INITVAL_3A = 320'h0, INITVAL_3B = 320'h0,
        INITVAL_3C = 320'h0, INITVAL_3D = 320'h0, INITVAL_3E = 320'h0, INITVAL_3F = 320'h0;
    // Rows of 36 bits: of each byte of nine, ports of 1, 2 and 4 bits see the low eight.
    reg [35:0] rows [0:511];
    reg [35:0] read_a, read_b;

    wire [13:0] addr_a = {
        ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] addr_b = {
        ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [17:0] data_a = {
        DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
          DIA3, DIA2, DIA1, DIA0};
    wire [17:0] data_b = {
        DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
          DIB3, DIB2, DIB1, DIB0};
    assign {
        DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4,
          DOA3, DOA2, DOA1, DOA0}
        = DATA_WIDTH_B == 36 ? read_b[17:0] : read_a[17:0];
    assign {
        DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4,
          DOB3, DOB2, DOB1, DOB0}
        = DATA_WIDTH_B == 36 ? read_b[35:18] : read_b[17:0];

    wire clk_a = CLKAMUX == "INV" ? ~CLKA : CLKA;
    wire clk_b = CLKBMUX == "INV" ? ~CLKB : CLKB;
    wire write_a = CEA & WEA;
    wire write_b = CEB & WEB;

    // First bit of what a port of some width sees, within its row.
    function integer place(input integer width, input [13:0] addr);
        place = width == 36 ? 0
            : width == 18 ? 18 * addr[4]
            : width == 9 ? 18 * addr[4] + 9 * addr[3]
            : 18 * addr[4] + 9 * addr[3] + (addr[2:0] & ~(width - 1));
    endfunction

    // Bits of its row that a port writes. Ports of 18 and 36 bits have byte enables for address.
    function [35:0] mask(input integer width, input [13:0] addr);
        case (width)
            36: mask = {{9{addr[3]}}, {9{addr[2]}}, {9{addr[1]}}, {9{addr[0]}}};
            18: mask = {{9{addr[1]}}, {9{addr[0]}}};
            9: mask = 36'h1ff;
            4: mask = 36'hf;
            2: mask = 36'h3;
            default: mask = 36'h1;
        endcase
        mask = mask << place(width, addr);
    endfunction

    wire [35:0] given_a = DATA_WIDTH_A == 36 ? {data_b, data_a} : {18'b0, data_a};
    wire [35:0] wanted_a = given_a << place(DATA_WIDTH_A, addr_a);
    wire [35:0] wanted_b = {18'b0, data_b} << place(DATA_WIDTH_B, addr_b);
    // An X in an enable or a byte enable is one in all that it may write.
    wire [35:0] mask_a = {36{write_a}} & mask(DATA_WIDTH_A, addr_a);
    wire [35:0] mask_b = {36{write_b}} & mask(DATA_WIDTH_B, addr_b);
    wire same = addr_a[13:5] == addr_b[13:5];
    wire [35:0] both = {36{same}} & mask_a & mask_b & 36'bx;
    wire [35:0] old_a = rows[addr_a[13:5]];
    wire [35:0] old_b = rows[addr_b[13:5]];
    wire [35:0] new_a = (old_a & ~mask_a | wanted_a & mask_a) ^ both;
    wire [35:0] new_b = (old_b & ~mask_b | wanted_b & mask_b) ^ both;
    wire [35:0] seen_a = (WRITEMODE_A == "WRITETHROUGH" ? new_a : old_a)
        ^ ({36{same}} & mask_b & 36'bx);
    wire [35:0] seen_b = (WRITEMODE_B == "WRITETHROUGH" ? new_b : old_b)
        ^ ({36{same}} & mask_a & 36'bx);
    wire [35:0] part_a = seen_a >> place(DATA_WIDTH_A, addr_a);
    wire [35:0] part_b = seen_b >> place(DATA_WIDTH_B, addr_b);

    integer i;

    always @(posedge clk_a) begin
        if (write_a !== 1'b0) begin
            if (^addr_a[13:5] === 1'bx)
                for (i = 0; i < 512; i = i + 1) rows[i] <= 36'bx;
            else
                for (i = 0; i < 36; i = i + 1)
                    if (mask_a[i] !== 1'b0) rows[addr_a[13:5]][i] <= new_a[i];
        end
        if (CEA !== 1'b0 && !(WRITEMODE_A == "NORMAL" && WEA === 1'b1))
            read_a <= CEA === 1'b1 ? part_a : 36'bx;
    end

    always @(posedge clk_b) begin
        if (write_b !== 1'b0) begin
            if (^addr_b[13:5] === 1'bx)
                for (i = 0; i < 512; i = i + 1) rows[i] <= 36'bx;
            else
                for (i = 0; i < 36; i = i + 1)
                    if (mask_b[i] !== 1'b0) rows[addr_b[13:5]][i] <= new_b[i];
        end
        if (CEB !== 1'b0 && !(WRITEMODE_B == "NORMAL" && WEB === 1'b1))
            read_b <= CEB === 1'b1 ? part_b : 36'bx;
    end

    integer row;
    reg [64 * 320 - 1:0] content;

    initial begin
        // INITVAL_xx holds sixteen words of 18 bits, each in 20.
        content = {
            INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C,
            INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
            INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34,
            INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
            INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C,
            INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
            INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24,
            INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
            INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C,
            INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
            INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14,
            INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
            INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C,
            INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
            INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04,
            INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00};
`ifdef UNKNOWN_START
        if (content != 0)
`endif
            for (row = 0; row < 512; row = row + 1)
                rows[row] = {content[40 * row + 20 +: 18], content[40 * row +: 18]};
`ifndef UNKNOWN_START
        read_a = 0;
        read_b = 0;
`endif
        if (REGMODE_A != "NOREG" || REGMODE_B != "NOREG")
            $fatal(1, "DP16KD %m: no model of its output registers");
    end

`ifdef SETTLE
    integer late;
    initial `SETTLE begin
        for (late = 0; late < 512; late = late + 1)
            if (^rows[late] === 1'bx) rows[late] = {$urandom, $urandom};
        if (^read_a === 1'bx) read_a = {$urandom, $urandom};
        if (^read_b === 1'bx) read_b = {$urandom, $urandom};
    end
`endif

    always @(posedge clk_a or posedge clk_b)
        if ({RSTA, RSTB, CSA2, CSA1, CSA0, CSB2, CSB1, CSB0} != 0)
            $fatal(1, "DP16KD %m: no model of its resets and chip selects");
endmodule
