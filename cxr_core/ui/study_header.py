"""Whose image is on the screen: patient and study from the header of the file, and the way to the prior study.

Shown to the person who opened the file, and kept nowhere else: see :mod:`cxr_core.studies.header`.
"""

from __future__ import annotations

from datetime import date

import streamlit as st

from ..settings import settings
from ..studies import NO_PATIENT, Patient, Study, prior_studies
from .chrome import asset, store_script
from .received_studies import describe_origin
from .worklist import Worklist, WorklistImage

__all__ = ["describe_patient", "study_header", "study_message"]

# registered at import: registering the name again would replace the component under a mounted header
_HEADER = st.components.v2.component(
    "second_read_study_header",
    html='<div class="study-header" role="group" aria-label="Patient and study"></div>',
    css=asset("study_header.css"),
    js=store_script("study_header.js"),
)


def study_header() -> None:
    """Show whose image is on the screen, from the browser's store, and the way to the prior study."""
    _HEADER(key="study-header")


def study_message(image: WorklistImage, images: Worklist) -> dict[str, object] | None:
    """Return whose image it is, for the header above it; None for a file that cannot be read.

    Returns:
        ``name``, ``patient`` and ``visit`` (lines; empty where ``SECOND_READ_IDENTITY`` is ``off``), ``view``, ``file``
        and ``digest`` of the image, ``origin`` (where it came from over the DICOM network, and where its results are),
        ``alarms`` (what contradicts itself in the headers), and ``priors``: the earlier
        studies of the same patient, the latest first, each with ``id`` of its first image and ``date``.
    """
    studies = images.studies()
    study = next((one for one in studies if image.digest in {member.digest for member in one.images}), None)
    if study is None:
        return None
    patient, is_shown = study.patient, settings().identity != "off"
    return {
        "name": (patient.name or patient.patient_id or _no_patient(image)) if is_shown else "",
        "patient": describe_patient(patient, study.study_date) if is_shown else "",
        "visit": _visit(study) if is_shown else "",
        "view": image.header.view if image.header else "",
        "file": image.name,
        "digest": image.digest[:12],
        "origin": describe_origin(image.digest, hidden=images.is_hidden(image)),
        "alarms": list(study.alarms),
        "priors": [
            {"id": prior.images[0].digest, "date": prior.study_date.isoformat()}
            for prior in prior_studies(study, studies)
            if prior.study_date is not None
        ],
    }


def describe_patient(patient: Patient, study_date: date | None) -> str:
    """Return ID, date of birth with the age on the day of the study, and sex in one line, as far as they are stated."""
    parts = []
    if patient.name and patient.patient_id:
        parts.append(f"ID {patient.id_text}")
    if patient.birth_date:
        parts.append(", ".join(filter(None, (f"born {patient.birth_date}", patient.age_text(study_date)))))
    parts.append(patient.sex_text)
    return " · ".join(filter(None, parts))


def _visit(study: Study) -> str:
    when = f"Study of {study.when_text}" if study.when_text else ""
    accession = f"accession {study.accession_number}" if study.accession_number else ""
    return " · ".join(filter(None, (when, study.description, accession)))


def _no_patient(image: WorklistImage) -> str:
    kind = "" if image.reading is None else f" ({image.reading.image.kind.upper()})"
    return NO_PATIENT + kind
