// A serial line at a Verilated design, as a C interface for ctypes; include it once in a library.
//
// The line is a waveform: levels that change at fractions of a cycle, sampled by the clock.
#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>

// One design; `cycle` is one of its clock cycles, from what it receives to what it sends.
class LineSimulation {
  public:
    explicit LineSimulation(double bit) : bit_(bit) {}
    virtual ~LineSimulation() = default;

    void send(double cycle, const uint8_t* data, uint32_t size) {
        for (uint32_t i = 0; i < size; ++i) {
            line_free_ = std::max(line_free_, cycle);
            sent_.push_back({line_free_, data[i]});
            line_free_ += kLineBits * bit_;
        }
    }
    void run(uint64_t cycles) {
        for (uint64_t end = now_ + cycles; now_ < end; ++now_) {
            listen(cycle(level()));
            if (!sent_.empty() || bit_place_ >= 0) stir();
        }
    }
    // Bytes whose stop bit came before a cycle.
    uint32_t take(uint64_t until, uint8_t* out, uint32_t limit) {
        uint32_t count = 0;
        for (; count < limit && !received_.empty() && received_.front().cycle < until; ++count) {
            out[count] = received_.front().byte;
            received_.pop_front();
        }
        return count;
    }
    uint64_t now() const { return now_; }
    // Cycles since anything moved.
    uint64_t idle() const { return now_ - moved_; }
    uint32_t bad_stops() const { return bad_stops_; }
    void noise(uint32_t per_million) { noise_ = per_million; }

  protected:
    virtual bool cycle(bool rx) = 0;
    void stir() { moved_ = now_; }

  private:
    static constexpr int kLineBits = 10;
    struct Sent { double start; uint8_t byte; };
    struct Received { uint64_t cycle; uint8_t byte; };

    // The line to the design; only looked at where it may change.
    bool level() {
        if (now_ < next_edge_) return level_;
        if (place_ == kLineBits) {
            sent_.pop_front();
            place_ = 0;
        }
        if (sent_.empty() || now_ < sent_.front().start) {
            next_edge_ = sent_.empty() ? now_ : sent_.front().start;
            return level_ = true;
        }
        const int place = place_++;
        next_edge_ = sent_.front().start + place_ * bit_;
        level_ = place > 0 && (place > 8 || (sent_.front().byte >> (place - 1) & 1));
        return level_ ^= hit();
    }
    void listen(bool tx) {
        if (bit_place_ < 0) {
            if (tx) return;
            bit_place_ = 0;
            heard_ = 0;
            next_ = now_ + bit_ / 2;
        }
        if (now_ < next_) return;
        bool value = tx != hit();
        if (bit_place_ == kLineBits - 1) {
            bad_stops_ += !value;
            received_.push_back({now_, uint8_t(heard_ >> 1)});
            bit_place_ = -1;
            return;
        }
        heard_ |= value << bit_place_++;
        next_ += bit_;
    }
    bool hit() {
        random_ = random_ * 6364136223846793005u + 1442695040888963407u;
        return (random_ >> 33) % 1000000 < noise_;
    }

    double bit_, line_free_ = 0, next_ = 0, next_edge_ = 0;
    int bit_place_ = -1, place_ = 0;
    bool level_ = true;
    uint32_t heard_ = 0, noise_ = 0, bad_stops_ = 0;
    uint64_t now_ = 0, moved_ = 0, random_ = 1;
    std::deque<Sent> sent_;
    std::deque<Received> received_;
};

extern "C" {

void line_destroy(LineSimulation* line) { delete line; }
void line_send(LineSimulation* line, double cycle, const uint8_t* data, uint32_t size) {
    line->send(cycle, data, size);
}
void line_run(LineSimulation* line, uint64_t cycles) { line->run(cycles); }
uint64_t line_now(LineSimulation* line) { return line->now(); }
uint64_t line_idle(LineSimulation* line) { return line->idle(); }
uint32_t line_take(LineSimulation* line, uint64_t until, uint8_t* out, uint32_t limit) {
    return line->take(until, out, limit);
}
uint32_t line_bad_stops(LineSimulation* line) { return line->bad_stops(); }
void line_noise(LineSimulation* line, uint32_t per_million) { line->noise(per_million); }

}  // extern "C"
