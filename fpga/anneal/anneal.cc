// Shortens the wire of a placement by simulated annealing; fpga/annealer.py writes the input and
// reads the output.
//
//   anneal INPUT OUTPUT SEED EFFORT
//
// Every few steps it writes the output, prints "late?" and reads connections that should be short:
// how many, then two cells each and what a tile between them costs. EFFORT is the number of moves
// tried for each cell.
//
// A move swaps two places that hold the same kind of thing, so that what was legal stays legal: a
// LUT and its flip-flop, a flip-flop alone, slices, half tiles, runs of tiles, block RAMs, groups
// of multipliers.

#include <cmath>
#include <utility>

#include "placement.h"
#include "random.h"
#include "settings.h"

class Annealer : public Placement {
 public:
  Annealer(const char* input, uint64_t seed) : Placement(input), random(seed) {
    stamp.assign(netCount.size(), 0);
  }
  void run(long effort, const char* output);

 private:
  struct Old { int cell, x, y, z; };

  void put(int cell, int x, int y, int z) {
    if (cell < 0) return;
    Cell& c = cells[cell];
    moved.push_back({cell, c.x, c.y, c.z});
    c.x = x, c.y = y, c.z = z;
  }
  double wireChange();
  double connectionChange();
  bool accepted(double change);
  bool keepOrRevert(double extra);
  bool swapSlots(Spot a, Spot b, bool flipflopOnly);
  bool swapSlices(Spot a, Spot b, int slots);
  bool swapTiles(int xa, int ya, int xb, int yb, int count);
  bool swapSites(Site* a, Site* b, int count);
  bool swapMemories();
  bool swapGroups();
  bool nearNeighbour(const Cell& cell, int noise, int& x, int& row);
  bool tryTiles();
  bool tryCell();

  Random random;
  double temperature = 0, reach = 0;
  // Of the move that is tried: cells where they were, nets whose boxes may differ and how.
  std::vector<Old> moved;
  std::vector<int> touched, touchedConnections;
  std::vector<unsigned> stamp;
  std::vector<Box> newBoxes;
  std::vector<double> newCosts;
  std::vector<int> newLengths;
  unsigned stampNow = 0;
};

// Cells have moved already; what their nets' boxes are now goes to newBoxes.
double Annealer::wireChange() {
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

// The same of connections that are late.
double Annealer::connectionChange() {
  touchedConnections.clear(), newLengths.clear();
  double change = 0;
  for (const Old& old : moved)
    for (int i = connectionFirst[old.cell]; i < connectionFirst[old.cell + 1]; i++) {
      Connection& c = connections[connectionsOf[i]];
      if (c.stamp == stampNow) continue;
      c.stamp = stampNow;
      int length = lengthOf(c);
      change += c.weight * (length - c.length);
      touchedConnections.push_back(connectionsOf[i]), newLengths.push_back(length);
    }
  return change;
}

bool Annealer::accepted(double change) {
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

bool Annealer::keepOrRevert(double extra) {
  if (moved.empty()) return false;
  extra += wireChange();
  if (accepted(extra + connectionChange())) {
    for (size_t i = 0; i < touched.size(); i++) {
      boxes[touched[i]] = newBoxes[i];
      netCost[touched[i]] = newCosts[i];
    }
    for (size_t i = 0; i < touchedConnections.size(); i++)
      connections[touchedConnections[i]].length = newLengths[i];
    return true;
  }
  for (const Old& old : moved) {
    Cell& c = cells[old.cell];
    c.x = old.x, c.y = old.y, c.z = old.z;
  }
  return false;
}

bool Annealer::swapSlots(Spot a, Spot b, bool flipflopOnly) {
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
bool Annealer::swapSlices(Spot a, Spot b, int slots) {
  int pa = place(a), pb = place(b), ta = tile(a.x, a.y), tb = tile(b.x, b.y);
  if (pa == pb) return false;
  int most = slots == 2 ? SLICE : HALF;
  if (levelOf(ta, a.slot, slots) > most || levelOf(tb, b.slot, slots) > most) return false;
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

bool Annealer::swapTiles(int xa, int ya, int xb, int yb, int count) {
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

bool Annealer::swapSites(Site* a, Site* b, int count) {
  if (a == b) return false;
  moved.clear();
  for (int i = 0; i < count; i++) {
    put(a[i].cell, b[i].x, b[i].y, b[i].z);
    put(b[i].cell, a[i].x, a[i].y, a[i].z);
  }
  bool kept = keepOrRevert(0);
  for (int i = 0; i < count && kept; i++) std::swap(a[i].cell, b[i].cell);
  return kept;
}

bool Annealer::swapMemories() {
  if (memories.empty()) return false;
  Site *a = &memories[random.below(int(memories.size()))],
       *b = &memories[random.below(int(memories.size()))];
  return swapSites(a, b, 1);
}

bool Annealer::swapGroups() {
  if (groups.empty()) return false;
  Group &a = groups[random.below(int(groups.size()))],
        &b = groups[random.below(int(groups.size()))];
  return swapSites(a.data(), b.data(), int(a.size()));
}

// Somewhere near a cell that shares one of the smaller nets with this one.
bool Annealer::nearNeighbour(const Cell& cell, int noise, int& x, int& row) {
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

bool Annealer::tryTiles() {
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

bool Annealer::tryCell() {
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
    int most = slots == 2 ? SLICE : HALF;
    for (int k = 0; k < SLOTS / slots && levelOf(t, to.slot, slots) > most; k++)
      to.slot = (to.slot + slots) % SLOTS;
    return swapSlices(from, to, slots);
  }
  auto useless = [&] {
    int other = ff[place(to)];
    return alone ? other >= 0 && !cells[other].fedAtM : tied(t, to.slot);
  };
  for (int k = 0; k < SLOTS && useless(); k++) to.slot = (to.slot + 1) % SLOTS;
  return swapSlots(from, to, alone);
}

void Annealer::run(long effort, const char* output) {
  if (movable.empty()) fail("nothing in the input can move");
  long each = std::max(1L, effort * long(movable.size()) / STEPS);
  report("start");
  for (int step = 0; step < STEPS; step++) {
    double done = double(step) / (STEPS - 1);
    temperature = FIRST_TEMPERATURE * std::pow(LAST_TEMPERATURE / FIRST_TEMPERATURE, done);
    reach = FIRST_REACH * std::pow(LAST_REACH / FIRST_REACH, done);
    if (step % ASK_EVERY == 0) {
      write(output);
      std::cout << "late?" << std::endl;
      readConnections(std::cin);
    }
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

int main(int count, char** arguments) {
  if (count != 5) fail("usage: anneal INPUT OUTPUT SEED EFFORT");
  Annealer annealer(arguments[1], std::strtoull(arguments[3], nullptr, 10));
  annealer.run(std::strtol(arguments[4], nullptr, 10), arguments[2]);
  annealer.write(arguments[2]);
}
