// The Verilated link between a serial line and two buses with memory behind them, for ctypes.
//
// The line is a waveform: levels that change at fractions of a cycle, sampled by the clock.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "Vlink.h"
#include "verilated.h"

#define PORT(bus, channel, member) bus##___05F##channel##___05F##member

namespace {

constexpr int kLineBits = 10;

// What a bus is doing: one read and one write at a time, each answered after a latency.
struct Access {
    int reading = -1, writing = -1;  // cycles to the answer
    bool read = false, write = false, read_done = false, write_done = false;
    uint32_t address = 0;

    void step(int latency) {
        if (read_done) reading = -1;
        if (write_done) writing = -1;
        if (read) reading = latency;
        if (write) writing = latency;
        if (reading > 0) --reading;
        if (writing > 0) --writing;
    }
};

// Before the edge: what is transferred with it.
#define BEFORE(bus, access, bytes) do { \
    access.read = top_->PORT(bus, ar, valid) && top_->PORT(bus, ar, ready); \
    access.write = top_->PORT(bus, aw, valid) && top_->PORT(bus, aw, ready); \
    access.read_done = top_->PORT(bus, r, valid) && top_->PORT(bus, r, ready); \
    access.write_done = top_->PORT(bus, b, valid) && top_->PORT(bus, b, ready); \
    if (access.read) access.address = uint32_t(top_->PORT(bus, ar, payload)); \
    if (access.write) store(bytes, uint32_t(top_->PORT(bus, aw, payload)), \
                            uint64_t(top_->PORT(bus, w, payload))); \
} while (0)

// After it: what is offered next. Address and data of a write are taken together.
#define AFTER(bus, access, bytes) do { \
    access.step(latency_); \
    top_->PORT(bus, ar, ready) = access.reading < 0; \
    top_->PORT(bus, aw, ready) = top_->PORT(bus, w, ready) = \
        access.writing < 0 && top_->PORT(bus, aw, valid) && top_->PORT(bus, w, valid); \
    top_->PORT(bus, r, valid) = access.reading == 0; \
    top_->PORT(bus, b, valid) = access.writing == 0; \
    top_->PORT(bus, r, payload) = access.reading == 0 ? load(bytes, access.address) : 0; \
} while (0)

struct Sent { double start; uint8_t byte; };
struct Received { uint64_t cycle; uint8_t byte; };

class Link {
  public:
    Link(uint32_t bytes, double bit, int latency)
        : top_(new Vlink{&context_, "link"}), bytes_(bytes), registers_(4096), bit_(bit),
          latency_(latency) {
        top_->rx = 1;
        top_->rst = 1;
        for (int i = 0; i < 4; ++i) edge();
        top_->rst = 0;
    }
    ~Link() { top_->final(); }

    void send(double cycle, const uint8_t* data, uint32_t size) {
        for (uint32_t i = 0; i < size; ++i) {
            line_free_ = std::max(line_free_, cycle);
            sent_.push_back({line_free_, data[i]});
            line_free_ += kLineBits * bit_;
        }
    }

    void run(uint64_t cycles) {
        for (uint64_t end = now_ + cycles; now_ < end; ++now_) {
            top_->rx = level();
            top_->clk = 0;
            top_->eval();
            BEFORE(axi, memory_, bytes_);
            BEFORE(axil, lite_, registers_);
            top_->clk = 1;
            top_->eval();
            AFTER(axi, memory_, bytes_);
            AFTER(axil, lite_, registers_);
            listen();
        }
    }

    uint64_t now() const { return now_; }
    // Bytes whose stop bit came before a cycle.
    uint32_t take(uint64_t until, uint8_t* out, uint32_t limit) {
        uint32_t count = 0;
        for (; count < limit && !received_.empty() && received_.front().cycle < until; ++count) {
            out[count] = received_.front().byte;
            received_.pop_front();
        }
        return count;
    }
    uint8_t* bytes() { return bytes_.data(); }
    uint8_t* registers() { return registers_.data(); }
    uint32_t bad_stops() const { return bad_stops_; }
    void irq(int level) { top_->irq = level; }
    void noise(uint32_t per_million) { noise_ = per_million; }

  private:
    static void store(std::vector<uint8_t>& bytes, uint32_t address, uint64_t payload) {
        for (int lane = 0; lane < 4; ++lane)
            if (payload >> (32 + lane) & 1)
                bytes[(address & (bytes.size() - 4)) + lane] = uint8_t(payload >> (8 * lane));
    }
    static uint64_t load(const std::vector<uint8_t>& bytes, uint32_t address) {
        uint32_t word;
        std::memcpy(&word, &bytes[address & (bytes.size() - 4)], 4);
        return word;
    }
    void edge() {
        top_->clk = 0;
        top_->eval();
        top_->clk = 1;
        top_->eval();
    }
    // The line to the link; only looked at where it may change.
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
    void listen() {
        if (bit_place_ < 0) {
            if (top_->tx) return;
            bit_place_ = 0;
            heard_ = 0;
            next_ = now_ + bit_ / 2;
        }
        if (now_ < next_) return;
        bool value = top_->tx != hit();
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

    VerilatedContext context_;
    std::unique_ptr<Vlink> top_;
    std::vector<uint8_t> bytes_, registers_;
    double bit_, line_free_ = 0, next_ = 0, next_edge_ = 0;
    int latency_, bit_place_ = -1, place_ = 0;
    bool level_ = true;
    Access memory_, lite_;
    uint32_t heard_ = 0, noise_ = 0, bad_stops_ = 0;
    uint64_t now_ = 0, random_ = 1;
    std::deque<Sent> sent_;
    std::deque<Received> received_;
};

}  // namespace

extern "C" {

Link* link_create(uint32_t bytes, double bit, int latency) { return new Link(bytes, bit, latency); }
void link_destroy(Link* link) { delete link; }
void link_send(Link* link, double cycle, const uint8_t* data, uint32_t size) {
    link->send(cycle, data, size);
}
void link_run(Link* link, uint64_t cycles) { link->run(cycles); }
uint64_t link_now(Link* link) { return link->now(); }
uint32_t link_take(Link* link, uint64_t until, uint8_t* out, uint32_t limit) {
    return link->take(until, out, limit);
}
uint8_t* link_memory(Link* link) { return link->bytes(); }
uint8_t* link_registers(Link* link) { return link->registers(); }
uint32_t link_bad_stops(Link* link) { return link->bad_stops(); }
void link_irq(Link* link, int level) { link->irq(level); }
void link_noise(Link* link, uint32_t per_million) { link->noise(per_million); }

}  // extern "C"
