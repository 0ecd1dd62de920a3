"""What is said of an image that looks altered: mirrored, stretched, cropped, or of another grey.

An image may look so by nature: the texts say what to check. What the file states counts more than what the pixels look
like.
"""

from __future__ import annotations

from ..orientation import Pose
from .exposure import Exposure
from .geometry import Geometry
from .view_classifier import ViewClass

__all__ = ["NOTED", "describe_alterations"]

NOTED = frozenset({"stretched", "bright"})
"""Alterations that are notes, not warnings, since they are reported on more than 5 % of the ordinary images of a view.

NIH made its images square whatever their shape, so that two in three AP images are stretched; half of another
hospital's images look bright (docs/conformance.md).
"""

_BY_NATURE = "in situs inversus and dextrocardia the image is right as it is"
_MIRRORED = (
    "left and right look exchanged: compare the side marker, and have the image shown the right way round if they are; "
    f"{_BY_NATURE}"
)
_MIRRORED_AGAINST_HEADER = (
    "left and right look exchanged, and Patient Orientation says that they are not: compare the side marker; "
    f"{_BY_NATURE}"
)
_STRETCHED = "the chest looks {} than chests are: the image may have been stretched; check its width and height"
_CROPPED = "the margin may be cut off: what lies at the edges of the chest is not read"
_TONES = {
    "flat": "its contrast looks flattened: check its window",
    "window": "it looks as under a narrow window, with dark parts black and bright parts white: check its window",
    "bright": "its grey is unusually bright, as after a gamma curve",
    "dark": "its grey is unusually dark, as after a gamma curve",
}


def describe_alterations(
    geometry: Geometry, tone: str, view: ViewClass, exposure: Exposure, stated: Pose | None, square: bool
) -> dict[str, str]:
    """Return a text for each kind of alteration that an image of a chest looks to have.

    Args:
        geometry, tone, view, exposure: what the pixels look like; of an image that is not refused.
        stated: the pose that would bring the image the right way round by its header, or None where that does not say.
        square: whether the file states the shape of its pixels.

    Returns:
        The kinds are ``mirrored``, ``stretched``, ``cropped`` and those of :data:`.tone.CLASSES` but the first.
    """
    texts = {}
    # what may be turned or a part has no usual sides and margins
    if view.verdict == "ok":
        if geometry.mirrored and not stated:
            texts["mirrored"] = _MIRRORED if stated is None else _MIRRORED_AGAINST_HEADER
        if geometry.stretched and not square:
            texts["stretched"] = _STRETCHED.format("wider" if geometry.ratio > 1 else "narrower")
        if geometry.cropped:
            texts["cropped"] = _CROPPED
    # a verdict on the exposure says as much, but a note must not silence a warning
    if tone in _TONES and (exposure.verdict == "ok" or (exposure.verdict == "note" and tone not in NOTED)):
        texts[tone] = _TONES[tone]
    return texts
