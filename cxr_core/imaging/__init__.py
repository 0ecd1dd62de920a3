"""Bytes to a radiograph as a workstation shows it, and on to a network's input."""

from .archive import is_archive, unpacked
from .display import brightness, render8
from .phantom import phantom, phantom_dicom, phantom_png
from .prepare import PREPARATION_VERSION, Placement, Preparation, prepare
from .radiograph import Kind, Lut, Quality, Radiograph, Status, Voi
from .raster import turn_words
from .read import read_radiograph
from .sniff import sniff

__all__ = [
    "PREPARATION_VERSION",
    "Kind",
    "Lut",
    "Placement",
    "Preparation",
    "Quality",
    "Radiograph",
    "Status",
    "Voi",
    "brightness",
    "is_archive",
    "phantom",
    "phantom_dicom",
    "phantom_png",
    "prepare",
    "read_radiograph",
    "render8",
    "sniff",
    "turn_words",
    "unpacked",
]
