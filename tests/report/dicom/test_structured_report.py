"""The structured report, read back by highdicom and by DCMTK."""

import html

import pytest
from highdicom.sr import Comprehensive3DSR

from cxr_core.imaging import phantom_dicom
from cxr_core.labels import LABELS, NOTICE, display_name
from cxr_core.model import reassess
from cxr_core.report.dicom.codes import (
    INTERVAL_HIGH,
    INTERVAL_LOW,
    MODEL_STATE,
    NOT_EVALUATED_BECAUSE,
    OPINIONS,
    PROBABILITY,
    READER_OPINION,
    SCORE,
    STATES,
    THRESHOLD,
    finding_code,
)
from tests.dicom_results import PATIENT, objects, opinions, parsed, report_image


@pytest.fixture(scope="module")
def data():
    return phantom_dicom(256, 224, **PATIENT)


@pytest.fixture(scope="module")
def image(data, predictor):
    given = opinions("Mass", "absent", "present") + opinions("Hernia", "uncertain")
    return report_image(data, predictor, given=given, stability=True)


@pytest.fixture(scope="module")
def content(image, data, predictor):
    return objects(image, predictor.card, data, ["sr"])["sr"]


@pytest.fixture(scope="module")
def groups(content):
    """The measurement groups by label."""
    report = Comprehensive3DSR.from_dataset(parsed(content))
    found = {group.tracking_identifier: group for group in report.content.get_image_measurement_groups()}
    assert set(found) == {display_name(label) for label in LABELS}
    return {label: found[display_name(label)] for label in LABELS}


def texts(group, name):
    items = (item for item in group[0].ContentSequence if item.ValueType == "TEXT")
    return [item.TextValue for item in items if item.ConceptNameCodeSequence[0] == name]


def test_the_numbers_are_read_back_as_they_are(groups, image):
    for finding in image.reading.findings:
        numbers = {(m.name.value, m.name.scheme_designator): m.value for m in groups[finding.label].get_measurements()}
        low, high = finding.interval or (None, None)
        stated = {
            SCORE: finding.score,
            PROBABILITY: finding.probability,
            INTERVAL_LOW: low,
            INTERVAL_HIGH: high,
            THRESHOLD: finding.threshold,
        }
        expected = {(name.value, name.scheme_designator): value for name, value in stated.items() if value is not None}
        assert numbers == expected, finding.label
    assert any(finding.probability is not None for finding in image.reading.findings)
    assert any(finding.threshold is None for finding in image.reading.findings)


def test_each_finding_has_its_code_state_image_and_algorithm(groups, image, data, predictor):
    original = parsed(data)
    for finding in image.reading.findings:
        group = groups[finding.label]
        assert group.finding_type == finding_code(finding.label)
        (state,) = group.get_qualitative_evaluations(name=MODEL_STATE)
        assert state.value == STATES[finding.state]
        (source,) = group.source_images
        assert source.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == original.SOPInstanceUID
        algorithm = {
            item.ConceptNameCodeSequence[0].CodeMeaning: item.TextValue
            for item in group[0].ContentSequence
            if item.ValueType == "TEXT" and item.RelationshipType == "HAS CONCEPT MOD"
        }
        assert algorithm["Algorithm Name"] == predictor.card.id
        assert algorithm["Algorithm Version"] == predictor.card.version
        parameters = [
            item.TextValue
            for item in group[0].ContentSequence
            if item.ConceptNameCodeSequence[0].CodeMeaning == "Algorithm Parameters"
        ]
        assert f"weights SHA-256: {predictor.card.weights_sha256}" in parameters
        assert "operating point: default" in parameters


def test_codes_are_those_of_the_standard_or_private():
    known = {label: (code.scheme_designator, code.value) for label in LABELS if (code := finding_code(label))}
    assert known["Effusion"] == ("SCT", "60046008")
    assert known["Infiltration"] == ("DCM", "112121")
    assert known["Edema"] == ("SCT", "19242006")
    private = {label for label, (scheme, _) in known.items() if scheme == "99SECONDREAD"}
    assert private == {
        "Atelectasis", "Cardiomegaly", "Pneumonia", "Consolidation", "Emphysema", "Fibrosis", "Pleural_Thickening",
        "Hernia",
    }  # fmt: skip
    assert len(set(known.values())) == len(LABELS)


def test_a_label_that_is_not_evaluated_has_its_reason(groups, image):
    for finding in image.reading.findings:
        expected = [finding.reason] if finding.state == "not_evaluated" else []
        assert texts(groups[finding.label], NOT_EVALUATED_BECAUSE) == expected


def test_the_opinion_of_the_reader_stands_at_the_finding(groups):
    for label, code, words in (
        ("Mass", "present", "absent (2026-11-26 09:00 UTC, before the findings were shown), now present ("),
        ("Hernia", "uncertain", "uncertain (2026-11-26 09:00 UTC, before"),
    ):
        (opinion,) = groups[label].get_qualitative_evaluations(name=READER_OPINION)
        assert opinion.value == OPINIONS[code]
        (text,) = texts(groups[label], READER_OPINION)
        assert text.startswith(words)
    assert not groups["Nodule"].get_qualitative_evaluations(name=READER_OPINION)


def test_the_report_is_unverified_and_says_what_it_is(content, image, data, predictor):
    report, original = parsed(content), parsed(data)
    assert (report.CompletionFlag, report.PreliminaryFlag, report.VerificationFlag) == (
        "COMPLETE",
        "PRELIMINARY",
        "UNVERIFIED",
    )
    evidence = report.CurrentRequestedProcedureEvidenceSequence[0]
    assert evidence.StudyInstanceUID == original.StudyInstanceUID
    reference = evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == original.SOPInstanceUID
    comments = [item.TextValue for item in report.ContentSequence if item.ValueType == "TEXT"]
    assert comments[0] or comments
    assert NOTICE in comments
    assert any("is not stated to be present" in comment for comment in comments)
    for reason in image.reading.quality.reasons:
        assert f"Warning: {reason}" in comments


def test_an_assumed_prevalence_is_stated(image, data, predictor):
    from dataclasses import replace

    assumed = replace(image, reading=reassess(image.reading, predictor.card, "default", {"Mass": 0.03}))
    content = objects(assumed, predictor.card, data, ["sr"])["sr"]
    assert b"assumed prevalence: Mass 3%" in content


def test_dcmtk_shows_every_finding_with_its_numbers(content, image, dcmtk_text):
    dump = dcmtk_text("dsrdump", content, "+Pl")
    page = html.unescape(dcmtk_text("dsr2html", content))
    assert dump.count('CONTAINER:(,,"Measurement Group")') == len(LABELS)
    for finding in image.reading.findings:
        assert f'"Tracking Identifier")="{display_name(finding.label)}"' in dump
        assert display_name(finding.label) in page
        # a decimal string has 16 letters
        assert f'"{finding.score:.14f}"'[:15] in dump
        if finding.reason:
            assert finding.reason in dump
            assert finding.reason in page
    assert "Research software" in page
