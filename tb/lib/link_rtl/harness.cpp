// The Verilated link between a serial line and two buses with memory behind them, for ctypes.
//
// Base class at address 0 of Link: a handle of one is a handle of the other.
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "Vlink.h"
#include "uart_line.h"
#include "verilated.h"

#define PORT(bus, channel, member) bus##___05F##channel##___05F##member

namespace {

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

class Link : public LineSimulation {
  public:
    Link(uint32_t bytes, double bit, int latency)
        : LineSimulation(bit), top_(new Vlink{&context_, "link"}), bytes_(bytes),
          registers_(4096), latency_(latency) {
        top_->rx = 1;
        top_->rst = 1;
        for (int i = 0; i < 4; ++i) edge();
        top_->rst = 0;
    }
    ~Link() override { top_->final(); }

    uint8_t* bytes() { return bytes_.data(); }
    uint8_t* registers() { return registers_.data(); }
    void irq(int level) { top_->irq = level; }

  protected:
    bool cycle(bool rx) override {
        top_->rx = rx;
        top_->clk = 0;
        top_->eval();
        BEFORE(axi, memory_, bytes_);
        BEFORE(axil, lite_, registers_);
        top_->clk = 1;
        top_->eval();
        AFTER(axi, memory_, bytes_);
        AFTER(axil, lite_, registers_);
        return top_->tx;
    }

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

    VerilatedContext context_;
    std::unique_ptr<Vlink> top_;
    std::vector<uint8_t> bytes_, registers_;
    int latency_;
    Access memory_, lite_;
};

}  // namespace

extern "C" {

Link* link_create(uint32_t bytes, double bit, int latency) { return new Link(bytes, bit, latency); }
uint8_t* link_memory(Link* link) { return link->bytes(); }
uint8_t* link_registers(Link* link) { return link->registers(); }
void link_irq(Link* link, int level) { link->irq(level); }

}  // extern "C"
