"""The machine's timing is the RTL's: random networks, chips and memory timings.

What is drawn follows from a case's name; ``python -m tb.fuzz --case NAME`` runs it again.
"""

import pytest

from tb.fuzz.base_campaign import Refused
from tb.fuzz.case import Case
from tb.fuzz.check import Engines, check
from tb.lib.timing import compare_cycles, compare_timing

CASES = range(20000, 20020)
FAST = {"tiny": CASES[:8], "base": CASES[:4]}  # simulators that are built for other tests
SLOW = {"tiny": CASES[8:], "base": CASES[4:],
        **dict.fromkeys(("odd", "least", "wide", "long"), CASES)}
# Open: in a ring of 33 rows the machine sees room for seven beats of a later layer one layer later
# than the chip does. Such a run is held as a whole only.
OPEN = {"least-20013"}


@pytest.mark.parametrize(("chip", "numbers"), [
    *FAST.items(), *(pytest.param(*row, marks=pytest.mark.slow) for row in SLOW.items())],
    ids=lambda item: item if isinstance(item, str) else f"{item[0]}-{item[-1]}")
def test_random_networks(chip, numbers):
    engines, runs = Engines(), 0
    for number in numbers:
        # The machine does not know random pauses of the bus.
        case = Case.draw(chip, number).change(stall_percent=0)
        print(f"case {case.name}, {case.kind}, DRAM {case.dram_bytes} bytes a cycle after "
              f"{case.dram_latency}")
        try:
            outcome = check(case, engines)
        except Refused:
            continue
        for rtl, machine in zip(outcome.rtl, outcome.machine, strict=True):
            if case.name in OPEN:
                compare_cycles(rtl, machine)
            else:
                compare_timing(case.config, outcome.program.layers, rtl, machine)
            runs += rtl.cycles > 0
    assert runs >= 0.9 * len(numbers)
