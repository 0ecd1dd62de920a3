"""Whether a film may be read: by what the header says, and by what no header can hide.

A refusal is about the film being the model's subject, not about its quality as a picture; a user may
override it with a reason, and the reason is kept in the reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from .look import Look, look_at
from .pixels import Pixels
from .quality import Quality

__all__ = ["judge"]

X_RAY = {"CR", "DX", "RG"}
CAPTURES = {"OT", "SC"}
CHEST = {"CHEST", "THORAX", "LUNG", "CHESTABDOMEN"}
FRONTAL = {"PA", "AP"}
OTHER_VIEWS = {
    **dict.fromkeys(("LL", "RL"), "lateral"),
    **dict.fromkeys(("LLD", "RLD"), "lateral decubitus"),
    **dict.fromkeys(("LLO", "RLO"), "oblique"),
}
ADULT_YEARS = 18
SMALL_SIDE = 224
TURNED = {"turned 90": 90, "turned 180": 180, "turned 270": 270}
LOOKS = {
    **{kind: f"turned by {degrees} degrees counter-clockwise; turn it upright" for kind, degrees in TURNED.items()},
    "inverted": "inverted, with dark bones; check its polarity",
    "part": "cut off: a part of a chest only",
    "other": "unlike a frontal chest radiograph",
}


def judge(pixels: Pixels, header: Mapping[str, str], age: float | None, concerns: Iterable[str] = ()) -> Quality:
    """Return the gate's verdict.

    Args:
        pixels: the film.
        header: fields that passed the allow-list; empty for a picture file.
        age: of the patient in years, or None where it is unknown.
        concerns: what the decoding found, in words.
    """
    rows, columns = pixels.containers.shape
    # its eye sees little, so it is given little: a detector's film has millions of pixels
    thin = pixels.thinned(max(1, min(rows, columns) // 512))
    look = look_at(thin) if _has_contrast(thin) or _has_contrast(pixels.thinned(1)) else None
    refusals = [*_header_refusals(header), *_look_reasons(look, "refused")]
    warnings = [*_look_reasons(look, "warning"), *concerns, *_warnings(rows, columns, header, age)]
    status = "refused" if refusals else "warning" if warnings else "ok"
    turned = 0 if look is None or look.verdict == "ok" else TURNED.get(look.kind, 0)
    return Quality(status, (*refusals, *warnings), turned=turned)


def _has_contrast(display: np.ndarray) -> bool:
    # so written that a NaN has none
    return bool(display.max() - display.min() >= 1 / 255)


def _look_reasons(look: Look | None, verdict: str) -> Iterable[str]:
    """Say what the picture looks like, where that is no upright frontal chest film."""
    if look is None:
        if verdict == "refused":
            yield "not read: every pixel is the same, there is no picture"
        return
    if look.verdict != verdict:
        return
    words = LOOKS[look.kind]
    yield f"not read: it looks {words}" if verdict == "refused" else f"it may be {words}"


def _header_refusals(header: Mapping[str, str]) -> Iterable[str]:
    modality = header.get("Modality")
    if modality and modality not in X_RAY | CAPTURES:
        yield f"not read: modality {modality}; radiographs (CR, DX) are accepted"
    view = header.get("ViewPosition")
    if view in OTHER_VIEWS:
        yield f"not read: {OTHER_VIEWS[view]} view; frontal views (PA, AP) are accepted"
    part = header.get("BodyPartExamined")
    if part and part not in CHEST:
        named = "another body part" if part == "another" else f"body part {part}"
        yield f"not read: {named}; chest radiographs are accepted"


def _warnings(rows: int, columns: int, header: Mapping[str, str], age: float | None) -> Iterable[str]:
    if age is None:
        yield "age unknown: the model is for adults"
    elif age < ADULT_YEARS:
        yield f"age under {ADULT_YEARS}: the model is for adults"
    if header and "ViewPosition" not in header:
        yield "view position not stated: taken as frontal"
    elif header.get("ViewPosition") == "another":
        yield "view position stated in words that are not known here: taken as frontal"
    if header.get("Modality") in CAPTURES:
        yield "a secondary capture: its grey levels may have been changed"
    if header.get("PresentationIntentType") == "FOR PROCESSING":
        yield "raw detector data (FOR PROCESSING): the window was chosen from the pixels"
    if min(rows, columns) < SMALL_SIDE:
        yield f"small image: {columns} x {rows} pixels"
