"""Radiographs to studies: whose image it is, what was taken at one visit, and what was taken before."""

from .header import NO_PATIENT, Patient, StudyHeader, read_study_header
from .study import Study, StudyImage, group_studies, prior_studies

__all__ = [
    "NO_PATIENT",
    "Patient",
    "Study",
    "StudyHeader",
    "StudyImage",
    "group_studies",
    "prior_studies",
    "read_study_header",
]
