"""The worklist strip: the images by study with the state of each, what was refused, and what came from the PACS.

The browser filters, sorts and searches; nothing of that is sent. Where "Read first" is on, the message holds neither
the number of findings above their threshold nor of warnings for an image that is not revealed, so that the order of
"flagged first" cannot betray them.
"""

from __future__ import annotations

import streamlit as st

from ..access import Role
from ..settings import settings
from ..studies import Study
from .chrome import asset, banner, store_script
from .received_studies import describe_origin, open_received, received_studies
from .study_header import describe_patient
from .visitor import may, visitor
from .worklist import Worklist, WorklistImage

__all__ = ["worklist_message", "worklist_strip"]

# registered at import: registering the name again would replace the component under a mounted strip
_STRIP = st.components.v2.component(
    "second_read_worklist",
    html=asset("worklist.html"),
    css=asset("worklist.css"),
    js=store_script("page.js", "focus.js", "in_place.js", "worklist_state.js", "worklist_entries.js", "worklist.js"),
)


def worklist_strip(images: Worklist) -> None:
    """Show all images by study with their states; what the reader removes goes to :mod:`.server.worklist_changes`."""
    key = "worklist-strip"

    def on_opened() -> None:
        # a callback runs without the check of the page
        if may(Role.READER) and isinstance(asked := st.session_state[key].opened, str):
            st.session_state["received-problem"] = open_received(images, asked, visitor())

    _STRIP(key=key, data=worklist_message(images), on_opened_change=on_opened)
    if problem := st.session_state.pop("received-problem", ""):
        banner("Not opened as a whole.", problem)


def worklist_message(images: Worklist) -> dict[str, object]:
    """Return what the strip shows: studies with their images, refused files, and the ids of what Undo restores.

    ``received`` has the studies that came over the DICOM network and are not in the worklist; None without a network.
    """
    with images.unchanged():
        return _message(images)


def _message(images: Worklist) -> dict[str, object]:
    listed = dict(images.images)
    studies: list[dict[str, object]] = []
    for number, study in enumerate(images.studies(), start=1):
        members = [listed[one.digest] for one in study.images if one.digest in listed]
        if members:
            entries = [_entry(image, hidden=images.read_first and not image.revealed) for image in members]
            origin = describe_origin(members[0].digest, hidden=images.is_hidden(members[0]))
            studies.append(_study(study, number) | {"id": members[0].digest, "images": entries, "origin": origin})
    return {
        "received": _received(images),
        "studies": studies,
        "rejected": [
            {"id": image.digest, "path": image.path or image.name, "status": image.status, "reason": reasons[0]}
            for image in images.images.values()
            if (reasons := image.reasons()) and not _is_lateral(image)
        ],
        "removed": images.shared.restorable(),
    }


def _study(study: Study, number: int) -> dict[str, object]:
    alarm: dict[str, object] = {"alarm": " ".join(study.alarms)}
    if settings().identity == "off":
        hidden = ("patientId", "patient", "date", "when", "description", "accession")
        return alarm | {"name": f"Study {number}"} | dict.fromkeys(hidden, "")
    patient, when = study.patient, study.study_date
    return alarm | {
        "name": patient.name or patient.patient_id or "No patient data",
        "patientId": patient.patient_id if patient.name else "",
        "patient": describe_patient(patient, when),
        "date": when.isoformat() if when else "",
        "when": study.when_text,
        "description": study.description,
        "accession": study.accession_number,
    }


def _received(images: Worklist) -> list[dict[str, object]] | None:
    received = received_studies()
    if received is None:
        return None
    return [
        _study(study, number)
        | {
            "id": study.images[0].digest,
            "count": len(study.images),
            "received": received.received(study),
            "origin": received.describe(study.images[0].digest, hidden=images.read_first),
        }
        for number, study in enumerate(received.studies, start=1)
        if not all(image.digest in images.images for image in study.images)
    ]


def _entry(image: WorklistImage, *, hidden: bool) -> dict[str, object]:
    above = warnings = None
    if image.status == "read" and image.reading is not None and not hidden:
        above = sum(finding.state == "above" for finding in image.reading.findings)
        warnings = len(image.reading.quality.reasons)
    return {
        "id": image.digest,
        "name": image.name,
        "path": image.path or image.name,
        "view": image.header.view if image.header else "",
        "status": image.status,
        "text": _status_text(image, above),
        "reason": " ".join(image.reasons()),
        "above": above,
        "warnings": warnings,
    }


def _status_text(image: WorklistImage, above: int | None) -> str:
    if image.status == "waiting":
        if image.job is None:
            return "waiting"
        position = image.job.position()
        return "reading" if position is None else f"waiting, {position} ahead" if position else "next"
    if image.status == "unreadable":
        return "cannot be read"
    if image.status == "refused":
        return "not read" if _is_lateral(image) else "refused"
    return "read" if above is None else f"{above} above"


def _is_lateral(image: WorklistImage) -> bool:
    """Return whether the image is a lateral view: part of a study, shown and not read, and so not listed as refused."""
    return image.status == "refused" and image.header is not None and image.header.view == "lateral"
