"""A run as text."""

from rich.markup import escape
from rich.table import Table

from sw.report.console import open_console, open_table
from sw.report.summary import Summary
from sw.words import listed, shortened

__all__ = ["print_summary"]

_WIDE = 132  # narrower terminals get fewer columns
_SAMPLES_SHOWN = 24
_NAMES = 3


def _count(value: int) -> str:
    return f"{value:,}"


def _layer_table(summary: Summary, wide: bool) -> Table:
    table = open_table()
    for heading in ("layer", "operator", "unit") if wide else ("layer",):
        table.add_column(heading, overflow="fold", max_width=34)
    numbers = ["cycles", "ideal", "of peak"]
    numbers += ["MACs issued", "skipped", "read B", "written B", "DRP"] if wide else []
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("waited for", no_wrap=True)
    for layer in summary.layers:
        names = [escape(layer.name), *([layer.operator, layer.unit] if wide else [])]
        if layer.seconds is not None:
            table.add_row(*names, *[""] * len(numbers),
                          f"{1e3 * layer.seconds:.2f} ms on the host")
            continue
        use = layer.utilization(summary.config)
        cells = [_count(layer.cycles), _count(layer.ideal_cycles),
                 "" if use is None else f"{use:.0%}"]
        if wide:
            cells += map(_count, (layer.macs, layer.macs_skipped, layer.bytes_read,
                                  layer.bytes_written))
            cells.append("" if layer.drp is None else _count(layer.drp))
        table.add_row(*names, *cells, layer.waited_for)
    return table


def _totals(summary: Summary) -> list[str]:
    if not summary.cycles:
        return ["golden computes results, not cycles: take --engine machine or rtl for those"]
    config = summary.config
    work = (f"{_count(summary.cycles)} cycles ({_count(summary.ideal_cycles)} ideal), "
            f"{summary.utilization:.1%} of {config.macs_per_cycle} MAC/cycle issued, "
            f"{summary.effective_macs_per_cycle:.1f} dense MAC/cycle")
    traffic = (f"{_count(summary.bytes_read or 0)} bytes read, "
               f"{_count(summary.bytes_written or 0)} bytes written "
               f"(DRAM {config.dram_bytes} bytes/cycle, {config.dram_latency} cycles latency)")
    rate = f"{summary.inferences_per_second:,.0f} inferences/s at {config.clock_mhz} MHz"
    host = [layer for layer in summary.layers if layer.seconds is not None]
    if host:
        seconds = sum(layer.seconds or 0.0 for layer in host)
        rate += (f", without the host's {1e3 * seconds:.2f} ms for "
                 f"{listed([shortened(layer.name) for layer in host], _NAMES)}")
    return [work, traffic, rate]


def _answers(summary: Summary) -> list[str]:
    lines = [f"  {sample.name}: {sample.answer.text}"
             for sample in summary.samples[:_SAMPLES_SHOWN]]
    if len(summary.samples) > _SAMPLES_SHOWN:
        lines.append(f"  … and {len(summary.samples) - _SAMPLES_SHOWN} more (--json lists all)")
    known = sum(sample.answer.right is not None for sample in summary.samples)
    if known:
        lines.append(f"{summary.correct} of {known} right")
    return lines


def _check(summary: Summary) -> list[str]:
    if summary.mismatches is None:
        return []
    compared = sum(sample.compared for sample in summary.samples)
    different = sum(sample.different or 0 for sample in summary.samples)
    exact = len(summary.samples) - summary.mismatches
    text = (f"check against {summary.reference}: {_count(compared - different)} of "
            f"{_count(compared)} output bytes equal, {exact} of {len(summary.samples)} samples "
            "exact")
    return [text]


def print_summary(summary: Summary) -> None:
    """Print table, totals, answers and the result of the check on stdout."""
    console = open_console()
    if summary.layers:
        console.print(_layer_table(summary, console.width >= _WIDE))
    for line in [*_totals(summary), "", *_answers(summary), *_check(summary)]:
        console.print(line, markup=False, soft_wrap=True)
