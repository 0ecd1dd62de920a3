"""Bytes to a radiograph as a workstation shows it, and on to a network's input."""

from .apart import Unpacked, decoder_apart
from .archive import is_archive
from .chain import VoiScale
from .decoder import ISOLATED, Decoder
from .dicomdir import is_directory, is_directory_name, plain_name
from .display import grey8
from .lookup import look_up
from .model_exposure import EXPOSURES, InputExposure, exposure_words
from .orientation import Pose, pose_words
from .phantom import phantom, phantom_dicom, phantom_png
from .pixels import Pixels
from .prepare import PREPARATION_VERSION, Placement, Preparation, Resampling, exposed, prepare
from .quality import Quality, Status
from .radiograph import Kind, Radiograph
from .read import read_radiograph
from .render import render8
from .sniff import sniff
from .voi import Lut, Voi

__all__ = [
    "EXPOSURES",
    "ISOLATED",
    "PREPARATION_VERSION",
    "Decoder",
    "InputExposure",
    "Kind",
    "Lut",
    "Pixels",
    "Placement",
    "Pose",
    "Preparation",
    "Quality",
    "Radiograph",
    "Resampling",
    "Status",
    "Unpacked",
    "Voi",
    "VoiScale",
    "decoder_apart",
    "exposed",
    "exposure_words",
    "grey8",
    "is_archive",
    "is_directory",
    "is_directory_name",
    "look_up",
    "phantom",
    "phantom_dicom",
    "phantom_png",
    "plain_name",
    "pose_words",
    "prepare",
    "read_radiograph",
    "render8",
    "sniff",
]
