"""Vocabulary: the labels of ChestX-ray14, label names in general, caveats, and the notice.

Labels are data: a table, a run, a model card, a figure and a screen carry their own. :data:`LABELS` is the default of
NIH's table and of weights that were trained on it, nothing else. Source: Wang et al., *ChestX-ray8*, CVPR 2017
(doi 10.1109/CVPR.2017.369).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from .errors import WrongArguments

__all__ = [
    "ANY_FINDING",
    "CAVEATS",
    "LABELS",
    "MAX_AGE",
    "NOTICE",
    "NO_FINDING",
    "check_label_names",
    "display_name",
    "file_name_of",
    "name_in_sentence",
    "not_looked_for",
    "parse_labels",
]

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
"""The fourteen labels of ChestX-ray14, in the order of NIH's release."""

NO_FINDING = "No Finding"
"""Value of NIH's table for an image with none of its labels. It is not a label."""

ANY_FINDING = "Any finding"
"""Evaluated as one more label of every run, so that no table may have a label of this name."""

NOTICE = "Research software. Not a medical device, not cleared by any regulator. Do not use for patient care."
"""Carried by every screen and every file that the product writes."""

MAX_AGE = 120
"""Largest plausible age in years. A larger value is an error of the table or header: the age is unknown."""

CAVEATS: dict[str, str] = {
    "Pneumothorax": "Many positive training images show a chest drain: an untreated pneumothorax may be missed.",
    "Pneumonia": "A clinical diagnosis: the image alone neither makes nor excludes it.",
    "Infiltration": "Overlaps consolidation, edema and atelectasis; readers agree poorly on it.",
    "Cardiomegaly": "On AP and supine images the heart is magnified.",
}
"""Caveats of a label that apply to every model; a card may add others."""

_OUTSIDE_NIH: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("fractures and other bone lesions", ("Fracture",), "bone lesions other than fractures"),
    ("tubes, lines and devices", ("Support Devices",), ""),
    ("free air under the diaphragm", ("Pneumoperitoneum",), ""),
    ("mediastinal and hilar masses as such", (), ""),
    ("lymph nodes", ("Lymphadenopathy",), ""),
    ("vessels and aorta", (), ""),
    ("foreign bodies", (), ""),
)
"""(what a reader might expect, labels that cover it, what then remains)."""

_WORD = re.compile(r"[^\W_]+")
_NAME = re.compile(r"[^\W\d_][\w /()'.&+-]{0,59}(?<! )")


def not_looked_for(labels: Collection[str]) -> tuple[str, ...]:
    """Return the findings that a reader might expect and that a model with these labels does not look for.

    A model that has the label Fracture looks for fractures; one that lacks labels of ChestX-ray14 lists them.
    """
    names = {_key(label) for label in labels}
    topics = (
        rest if any(_key(label) in names for label in covering) else topic for topic, covering, rest in _OUTSIDE_NIH
    )
    missing = [name_in_sentence(label) for label in LABELS if _key(label) not in names]
    lines = tuple(filter(None, topics))
    return (*lines, f"of the labels of ChestX-ray14: {', '.join(missing)}") if missing else lines


def display_name(label: str) -> str:
    """Return the label in sentence case; abbreviations keep their capitals.

    >>> [display_name(label) for label in ("Pleural_Thickening", "Tube (ETT)", "COVID-19")]
    ['Pleural thickening', 'Tube (ETT)', 'COVID-19']
    """
    name = name_in_sentence(label)
    return name[:1].upper() + name[1:]


def name_in_sentence(label: str) -> str:
    """Return the label as it is written within a sentence; abbreviations keep their capitals.

    A word is lowered if its first letter is its only capital and lower-case letters follow.

    >>> [name_in_sentence(label) for label in ("Pleural_Thickening", "PICC line")]
    ['pleural thickening', 'PICC line']
    """
    return _WORD.sub(
        lambda word: word[0].lower() if word[0][1:].islower() and word[0].isalpha() else word[0],
        label.replace("_", " "),
    )


def parse_labels(text: str) -> tuple[str, ...]:
    """Return the labels of ``A,B,...``; raises WrongArguments."""
    return check_label_names(label.strip() for label in text.split(","))


def check_label_names(labels: Iterable[str]) -> tuple[str, ...]:
    """Return label names that can be columns and headings; raises WrongArguments for the first that cannot.

    Two names that differ in case, ``_`` and ``/`` alone would be one heading or one file, and are refused.

    >>> check_label_names(["Nodule/Mass", "Tube (ETT)", "Überblähung"])
    ('Nodule/Mass', 'Tube (ETT)', 'Überblähung')
    """
    labels = tuple(labels)
    seen = {_key(NO_FINDING), _key(ANY_FINDING)}
    for label in labels:
        if not _NAME.fullmatch(label):
            raise WrongArguments(
                f"Label {label[:80]!r}: a name begins with a letter and has at most 60 letters, digits, spaces and "
                "characters of _-/()'.&+. Another name can be given to it: --map-label, or --columns NAME=COLUMN."
            )
        if _key(label) in seen:
            raise WrongArguments(
                f"Label {label!r}: each name is accepted once, in whatever case, and neither {NO_FINDING!r} nor "
                f"{ANY_FINDING!r}, which mean the whole image."
            )
        seen.add(_key(label))
    return labels


def file_name_of(label: str) -> str:
    """Return the label as a part of a file's name; different for different labels.

    >>> file_name_of("Nodule/Mass")
    'Nodule-Mass'
    """
    return label.replace("/", "-")


def _key(label: str) -> str:
    return file_name_of(label).replace("_", " ").lower()
