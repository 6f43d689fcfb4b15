// An SDR SDRAM that checks how it is used: the Verilog twin of tb.lib.sdram.SdramDevice, with the
// same rules and the names of them. Parameters come from tb.lib.sdram.verilog_parameters.
//
// A violation is printed and counted in `violations`, which names the first one in `rule`; with
// FATAL it ends the simulation. The word read changes after the part's edge, TRIP of its cycles
// late; at other times dq_o has anything.
`timescale 1ps/1ps
/* verilator lint_off WIDTHEXPAND */
/* verilator lint_off WIDTHTRUNC */
/* verilator lint_off BLKSEQ */
/* verilator lint_off UNUSEDSIGNAL */
module sdram_model #(
    parameter PERIOD_PS = 10000,
    parameter RCD_PS = 0, parameter RP_PS = 0, parameter RAS_PS = 0, parameter RC_PS = 0,
    parameter RFC_PS = 0, parameter RRD_PS = 0, parameter WR_PS = 0, parameter MRD_PS = 0,
    parameter POWER_UP_PS = 0, parameter INTERVAL_PS = 7812500,
    parameter BANK_BITS = 2, parameter ROW_BITS = 13, parameter COLUMN_BITS = 9,
    parameter LATE_REFRESHES = 8, parameter INITIAL_REFRESHES = 2,
    parameter TRIP = 0, parameter FATAL = 1
) (
    input  wire                 clk,
    input  wire                 cke, cs_n, ras_n, cas_n, we_n,
    input  wire [BANK_BITS-1:0] ba,
    input  wire [ROW_BITS-1:0]  a,
    input  wire [1:0]           dqm,
    input  wire [15:0]          dq_i,   // what the controller drives
    input  wire                 dq_oe,  // whether it does
    output wire [15:0]          dq_o
);
    localparam BANKS = 1 << BANK_BITS;
    localparam WORDS = 1 << (BANK_BITS + ROW_BITS + COLUMN_BITS);
    localparam PLACE = BANK_BITS + ROW_BITS + COLUMN_BITS;
    localparam AHEAD = 16;  // edges for which words are scheduled

    reg [15:0] words [0:WORDS-1];
    reg [15:0] trip [0:7];
    assign dq_o = trip[TRIP];

    // Times in ps since the first edge. Signed: LONG_AGO is before it.
    localparam signed [63:0] LONG_AGO = -64'sd1000000000000;
    reg signed [63:0] now, refreshed, moded, any_opened, since;
    reg signed [63:0] opened [0:BANKS-1], closed [0:BANKS-1], busy [0:BANKS-1];
    reg [ROW_BITS-1:0] row [0:BANKS-1];
    reg [BANKS-1:0] active;
    integer refreshes, burst, cas, violations, bank, n, column_free, edges, column;
    reg initialized, precharged, drove, driven, drives;
    reg [8*16-1:0] rule;
    reg [2:0] command;
    // Ring of the edges to come: words to drive and to take.
    reg drive [0:AHEAD-1], take [0:AHEAD-1];
    reg [PLACE-1:0] drive_place [0:AHEAD-1], take_place [0:AHEAD-1];
    reg [PLACE-1:0] place;
    reg [1:0] mask1;
    integer slot;

    task violation(input [8*16-1:0] name);
        begin
            $display("sdram violation: %0s at %0d ps, command %b bank %0d address %h",
                     name, now, command, ba, a);
            if (violations == 0) rule = name;
            violations = violations + 1;
            if (FATAL) $fatal(1, "sdram violation");
        end
    endtask

    task all_closed;
        begin
            if (active != 0) violation("state");
            else for (bank = 0; bank < BANKS; bank = bank + 1)
                if (now - closed[bank] < RP_PS) violation("rp");
        end
    endtask

    integer i;
    initial begin
        now = 0; refreshed = LONG_AGO; moded = LONG_AGO; any_opened = LONG_AGO; since = 0;
        active = 0; refreshes = 0; burst = 1; cas = 2; violations = 0; column_free = 0; edges = 0;
        initialized = 0; precharged = 0; drove = 0; driven = 0; rule = ""; mask1 = 0; drives = 0;
        for (i = 0; i < BANKS; i = i + 1) begin
            opened[i] = LONG_AGO; closed[i] = LONG_AGO; busy[i] = LONG_AGO;
        end
        for (i = 0; i < AHEAD; i = i + 1) begin drive[i] = 0; take[i] = 0; end
        for (i = 0; i < 8; i = i + 1) trip[i] = 16'hdead;
    end

    always @(posedge clk) begin
        command = {ras_n, cas_n, we_n};
        if (!cke && edges != 0) violation("cke");
        if (!cs_n && command != 3'b111) begin
            if (command == 3'b110) violation("command");
            else if (now < POWER_UP_PS) violation("power_up");
            else if (now - refreshed < RFC_PS) violation("rfc");
            else if (now - moded < MRD_PS) violation("mrd");
            else case (command)
                3'b000: begin
                    all_closed;
                    if (refreshes < INITIAL_REFRESHES) violation("initialization");
                    if (a[2:0] > 3 || (a & 'h388) != 0 || (a[6:4] != 2 && a[6:4] != 3)
                        || (a >> 10) != 0 || ba != 0) violation("mode");
                    burst = 1 << a[1:0]; cas = a[6:4]; moded = now; initialized = 1;
                    refreshes = 0; since = now;
                end
                3'b001: begin
                    if (!precharged) violation("initialization");
                    all_closed;
                    refreshed = now; refreshes = refreshes + 1;
                end
                3'b010: begin
                    if (a[10]) precharged = 1;
                    for (bank = 0; bank < BANKS; bank = bank + 1)
                        if (a[10] || bank == ba) begin
                            if (active[bank] && now - opened[bank] < RAS_PS) violation("ras");
                            else if (active[bank] && now < busy[bank]) violation("wr");
                            active[bank] = 0; closed[bank] = now;
                        end
                end
                3'b011: begin
                    if (!initialized) violation("initialization");
                    else if (active[ba]) violation("state");
                    else if (now - closed[ba] < RP_PS) violation("rp");
                    else if (now - opened[ba] < RC_PS) violation("rc");
                    else if (now - any_opened < RRD_PS) violation("rrd");
                    active[ba] = 1; row[ba] = a; opened[ba] = now; any_opened = now;
                end
                default: begin  // 100 WRITE, 101 READ
                    if (!initialized) violation("initialization");
                    else if (!active[ba]) violation("state");
                    else if (now - opened[ba] < RCD_PS) violation("rcd");
                    else if (a[10]) violation("command");
                    else if (edges < column_free) violation("burst");
                    column_free = edges + burst;
                    for (n = 0; n < burst; n = n + 1) begin
                        column = a[COLUMN_BITS-1:0];
                        column = (column & ~(burst - 1)) | ((column + n) & (burst - 1));
                        place = {row[ba], ba, column[COLUMN_BITS-1:0]};
                        if (command[0]) begin
                            drive[(edges + cas + n) % AHEAD] = 1;
                            drive_place[(edges + cas + n) % AHEAD] = place;
                        end else begin
                            take[(edges + n) % AHEAD] = 1;
                            take_place[(edges + n) % AHEAD] = place;
                        end
                    end
                    busy[ba] = command[0] ? now + burst * PERIOD_PS
                                          : now + (burst - 1) * PERIOD_PS + WR_PS;
                end
            endcase
        end
        if (initialized && (now - since) / INTERVAL_PS - refreshes > LATE_REFRESHES) begin
            violation("refresh");
            refreshes = refreshes + 1;
        end

        // The data pins: who drives them, what is written.
        slot = edges % AHEAD;
        drives = drive[slot];
        drive[slot] = 0;
        if ((dq_oe && (drives || drove)) || (drives && driven)) violation("contention");
        drove = drives; driven = dq_oe;
        if (take[slot]) begin
            take[slot] = 0;
            if (!dq_oe) violation("data");
            if (!dqm[0]) words[take_place[slot]][7:0] = dq_i[7:0];
            if (!dqm[1]) words[take_place[slot]][15:8] = dq_i[15:8];
        end
        edges = edges + 1;
        now = now + PERIOD_PS;
        slot = edges % AHEAD;
        if (drive[slot] && mask1 != 0) violation("mask");
        mask1 = dqm;
        for (i = 7; i > 0; i = i - 1) trip[i] <= trip[i-1];
        trip[0] <= drive[slot] ? words[drive_place[slot]] : ~{dq_i[7:0], dq_i[15:8]};
    end
endmodule
