"""The chips of a campaign: both presets, and corners of the configuration space."""

from golden.spec.config import PRESETS, Config, preset

__all__ = ["CHIPS", "LIMITS"]

CHIPS: dict[str, Config] = {
    "tiny": PRESETS["tiny"],
    "base": PRESETS["base"],
    # Columns that are no power of two, two banks: conflicts in most fetches.
    "odd": preset("tiny", lanes=8, columns=5, drain=4, banks=2, lut_columns=3),
    # The widest words, one column that drains at once, one bank.
    "wide": preset("base", lanes=32, drp="none", columns=1, drain=32, banks=1, bank_words=2048,
                   lut_columns=0, burst_beats=64, read_beats=128, queue_depth=16),
    # The most columns, the slowest drain, the longest bursts.
    "long": preset("base", lanes=4, drp="none", columns=16, drain=1, banks=32, bank_words=64,
                   lut_columns=16, burst_beats=256, read_beats=512, weight_rows=1000,
                   list_entries=999, parameter_beats=130, lane_blocks=7),
    # The least of everything that can be least.
    "least": preset("base", drp="none", columns=4, drain=16, banks=4, bank_words=64, weight_rows=33,
                    list_entries=17, parameter_beats=21, lane_blocks=2, queue_depth=2,
                    burst_beats=1, bursts_in_flight=1, read_beats=2),
}
# Most pixels and channels of a network's input: about two lane blocks and some strips.
LIMITS: dict[str, tuple[int, int]] = {
    "tiny": (80, 20), "base": (300, 60), "odd": (150, 30), "wide": (80, 80), "long": (150, 16),
    "least": (100, 40),
}
