"""Files of a stored read: JSON, findings and opinions as CSV, the PDF report of what was shown, DICOM results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache, partial

from ..errors import WrongArguments
from ..labels import NOTICE
from ..model import ModelCard
from ..reading import open_image
from ..store.read_record import Opinion, StoredRead, first_opinion
from ..studies import StudyImage, group_studies, read_study_header
from ..table_files import csv_text
from .record import reading_record
from .report_text import ReportImage

__all__ = [
    "OPINION_COLUMNS",
    "dicom_results",
    "first_opinions",
    "opinion_records",
    "opinions_csv",
    "read_dicom",
    "read_json",
    "read_pdf",
]

SCHEMA = 1

OPINION_COLUMNS = ("label", "reader", "number", "first", "opinion", "revealed", "comment", "created", "read", "notice")
"""One line per opinion.

``number`` counts the opinions of a reader on a label from 0; ``first`` is whether it is the first opinion, the last one
before the findings were shown; ``revealed`` is whether they had been shown.
"""


def read_json(stored: StoredRead, opinions: Sequence[Opinion], name: str) -> str:
    """Return a read as JSON: who read what and when, the reading as ``predict --json`` has it, and all opinions.

    Args:
        stored: the read.
        opinions: on its image.
        name: by which the user knows the image.
    """
    summary = stored.summary
    record = {
        "schema": SCHEMA,
        "notice": NOTICE,
        "read": {
            "id": summary.id,
            "study": summary.study,
            "reader": summary.reader,
            "created": summary.created,
            "revealed": summary.revealed,
            "seconds": summary.seconds,
            "model_version": stored.model_version,
            "program_version": stored.program_version,
            "options": asdict(stored.options),
        },
        "reading": reading_record(name, stored.reading),
        "opinions": opinion_records(opinions),
    }
    return json.dumps(record, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def opinion_records(opinions: Sequence[Opinion]) -> list[dict[str, object]]:
    """Return opinions as JSON, in the order in which they are given; ``first`` as in :data:`OPINION_COLUMNS`."""
    firsts = first_opinions(opinions)
    return [asdict(opinion) | {"first": opinion in firsts} for opinion in opinions]


def first_opinions(opinions: Sequence[Opinion]) -> list[Opinion]:
    """Return the first opinions, as :func:`.read_record.first_opinion`, of several readers and labels."""
    groups: dict[tuple[str, str], list[Opinion]] = {}
    for opinion in sorted(opinions, key=lambda one: one.number):
        groups.setdefault((opinion.reader, opinion.label), []).append(opinion)
    return [first for group in groups.values() if (first := first_opinion(group)) is not None]


def opinions_csv(opinions: Sequence[Opinion]) -> str:
    """Return opinions as CSV with :data:`OPINION_COLUMNS`, in the order in which they are given."""
    return csv_text(OPINION_COLUMNS, [record | {"notice": NOTICE} for record in opinion_records(opinions)])


def read_pdf(
    stored: StoredRead, opinions: Sequence[Opinion], data: bytes, name: str, card: ModelCard, *, identity: bool
) -> bytes:
    """Return the report of a read as PDF, with the time of the read, that of now, and the opinions of its reader.

    Args:
        stored: the read.
        opinions: on its image; those of other readers are not printed.
        data: content of the image's file.
        name: of the file, for the user.
        card: of the model that read it.
        identity: whether patient, study and file name are printed.
    """
    # imports reportlab and matplotlib
    from .pdf import report_pdf

    image = _report_image(stored, opinions, data, name, identity=identity)
    return report_pdf([image], card, datetime.now().astimezone(), identity=identity)


def read_dicom(
    stored: StoredRead, opinions: Sequence[Opinion], data: bytes, card: ModelCard, kinds: Sequence[str]
) -> dict[str, bytes]:
    """Return the results of a read as DICOM files by their names, with the opinions of its reader.

    Args:
        stored: the read.
        opinions: on its image; those of other readers are left out.
        data, card, kinds: as in :func:`dicom_results`, which raises the same.
    """
    return dicom_results(_report_image(stored, opinions, data, "", identity=True), card, data, kinds)


def dicom_results(image: ReportImage, card: ModelCard, data: bytes, kinds: Sequence[str]) -> dict[str, bytes]:
    """Return the results of a reading as DICOM files by their names; patient and study are those of the image.

    Args:
        image: with the time at which it was read.
        card: of the model that read it.
        data: content of the image's file.
        kinds: of :data:`.dicom.objects.KINDS`. A kind of which there is nothing to say has no file: contours and
            segmentation where no finding is above.

    Raises:
        WrongArguments: highdicom is not installed, or the image was refused and has no findings.
        InputRefused: the image is no DICOM image that a result can refer to.
    """
    try:
        from .dicom.objects import result_objects
    except ImportError as error:
        raise WrongArguments("DICOM results need highdicom: pip install -r requirements-pacs.txt") from error
    if not image.reading.findings:
        raise WrongArguments("The image was refused: it has no findings, and so no DICOM results.")
    if image.read_at is None:
        raise ValueError("the time of the reading is not known")
    return dict(result_objects(image, card, data, image.read_at, kinds, identity=True))


def _report_image(
    stored: StoredRead, opinions: Sequence[Opinion], data: bytes, name: str, *, identity: bool
) -> ReportImage:
    digest = stored.summary.image
    header = read_study_header(data, identity=identity)
    study = None if header is None else group_studies([StudyImage(digest, header)])[0]
    # decoded once, however many results show it
    radiograph = cache(partial(open_image, data, sha256=digest, **asdict(stored.options)))
    given = tuple(sorted((o for o in opinions if o.reader == stored.summary.reader), key=lambda one: one.created))
    return ReportImage(stored.reading, radiograph, study, name, opinions=given, read_at=_when(stored))


def _when(stored: StoredRead) -> datetime:
    return datetime.fromisoformat(stored.summary.created).astimezone()
