"""Results as DICOM objects, made of whatever a test gives, and files that a result must cope with."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pydicom
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from cxr_core.imaging import phantom_dicom
from cxr_core.model import Finding
from cxr_core.reading import read_image
from cxr_core.report import ReportImage
from cxr_core.report.dicom.objects import KINDS, result_objects
from cxr_core.store.read_record import Opinion
from cxr_core.studies import StudyImage, group_studies, read_study_header

WHEN = datetime(2026, 11, 26, 16, 42, 7, tzinfo=UTC)

DX = "1.2.840.10008.5.1.4.1.1.1.1"
TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "StudyID",
    "ReferringPhysicianName",
    "Manufacturer",
)
PATIENT = {
    "PatientName": "QZFAMILY^Zoe",
    "PatientID": "QZ-ID-77",
    "PatientBirthDate": "19020314",
    "PatientSex": "F",
    "StudyDate": "20190301",
    "StudyTime": "101500",
    "AccessionNumber": "QZACCESSION",
    "StudyDescription": "QZDESCRIPTION",
    "StudyID": "QZSTUDY",
    "ReferringPhysicianName": "QZDOCTOR^A",
}
ORIGINALS = {
    "CR": lambda: phantom_dicom(256, 224, **PATIENT),
    "DX": lambda: phantom_dicom(256, 224, SOPClassUID=DX, Modality="DX", PatientOrientation=["L", "F"], **PATIENT),
    "169 x 211": lambda: phantom_dicom(169, 211),
    "without elements of type 2": lambda: phantom_dicom(256, 224, **dict.fromkeys(TYPE_2)),
    "with a frame of reference": lambda: phantom_dicom(256, 224, FrameOfReferenceUID="2.25.77"),
    "with values that are not valid": lambda: phantom_dicom(
        256, 224, PatientAge="50", PatientSex="X", PatientBirthDate="1902", StudyDate="x" * 70, StudyTime="25:00",
        PatientIdentityRemoved="YES", BodyPartExamined="breast bone"
    ),
    "with one name, in Latin-1": lambda: phantom_dicom(
        256, 224, SpecificCharacterSet="ISO_IR 100", PatientName="Müller", StudyDescription="Thorax, Überweisung"
    ),
    "with high pixels": lambda: phantom_dicom(
        160, 224, ImagerPixelSpacing=[0.3, 0.2]
    ),
}  # fmt: skip
"""Our own phantom as CR and DX, and as files that lack or break what a result needs."""


def opinions(label, *said):
    """Opinions of one reader on a label: the first before the findings were shown, the others after."""
    return tuple(
        Opinion(label, "anna", n, "r", opinion, n > 0, f"comment {n}", f"2026-11-26T09:0{n}:00.000+00:00")
        for n, opinion in enumerate(said)
    )


def report_image(data, predictor, *, above=(), given=(), **options):
    """The reading of a file, as a report has it; some labels are made to be above their operating point."""
    options = {"read_anyway": "a test"} | options
    radiograph, reading = read_image(data, predictor, **options)
    reading = replace(reading, findings=tuple(_above(f) if f.label in above else f for f in reading.findings))
    study = group_studies([StudyImage(reading.sha256, read_study_header(data))])[0]
    return ReportImage(reading, lambda: radiograph, study, "QZFILE.dcm", opinions=tuple(given))


def _above(finding: Finding) -> Finding:
    return replace(finding, state="above", threshold=finding.score / 2, probability=None, interval=None, reason=None)


def objects(image, card, data, kinds=tuple(KINDS), *, when=WHEN, identity=True):
    """Bytes of each result by its name."""
    return dict(result_objects(image, card, data, when, kinds, identity=identity))


def with_stored(data, values):
    """A file with the bytes of some values replaced, whatever they are."""
    file = parsed(data)
    for keyword, value in values.items():
        tag, representation = tag_for_keyword(keyword), dictionary_VR(keyword)
        file[tag] = RawDataElement(Tag(tag), representation, len(value), value, 0, False, True)
    stream = io.BytesIO()
    file.save_as(stream)
    return stream.getvalue()


def parsed(data):
    return pydicom.dcmread(io.BytesIO(data))


def pixels(data) -> np.ndarray:
    return parsed(data).pixel_array
