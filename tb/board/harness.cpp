// The Verilated board behind its serial line, for ctypes.
#include <cstdint>
#include <memory>

#include "Vboard.h"
#include "uart_line.h"
#include "verilated.h"

namespace {

constexpr int kResetCycles = 4;

class Board : public LineSimulation {
  public:
    explicit Board(double bit) : LineSimulation(bit), top_(new Vboard{&context_, "board"}) {
        top_->rst = 1;
        for (int i = 0; i < kResetCycles; ++i) cycle(true);
        top_->rst = 0;
    }
    ~Board() override { top_->final(); }

    uint64_t register_writes() const { return register_writes_; }
    uint64_t memory_writes() const { return memory_writes_; }
    uint32_t violations() const { return top_->violations; }
    bool ready() const { return top_->ready; }

  protected:
    bool cycle(bool rx) override {
        top_->rx = rx;
        top_->clk = 0;
        top_->eval();
        register_writes_ += top_->register_written;
        memory_writes_ += top_->memory_written;
        if (top_->working) stir();
        top_->clk = 1;
        top_->eval();
        return top_->tx;
    }

  private:
    VerilatedContext context_;
    std::unique_ptr<Vboard> top_;
    uint64_t register_writes_ = 0, memory_writes_ = 0;
};

}  // namespace

extern "C" {

Board* board_create(double bit) { return new Board(bit); }
uint64_t board_register_writes(Board* board) { return board->register_writes(); }
uint64_t board_memory_writes(Board* board) { return board->memory_writes(); }
uint32_t board_violations(Board* board) { return board->violations(); }
int board_ready(Board* board) { return board->ready(); }

}  // extern "C"
