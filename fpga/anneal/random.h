#pragma once

#include <cstdint>

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
