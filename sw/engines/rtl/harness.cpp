// The Verilated chip with its memory, as a C interface for ctypes.
//
// Between doorbell and interrupt this only answers AXI; it computes nothing.
#include <memory>
#include <string>

#include "Vnpu.h"
#include "axi_memory.h"
#include "verilated.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
using Trace = VerilatedFstC;
#elif VM_TRACE_VCD
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
#endif

namespace {

constexpr int kResetCycles = 4;
constexpr int kLiteLimit = 10000;  // cycles for one register access
constexpr uint64_t kPeriod = 10;   // ns, in traces

class Chip {
  public:
    explicit Chip(const MemorySettings& settings)
        : context_(settings.seed), top_(new Vnpu{&context_, "npu"}), memory_(settings) {
        quiet();
        top_->rst = 1;
        for (int i = 0; i < kResetCycles; ++i) edge();
        if (top_->PORT(axi, ar, valid) || top_->PORT(axi, aw, valid) || top_->PORT(axi, w, valid))
            memory_.report("AXI: valid is high in reset");
        top_->rst = 0;
    }

    ~Chip() {
        close_trace();
        top_->final();
    }

    AxiMemory<Vnpu>& memory() { return memory_; }
    uint64_t cycles() const { return now_; }

    // 1: interrupt, 0: limit, -1: a rule was broken.
    int run(uint64_t limit) {
        top_->eval();
        for (; !top_->irq && limit && ok(); --limit) cycle();
        return !ok() ? -1 : top_->irq ? 1 : 0;
    }

    // AXI4-Lite: the response, or -1 if a rule was broken.
    int read(uint32_t offset, uint32_t* value) {
        set_bits(top_->PORT(axil, ar, payload), 0, 12, offset);
        bool address = true;
        for (int i = 0; i < kLiteLimit && ok(); ++i) {
            raise(top_->PORT(axil, ar, valid), address);
            top_->PORT(axil, r, ready) = !address && !memory_.stall();
            cycle([&] {
                lite_rules();
                if (top_->PORT(axil, ar, valid) && top_->PORT(axil, ar, ready)) address = false;
                took_ = top_->PORT(axil, r, valid) && top_->PORT(axil, r, ready);
                if (took_) {
                    *value = get_bits(top_->PORT(axil, r, payload), 0, 32);
                    response_ = get_bits(top_->PORT(axil, r, payload), 32, 2);
                }
            });
            if (!address) top_->PORT(axil, ar, valid) = 0;
            if (took_) return finish(top_->PORT(axil, r, ready));
        }
        memory_.report("AXI4-Lite: no answer to a read");
        return -1;
    }

    int write(uint32_t offset, uint32_t value) {
        set_bits(top_->PORT(axil, aw, payload), 0, 12, offset);
        set_bits(top_->PORT(axil, w, payload), 0, 32, value);
        set_bits(top_->PORT(axil, w, payload), 32, 4, 0xf);
        bool address = true, data = true;
        for (int i = 0; i < kLiteLimit && ok(); ++i) {
            raise(top_->PORT(axil, aw, valid), address);
            raise(top_->PORT(axil, w, valid), data);
            top_->PORT(axil, b, ready) = !address && !data && !memory_.stall();
            cycle([&] {
                lite_rules();
                if (top_->PORT(axil, aw, valid) && top_->PORT(axil, aw, ready)) address = false;
                if (top_->PORT(axil, w, valid) && top_->PORT(axil, w, ready)) data = false;
                took_ = top_->PORT(axil, b, valid) && top_->PORT(axil, b, ready);
                if (took_) response_ = get_bits(top_->PORT(axil, b, payload), 0, 2);
            });
            if (!address) top_->PORT(axil, aw, valid) = 0;
            if (!data) top_->PORT(axil, w, valid) = 0;
            if (took_) return finish(top_->PORT(axil, b, ready));
        }
        memory_.report("AXI4-Lite: no answer to a write");
        return -1;
    }

    bool trace(const char* path, uint64_t from, uint64_t to) {
#if VM_TRACE
        close_trace();
        trace_path_ = path;
        trace_from_ = from;
        trace_to_ = to;
        return true;
#else
        (void)path, (void)from, (void)to;
        return false;
#endif
    }

  private:
    bool ok() const { return memory_.fault().empty(); }

    // Offer and take nothing; pins may begin as anything.
    void quiet() {
        top_->PORT(axi, r, valid) = top_->PORT(axi, b, valid) = 0;
        top_->PORT(axil, ar, valid) = top_->PORT(axil, aw, valid) = 0;
        top_->PORT(axil, w, valid) = 0;
        top_->PORT(axil, r, ready) = top_->PORT(axil, b, ready) = 0;
    }

