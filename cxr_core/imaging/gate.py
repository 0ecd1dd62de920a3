"""Whether a film may be read: by what the header says, and by what no header can hide.

A refusal is about the film being the model's subject, not about its quality as a picture; a user may
override it with a reason, and the reason is kept in the reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from .accepted import (
    CAPTURE_MODALITIES,
    CAPTURES,
    CONTESTED_MODALITIES,
    PRIVATE_CLASS,
    RADIOGRAPH_MODALITIES,
    RADIOGRAPHS,
)
from .block_means import block_means
from .burned_in import BurnedIn, burned_in
from .coded_words import FRONTAL, OTHER_VIEWS
from .exposure import Exposure, exposure_of
from .look import Look, look_at
from .orientation import UPRIGHT, Pose, pose_left, runs_sideways
from .quality import Quality

__all__ = ["judge"]

CHEST = {"CHEST", "CHESTABDOMEN"}
UNKNOWN = "another"
ADULT_YEARS = 18
SMALL_SIDE = 224
RADIOGRAPH_CLASSES, CAPTURE_CLASSES = set(RADIOGRAPHS.values()), set(CAPTURES.values())
RAW_CLASSES = {name for name in RADIOGRAPH_CLASSES if name.endswith("For Processing")}
TURNED = {"turned 90": 90, "turned 180": 180, "turned 270": 270}
LOOKS = {
    **{kind: f"turned by {degrees} degrees counter-clockwise; turn it upright" for kind, degrees in TURNED.items()},
    "inverted": "inverted, with dark bones; check its polarity",
    "part": "cut off: a part of a chest only",
    "other": "unlike a frontal chest radiograph",
}
TEXT = "text-like marks in the picture: look for a name before you share it"
BURNED_IN = "the file says that text is burned into the picture: look for a name before you share it"


def judge(
    display: np.ndarray,
    header: Mapping[str, str],
    age: float | None,
    concerns: Iterable[str] = (),
    *,
    pose: Pose = UPRIGHT,
    scalable: bool = False,
) -> Quality:
    """Return the gate's verdict.

    Args:
        display: (rows, columns) float32 in [0, 1].
        header: fields that passed the allow-list; empty for a picture file.
        age: of the patient in years, or None where it is unknown.
        concerns: what the decoding found, in words.
        pose: what the picture was brought into since the header's Patient Orientation was written.
        scalable: a table of the file reaches a small part of its declared range; see :class:`.Quality`.
    """
    seen = _see(display)
    refusals = [*_header_refusals(header), *_seen_reasons(seen, "refused")]
    warnings = [*_seen_reasons(seen, "warning"), *concerns, *_warnings(*display.shape, header, age)]
    if header.get("BurnedInAnnotation") == "YES" and TEXT not in warnings:
        warnings.append(BURNED_IN)
    orientation = header.get("PatientOrientation", "")
    left = pose_left(orientation, pose) or UPRIGHT
    warnings += _orientation_warnings(left)
    status = "refused" if refusals else "warning" if warnings else "ok"
    turned = 0 if seen is None or seen.look.verdict == "ok" else TURNED.get(seen.look.kind, 0)
    notes = tuple(_notes(header, age))
    return Quality(status, (*refusals, *warnings), turned=turned, notes=notes, pose=left, scalable=scalable)


@dataclass(frozen=True)
class _Seen:
    """What the pixels show."""

    look: Look
    exposure: Exposure
    text: BurnedIn


def _see(display: np.ndarray) -> _Seen | None:
    """Look at a picture; None where every pixel is the same."""
    if not _has_contrast(display):
        return None
    small = block_means(display)
    return _Seen(look_at(display), exposure_of(small), burned_in(small))


def _has_contrast(display: np.ndarray) -> bool:
    # so written that a NaN has none
    return bool(display.max() - display.min() >= 1 / 255)


def _seen_reasons(seen: _Seen | None, verdict: str) -> Iterable[str]:
    """Say what the picture looks like, where that is no upright frontal chest film, well exposed, without text."""
    if seen is None:
        if verdict == "refused":
            yield "not read: every pixel is the same, there is no picture"
        return
    refused = verdict == "refused"
    if seen.look.verdict == verdict:
        yield f"not read: it looks {LOOKS[seen.look.kind]}" if refused else f"it may be {LOOKS[seen.look.kind]}"
    if seen.exposure.verdict == verdict:
        yield f"not read: {seen.exposure.words}" if refused else seen.exposure.words
    if seen.text.lines and not refused:
        yield TEXT


def _header_refusals(header: Mapping[str, str]) -> Iterable[str]:
    modality, sop_class = header.get("Modality"), header.get("SOPClassUID", PRIVATE_CLASS)
    # the class says what the object is; a word that is not known says nothing
    known = RADIOGRAPH_MODALITIES | CAPTURE_MODALITIES | {UNKNOWN}
    if sop_class in RADIOGRAPH_CLASSES:
        known |= CONTESTED_MODALITIES
    if modality and modality not in known:
        yield f"not read: modality {modality}; radiographs (CR, DX) are accepted"
    if sop_class not in {PRIVATE_CLASS} | RADIOGRAPH_CLASSES | CAPTURE_CLASSES:
        yield f"not read: SOP class {sop_class}; CR, DX and secondary captures are accepted"
    view, coded = _views(header)
    other = next((OTHER_VIEWS[said] for said in (view, coded) if said in OTHER_VIEWS), None)
    if other is None and runs_sideways(header.get("PatientOrientation", "")):
        other = "lateral"
    if other is not None and not (view in FRONTAL or (coded in FRONTAL and view not in OTHER_VIEWS)):
        yield f"not read: {other} view; frontal views (PA, AP) are accepted"
    part = header.get("BodyPartExamined")
    if part and part not in CHEST | {UNKNOWN}:
        yield f"not read: body part {part}; chest radiographs are accepted"


def _views(header: Mapping[str, str]) -> tuple[str, str]:
    """Return what View Position and View Code Sequence say."""
    return header.get("ViewPosition", ""), header.get("ViewCodeSequence", "")


def _orientation_warnings(left: Pose) -> Iterable[str]:
    if left.mirrored:
        yield (
            "Patient Orientation says that the picture is mirrored: left and right are exchanged, also in words and "
            "maps; have it shown and read the right way round, or check the side marker"
        )
    elif left:
        degrees = 360 - 90 * left.quarter_turns
        yield f"Patient Orientation says that the picture is turned by {degrees} degrees clockwise"


def _warnings(rows: int, columns: int, header: Mapping[str, str], age: float | None) -> Iterable[str]:
    if age is not None and age < ADULT_YEARS:
        yield f"age under {ADULT_YEARS}: the model is for adults"
    view, coded = _views(header)
    if view in FRONTAL or coded in FRONTAL:
        if coded in OTHER_VIEWS:
            yield f"may be {OTHER_VIEWS[coded]}: View Code Sequence says so, View Position says {view}"
        elif runs_sideways(header.get("PatientOrientation", "")):
            yield "may be lateral: Patient Orientation says so, the view is stated as frontal"
    elif "SeriesDescription" in header:
        yield "may be lateral: a description in the header says so"
    if header and "SOPClassUID" not in header:
        yield "SOP class not stated: taken as a radiograph"
    elif header.get("SOPClassUID") == PRIVATE_CLASS:
        yield "a SOP class that the standard does not know: taken as a radiograph"
    if header.get("Modality") in CAPTURE_MODALITIES or header.get("SOPClassUID") in CAPTURE_CLASSES:
        yield "a secondary capture: its grey levels may have been changed"
    if header.get("PresentationIntentType") == "FOR PROCESSING" or header.get("SOPClassUID") in RAW_CLASSES:
        yield "raw detector data (FOR PROCESSING): the window was chosen from the pixels"
    if min(rows, columns) < SMALL_SIDE:
        yield f"small image: {columns} x {rows} pixels"


def _notes(header: Mapping[str, str], age: float | None) -> Iterable[str]:
    """Say what is merely unknown: it speaks neither for nor against the reading."""
    if age is None:
        yield "age unknown: the model is for adults"
    view, coded = _views(header)
    if runs_sideways(header.get("PatientOrientation", "")) and not (view in FRONTAL or coded in FRONTAL):
        # it is refused as lateral
        pass
    elif header and not view and not coded:
        yield "view position not stated: taken as frontal"
    elif view == UNKNOWN and not coded:
        yield "view position stated in a word that is not known here: taken as frontal"
    decides = header.get("SOPClassUID") in RADIOGRAPH_CLASSES
    if header.get("Modality") == UNKNOWN:
        yield f"modality stated in a word that is not known here: {'the SOP class decides' if decides else 'ignored'}"
    elif decides and header.get("Modality") in CONTESTED_MODALITIES:
        yield f"modality {header['Modality']} of a radiograph's SOP class: the SOP class decides"
    if header.get("BodyPartExamined") == UNKNOWN:
        yield "body part stated in a word that is not known here: taken as a chest"
