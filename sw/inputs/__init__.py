"""Files to network inputs: pictures, arrays, recordings."""

from sw.inputs.pictures import COLORS, LAYOUTS, RESIZES, Pictures
from sw.inputs.reader import SoundFrontEnd, read_samples
from sw.inputs.spec import TensorSpec

__all__ = [
    "COLORS", "LAYOUTS", "RESIZES", "Pictures", "SoundFrontEnd", "TensorSpec", "read_samples",
]
