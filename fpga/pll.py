"""Dividers of an ECP5 PLL for a clock."""

from dataclasses import dataclass

from amaranth.hdl import Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sw.errors import UsageError

__all__ = ["Dividers", "Pll"]

# Lattice FPGA-DS-02012, table of sysCLOCK PLL timing, in Hz.
_VCO = range(400_000_000, 800_000_001)
_LEAST_COMPARED = 3_125_000
_DIVIDE = range(1, 129)
_TOLERANCE = 1e-9  # of the frequency asked for: exact, but for rounding


@dataclass(frozen=True)
class Dividers:
    """output = input * feedback / reference; the oscillator runs ``output * post`` fast.

    Parameters
    ----------
    reference, feedback, post : int
        1 to 128.
    """

    reference: int
    feedback: int
    post: int

    @classmethod
    def find(cls, source_hz: float, wanted_hz: float) -> "Dividers":
        """Those that give a frequency exactly.

        Raises
        ------
        UsageError
            If none do; the text names the nearest that can be had.
        """
        if not 0 < wanted_hz <= _VCO[-1]:
            raise UsageError(f"clock {wanted_hz / 1e6:g} MHz: accepted is more than 0, up to "
                             f"{_VCO[-1] / 1e6:g}")
        found, nearest = None, None
        for reference in _DIVIDE:
            compared = source_hz / reference
            if compared < _LEAST_COMPARED:
                break
            feedback = round(wanted_hz / compared)
            output = compared * feedback
            posts = [post for post in _DIVIDE if feedback in _DIVIDE
                     and _VCO[0] <= output * post <= _VCO[-1]]
            if not posts:
                continue
            off = abs(output - wanted_hz)
            if nearest is None or off < nearest[0]:
                nearest = off, output
            if off <= _TOLERANCE * wanted_hz:
                # The middle of the oscillator's range; the fastest comparison comes first.
                middle = (_VCO[0] + _VCO[-1]) / 2
                found = cls(reference, feedback,
                            min(posts, key=lambda post: abs(output * post - middle)))
                break
        if found:
            return found
        hint = f"the nearest is {nearest[1] / 1e6:.6g}" if nearest else "none is near"
        raise UsageError(f"clock {wanted_hz / 1e6:g} MHz can't be made from "
                         f"{source_hz / 1e6:g} MHz by a PLL; {hint}")


class Pll(wiring.Component):
    """A clock made from another, and the same once more, later.

    Parameters
    ----------
    source_hz, wanted_hz : float
    lag : float
        Of the second one, in periods; made as nearly as the oscillator's period allows.

    Members
    -------
    source : In(1)
    clock, late : Out(1)
    locked : Out(1)

    Raises
    ------
    UsageError
        If the frequency can't be made.
    """

    def __init__(self, source_hz: float, wanted_hz: float, *, lag: float = 0) -> None:
        self._lag = lag
        self.dividers = Dividers.find(source_hz, wanted_hz)
        super().__init__({"source": In(1), "clock": Out(1), "late": Out(1), "locked": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        dividers = self.dividers
        unused = {name: Const(0) for name in (
            "RST", "STDBY", "PHASESEL0", "PHASESEL1", "PHASEDIR", "PHASESTEP", "PHASELOADREG",
            "PLLWAKESYNC", "ENCLKOP", "ENCLKOS", "ENCLKOS2", "ENCLKOS3")}
        output = Signal()
        phase = dividers.post // 2 - 1 if dividers.post > 1 else 0
        m.submodules.pll = Instance(
            "EHXPLLL",
            p_CLKI_DIV=dividers.reference, p_CLKFB_DIV=dividers.feedback,
            p_CLKOP_DIV=dividers.post, p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_CPHASE=phase, p_CLKOP_FPHASE=0,
            p_CLKOS_DIV=dividers.post, p_CLKOS_ENABLE="ENABLED",
            # In periods of the oscillator; only what is beyond CLKOP's matters.
            p_CLKOS_CPHASE=phase + round(self._lag * dividers.post), p_CLKOS_FPHASE=0,
            p_FEEDBK_PATH="CLKOP",
            a_ICP_CURRENT="12", a_LPF_RESISTOR="8",
            i_CLKI=self.source, i_CLKFB=output, o_CLKOP=output, o_CLKOS=self.late,
            o_LOCK=self.locked,
            **{f"i_{name}": value for name, value in unused.items()})
        m.d.comb += self.clock.eq(output)
        return m
