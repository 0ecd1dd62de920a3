"""Codes of the results: findings, measurements, states.

A finding has a code of DICOM or SNOMED CT where one is in the context groups of PS3.16, and else one of the private
coding scheme, whose values are our labels: a code that nobody has confirmed would say something else than was found.

Source: PS3.16, context groups 100 (procedures), 240 (present, absent), 645, 3700, 6102 and 6105 (findings); PS3.3 8.2
(private schemes).
"""

from __future__ import annotations

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes

from ...labels import display_name
from ...model.findings import State
from ...model.formatting import STATE_TEXTS

__all__ = [
    "COMMENT",
    "INTERVAL_HIGH",
    "INTERVAL_LOW",
    "MODEL_STATE",
    "NOT_EVALUATED_BECAUSE",
    "NO_UNITS",
    "OPINIONS",
    "PROBABILITY",
    "PROCEDURE",
    "READER_OPINION",
    "SCORE",
    "STATES",
    "THRESHOLD",
    "coding_scheme",
    "finding_code",
]

SCHEME = "99SECONDREAD"

_LONGEST_VALUE, _LONGEST_MEANING = 16, 64


def _private(value: str, meaning: str) -> CodedConcept:
    """Return a code of the private scheme; highdicom stores a value of more than 16 letters as Long Code Value."""
    return CodedConcept(value, SCHEME, meaning[:_LONGEST_MEANING])


_FINDINGS = {
    "Effusion": CodedConcept("60046008", "SCT", "Pleural effusion"),
    "Mass": CodedConcept("4147007", "SCT", "Mass"),
    "Nodule": CodedConcept("27925004", "SCT", "Nodule"),
    "Infiltration": CodedConcept("112121", "DCM", "Infiltrate"),
    "Pneumothorax": CodedConcept("36118008", "SCT", "Pneumothorax"),
    "Edema": CodedConcept("19242006", "SCT", "Pulmonary edema"),
}
"""Labels with a code that stands in a context group of the standard."""

COMMENT = CodedConcept.from_code(codes.DCM.Comment)
PROBABILITY = CodedConcept.from_code(codes.DCM.Probability)
THRESHOLD = CodedConcept.from_code(codes.DCM.ThresholdValue)
NO_UNITS = CodedConcept.from_code(codes.UCUM.NoUnits)

SCORE = _private("SCORE", "Score of the model, 0 to 1; not a probability")
INTERVAL_LOW = _private("INTERVAL_LOW", "Lower 95% limit of the calibration curve at this score")
INTERVAL_HIGH = _private("INTERVAL_HIGH", "Upper 95% limit of the calibration curve at this score")
MODEL_STATE = _private("STATE", "State of the finding at the operating point")
NOT_EVALUATED_BECAUSE = _private("REASON", "Reason why the finding is not evaluated")
READER_OPINION = _private("OPINION", "Opinion of the reader")
PROCEDURE = CodedConcept.from_code(codes.cid100.XRUnspecifiedBodyRegion)

STATES: dict[State, CodedConcept] = {
    state: _private(state.upper(), text[0].upper() + text[1:]) for state, text in STATE_TEXTS.items()
}

OPINIONS = {
    "present": CodedConcept.from_code(codes.cid240.Present),
    "absent": CodedConcept.from_code(codes.cid240.Absent),
    "uncertain": CodedConcept.from_code(codes.cid240.Undetermined),
}


def finding_code(label: str) -> CodedConcept:
    """Return the code of a label."""
    return _FINDINGS.get(label) or _private(label, display_name(label))


def coding_scheme() -> CodingSchemeIdentificationItem:
    """Return the item that says whose the private scheme is."""
    return CodingSchemeIdentificationItem(
        SCHEME, name="Second Read: labels and states of its models", responsible_organization="Second Read"
    )
