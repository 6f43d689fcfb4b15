// Shortens the wire of a placement by simulated annealing; fpga/refine.py writes the input, reads
// the output, and says what it is good for.
//
//   anneal INPUT OUTPUT SEED EFFORT
//
// A move swaps two places that hold the same kind of thing, so that what was legal stays legal: a
// LUT and its flip-flop, a flip-flop alone, slices, half tiles, runs of tiles, block RAMs, groups
// of multipliers. EFFORT is the number of moves tried for each cell.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace {

// Temperature (in tiles of wire) and reach (in tiles) fall by the same factor from step to step.
constexpr int STEPS = 60;
constexpr double FIRST_TEMPERATURE = 3, LAST_TEMPERATURE = 0.08;
constexpr double FIRST_REACH = 30, LAST_REACH = 3;
// Moves of other kinds than LUTs and flip-flops, of MOVES.
constexpr int MOVES = 2000, TILE_MOVES = 120, MEMORY_MOVES = 1, MULTIPLIER_MOVES = 1;
// Of a flip-flop fed at M whose LUT is taken: a free LUT is an easier way in (fpga/buffers.py).
constexpr double BLOCKED_COST = 0.5;
// Wire in one direction, in tiles for each tile of a bin: what is beyond the limit costs more.
constexpr int BIN = 6;
constexpr double DENSITY_LIMIT = 48, DENSITY_COST = 6;
// What reaching a pin takes of the wires around it, in either direction.
constexpr double PIN_WIRE = 0.4;
// Density can't make up for a move that is so much worse in wire: don't reckon it.
constexpr double HOPELESS = 20;
// Boxes of nets with more cells are only measured anew if a cell may have changed them.
constexpr int LARGE_NET = 40;
constexpr int REPORT_EVERY = 5;
constexpr int SLOTS = 8;  // of a tile: a LUT and a flip-flop each; two are a slice

enum Kind { LUT, FLIPFLOP, WRITE_PORT, MEMORY, MULTIPLIER, FIXED };
// What a LUT is tied to: nothing, its slice, its half of the tile, the tile or more.
enum Level { LOOSE, SLICE, HALF, TILE };

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "anneal: " << what << "\n";
  std::exit(2);
}

class Random {  // xorshift128+
 public:
  explicit Random(uint64_t seed) : low(88172645463325252ull + seed * 7919), high(362436069) {
    for (int i = 0; i < 20; i++) next();
  }
  int below(int bound) { return int(((next() >> 32) * uint64_t(bound)) >> 32); }
  int around(int middle, int reach) { return middle + below(2 * reach + 1) - reach; }
  double unit() { return double(next() >> 11) / 9007199254740992.0; }

 private:
  uint64_t next() {
    uint64_t a = low, b = high;
    low = b;
    a ^= a << 23;
    high = a ^ b ^ (a >> 17) ^ (b >> 26);
    return high + b;
  }
  uint64_t low, high;
};

struct Cell {
  int kind, x, y, z;          // z: slot of a tile, or the number of a site
  int level;                  // of a LUT
  int usesM, fedAtM;          // a LUT whose multiplexer's select is M; a flip-flop without LUT
  int clock, reset, enable;   // signals with their modes, -1 for none
  int firstPin, pins;
};

struct Box {
  int left, right, top, bottom;
  bool operator==(const Box& b) const {
    return left == b.left && right == b.right && top == b.top && bottom == b.bottom;
  }
};

// How much longer a net of so many pins is than half its perimeter (Cheng 1994), flatter beyond 50.
double perimeterFactor(int pins) {
  static const double small[] = {0,      1,      1,      1,      1.0828, 1.1536, 1.2206,
                                 1.2823, 1.3385, 1.3991, 1.4493, 1.4974, 1.5455, 1.5937,
                                 1.6418, 1.6899, 1.7304, 1.7709, 1.8114, 1.8519, 1.8924};
  if (pins <= 20) return small[pins];
  if (pins <= 50) return small[20] + (pins - 20) * 0.03;
  return 2.79 + 0.01 * std::min(pins - 50, 150);
}

