"""How far the machine's timing may be from the RTL's."""

from golden.spec.config import Config
from golden.spec.registers import COUNTERS
from sw.driver.result import RunResult
from sw.report.figures import STALLS, intervals, layer_figures

__all__ = ["WATERFALL", "compare_cycles", "compare_timing"]

# Each cycle is one of these.
WATERFALL = ("mac_busy", *STALLS.values())
assert set(WATERFALL) <= {counter.name for counter in COUNTERS}
# Post-processing takes vectors of PostMode.ADD in every second cycle since the chip's reset, which
# no program tells; and a bank that two want in one cycle is now and then given to the other.
RUN_PART, RUN_CYCLES = 0.01, 4
LAYER_PART, LAYER_CYCLES = 0.05, 8


def compare_cycles(rtl: RunResult, machine: RunResult) -> None:
    """Hold a run's cycles: within 1 % or 4 cycles."""
    assert abs(machine.cycles - rtl.cycles) <= max(RUN_PART * rtl.cycles, RUN_CYCLES), (
        f"{rtl.cycles} cycles on the RTL, {machine.cycles} on the machine")


def compare_timing(config: Config, layers: list[dict], rtl: RunResult, machine: RunResult) -> None:
    """Hold a run's cycles, those of every layer, and what they were spent on.

    A run is within 1 % or 4 cycles. A layer, from one log record to the next, and each part of its
    waterfall are within 5 % of its cycles or 8 cycles. Waterfalls add up exactly, on both.
    """
    compare_cycles(rtl, machine)
    assert [record.tag for record in rtl.log] == [record.tag for record in machine.log]
    for result in (rtl, machine):
        assert sum(result.counters[name] for name in WATERFALL) == result.cycles
        for record in result.log:
            assert sum(record.delta[name] for name in WATERFALL) == record.delta["cycles"]
        rows = layer_figures(config, layers, intervals(result))
        for row in rows:
            assert row.issued + sum(row.stalls.values()) == row.cycles, row.name
        assert sum(row.cycles for row in rows) == result.cycles
    for found, told in zip(rtl.log, machine.log, strict=True):
        most = max(LAYER_PART * found.delta["cycles"], LAYER_CYCLES)
        for name in ("cycles", *WATERFALL):
            assert abs(told.delta[name] - found.delta[name]) <= most, (
                f"layer {found.tag}: {name} {found.delta[name]} on the RTL, {told.delta[name]} on "
                "the machine")
