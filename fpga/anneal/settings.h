// What can be tuned; lengths are in tiles.
#pragma once

// Temperature (in tiles of wire) and reach (in tiles) fall by the same factor from step to step.
constexpr int STEPS = 60;
constexpr double FIRST_TEMPERATURE = 10, LAST_TEMPERATURE = 0.08, FIRST_REACH = 40, LAST_REACH = 3;
constexpr int ASK_EVERY = 3;         // steps: which connections are late
// Moves of other kinds than LUTs and flip-flops, of MOVES.
constexpr int MOVES = 2000, TILE_MOVES = 120, MEMORY_MOVES = 1, MULTIPLIER_MOVES = 1;
// Of a flip-flop fed at M whose LUT is taken: a free LUT is an easier way in (fpga/buffers.py).
constexpr double BLOCKED_COST = 0.5;
// Wire in one direction, in tiles for each tile of a bin: what is beyond the limit costs more.
constexpr int BIN = 6;
constexpr double DENSITY_LIMIT = 48, DENSITY_COST = 15;
// What reaching a pin takes of the wires around it, in either direction.
constexpr double PIN_WIRE = 0.4;
// Density can't make up for a move that is so much worse in wire: don't reckon it.
constexpr double HOPELESS = 20;
// Boxes of nets with more cells are only measured anew if a cell may have changed them.
constexpr int LARGE_NET = 40;
constexpr int REPORT_EVERY = 5;