class Density {  // of wire, by bin
 public:
  Density() = default;
  Density(int width, int height, int left, int right, int top, int bottom)
      : columns(width / BIN + 1), count(columns * (height / BIN + 1)),
        alongX(count), alongY(count), area(count), marked(count) {
    for (int y = top; y <= bottom; y++)
      for (int x = left; x <= right; x++) area[y / BIN * columns + x / BIN]++;
  }

  // Spreads a net's wire evenly over its box, or takes it away (sign -1).
  void add(const Box& box, double factor, int pins, double sign) {
    double width = box.right - box.left + 1, height = box.bottom - box.top + 1;
    double ends = PIN_WIRE * pins, tiles = width * height;
    double x = sign * (factor * (width - 1) + ends) / tiles;
    double y = sign * (factor * (height - 1) + ends) / tiles;
    forBins(box, [&](int bin, int shared) {
      alongX[bin] += x * shared;
      alongY[bin] += y * shared;
    });
  }

  void mark(const Box& box) {
    forBins(box, [&](int bin, int) {
      if (!marked[bin]) list.push_back(bin);
      marked[bin] = true;
    });
  }
  double costOfMarked() const {
    double sum = 0;
    for (int bin : list) sum += cost(alongX[bin], area[bin]) + cost(alongY[bin], area[bin]);
    return sum;
  }
  void clearMarks() {
    for (int bin : list) marked[bin] = false;
    list.clear();
  }
  double greatest() const {
    double most = 0;
    for (int bin = 0; bin < count; bin++)
      if (area[bin] > 0) most = std::max(most, std::max(alongX[bin], alongY[bin]) / area[bin]);
    return most;
  }

 private:
  template <class Each>
  void forBins(const Box& box, Each each) {
    for (int by = box.top / BIN; by <= box.bottom / BIN; by++) {
      int rows = std::min(box.bottom, by * BIN + BIN - 1) - std::max(box.top, by * BIN) + 1;
      for (int bx = box.left / BIN; bx <= box.right / BIN; bx++) {
        int wide = std::min(box.right, bx * BIN + BIN - 1) - std::max(box.left, bx * BIN) + 1;
        each(by * columns + bx, rows * wide);
      }
    }
  }
  static double cost(double wire, double area) {
    if (area <= 0) return 0;
    double over = wire / area - DENSITY_LIMIT;
    return over > 0 ? DENSITY_COST * area * over * over / DENSITY_LIMIT : 0;
  }
  int columns = 0, count = 0;
  std::vector<double> alongX, alongY, area;
  std::vector<char> marked;
  std::vector<int> list;
};

class Placement {
 public:
  Placement(const char* input, uint64_t seed) : random(seed) {
    std::ifstream file(input);
    if (!file) fail(std::string("can't read ") + input);
    readDevice(file);
    readCells(file);
    if (!file) fail(std::string(input) + " ends early or holds something else than numbers");
    measure();
  }

  void refine(long effort);
  void report(const char* name) const;
  void write(const char* output) const {
    std::ofstream file(output);
    for (const Cell& cell : cells) file << cell.x << ' ' << cell.y << ' ' << cell.z << '\n';
    if (!file.flush()) fail(std::string("can't write ") + output);
  }

 private:
  struct Old { int cell, x, y, z; };
  struct Site { int x, y, z, cell; };
  using Group = std::array<Site, 4>;
  struct Spot { int x, y, slot; };

  void readDevice(std::istream& file);
  void readCells(std::istream& file);
  void occupy(int number);
  void measure();

