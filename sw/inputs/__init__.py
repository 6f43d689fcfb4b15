"""Files to network inputs: pictures, arrays, recordings."""

from sw.inputs.arrays import load_array
from sw.inputs.folder import (
    PICTURE_SUFFIXES,
    calibration_folders,
    folders_in,
    read_folder,
    read_stack,
    sample_files,
)
from sw.inputs.pictures import COLORS, LAYOUTS, RESIZES, Pictures
from sw.inputs.reader import SoundFrontEnd, existing, read_file, read_samples
from sw.inputs.spec import TensorSpec

__all__ = [
    "COLORS", "LAYOUTS", "PICTURE_SUFFIXES", "RESIZES", "Pictures", "SoundFrontEnd", "TensorSpec",
    "calibration_folders", "existing", "folders_in", "load_array", "read_file", "read_folder",
    "read_samples", "read_stack", "sample_files",
]
