"""What is accepted: SOP classes, photometric interpretations, bits and sizes, as docs/conformance.md states.

The transfer syntaxes stand beside their decoders (:mod:`cxr_core.imaging.frame_decoding`).
"""

from __future__ import annotations

from pydicom.config import IGNORE
from pydicom.uid import UID

from ..errors import InputRefused
from ..settings import settings

__all__ = [
    "BITS_ALLOCATED",
    "CAPTURE_CLASSES",
    "CAPTURE_MODALITIES",
    "COLOUR",
    "CONTESTED_MODALITIES",
    "GREY",
    "MAX_BITS",
    "MIN_SIDE",
    "RADIOGRAPH_CLASSES",
    "RADIOGRAPH_MODALITIES",
    "UNKNOWN_TERM",
    "check_bytes",
    "check_size",
    "sop_class_name",
]

RADIOGRAPH_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.1": "Computed Radiography Image Storage",
    "1.2.840.10008.5.1.4.1.1.1.1": "Digital X-Ray Image Storage - For Presentation",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "Digital X-Ray Image Storage - For Processing",
}
"""SOP classes of radiographs (PS3.4 B.5)."""

CAPTURE_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.7.2": "Multi-frame Grayscale Byte Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.7.3": "Multi-frame Grayscale Word Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.7.4": "Multi-frame True Color Secondary Capture Image Storage",
}
"""SOP classes of secondary captures; those named multi-frame are accepted with one frame."""

RADIOGRAPH_MODALITIES = {"CR", "DX", "RG", "DR", "XR", "RX", "X-RAY", "XRAY"}
"""The standard's terms for radiography, then those that makers and archives write instead."""

CAPTURE_MODALITIES = {"OT", "SC"}

CONTESTED_MODALITIES = {"PX", "RF"}
"""Terms of other modalities that some makers write into CR and DX objects: there the SOP class decides."""

UNKNOWN_TERM = "another"
"""Stands for a value that is stated and not known: SOP class, modality, view or body part."""

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
"""Photometric interpretations (PS3.3 C.7.6.3.1.2); no decoder here converts others to grey or RGB."""

BITS_ALLOCATED = (8, 16, 32)
"""Accepted values of Bits Allocated; Bits Stored may be any number up to that, and up to :data:`MAX_BITS`."""

MAX_BITS = 16
MIN_SIDE = 16


def sop_class_name(uid: str) -> str:
    """Return the standard's name of a SOP class, :data:`UNKNOWN_TERM` for one it does not know, "" for none."""
    if not uid:
        return ""
    # without pydicom's validation, whose warning would quote a broken value
    known = UID(uid, validation_mode=IGNORE)
    return known.name if known.type == "SOP Class" else UNKNOWN_TERM


def check_bytes(data: bytes) -> None:
    """Raise InputRefused for a file that is larger than the setting ``max_file_mb``."""
    limit = settings().max_file_mb
    if len(data) > limit * 10**6:
        raise InputRefused(f"File of {len(data) / 1e6:.0f} MB: {limit} MB are accepted. Give one image per file.")


def check_size(rows: int, columns: int) -> None:
    """Raise InputRefused for an image of too few pixels, or of more than the setting ``max_megapixels``."""
    limit = settings().max_megapixels
    if rows * columns > limit * 10**6:
        raise InputRefused(f"Image of {columns} x {rows} pixels: {limit} million pixels are accepted.")
    if min(rows, columns) < MIN_SIDE:
        raise InputRefused(f"Image of {columns} x {rows} pixels: at least {MIN_SIDE} per side are needed.")
