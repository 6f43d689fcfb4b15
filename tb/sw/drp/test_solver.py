"""The constraint solver ends when it is interrupted."""

import subprocess
import sys
import time

import pytest
from ortools.sat.python import cp_model

from sw.drp.solver import solve

_SPLIT = """
import os, random, signal, threading
from ortools.sat.python import cp_model
from sw.drp.solver import solve

# Markets split in halves: nothing that a solver would find out soon.
drawn = random.Random(1)
model = cp_model.CpModel()
shops = [model.new_bool_var("") for _ in range(50)]
for _ in range(6):
    sales = [drawn.randrange(100) for _ in shops]
    model.add(sum(each * shop for each, shop in zip(sales, shops)) == sum(sales) // 2)
threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT)).start()
solve(model, 1, 1e6)
print("solved")
"""


def test_an_interrupt_ends_it():
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", _SPLIT], check=False, capture_output=True,
                          text=True, timeout=120)
    assert done.stderr.rstrip().endswith("KeyboardInterrupt") and not done.stdout
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(("least", "status"), [(2, cp_model.OPTIMAL), (3, cp_model.INFEASIBLE)])
def test_answers(least, status):
    model = cp_model.CpModel()
    both = [model.new_bool_var(name) for name in "ab"]
    model.add(sum(both) >= least)
    solver, found = solve(model, 1, 10)
    assert found == status
    if found == cp_model.OPTIMAL:
        assert [solver.value(each) for each in both] == [1, 1]
