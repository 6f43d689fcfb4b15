"""The rate of a serial line as the step of a phase that wraps once a bit."""

__all__ = ["LEAST_CYCLES", "phase_step"]

LEAST_CYCLES = 8  # of a bit: sampling in the middle stays there
_PRECISION = 11   # bits of the step: the rate is right to 2 ** -11 or better


def phase_step(clock_hz, baud):
    """Bits of the phase and its step per cycle.

    Raises
    ------
    ValueError
        If a bit takes less than LEAST_CYCLES cycles.
    """
    for name, value in (("clock_hz", clock_hz), ("baud", baud)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} is {value!r}, accepted is an integer of at least 1")
    if clock_hz < LEAST_CYCLES * baud:
        raise ValueError(f"baud is {baud}, accepted at {clock_hz} Hz is at most "
                         f"{clock_hz // LEAST_CYCLES}")
    bits = _PRECISION + (clock_hz // baud).bit_length()
    return bits, (2 * baud * (1 << bits) + clock_hz) // (2 * clock_hz)
