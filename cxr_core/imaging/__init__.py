"""Bytes to a radiograph as a workstation shows it, and on to a network's input."""

from .dicom import read_attributes, read_elements, stored_values
from .gate.decision import Quality, Status
from .grayscale_pipeline import VoiScale
from .header import SpacingSource, describe_spacing, view_of_header
from .isolated_decoder import IsolatedDecoder, Unpacked, shared_decoder
from .model_input import (
    EXPOSURES,
    MODEL_INPUT,
    PREPARATION_VERSION,
    InputExposure,
    Placement,
    Preparation,
    Resampling,
    apply_exposure,
    describe_exposure,
    prepare,
)
from .orientation import Pose, describe_pose, posed_orientation
from .phantom import phantom, phantom_dicom, phantom_png
from .radiograph import Kind, Pixels, Radiograph, render8
from .read import ACCEPTED as ACCEPTED_FORMATS
from .read import read_radiograph, sniff
from .small_changes import SMALL_CHANGES, SmallChange
from .windowing import Lut, Voi, grey8, look_up
from .zip_archive import is_archive, is_dicomdir, is_dicomdir_name, normalised_name

__all__ = [
    "ACCEPTED_FORMATS",
    "EXPOSURES",
    "MODEL_INPUT",
    "PREPARATION_VERSION",
    "SMALL_CHANGES",
    "InputExposure",
    "IsolatedDecoder",
    "Kind",
    "Lut",
    "Pixels",
    "Placement",
    "Pose",
    "Preparation",
    "Quality",
    "Radiograph",
    "Resampling",
    "SmallChange",
    "SpacingSource",
    "Status",
    "Unpacked",
    "Voi",
    "VoiScale",
    "apply_exposure",
    "describe_exposure",
    "describe_pose",
    "describe_spacing",
    "grey8",
    "is_archive",
    "is_dicomdir",
    "is_dicomdir_name",
    "look_up",
    "normalised_name",
    "phantom",
    "phantom_dicom",
    "phantom_png",
    "posed_orientation",
    "prepare",
    "read_attributes",
    "read_elements",
    "read_radiograph",
    "render8",
    "shared_decoder",
    "sniff",
    "stored_values",
    "view_of_header",
]
