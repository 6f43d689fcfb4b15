// What lies where, what may lie there, and the boxes of the nets: see fpga/placement.py.
#pragma once

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "density.h"
#include "settings.h"

constexpr int SLOTS = 8;  // of a tile: a LUT and a flip-flop each; two are a slice
enum Kind { LUT, FLIPFLOP, WRITE_PORT, MEMORY, MULTIPLIER, FIXED };
// What a LUT is tied to: nothing, its slice, its half of the tile, the tile or more.
enum Level { LOOSE, SLICE, HALF, TILE };

struct Cell {
  int kind, x, y, z;         // z: slot of a tile, or the number of a site
  int level;                 // of a LUT
  int usesM, fedAtM;         // a LUT whose multiplexer's select is M; a flip-flop without LUT
  int clock, reset, enable;  // signals with their modes, -1 for none
  int firstPin, pins;
};

struct Site { int x, y, z, cell; };
struct Connection {  // that should be short
  int a, b, length;
  unsigned stamp;
  double weight;  // what a tile costs
};
using Group = std::array<Site, 4>;
struct Spot { int x, y, slot; };

[[noreturn]] inline void fail(const std::string& what) {
  std::cerr << "anneal: " << what << "\n";
  std::exit(2);
}

constexpr int many = 1 << 28;  // more than anything is counted to

class Placement {
 public:
  explicit Placement(const char* input);
  void write(const char* output) const;
  void report(const std::string& name) const;

 protected:
  int tile(int x, int y) const { return y * width + x; }
  int place(const Spot& at) const { return tile(at.x, at.y) * SLOTS + at.slot; }
  bool inside(int x, int row) const {
    return x >= left && x <= right && row >= 0 && row < int(rows.size());
  }
  Box boxOf(int net) const;
  double costOf(int net, const Box& box) const {
    return factor[net] * (box.right - box.left + box.bottom - box.top);
  }
  int lengthOf(const Connection& c) const {
    return std::abs(cells[c.a].x - cells[c.b].x) + std::abs(cells[c.a].y - cells[c.b].y);
  }
  void readConnections(std::istream& from);
  bool blocked(int at) const { return ff[at] >= 0 && cells[ff[at]].fedAtM && lut[at] >= 0; }
  bool sliceLegal(int at) const;
  bool tileLegal(int t) const;
  bool besideWritePort(int t, int slot) const { return port[t] >= 0 && slot / 2 == 2; }
  bool tied(int t, int slot) const {  // can't move alone
    int found = lut[t * SLOTS + slot];
    return besideWritePort(t, slot) || (found >= 0 && cells[found].level != LOOSE);
  }
  int levelOf(int t, int slot, int slots) const;

  int width, height, left, right;        // of the device; columns of logic
  std::vector<int> rows, rowIndex;       // of logic; by row, the index of the nearest such one
  std::vector<int> lut, ff, port;        // cells by slot, write ports by tile, -1 for none
  std::vector<char> linked;              // by tile: can't part from the one right of it
  std::vector<Site> memories;
  std::vector<Group> groups;             // of multipliers
  std::vector<int> signalNet;            // net of a clock or a reset with its mode
  std::vector<Cell> cells;
  std::vector<int> pins, movable;        // nets by pin; cells that move by slots
  std::vector<int> netFirst, netCount, netCells;
  std::vector<double> factor, netCost;  // by net
  std::vector<Box> boxes;
  Density density;
  std::vector<Connection> connections;
  std::vector<int> connectionFirst, connectionsOf;  // by cell

 private:
  int number(int least, int most) { return number(file, least, most); }
  int number(std::istream& from, int least, int most);
  void readDevice();
  void readCells();
  void occupy(int cell);
  void measure();

  std::ifstream file;
};

inline Placement::Placement(const char* input) : file(input) {
  if (!file) fail(std::string("can't read ") + input);
  readDevice();
  readCells();
  measure();
}

inline void Placement::write(const char* output) const {
  std::ofstream out(output);
  for (const Cell& cell : cells) out << cell.x << ' ' << cell.y << ' ' << cell.z << '\n';
  if (!out.flush()) fail(std::string("can't write ") + output);
}

