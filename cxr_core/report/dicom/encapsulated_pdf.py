"""The PDF report of a reading as a DICOM object.

Source: PS3.3 A.45.1 (Encapsulated PDF), C.24.2 (Encapsulated Document).
"""

from __future__ import annotations

from dataclasses import replace

import highdicom
from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from ..pdf import TITLE, report_pdf
from .identification import ResultSource, reference_to

__all__ = ["encapsulated_pdf"]


def encapsulated_pdf(source: ResultSource) -> Dataset:
    """Return :func:`cxr_core.report.pdf.report_pdf` of a reading as Encapsulated PDF.

    The name of the file is not printed: it is none of the study's attributes.
    """
    original = source.original
    pdf = report_pdf([replace(source.image, name="")], source.card, source.when, identity=source.identity)
    result = highdicom.SOPClass(
        study_instance_uid=original.StudyInstanceUID,
        sop_class_uid=EncapsulatedPDFStorage,
        modality="DOC",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        patient_id=original.PatientID,
        patient_name=original.PatientName,
        patient_birth_date=original.PatientBirthDate,
        patient_sex=original.PatientSex,
        accession_number=original.AccessionNumber,
        study_id=original.StudyID,
        study_date=original.StudyDate,
        study_time=original.StudyTime,
        referring_physician_name=original.ReferringPhysicianName,
        **source.attributes("pdf"),
    )
    result.copy_patient_and_study_information(original)
    # made on a workstation (C.8.6.1, SC Equipment)
    result.ConversionType = "WSD"
    result.AcquisitionDateTime = ""
    result.BurnedInAnnotation = "YES" if source.identity else "NO"
    result.DocumentTitle = TITLE
    result.ConceptNameCodeSequence = []
    result.SourceInstanceSequence = [reference_to(original)]
    result.MIMETypeOfEncapsulatedDocument = "application/pdf"
    result.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    result.EncapsulatedDocumentLength = len(pdf)
    return result
