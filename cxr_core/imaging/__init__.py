"""Bytes to a radiograph as a workstation shows it, and on to a network's input."""

from .archive import is_archive, unpacked
from .display import brightness, grey8, render8
from .lookup import look_up
from .phantom import phantom, phantom_dicom, phantom_png
from .pixels import Pixels
from .prepare import PREPARATION_VERSION, Placement, Preparation, prepare
from .quality import Quality, Status
from .radiograph import Kind, Lut, Radiograph, Voi
from .read import read_radiograph
from .sniff import sniff

__all__ = [
    "PREPARATION_VERSION",
    "Kind",
    "Lut",
    "Pixels",
    "Placement",
    "Preparation",
    "Quality",
    "Radiograph",
    "Status",
    "Voi",
    "brightness",
    "grey8",
    "is_archive",
    "look_up",
    "phantom",
    "phantom_dicom",
    "phantom_png",
    "prepare",
    "read_radiograph",
    "render8",
    "sniff",
    "unpacked",
]
