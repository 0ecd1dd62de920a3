"""Alarms of the DICOM network in sentences, for the page PACS and `pacs status`: what each says and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..store.pacs_records import AlarmKind, SentResults, StudyPatient

__all__ = ["ALARM_TEXTS", "AlarmText", "describe_patient", "describe_sent"]

_HELD = "is read or sent; results sent before stay in the PACS."


@dataclass(frozen=True)
class AlarmText:
    """Sentences of a kind of alarm; commands are between backticks.

    Attributes:
        what: what has happened, and what follows from it.
        remedy: what is to be done.
    """

    what: str
    remedy: str


ALARM_TEXTS: dict[AlarmKind, AlarmText] = {
    "study": AlarmText(
        f"A study has images of two patients. Nothing more of it {_HELD}",
        "First delete in the PACS what was sent of the wrong one. Then delete its images here (`pacs delete UID ...`) "
        "and retry the jobs of the others; or correct the study in the PACS and replace it here by that (`pacs fetch "
        "--replace STUDY`), which retries them.",
    ),
    "patient": AlarmText(
        "An image of another patient came under the SOP Instance UID of one that is here, and was kept out. Nothing "
        f"more of its study {_HELD}",
        "If the one here is right, acknowledge the alarm on the page PACS and retry its jobs; if not, replace the "
        "study by that of the PACS (`pacs fetch --replace STUDY`).",
    ),
    "image": AlarmText(
        "Another image came under the SOP Instance UID of one that is here. It was kept out: the image, its reading "
        "and its results are of the first one.",
        "Ask the sender which of the two is right. If the one here is, acknowledge the alarm; if not, replace the "
        "study by that of the PACS (`pacs fetch --replace STUDY`).",
    ),
}
"""By kind, the most urgent one first."""


def describe_sent(results: Iterable[SentResults]) -> str:
    """Return what each destination was sent.

    Examples:
        >>> describe_sent([SentResults("archive", 3, 2), SentResults("viewer", 1, 1)])
        '3 results sent to archive, 2 of them verified; 1 result sent to viewer, verified'
        >>> describe_sent([])
        'no results sent'
    """
    return "; ".join(map(str, results)) or "no results sent"


def describe_patient(patient: StudyPatient) -> str:
    """Return how many images a patient of a study has here, where they came from, and what was sent of them.

    Examples:
        >>> describe_patient(StudyPatient(2, ("1.2", "1.3"), ("AE CT1", "stow"), "2026-11-27T05:00:00.000+00:00", ()))
        'patient 2: 2 images from AE CT1, stow; no results sent'
    """
    name, count = f"patient {patient.number}" if patient.number else "patient not known", len(patient.sop_instance_uids)
    images = f"{count:,} image{'s' * (count != 1)} from {', '.join(patient.sources)}"
    return f"{name}: {images}; {describe_sent(patient.results)}"
