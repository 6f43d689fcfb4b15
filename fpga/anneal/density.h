// Boxes of nets, and how dense their wires are.
#pragma once

#include <algorithm>
#include <vector>

#include "settings.h"

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