    // Valid once raised stays until taken; before that it may come late.
    template <class Port>
    void raise(Port& valid, bool wanted) {
        if (wanted && !valid) valid = !memory_.stall();
    }

    int finish(CData& ready) {
        ready = 0;
        return response_;
    }

    void lite_rules() {
        const char* text = r_rule_.broken(top_->PORT(axil, r, valid), top_->PORT(axil, r, ready),
                                          top_->PORT(axil, r, payload));
        if (text) memory_.report(std::string("AXI4-Lite R: ") + text);
        text = b_rule_.broken(top_->PORT(axil, b, valid), top_->PORT(axil, b, ready),
                              top_->PORT(axil, b, payload));
        if (text) memory_.report(std::string("AXI4-Lite B: ") + text);
    }

    void cycle() {
        cycle([] {});
    }

    // One clock cycle; `settled` sees the outputs before the edge.
    template <class Settled>
    void cycle(Settled settled) {
        memory_.drive(*top_, now_);
        top_->clk = 0;
        top_->eval();
        memory_.sample(*top_);
        settled();
        dump(0);
        top_->clk = 1;
        top_->eval();
        dump(kPeriod / 2);
        memory_.clear(*top_);
        ++now_;
    }

    void edge() {
        top_->clk = 0;
        top_->eval();
        top_->clk = 1;
        top_->eval();
    }

    void dump(uint64_t phase) {
#if VM_TRACE
        if (trace_path_.empty() || now_ < trace_from_) return;
        if (now_ > trace_to_) return close_trace();
        if (!trace_) {
            trace_ = std::make_unique<Trace>();
            top_->trace(trace_.get(), 99);
            trace_->open(trace_path_.c_str());
        }
        trace_->dump(now_ * kPeriod + phase);
#else
        (void)phase;
#endif
    }

    void close_trace() {
#if VM_TRACE
        if (trace_) trace_->close();
        trace_.reset();
        trace_path_.clear();
#endif
    }

    struct Context : VerilatedContext {
        explicit Context(uint64_t seed) {
            // What begins at random, if it was built so.
            randReset(2);
            randSeed(int(1 + seed % 0x7fffffff));
#if VM_TRACE
            traceEverOn(true);
#endif
        }
    };

    Context context_;
    std::unique_ptr<Vnpu> top_;
    AxiMemory<Vnpu> memory_;
    HeldRule<PortOf<decltype(Vnpu::PORT(axil, r, payload))>> r_rule_;
    HeldRule<PortOf<decltype(Vnpu::PORT(axil, b, payload))>> b_rule_;
    uint64_t now_ = 0;
    bool took_ = false;
    int response_ = 0;
#if VM_TRACE
    std::unique_ptr<Trace> trace_;
    std::string trace_path_;
    uint64_t trace_from_ = 0, trace_to_ = 0;
#endif
};

}  // namespace

extern "C" {

// NULL if there is not that much memory.
Chip* sentei_create(uint64_t memory_bytes, uint32_t bytes_per_cycle, uint32_t latency,
                    uint64_t seed, uint32_t stall_percent, uint32_t longest_burst) {
    auto chip = std::make_unique<Chip>(MemorySettings{
        memory_bytes, bytes_per_cycle, latency, stall_percent, longest_burst, seed});
    return chip->memory().data() ? chip.release() : nullptr;
}

void sentei_destroy(Chip* chip) { delete chip; }
uint8_t* sentei_memory(Chip* chip) { return chip->memory().data(); }
int sentei_read32(Chip* chip, uint32_t offset, uint32_t* value) {
    return chip->read(offset, value);
}
int sentei_write32(Chip* chip, uint32_t offset, uint32_t value) {
    return chip->write(offset, value);
}
int sentei_run(Chip* chip, uint64_t limit) { return chip->run(limit); }
uint64_t sentei_cycles(Chip* chip) { return chip->cycles(); }
uint64_t sentei_beats(Chip* chip, int written) { return chip->memory().beats(written); }
const char* sentei_fault(Chip* chip) { return chip->memory().fault().c_str(); }

// Answer every beat in [start, start + size) with this response, or never with 4.
void sentei_inject(Chip* chip, uint64_t start, uint64_t size, int response, int reads,
                   int writes) {
    chip->memory().injections().push_back({start, size, response, reads != 0, writes != 0});
}
void sentei_inject_nothing(Chip* chip) { chip->memory().injections().clear(); }

// Record cycles from to to, inclusive; 0 if this library was built without traces.
int sentei_trace(Chip* chip, const char* path, uint64_t from, uint64_t to) {
    return chip->trace(path, from, to);
}

}  // extern "C"
