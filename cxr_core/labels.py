"""The vocabulary: the labels of ChestX-ray14, what is said of each, and the notice.

Source of the labels: Wang et al., *ChestX-ray8*, CVPR 2017 (doi 10.1109/CVPR.2017.369), in the
order of NIH's public release.
"""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["CAVEATS", "LABELS", "NOTICE", "NOT_LOOKED_FOR", "NO_FINDING", "display_name", "not_looked_for"]

LABELS: tuple[str, ...] = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)
"""The 14 pathologies, in the order of every array and table of this product."""

NO_FINDING = "No Finding"
"""What NIH's table says of a film with none of the 14 labels. It is not a fifteenth class."""

NOTICE = "Research software. Not a medical device, not cleared by any regulator. Do not use for patient care."
"""Carried by every screen and every file that the product writes."""

NOT_LOOKED_FOR: tuple[str, ...] = (
    "fractures and other bone lesions",
    "tubes, lines and devices",
    "free air under the diaphragm",
    "mediastinal and hilar masses as such",
    "lymph nodes",
    "vessels and aorta",
    "foreign bodies",
)
"""What a reader might expect of a second opinion and this product does not look for."""

CAVEATS: dict[str, str] = {
    "Pneumothorax": "Many positive training films already show a chest drain; an untreated pneumothorax may be missed.",
    "Pneumonia": "A clinical diagnosis: the film alone neither makes nor excludes it.",
    "Infiltration": "Overlaps consolidation, edema and atelectasis; readers agree poorly on it.",
    "Cardiomegaly": "On AP and supine films the heart is magnified.",
}
"""What a reader must know of a label, whatever the model; a card may say more."""


def not_looked_for(labels: Collection[str]) -> tuple[str, ...]:
    """Return what a model with these labels does not look for: :data:`NOT_LOOKED_FOR`, less and more.

    A model that names fractures looks for them; one that lacks some of the 14 pathologies says which.
    """
    looked_for = {"Fracture": ("fractures and other bone lesions", "bone lesions other than fractures")}
    lines = list(NOT_LOOKED_FOR)
    for label, (line, instead) in looked_for.items():
        if label in labels:
            lines[lines.index(line)] = instead
    missing = [display_name(label).lower() for label in LABELS if label not in labels]
    return (*lines, f"of the 14 usual pathologies: {', '.join(missing)}") if missing else tuple(lines)


def display_name(label: str) -> str:
    """Return the label as a sentence would write it: ``Pleural_Thickening`` to ``Pleural thickening``."""
    words = label.replace("_", " ")
    return words[:1].upper() + words[1:].lower()
