"""Bytes to a radiograph as a workstation shows it, and on to a network's input."""

from .apart import decoder_apart
from .archive import is_archive, unpacked
from .decoder import WITHIN, Decoder
from .dicomdir import is_directory, listed_files
from .display import grey8
from .lookup import look_up
from .model_exposure import EXPOSURES, InputExposure, exposure_words
from .phantom import phantom, phantom_dicom, phantom_png
from .pixels import Pixels
from .prepare import PREPARATION_VERSION, Placement, Preparation, exposed, prepare
from .quality import Quality, Status
from .radiograph import Kind, Radiograph
from .raster import turn_words
from .read import read_radiograph
from .render import render8
from .sniff import sniff
from .voi import Lut, Voi

__all__ = [
    "EXPOSURES",
    "PREPARATION_VERSION",
    "WITHIN",
    "Decoder",
    "InputExposure",
    "Kind",
    "Lut",
    "Pixels",
    "Placement",
    "Preparation",
    "Quality",
    "Radiograph",
    "Status",
    "Voi",
    "decoder_apart",
    "exposed",
    "exposure_words",
    "grey8",
    "is_archive",
    "is_directory",
    "listed_files",
    "look_up",
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
