"""What the routes say of a worklist and of each image: the messages of the components, with versions.

With "Read first" on and an image not revealed, nothing of its findings is in any of it: no state, no number, no map,
no warning that names a finding, and of the findings only the names, in an order that is the same for every image.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..model import ModelCard
from ..model.formatting import describe_states
from ..model.predictor import names_findings
from ..studies import Study
from .findings import findings_message
from .opinions import asked_findings, opinions_message
from .reading_jobs import format_wait
from .received_studies import describe_origin
from .study_header import study_message
from .worklist import FILES_KEPT, Worklist
from .worklist_image import WorklistImage
from .worklist_strip import worklist_message

__all__ = ["HIDDEN", "image_content", "image_message", "image_version", "worklist_body"]

HIDDEN = "Read first: the findings are hidden until you show them."

_UNLOADED = (
    f"Image unloaded; findings kept. The worklist keeps the last {FILES_KEPT} viewed images. Add the file again to "
    "display it."
)


def worklist_body(images: Worklist) -> tuple[bytes, str]:
    """Return what the strip shows as JSON, and its tag, which changes with it (RFC 9110 section 8.8.3).

    Beside :func:`.worklist_strip.worklist_message` it has ``chosen`` (id of the chosen image, or None), ``readFirst``,
    ``versions``: of each image by id, which changes with whatever :func:`image_content` says, and ``outdated``: whether
    another tab of the person has changed what the script of this one has drawn.
    """
    studies = images.studies()
    study_of = {member.digest: study for study in studies for member in study.images}
    of_patient = _studies_of_patients(studies)
    versions = {
        digest: _version(image, images, study_of.get(digest), of_patient) for digest, image in images.images.items()
    }
    content = {
        "chosen": images.chosen,
        "readFirst": images.read_first,
        "versions": versions,
        "outdated": images.is_outdated(),
    }
    body = json.dumps(content | worklist_message(images)).encode()
    return body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def image_content(image: WorklistImage, images: Worklist, card: ModelCard) -> dict[str, Any]:
    """Return everything that is shown of an image but its pixels.

    Returns:
        :func:`image_message`, with ``name``, ``version``, ``pixelsVersion`` (of the pixels that
        were read, as their message has it; empty before), ``rows`` and ``columns`` (0 before it was decoded), and
        ``unloaded`` (a sentence where its pixels are gone, or empty).
    """
    # before the message: what changes meanwhile gives it a new version
    version = image_version(image, images)
    rows, columns = image.shape or (0, 0)
    return image_message(image, images, card) | {
        "name": image.name,
        "version": version,
        "pixelsVersion": image.pixels_version,
        "rows": rows,
        "columns": columns,
        "unloaded": _UNLOADED if image.status in ("read", "refused") and _is_unloaded(image) else "",
    }


def image_message(image: WorklistImage, images: Worklist, card: ModelCard) -> dict[str, object]:
    """Return the message of an image, for the study header, the summary, the warnings and the list of findings.

    Where "Read first" hides the findings, the message holds no finding, no map and no count.

    Args:
        image: the image.
        images: its worklist.
        card: of the model that reads it.

    Returns:
        ``id``, ``name`` (of the file), ``status``, ``study`` (of :func:`.study_header.study_message`), ``summary`` (one
        line), ``warnings`` and ``notes`` (lines), ``hidden``, ``findings`` (of :func:`.findings.findings_message`, or
        None), ``asked`` (of :func:`.opinions.asked_findings` while they are hidden, or None), ``opinions`` (of
        :func:`.opinions.opinions_message`) and ``comments`` (by label, those that no opinion was given with yet).
    """
    reading = image.reading
    is_read = image.status == "read" and reading is not None
    hidden = is_read and images.read_first and not image.revealed
    warnings: tuple[str, ...] = image.reasons()
    notes: tuple[str, ...] = ()
    if is_read and reading is not None:
        override = reading.quality.override
        warnings = ((f"Refused image, read on request. Reason given: {override}",) if override else ()) + (
            reading.quality.reasons
        )
        if hidden:
            warnings = tuple(warning for warning in warnings if not names_findings(warning))
        notes = reading.quality.notes
    return {
        "id": image.digest,
        "name": image.name,
        "status": image.status,
        "study": study_message(image, images),
        "summary": HIDDEN if hidden else _summary(image),
        "warnings": list(warnings),
        "notes": list(notes),
        "hidden": hidden,
        "findings": findings_message(reading, card, image.label) if is_read and reading and not hidden else None,
        "asked": asked_findings(reading) if hidden and reading else None,
        "opinions": opinions_message(image),
        "comments": image.comments,
    }


def _summary(image: WorklistImage) -> str:
    if image.status == "waiting":
        job = image.job
        return "Waiting to be read" if job is None else format_wait(job.position(), job.seconds())
    if image.status == "unreadable":
        return "This file cannot be read"
    if image.status == "refused" or image.reading is None:
        return "This image was not read"
    return describe_states(image.reading.ranked())


def _studies_of_patients(studies: Iterable[Study]) -> dict[object, list[str]]:
    """Return the first image of each study by patient: what the priors of an image depend on."""
    found: dict[object, list[str]] = {}
    for study in studies:
        if key := _patient_key(study):
            found.setdefault(key, []).append(study.images[0].digest)
    return found


def _patient_key(study: Study | None) -> object:
    """Return what studies of one patient have in common, or None."""
    return None if study is None else study.patient.key


def image_version(image: WorklistImage, images: Worklist) -> str:
    """Return ``version`` of :func:`image_content`: two parts with a dot between, the latter of the opinions alone."""
    studies = images.studies()
    study = next((one for one in studies if image.digest in {member.digest for member in one.images}), None)
    return _version(image, images, study, _studies_of_patients(studies))


def _version(image: WorklistImage, images: Worklist, study: Study | None, of_patient: dict[object, list[str]]) -> str:
    """Return what changes whenever the content of an image would, and seldom else: each change is fetched."""
    reading = image.reading
    state = (
        image.status,
        images.is_hidden(image),
        image.pixels_version,
        image.read_anyway,
        image.reason,
        _is_unloaded(image),
        # without its images, because a drop of many files adds them one by one to one study
        None if study is None else hash(replace(study, images=())),
        of_patient.get(_patient_key(study)),
        describe_origin(image.digest, hidden=images.is_hidden(image)),
        None if reading is None else (reading.operating_point, reading.prevalence, len(reading.under_changes)),
    )
    return f"{hashlib.blake2b(repr(state).encode(), digest_size=8).hexdigest()}.{len(image.opinions)}"


def _is_unloaded(image: WorklistImage) -> bool:
    return not image.has_file and image.radiograph is None