  int tile(int x, int y) const { return y * width + x; }
  int place(const Spot& at) const { return tile(at.x, at.y) * SLOTS + at.slot; }
  Box boxOf(int net) const;
  double costOf(int net, const Box& box) const {
    return factor[net] * (box.right - box.left + box.bottom - box.top);
  }
  bool blocked(int at) const { return ff[at] >= 0 && cells[ff[at]].fedAtM && lut[at] >= 0; }
  bool sliceLegal(int at) const;
  bool tileLegal(int t) const;
  bool besideWritePort(int t, int slot) const { return port[t] >= 0 && slot / 2 == 2; }
  bool tied(int t, int slot) const {
    int found = lut[t * SLOTS + slot];
    return besideWritePort(t, slot) || (found >= 0 && cells[found].level != LOOSE);
  }
  int levelOf(int t, int slot) const;  // the highest of a slice

  void put(int cell, int x, int y, int z) {
    if (cell < 0) return;
    Cell& c = cells[cell];
    moved.push_back({cell, c.x, c.y, c.z});
    c.x = x, c.y = y, c.z = z;
  }
  bool keepOrRevert(double extra);
  bool accepted(double change);
  double wireChange();

  bool swapSlots(Spot a, Spot b, bool flipflopOnly);
  bool swapSlices(Spot a, Spot b, int slots);
  bool swapTiles(int xa, int ya, int xb, int yb, int count);
  bool swapMemories();
  bool swapGroups();
  bool nearNeighbour(const Cell& cell, int noise, int& x, int& row);
  bool tryTiles();
  bool tryCell();
  bool inside(int x, int row) const {
    return x >= left && x <= right && row >= 0 && row < int(rows.size());
  }

  Random random;
  int width = 0, height = 0, left = 0, right = 0;
  std::vector<int> rows, rowIndex;       // of logic; the nearest such row's index
  std::vector<int> lut, ff, port;        // cells by slot, write ports by tile, -1 for none
  std::vector<char> linked;              // by tile: can't part from the one right of it
  std::vector<Site> memories;
  std::vector<Group> groups;
  std::vector<int> signalNet;            // net of a clock or a reset with its mode
  std::vector<Cell> cells;
  std::vector<int> pins, movable;
  std::vector<int> netFirst, netCount, netCells;
  std::vector<double> factor, netCost;
  std::vector<Box> boxes;
  Density density;
  double temperature = 0, reach = 0;
  // Of the move that is tried:
  std::vector<Old> moved;
  std::vector<int> touched, stamp;
  std::vector<Box> newBoxes;
  std::vector<double> newCosts;
  int stampNow = 0;
};

int number(std::istream& file, int least, int most) {
  int value = 0;
  if (!(file >> value)) fail("the input ends early or holds something else than numbers");
  if (value < least || value > most)
    fail("the input holds " + std::to_string(value) + " where " + std::to_string(least) + " to " +
         std::to_string(most) + " is accepted");
  return value;
}

constexpr int MANY = 1 << 28;

void Placement::readDevice(std::istream& file) {
  width = number(file, 4, 1000), height = number(file, 4, 1000);
  left = number(file, 1, width - 1), right = number(file, left, width - 1);
  rows.resize(number(file, 1, height));
  for (int& row : rows) row = number(file, 0, height - 1);
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
    s.x = number(file, 0, width - 1), s.y = number(file, 0, height - 1);
    s.z = number(file, 0, 15), s.cell = -1;
  };
  memories.resize(number(file, 0, MANY));
  for (Site& s : memories) site(s);
  groups.resize(number(file, 0, MANY));
  for (Group& group : groups)
    for (Site& s : group) site(s);
}

