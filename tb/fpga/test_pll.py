"""Dividers of PLLs: exact, in the device's range, refused where there are none."""

import pytest

from fpga.pll import Dividers
from sw.errors import UsageError


@pytest.mark.parametrize("mhz", [12.5, 25, 40, 50, 62.5, 70, 75, 80, 85, 90, 95, 100, 125])
def test_exact(mhz):
    found = Dividers.find(25e6, mhz * 1e6)
    output = 25e6 * found.feedback / found.reference
    assert output == pytest.approx(mhz * 1e6, rel=1e-12)
    assert 400e6 <= output * found.post <= 800e6
    assert 25e6 / found.reference >= 3.125e6
    assert all(1 <= value <= 128 for value in (found.reference, found.feedback, found.post))


def test_refused_with_the_nearest():
    with pytest.raises(UsageError, match=r"clock 71\.3 MHz can't be made .*nearest is 71\.4286"):
        Dividers.find(25e6, 71.3e6)


@pytest.mark.parametrize("hz", [0, -1, 900e6])
def test_out_of_range(hz):
    with pytest.raises(UsageError, match="accepted is more than 0, up to 800"):
        Dividers.find(25e6, hz)
