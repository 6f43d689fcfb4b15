"""Files to network inputs: pictures, arrays, recordings."""

from sw.inputs.pictures import Pictures
from sw.inputs.reader import SoundFrontEnd, read_samples
from sw.inputs.spec import InputSpec

__all__ = ["InputSpec", "Pictures", "SoundFrontEnd", "read_samples"]
