"""Which DICOM images are accepted: SOP classes, photometric interpretations, bits. What docs/conformance.md says.

The transfer syntaxes stand beside their decoders (:mod:`cxr_core.imaging.decode`).
"""

from __future__ import annotations

from pydicom.config import IGNORE
from pydicom.uid import UID

__all__ = [
    "BITS_ALLOCATED",
    "CAPTURES",
    "CAPTURE_MODALITIES",
    "COLOUR",
    "CONTESTED_MODALITIES",
    "GREY",
    "MOST_BITS",
    "PRIVATE_CLASS",
    "RADIOGRAPHS",
    "RADIOGRAPH_MODALITIES",
    "sop_class_name",
]

RADIOGRAPHS = {
    "1.2.840.10008.5.1.4.1.1.1": "Computed Radiography Image Storage",
    "1.2.840.10008.5.1.4.1.1.1.1": "Digital X-Ray Image Storage - For Presentation",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "Digital X-Ray Image Storage - For Processing",
}
"""SOP classes of radiographs (PS3.4 B.5)."""

CAPTURES = {
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.7.2": "Multi-frame Grayscale Byte Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.7.3": "Multi-frame Grayscale Word Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.7.4": "Multi-frame True Color Secondary Capture Image Storage",
}
"""SOP classes of captures; those named multi-frame may hold one frame, and more are refused."""

RADIOGRAPH_MODALITIES = {"CR", "DX", "RG", "DR", "XR", "RX", "X-RAY", "XRAY"}
"""The standard's words for radiography, then those that makers and archives write instead."""

CAPTURE_MODALITIES = {"OT", "SC"}

CONTESTED_MODALITIES = {"PX", "RF"}
"""Known words of other modalities that some makers write into CR and DX objects: there the SOP class decides."""

PRIVATE_CLASS = "another"
"""What a SOP class is called that the standard does not know."""

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
"""Photometric interpretations (PS3.3 C.7.6.3.1.2). Of others no decoder here makes grey or RGB."""

BITS_ALLOCATED = (8, 16, 32)
"""Bits a sample takes; Bits Stored may be any number up to that, and up to :data:`MOST_BITS`."""

MOST_BITS = 16


def sop_class_name(uid: str) -> str:
    """Return the standard's name of a SOP class, :data:`PRIVATE_CLASS` for one it does not know, "" for none."""
    if not uid:
        return ""
    # broken ones are not warned of: the warning would quote them
    known = UID(uid, validation_mode=IGNORE)
    return known.name if known.type == "SOP Class" else PRIVATE_CLASS
