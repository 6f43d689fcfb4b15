// A DRAM behind AXI4, as hw/bus/axi.py describes the bus: in order, INCR bursts of whole beats.
//
// Timing: the first beat of a read is offered `latency` cycles after its address was accepted, the
// response of a write `latency` cycles after its last beat. Reads and writes share a token bucket
// of `bytes_per_cycle`. Everything the other side does is checked against the rules of AXI4; the
// first broken one is kept as text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

// Amaranth names a port bus__channel__member; Verilator escapes double underscores.
#define PORT(bus, channel, member) bus##___05F##channel##___05F##member

constexpr unsigned kBeatBits = 8 * BEAT_BYTES;
enum Response { kOkay = 0, kSlaveError = 2, kDecodeError = 3, kNever = 4 };

// The type of a port, which Verilator declares as a reference.
template <class Member>
using PortOf = std::remove_reference_t<Member>;

// Up to 32 bits of a Verilator port, which is little-endian however wide it is.
template <class Port>
uint32_t get_bits(const Port& port, unsigned low, unsigned count) {
    uint64_t raw = 0;
    const unsigned byte = low / 8;
    std::memcpy(&raw, reinterpret_cast<const uint8_t*>(&port) + byte,
                std::min<size_t>(8, sizeof(Port) - byte));
    return uint32_t(raw >> low % 8 & ((uint64_t(1) << count) - 1));
}

template <class Port>
void set_bits(Port& port, unsigned low, unsigned count, uint32_t value) {
    uint64_t raw = 0;
    const unsigned byte = low / 8;
    const size_t size = std::min<size_t>(8, sizeof(Port) - byte);
    uint8_t* place = reinterpret_cast<uint8_t*>(&port) + byte;
    std::memcpy(&raw, place, size);
    const uint64_t mask = ((uint64_t(1) << count) - 1) << low % 8;
    raw = (raw & ~mask) | (uint64_t(value) << low % 8 & mask);
    std::memcpy(place, &raw, size);
}

// Splitmix64: any seed will do.
class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}
    bool percent(unsigned chance) { return chance && next() % 100 < chance; }

  private:
    uint64_t next() {
        uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        return z ^ z >> 31;
    }
    uint64_t state_;
};

// The rule that all channels share: once valid, a payload stays until it is taken.
template <class Port>
class HeldRule {
  public:
    const char* broken(bool valid, bool ready, const Port& payload) {
        const char* text = nullptr;
        if (waiting_ && !valid) text = "valid dropped before ready";
        if (waiting_ && valid && std::memcmp(&payload, &last_, sizeof(Port)))
            text = "payload changed before ready";
        waiting_ = valid && !ready;
        std::memcpy(&last_, &payload, sizeof(Port));
        return text;
    }

  private:
    bool waiting_ = false;
    Port last_{};
};

struct MemorySettings {
    uint64_t bytes;
    uint32_t bytes_per_cycle, latency, stall_percent, longest_burst;
    uint64_t seed;
};

template <class Top>
class AxiMemory {
  public:
    struct Injection {
        uint64_t start, size;
        int response;
        bool reads, writes;
    };

    explicit AxiMemory(const MemorySettings& settings)
        : settings_(settings), random_(settings.seed),
          data_(static_cast<uint8_t*>(std::calloc(settings.bytes, 1)), &std::free) {}

    uint8_t* data() { return data_.get(); }
    const std::string& fault() const { return fault_; }
    void report(const std::string& text) {
        if (fault_.empty()) fault_ = text + " (cycle " + std::to_string(now_) + ")";
    }
    uint64_t beats(bool written) const { return written ? written_ : read_; }
    std::vector<Injection>& injections() { return injections_; }
    bool stall() { return random_.percent(settings_.stall_percent); }

    // Set the inputs of cycle `now`; the outputs of the same cycle are only known in part.
    void drive(Top& top, uint64_t now) {
        now_ = now;
        top.PORT(axi, ar, ready) = reads_.size() < kDepth && !stall();
        top.PORT(axi, aw, ready) = writes_.size() < kDepth && !stall();
        tokens_ = std::min(tokens_ + settings_.bytes_per_cycle,
                           settings_.bytes_per_cycle + BEAT_BYTES - 1);
        const bool read = !top.PORT(axi, r, valid) && !reads_.empty() && reads_.front().due <= now
            && respond(reads_.front().address, true) != kNever && !stall();
        const bool write = top.PORT(axi, w, valid) && !writes_.empty()
            && respond(writes_.front().address, false) != kNever && !stall();
        bool grant_read = read && tokens_ >= BEAT_BYTES;
        bool grant_write = write && tokens_ >= BEAT_BYTES;
        if (grant_read && grant_write && tokens_ < 2 * BEAT_BYTES) {
            (write_next_ ? grant_read : grant_write) = false;
            write_next_ = !write_next_;
        }
        if (grant_read) offer_beat(top);
        if (grant_write) tokens_ -= BEAT_BYTES;
        top.PORT(axi, w, ready) = grant_write;
        if (!top.PORT(axi, b, valid) && !answers_.empty() && answers_.front().due <= now
            && !stall()) {
            top.PORT(axi, b, valid) = 1;
            set_bits(top.PORT(axi, b, payload), 0, 2, answers_.front().response);
            answers_.pop_front();
        }
    }