void Placement::readCells(std::istream& file) {
  for (int links = number(file, 0, MANY); links > 0; links--) {
    int x = number(file, 0, width - 2), y = number(file, 0, height - 1);
    linked[tile(x, y)] = true;
  }
  signalNet.resize(number(file, 0, MANY));
  for (int& net : signalNet) net = number(file, 0, MANY);
  int signals = int(signalNet.size()), nets = number(file, 0, MANY);
  cells.resize(number(file, 0, MANY));
  netCount.assign(nets, 0);
  for (Cell& c : cells) {
    c.kind = number(file, LUT, FIXED);
    c.x = number(file, 0, width - 1), c.y = number(file, 0, height - 1), c.z = number(file, 0, 15);
    c.level = number(file, LOOSE, TILE);
    c.usesM = number(file, 0, 1), c.fedAtM = number(file, 0, 1);
    c.clock = number(file, -1, signals - 1), c.reset = number(file, -1, signals - 1);
    c.enable = number(file, -1, MANY);
    c.firstPin = int(pins.size()), c.pins = number(file, 0, MANY);
    for (int i = 0; i < c.pins; i++) {
      pins.push_back(number(file, 0, nets - 1));
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
  stamp.assign(nets, 0);
}

void Placement::occupy(int number) {
  const Cell& c = cells[number];
  auto take = [&](int& place) {
    if (place >= 0)
      fail("two cells at column " + std::to_string(c.x) + ", row " + std::to_string(c.y));
    place = number;
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
  if ((c.kind == LUT && c.level < TILE) || c.kind == FLIPFLOP) movable.push_back(number);
}

void Placement::measure() {
  int nets = int(netCount.size());
  boxes.resize(nets), netCost.resize(nets);
  for (int n = 0; n < nets; n++) {
    boxes[n] = boxOf(n);
    netCost[n] = costOf(n, boxes[n]);
    density.add(boxes[n], factor[n], netCount[n], 1);
  }
}

void Placement::report(const char* name) const {
  long x = 0, y = 0, taken = 0;
  for (const Box& box : boxes) x += box.right - box.left, y += box.bottom - box.top;
  for (int at = 0; at < int(lut.size()); at++) taken += blocked(at);
  std::cout << name << ": wire " << x << " along x, " << y << " along y, density "
            << density.greatest() << ", M without LUT " << taken << std::endl;
}

Box Placement::boxOf(int net) const {
  Box box = {width, -1, height, -1};
  for (int i = netFirst[net], end = i + netCount[net]; i < end; i++) {
    const Cell& c = cells[netCells[i]];
    box.left = std::min(box.left, c.x), box.right = std::max(box.right, c.x);
    box.top = std::min(box.top, c.y), box.bottom = std::max(box.bottom, c.y);
  }
  return box;
}

// Flip-flops of a slice share all controls; a flip-flop fed at M can't share M with a multiplexer.
bool Placement::sliceLegal(int at) const {
  at &= ~1;
  if (ff[at] >= 0 && ff[at + 1] >= 0) {
    const Cell &a = cells[ff[at]], &b = cells[ff[at + 1]];
    if (a.clock != b.clock || a.reset != b.reset || a.enable != b.enable) return false;
  }
  for (int k = at; k < at + 2; k++)
    if (blocked(k) && cells[lut[k]].usesM) return false;
  return true;
}

// A tile has two wires for clocks and two for resets, each with one mode.
bool Placement::tileLegal(int t) const {
  std::array<int, 2> clocks{-1, -1}, resets{-1, -1};
  auto fits = [&](std::array<int, 2>& wires, int signal) {
    if (signal < 0 || wires[0] == signal || wires[1] == signal) return true;
    for (int& wire : wires) {
      if (wire < 0) {
        wire = signal;
        return true;
      }
      if (signalNet[wire] == signalNet[signal]) return false;
    }
    return false;
  };
  auto both = [&](int cell) {
    return cell < 0 || (fits(clocks, cells[cell].clock) && fits(resets, cells[cell].reset));
  };
  if (!both(port[t])) return false;
  for (int slot = 0; slot < SLOTS; slot++)
    if (!both(ff[t * SLOTS + slot])) return false;
  return true;
}

int Placement::levelOf(int t, int slot) const {
  if (besideWritePort(t, slot)) return TILE;
  int level = LOOSE, at = (t * SLOTS + slot) & ~1;
  for (int k = at; k < at + 2; k++)
    if (lut[k] >= 0) level = std::max(level, cells[lut[k]].level);
  return level;
}

// Cells have moved already; what their nets' boxes are now goes to newBoxes.
double Placement::wireChange() {
  stampNow++;
  touched.clear(), newBoxes.clear(), newCosts.clear();
  double change = 0;
  for (const Old& old : moved) {
    const Cell& c = cells[old.cell];
    if (c.x == old.x && c.y == old.y) continue;
    for (int i = c.firstPin; i < c.firstPin + c.pins; i++) {
      int n = pins[i];
      if (stamp[n] == stampNow) continue;
      const Box& b = boxes[n];
      bool within = c.x >= b.left && c.x <= b.right && c.y >= b.top && c.y <= b.bottom;
      bool wasInner = old.x > b.left && old.x < b.right && old.y > b.top && old.y < b.bottom;
      if (netCount[n] > LARGE_NET && within && wasInner) continue;
      stamp[n] = stampNow;
      Box box = boxOf(n);
      double cost = costOf(n, box);
      change += cost - netCost[n];
      touched.push_back(n), newBoxes.push_back(box), newCosts.push_back(cost);
    }
  }
  return change;
}

bool Placement::accepted(double change) {
  double limit = -temperature * std::log(random.unit() + 1e-300);
  if (change > limit + HOPELESS) return false;
  auto follow = [&](double sign) {
    for (size_t i = 0; i < touched.size(); i++) {
      int n = touched[i];
      if (newBoxes[i] == boxes[n]) continue;
      density.add(boxes[n], factor[n], netCount[n], -sign);
      density.add(newBoxes[i], factor[n], netCount[n], sign);
    }
  };
  for (size_t i = 0; i < touched.size(); i++)
    if (!(newBoxes[i] == boxes[touched[i]])) {
      density.mark(boxes[touched[i]]);
      density.mark(newBoxes[i]);
    }
  change -= density.costOfMarked();
  follow(1);
  change += density.costOfMarked();
  density.clearMarks();
  if (change <= limit) return true;
  follow(-1);
  return false;
}

bool Placement::keepOrRevert(double extra) {
  if (moved.empty()) return false;
  if (accepted(wireChange() + extra)) {
    for (size_t i = 0; i < touched.size(); i++) {
      boxes[touched[i]] = newBoxes[i];
      netCost[touched[i]] = newCosts[i];
    }
    return true;
  }
  for (const Old& old : moved) {
    Cell& c = cells[old.cell];
    c.x = old.x, c.y = old.y, c.z = old.z;
  }
  return false;
}

bool Placement::swapSlots(Spot a, Spot b, bool flipflopOnly) {
  int pa = place(a), pb = place(b), ta = tile(a.x, a.y), tb = tile(b.x, b.y);
  auto bound = [&](int t, int at, int slot) {  // what can't leave its slot in such a move
    if (!flipflopOnly) return tied(t, slot);
    return besideWritePort(t, slot) || (ff[at] >= 0 && !cells[ff[at]].fedAtM);
  };
  if (pa == pb || bound(ta, pa, a.slot) || bound(tb, pb, b.slot)) return false;
  auto exchange = [&] {
    std::swap(ff[pa], ff[pb]);
    if (!flipflopOnly) std::swap(lut[pa], lut[pb]);
  };
  int before = blocked(pa) + blocked(pb);
  exchange();
  if (sliceLegal(pa) && sliceLegal(pb) && (ta == tb || (tileLegal(ta) && tileLegal(tb)))) {
    moved.clear();
    put(ff[pa], a.x, a.y, a.slot), put(ff[pb], b.x, b.y, b.slot);
    if (!flipflopOnly) put(lut[pa], a.x, a.y, a.slot), put(lut[pb], b.x, b.y, b.slot);
    if (keepOrRevert(BLOCKED_COST * (blocked(pa) + blocked(pb) - before))) return true;
  }
  exchange();
  return false;
}

// Two slots are a slice, four half a tile; a and b are their first ones.
bool Placement::swapSlices(Spot a, Spot b, int slots) {
  int pa = place(a), pb = place(b), ta = tile(a.x, a.y), tb = tile(b.x, b.y);
  if (pa == pb) return false;
  for (int k = 0; k < slots; k += 2)
    if (std::max(levelOf(ta, a.slot + k), levelOf(tb, b.slot + k)) > (slots == 2 ? SLICE : HALF))
      return false;
  auto exchange = [&] {
    std::swap_ranges(&lut[pa], &lut[pa] + slots, &lut[pb]);
    std::swap_ranges(&ff[pa], &ff[pa] + slots, &ff[pb]);
  };
  exchange();
  if (ta == tb || (tileLegal(ta) && tileLegal(tb))) {
    moved.clear();
    for (int k = 0; k < slots; k++) {
      put(lut[pa + k], a.x, a.y, a.slot + k), put(ff[pa + k], a.x, a.y, a.slot + k);
      put(lut[pb + k], b.x, b.y, b.slot + k), put(ff[pb + k], b.x, b.y, b.slot + k);
    }
    if (keepOrRevert(0)) return true;
  }
  exchange();
  return false;
}

bool Placement::swapTiles(int xa, int ya, int xb, int yb, int count) {
  if (ya == yb && std::abs(xa - xb) < count) return false;
  auto whole = [&](int x, int y) {  // no chain of tiles is cut
    return x >= left && x + count - 1 <= right && !linked[tile(x - 1, y)] &&
           !linked[tile(x + count - 1, y)];
  };
  if (!whole(xa, ya) || !whole(xb, yb)) return false;
  int ta = tile(xa, ya), tb = tile(xb, yb);
  auto exchange = [&] {
    auto swap = [&](auto& of, int each) {
      std::swap_ranges(&of[ta * each], &of[ta * each] + count * each, &of[tb * each]);
    };
    swap(lut, SLOTS), swap(ff, SLOTS), swap(port, 1), swap(linked, 1);
  };
  exchange();
  moved.clear();
  for (auto [x, y] : {std::pair{xa, ya}, std::pair{xb, yb}})
    for (int i = 0; i < count; i++) {
      int t = tile(x + i, y);
      for (int slot = 0; slot < SLOTS; slot++) {
        put(lut[t * SLOTS + slot], x + i, y, slot);
        put(ff[t * SLOTS + slot], x + i, y, slot);
      }
      if (port[t] >= 0) put(port[t], x + i, y, cells[port[t]].z);
    }
  if (keepOrRevert(0)) return true;
  exchange();
  return false;
}

bool Placement::swapMemories() {
  if (memories.empty()) return false;
  Site &a = memories[random.below(int(memories.size()))],
       &b = memories[random.below(int(memories.size()))];
  moved.clear();
  if (&a != &b) put(a.cell, b.x, b.y, b.z), put(b.cell, a.x, a.y, a.z);
  bool kept = keepOrRevert(0);
  if (kept) std::swap(a.cell, b.cell);
  return kept;
}

bool Placement::swapGroups() {
  if (groups.empty()) return false;
  Group &a = groups[random.below(int(groups.size()))],
        &b = groups[random.below(int(groups.size()))];
  moved.clear();
  for (int i = 0; i < 4 && &a != &b; i++) {
    put(a[i].cell, b[i].x, b[i].y, b[i].z);
    put(b[i].cell, a[i].x, a[i].y, a[i].z);
  }
  bool kept = keepOrRevert(0);
  for (int i = 0; i < 4 && kept; i++) std::swap(a[i].cell, b[i].cell);
  return kept;
}

// Somewhere near a cell that shares one of the smaller nets with this one.
bool Placement::nearNeighbour(const Cell& cell, int noise, int& x, int& row) {
  for (int attempt = 0; attempt < 4 && cell.pins > 0; attempt++) {
    int n = pins[cell.firstPin + random.below(cell.pins)];
    if (netCount[n] > LARGE_NET) continue;
    const Cell& other = cells[netCells[netFirst[n] + random.below(netCount[n])]];
    if (&other == &cell) continue;
    x = random.around(other.x, noise), row = random.around(rowIndex[other.y], noise);
    return true;
  }
  return false;
}

bool Placement::tryTiles() {
  int x = left + random.below(right - left + 1), row = random.below(int(rows.size()));
  int y = rows[row], end = x;
  while (linked[tile(x - 1, y)]) x--;
  while (linked[tile(end, y)]) end++;
  int count = end - x + 1;
  if (count == 1 && random.below(3) == 0) count = 1 + random.below(3);
  int far = random.below(2) ? int(LAST_REACH) : int(reach);
  int toX = random.around(x, far), toRow = random.around(row, far);
  if (random.below(3) == 0) {
    int near = lut[tile(std::min(x + random.below(count), right), y) * SLOTS + random.below(SLOTS)];
    if (near >= 0 && nearNeighbour(cells[near], 3, toX, toRow)) toX -= count / 2;
  }
  return inside(toX, toRow) && swapTiles(x, y, toX, rows[toRow], count);
}

bool Placement::tryCell() {
  const Cell& c = cells[movable[random.below(int(movable.size()))]];
  Spot from{c.x, c.y, c.z};
  int beside = lut[place(from)];
  bool alone = c.kind == FLIPFLOP && c.fedAtM &&
               (beside < 0 || cells[beside].level != LOOSE || random.below(2));
  int level = c.kind == LUT ? c.level : int(LOOSE);
  int x = random.around(c.x, int(reach)), row = random.around(rowIndex[c.y], int(reach));
  if (random.below(2)) nearNeighbour(c, 2, x, row);
  if (!inside(x, row)) return false;
  Spot to{x, rows[row], random.below(SLOTS)};
  int t = tile(to.x, to.y);
  if (level != LOOSE || random.below(8) == 0) {
    int slots = level == HALF || random.below(level == SLICE ? 3 : 2) == 0 ? 4 : 2;
    from.slot &= ~(slots - 1), to.slot &= ~(slots - 1);
    auto fixed = [&] {
      int most = LOOSE;
      for (int k = 0; k < slots; k += 2) most = std::max(most, levelOf(t, to.slot + k));
      return most > (slots == 2 ? SLICE : HALF);
    };
    for (int k = 0; k < SLOTS / slots && fixed(); k++) to.slot = (to.slot + slots) % SLOTS;
    return swapSlices(from, to, slots);
  }
  auto useless = [&] {
    int other = ff[place(to)];
    return alone ? other >= 0 && !cells[other].fedAtM : tied(t, to.slot);
  };
  for (int k = 0; k < SLOTS && useless(); k++) to.slot = (to.slot + 1) % SLOTS;
  return swapSlots(from, to, alone);
}

void Placement::refine(long effort) {
  if (movable.empty()) fail("nothing in the input can move");
  long each = std::max(1L, effort * long(movable.size()) / STEPS);
  report("start");
  for (int step = 0; step < STEPS; step++) {
    double done = double(step) / (STEPS - 1);
    temperature = FIRST_TEMPERATURE * std::pow(LAST_TEMPERATURE / FIRST_TEMPERATURE, done);
    reach = FIRST_REACH * std::pow(LAST_REACH / FIRST_REACH, done);
    for (long k = 0; k < each; k++) {
      int kind = random.below(MOVES);
      if (kind < MEMORY_MOVES) swapMemories();
      else if (kind < MEMORY_MOVES + MULTIPLIER_MOVES) swapGroups();
      else if (kind < MEMORY_MOVES + MULTIPLIER_MOVES + TILE_MOVES) tryTiles();
      else tryCell();
    }
    if ((step + 1) % REPORT_EVERY == 0 && step + 1 < STEPS)
      report(("step " + std::to_string(step + 1) + " of " + std::to_string(STEPS)).c_str());
  }
  report("end");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) fail("usage: anneal INPUT OUTPUT SEED EFFORT");
  Placement placement(arguments[1], std::strtoull(arguments[3], nullptr, 10));
  placement.refine(std::strtol(arguments[4], nullptr, 10));
  placement.write(arguments[2]);
}
