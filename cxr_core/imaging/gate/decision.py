"""The gate: whether an image may be read, from its header and from its pixels.

A refusal says that the image is not what the model is for (an upright frontal chest radiograph), not that its quality
is poor. A user may override it with a reason, which is kept in the reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..code_strings import FRONTAL, OTHER_VIEWS
from ..conformance import (
    CAPTURE_CLASSES,
    CAPTURE_MODALITIES,
    CONTESTED_MODALITIES,
    RADIOGRAPH_CLASSES,
    RADIOGRAPH_MODALITIES,
    UNKNOWN_TERM,
)
from ..orientation import UPRIGHT, Pose, is_lateral_orientation, remaining_pose
from .alterations import NOTED, describe_alterations
from .burned_in_text import BurnedInText, detect_text
from .exposure import Exposure, assess_exposure
from .geometry import Geometry, assess_geometry
from .tone import assess_tone
from .view_classifier import ViewClass, classify

__all__ = ["SIDE", "Quality", "Status", "assess", "block_means"]

Status = Literal["ok", "warning", "refused"]
"""The verdict of the gate on an image."""

ADULT_YEARS = 18
SMALL_SIDE = 224

SIDE = 512
"""Approximate longer side of the reduced copy that the pixel rules work on; smaller images are not reduced."""

_MIN_SIDE = 16
_CHEST = {"CHEST", "CHESTABDOMEN"}
_RADIOGRAPHS, _CAPTURES = set(RADIOGRAPH_CLASSES.values()), set(CAPTURE_CLASSES.values())
_RAW = {name for name in _RADIOGRAPHS if name.endswith("For Processing")}
_DEGREES = {"turned 90": 90, "turned 180": 180, "turned 270": 270}
_VIEW_TEXTS = {
    **{name: f"turned by {degrees} degrees counter-clockwise; turn it upright" for name, degrees in _DEGREES.items()},
    "inverted": "inverted, with dark bones; check its polarity",
    "part": "cut off: a part of a chest only",
    "other": "unlike a frontal chest radiograph",
}
_TEXT_DETECTED = "text-like marks in the image: look for a name before you share it"
_TEXT_DECLARED = "the file says that text is burned into the image: look for a name before you share it"


@dataclass(frozen=True)
class Quality:
    """The gate's verdict on an image.

    Attributes:
        status: whether the image may be read.
        reasons: for a refusal, then the warnings.
        override: the reason that a user gave for reading a refused image, or None.
        turned: by how many degrees, counter-clockwise, the image appears to be turned: 0, 90, 180 or 270.
        notes: what is unknown, such as the age, or too frequent to be a warning, and speaks neither for nor against the
            reading.
        pose: what would bring the image the right way round by the header's Patient Orientation; upright where the
            header does not say or agrees.
        scalable: the first VOI LUT uses a small part of its declared range, so that the image is nearly black.
        looks_mirrored: left and right look exchanged. The image is mirrored on request only: in situs inversus and
            dextrocardia it is right as it is.
    """

    status: Status = "ok"
    reasons: tuple[str, ...] = ()
    override: str | None = None
    turned: int = 0
    notes: tuple[str, ...] = ()
    pose: Pose = UPRIGHT
    scalable: bool = False
    looks_mirrored: bool = False


def assess(
    display: np.ndarray,
    header: Mapping[str, str],
    age: float | None,
    decoding_warnings: tuple[str, ...] = (),
    *,
    pose: Pose = UPRIGHT,
    scalable: bool = False,
    square: bool = False,
) -> Quality:
    """Return the gate's verdict on an image.

    Args:
        display: (rows, columns) float32 in [0, 1].
        header: fields that passed the allow-list; empty for an image file that is not DICOM.
        age: of the patient in years, or None where it is unknown.
        decoding_warnings: of the decoding.
        pose: what was applied to the image since the header's Patient Orientation was written.
        scalable: see :class:`Quality`.
        square: the file states the shape of its pixels, and they were made square.
    """
    checks = _check_pixels(display)
    refusals = (*_header_refusals(header), *_pixel_refusals(checks))
    stated = remaining_pose(header.get("PatientOrientation", ""), pose)
    remaining = stated or UPRIGHT
    warnings = [*_pixel_warnings(checks), *decoding_warnings, *_header_warnings(display.shape, header, age)]
    if header.get("BurnedInAnnotation") == "YES" and _TEXT_DETECTED not in warnings:
        warnings.append(_TEXT_DECLARED)
    warnings += _orientation_warnings(remaining)
    altered = {}
    if checks is not None and not refusals:
        altered = describe_alterations(checks.geometry, checks.tone, checks.view, checks.exposure, stated, square)
    warnings += [text for name, text in altered.items() if name not in NOTED]
    turned = 0
    if checks is not None and checks.view.verdict != "ok":
        turned = _DEGREES.get(checks.view.name, 0)
    return Quality(
        "refused" if refusals else "warning" if warnings else "ok",
        (*refusals, *warnings),
        turned=turned,
        notes=(
            *_notes(header, age, pose),
            *_pixel_notes(checks),
            *(text for name, text in altered.items() if name in NOTED),
        ),
        pose=remaining,
        scalable=scalable,
        looks_mirrored="mirrored" in altered,
    )


def block_means(display: np.ndarray) -> np.ndarray:
    """Return a reduced copy: means of square blocks, so that the longer side comes near to :data:`SIDE`.

    Rows and columns at the end that fill no block are left out. Of blocks of four pixels and more every
    second row is used, since reading a large image costs more than adding it up.

    Args:
        display: (rows, columns) float32 in [0, 1], no NaN.

    Returns:
        (rows, columns) uint8.
    """
    # a long and narrow image keeps enough pixels across for the rules
    block = max(1, min(round(max(display.shape) / SIDE), min(display.shape) // _MIN_SIDE))
    if block == 1:
        return np.rint(display * 255).astype(np.uint8)
    rows, columns = (side // block for side in display.shape)
    step = 2 if block >= 4 else 1
    # rows first: adding whole rows is many times faster than adding neighbours
    by_rows = display[: rows * block].reshape(rows, block, -1)[:, ::step].sum(axis=1)
    sums = sum(by_rows[:, first : columns * block : block] for first in range(block))
    return np.rint(sums * (255 / (block * -(-block // step)))).astype(np.uint8)


@dataclass(frozen=True)
class _PixelChecks:
    """Results of the rules that look at the pixels."""

    view: ViewClass
    exposure: Exposure
    text: BurnedInText
    geometry: Geometry
    tone: str


def _check_pixels(display: np.ndarray) -> _PixelChecks | None:
    """Run the rules on an image; None where every pixel is the same."""
    # true also where there is a NaN
    if not display.max() - display.min() >= 1 / 255:
        return None
    reduced = block_means(display)
    return _PixelChecks(
        view=classify(display),
        exposure=assess_exposure(reduced),
        text=detect_text(reduced),
        geometry=assess_geometry(reduced / np.float32(255)),
        tone=assess_tone(reduced),
    )


def _pixel_refusals(checks: _PixelChecks | None) -> Iterator[str]:
    if checks is None:
        yield "not read: the image is blank, every pixel is the same"
        return
    if checks.view.verdict == "refused":
        yield f"not read: it looks {_VIEW_TEXTS[checks.view.name]}"
    if checks.exposure.verdict == "refused":
        yield f"not read: {checks.exposure.text}"


def _pixel_warnings(checks: _PixelChecks | None) -> Iterator[str]:
    if checks is None:
        return
    if checks.view.verdict == "warning":
        yield f"it may be {_VIEW_TEXTS[checks.view.name]}"
    if checks.exposure.verdict == "warning":
        yield checks.exposure.text
    if checks.text.lines:
        yield _TEXT_DETECTED


def _pixel_notes(checks: _PixelChecks | None) -> Iterator[str]:
    if checks is not None and checks.exposure.verdict == "note":
        yield checks.exposure.text


def _header_refusals(header: Mapping[str, str]) -> Iterator[str]:
    modality, sop_class = header.get("Modality"), header.get("SOPClassUID", UNKNOWN_TERM)
    accepted = RADIOGRAPH_MODALITIES | CAPTURE_MODALITIES | {UNKNOWN_TERM}
    # the SOP class says what the object is
    if sop_class in _RADIOGRAPHS:
        accepted |= CONTESTED_MODALITIES
    if modality and modality not in accepted:
        yield f"not read: modality {modality}; radiographs (CR, DX) are accepted"
    if sop_class not in {UNKNOWN_TERM} | _RADIOGRAPHS | _CAPTURES:
        yield f"not read: SOP class {sop_class}; CR, DX and secondary captures are accepted"
    view, coded = _views(header)
    other = next((OTHER_VIEWS[name] for name in (view, coded) if name in OTHER_VIEWS), None)
    if other is None and is_lateral_orientation(header.get("PatientOrientation", "")):
        other = "lateral"
    if other is not None and not (view in FRONTAL or (coded in FRONTAL and view not in OTHER_VIEWS)):
        yield f"not read: {other} view; frontal views (PA, AP) are accepted"
    part = header.get("BodyPartExamined")
    if part and part not in _CHEST | {UNKNOWN_TERM}:
        yield f"not read: body part {part}; chest radiographs are accepted"


def _views(header: Mapping[str, str]) -> tuple[str, str]:
    """Return the values of View Position and View Code Sequence."""
    return header.get("ViewPosition", ""), header.get("ViewCodeSequence", "")


def _orientation_warnings(remaining: Pose) -> Iterator[str]:
    if remaining.mirrored:
        yield (
            "Patient Orientation says that the image is mirrored: left and right are exchanged, also in texts and "
            "maps; have it shown and read the right way round, or check the side marker"
        )
    elif remaining:
        degrees = 360 - 90 * remaining.quarter_turns
        yield f"Patient Orientation says that the image is turned by {degrees} degrees clockwise"


def _header_warnings(shape: tuple[int, ...], header: Mapping[str, str], age: float | None) -> Iterator[str]:
    if age is not None and age < ADULT_YEARS:
        yield f"age under {ADULT_YEARS}: the model is for adults"
    view, coded = _views(header)
    if view in FRONTAL or coded in FRONTAL:
        if coded in OTHER_VIEWS:
            yield f"may be {OTHER_VIEWS[coded]}: View Code Sequence says so, View Position says {view}"
        elif is_lateral_orientation(header.get("PatientOrientation", "")):
            yield "may be lateral: Patient Orientation says so, the view is stated as frontal"
    elif "SeriesDescription" in header:
        yield "may be lateral: a description in the header says so"
    if header and "SOPClassUID" not in header:
        yield "SOP class not stated: taken as a radiograph"
    elif header.get("SOPClassUID") == UNKNOWN_TERM:
        yield "a SOP class that the standard does not know: taken as a radiograph"
    if header.get("Modality") in CAPTURE_MODALITIES or header.get("SOPClassUID") in _CAPTURES:
        yield "a secondary capture: its grey levels may have been changed"
    if header.get("PresentationIntentType") == "FOR PROCESSING" or header.get("SOPClassUID") in _RAW:
        yield "raw detector data (FOR PROCESSING): the window was chosen from the pixels"
    rows, columns = shape
    if min(shape) < SMALL_SIDE:
        yield f"small image: {columns} x {rows} pixels"


def _notes(header: Mapping[str, str], age: float | None, pose: Pose) -> Iterator[str]:
    """Yield what is unknown or was asked for, which speaks neither for nor against the reading."""
    if pose.mirrored:
        yield "mirrored on request: left and right are exchanged against the file, also in texts and maps"
    if age is None:
        yield "age unknown: the model is for adults"
    view, coded = _views(header)
    if is_lateral_orientation(header.get("PatientOrientation", "")) and not (view in FRONTAL or coded in FRONTAL):
        # refused as lateral
        pass
    elif header and not view and not coded:
        yield "view position not stated: taken as frontal"
    elif view == UNKNOWN_TERM and not coded:
        yield "view position not recognised: taken as frontal"
    decides = header.get("SOPClassUID") in _RADIOGRAPHS
    if header.get("Modality") == UNKNOWN_TERM:
        yield f"modality not recognised: {'the SOP class decides' if decides else 'ignored'}"
    elif decides and header.get("Modality") in CONTESTED_MODALITIES:
        yield f"modality {header['Modality']} of a radiograph's SOP class: the SOP class decides"
    if header.get("BodyPartExamined") == UNKNOWN_TERM:
        yield "body part not recognised: taken as a chest"