    // Act on the handshakes of cycle `now`; called with the outputs settled, before the clock edge.
    // What the chip took is withdrawn by `clear` after the edge.
    void sample(Top& top) {
        check("AR", ar_rule_, top.PORT(axi, ar, valid), top.PORT(axi, ar, ready),
              top.PORT(axi, ar, payload));
        check("AW", aw_rule_, top.PORT(axi, aw, valid), top.PORT(axi, aw, ready),
              top.PORT(axi, aw, payload));
        check("W", w_rule_, top.PORT(axi, w, valid), top.PORT(axi, w, ready),
              top.PORT(axi, w, payload));
        if (top.PORT(axi, ar, valid) && top.PORT(axi, ar, ready))
            reads_.push_back(burst("AR", top.PORT(axi, ar, payload)));
        took_r_ = top.PORT(axi, r, valid) && top.PORT(axi, r, ready);
        read_ += took_r_;
        took_b_ = top.PORT(axi, b, valid) && top.PORT(axi, b, ready);
        if (top.PORT(axi, w, ready)) {
            if (top.PORT(axi, w, valid)) take_beat(top);
            else tokens_ += BEAT_BYTES;
        }
        if (top.PORT(axi, aw, valid) && top.PORT(axi, aw, ready))
            writes_.push_back(burst("AW", top.PORT(axi, aw, payload)));
    }

    void clear(Top& top) {
        if (took_r_) top.PORT(axi, r, valid) = 0;
        if (took_b_) top.PORT(axi, b, valid) = 0;
    }

  private:
    static constexpr size_t kDepth = 16;
    struct Burst {
        uint64_t address;
        uint32_t beats;
        uint64_t due;
        int response;
    };
    struct Answer {
        uint64_t due;
        int response;
    };

    template <class Port>
    void check(const char* channel, HeldRule<Port>& rule, bool valid, bool ready,
               const Port& payload) {
        if (const char* text = rule.broken(valid, ready, payload))
            report(std::string(channel) + ": " + text);
    }

    template <class Port>
    Burst burst(const char* channel, const Port& payload) {
        const uint64_t address = get_bits(payload, 0, 32);
        const uint32_t beats = get_bits(payload, 32, 8) + 1;
        const std::string where = std::string(channel) + ": burst of " + std::to_string(beats)
            + " beats at " + std::to_string(address);
        if (address % BEAT_BYTES) report(where + " is not beat aligned");
        if (address % 4096 + uint64_t(beats) * BEAT_BYTES > 4096)
            report(where + " crosses a 4 KiB boundary");
        if (beats > settings_.longest_burst)
            report(where + " is longer than " + std::to_string(settings_.longest_burst));
        return {address, beats, now_ + std::max(1u, settings_.latency), kOkay};
    }

    int respond(uint64_t address, bool read) const {
        for (const Injection& item : injections_)
            if ((read ? item.reads : item.writes) && address - item.start < item.size)
                return item.response;
        return address + BEAT_BYTES > settings_.bytes ? kDecodeError : kOkay;
    }

    void offer_beat(Top& top) {
        Burst& burst = reads_.front();
        auto& payload = top.PORT(axi, r, payload);
        const int response = respond(burst.address, true);
        if (response == kOkay) std::memcpy(&payload, data() + burst.address, BEAT_BYTES);
        else std::memset(&payload, 0xee, BEAT_BYTES);
        set_bits(payload, kBeatBits, 2, response);
        set_bits(payload, kBeatBits + 2, 1, burst.beats == 1);
        top.PORT(axi, r, valid) = 1;
        tokens_ -= BEAT_BYTES;
        burst.address += BEAT_BYTES;
        if (!--burst.beats) reads_.pop_front();
    }

    void take_beat(Top& top) {
        Burst& burst = writes_.front();
        const auto& payload = top.PORT(axi, w, payload);
        const int response = respond(burst.address, false);
        burst.response = std::max(burst.response, response);
        const uint8_t* bytes = reinterpret_cast<const uint8_t*>(&payload);
        for (unsigned i = 0; i < BEAT_BYTES; ++i)
            if (response == kOkay && get_bits(payload, kBeatBits + i, 1))
                data()[burst.address + i] = bytes[i];
        const bool last = get_bits(payload, kBeatBits + BEAT_BYTES, 1);
        if (last != (burst.beats == 1))
            report(last ? "W: last before the end of the burst" : "W: last beat without last");
        ++written_;
        burst.address += BEAT_BYTES;
        if (!--burst.beats) {
            answers_.push_back({now_ + std::max(1u, settings_.latency), burst.response});
            writes_.pop_front();
        }
    }

    MemorySettings settings_;
    Random random_;
    std::unique_ptr<uint8_t, void (*)(void*)> data_;
    std::vector<Injection> injections_;
    std::deque<Burst> reads_, writes_;
    std::deque<Answer> answers_;
    HeldRule<PortOf<decltype(Top::PORT(axi, ar, payload))>> ar_rule_;
    HeldRule<PortOf<decltype(Top::PORT(axi, aw, payload))>> aw_rule_;
    HeldRule<PortOf<decltype(Top::PORT(axi, w, payload))>> w_rule_;
    std::string fault_;
    uint64_t now_ = 0, read_ = 0, written_ = 0;
    uint32_t tokens_ = 0;
    bool write_next_ = false, took_r_ = false, took_b_ = false;
};