inline int Placement::number(std::istream& from, int least, int most) {
  int value = 0;
  if (!(from >> value)) fail("the input ends early or holds something else than numbers");
  if (value < least || value > most)
    fail("the input holds " + std::to_string(value) + " where " + std::to_string(least) + " to " +
         std::to_string(most) + " is accepted");
  return value;
}

inline void Placement::readDevice() {
  width = number(4, 1000), height = number(4, 1000);
  left = number(1, width - 1), right = number(left, width - 1);
  rows.resize(number(1, height));
  for (int& row : rows) row = number(0, height - 1);
  for (int y = 0; y < height; y++) {  // rows without logic count as the next one that has some
    auto found = std::lower_bound(rows.begin(), rows.end(), y);
    rowIndex.push_back(int(std::min(found, rows.end() - 1) - rows.begin()));
  }
  density = Density(width, height, left, right, rows.front(), rows.back());
  lut.assign(width * height * SLOTS, -1);
  ff = lut;
  port.assign(width * height, -1);
  linked.assign(width * height, false);
  auto site = [&](Site& s) {
    s.x = number(0, width - 1), s.y = number(0, height - 1);
    s.z = number(0, 15), s.cell = -1;
  };
  memories.resize(number(0, many));
  for (Site& s : memories) site(s);
  groups.resize(number(0, many));
  for (Group& group : groups)
    for (Site& s : group) site(s);
}

inline void Placement::readCells() {
  for (int links = number(0, many); links > 0; links--) {
    int x = number(0, width - 2), y = number(0, height - 1);
    linked[tile(x, y)] = true;
  }
  signalNet.resize(number(0, many));
  for (int& net : signalNet) net = number(0, many);
  int signals = int(signalNet.size()), nets = number(0, many);
  cells.resize(number(0, many));
  netCount.assign(nets, 0);
  for (Cell& c : cells) {
    c.kind = number(LUT, FIXED);
    c.x = number(0, width - 1), c.y = number(0, height - 1), c.z = number(0, 15);
    c.level = number(LOOSE, TILE);
    c.usesM = number(0, 1), c.fedAtM = number(0, 1);
    c.clock = number(-1, signals - 1), c.reset = number(-1, signals - 1);
    c.enable = number(-1, many);
    c.firstPin = int(pins.size()), c.pins = number(0, many);
    for (int i = 0; i < c.pins; i++) {
      pins.push_back(number(0, nets - 1));
      netCount[pins.back()]++;
    }
    occupy(int(&c - cells.data()));
  }
  netFirst.assign(nets, 0);
  for (int n = 1; n < nets; n++) netFirst[n] = netFirst[n - 1] + netCount[n - 1];
  netCells.resize(pins.size());
  std::vector<int> fill = netFirst;
  for (int i = 0; i < int(cells.size()); i++)
    for (int k = 0; k < cells[i].pins; k++) netCells[fill[pins[cells[i].firstPin + k]]++] = i;
  for (int n = 0; n < nets; n++) factor.push_back(perimeterFactor(netCount[n]));
}

inline void Placement::readConnections(std::istream& from) {
  connections.resize(number(from, 0, many));
  connectionFirst.assign(cells.size() + 1, 0);
  for (Connection& c : connections) {
    c.a = number(from, 0, int(cells.size()) - 1), c.b = number(from, 0, int(cells.size()) - 1);
    if (!(from >> c.weight) || c.weight < 0) fail("a connection has no cost of 0 or more");
    c.length = lengthOf(c), c.stamp = 0;
    connectionFirst[c.a]++, connectionFirst[c.b]++;
  }
  for (size_t i = 1; i <= cells.size(); i++) connectionFirst[i] += connectionFirst[i - 1];
  connectionsOf.resize(2 * connections.size());
  for (int i = 0; i < int(connections.size()); i++)
    for (int cell : {connections[i].a, connections[i].b})
      connectionsOf[--connectionFirst[cell]] = i;
}

inline void Placement::occupy(int cell) {
  const Cell& c = cells[cell];
  auto take = [&](int& place) {
    if (place >= 0)
      fail("two cells at column " + std::to_string(c.x) + ", row " + std::to_string(c.y));
    place = cell;
  };
  auto takeSite = [&](Site& s) {
    if (s.x == c.x && s.y == c.y && s.z == c.z) take(s.cell);
  };
  if (c.kind <= FLIPFLOP && c.z >= SLOTS) fail("a tile has no slot " + std::to_string(c.z));
  if (c.kind == LUT) take(lut[tile(c.x, c.y) * SLOTS + c.z]);
  if (c.kind == FLIPFLOP) take(ff[tile(c.x, c.y) * SLOTS + c.z]);
  if (c.kind == WRITE_PORT) take(port[tile(c.x, c.y)]);
  if (c.kind == MEMORY)
    for (Site& s : memories) takeSite(s);
  if (c.kind == MULTIPLIER)
    for (Group& group : groups)
      for (Site& s : group) takeSite(s);
  if ((c.kind == LUT && c.level < TILE) || c.kind == FLIPFLOP) movable.push_back(cell);
}

inline void Placement::measure() {
  int nets = int(netCount.size());
  boxes.resize(nets), netCost.resize(nets);
  for (int n = 0; n < nets; n++) {
    boxes[n] = boxOf(n);
    netCost[n] = costOf(n, boxes[n]);
    density.add(boxes[n], factor[n], netCount[n], 1);
  }
}

inline void Placement::report(const std::string& name) const {
  long x = 0, y = 0, taken = 0;
  for (const Box& box : boxes) x += box.right - box.left, y += box.bottom - box.top;
  for (int at = 0; at < int(lut.size()); at++) taken += blocked(at);
  std::cout << name << ": wire " << x << " along x, " << y << " along y, density "
            << density.greatest() << ", M without LUT " << taken << std::endl;
}

inline Box Placement::boxOf(int net) const {
  Box box = {width, -1, height, -1};
  for (int i = netFirst[net], end = i + netCount[net]; i < end; i++) {
    const Cell& c = cells[netCells[i]];
    box.left = std::min(box.left, c.x), box.right = std::max(box.right, c.x);
    box.top = std::min(box.top, c.y), box.bottom = std::max(box.bottom, c.y);
  }
  return box;
}

// Flip-flops of a slice share all controls; a flip-flop fed at M can't share M with a multiplexer.
inline bool Placement::sliceLegal(int at) const {
  at &= ~1;
  if (ff[at] >= 0 && ff[at + 1] >= 0) {
    const Cell &a = cells[ff[at]], &b = cells[ff[at + 1]];
    if (a.clock != b.clock || a.reset != b.reset || a.enable != b.enable) return false;
  }
  for (int k = at; k < at + 2; k++)
    if (blocked(k) && cells[lut[k]].usesM) return false;
  return true;
}

// Flip-flops of a tile share clock and reset (nextpnr wants it so); a write port may have others,
// but not the same nets in other modes.
inline bool Placement::tileLegal(int t) const {
  const Cell* writes = port[t] >= 0 ? &cells[port[t]] : nullptr;
  const Cell* other = nullptr;
  auto clash = [&](int a, int b) {
    return a != b && a >= 0 && b >= 0 && signalNet[a] == signalNet[b];
  };
  for (int slot = 0; slot < SLOTS; slot++) {
    if (ff[t * SLOTS + slot] < 0) continue;
    const Cell& cell = cells[ff[t * SLOTS + slot]];
    if (other && (cell.clock != other->clock || cell.reset != other->reset)) return false;
    other = &cell;
  }
  return !writes || !other ||
         !(clash(writes->clock, other->clock) || clash(writes->reset, other->reset));
}

// The highest of some slots, two or four from the first of a slice.
inline int Placement::levelOf(int t, int slot, int slots) const {
  int level = LOOSE;
  for (int k = slot; k < slot + slots; k++) {
    if (besideWritePort(t, k)) return TILE;
    if (lut[t * SLOTS + k] >= 0) level = std::max(level, cells[lut[t * SLOTS + k]].level);
  }
  return level;
}
