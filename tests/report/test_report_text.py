"""The paragraph for the clipboard and the lines of the card."""

import dataclasses
import itertools
import re

import pytest

from cxr_core.imaging import phantom_dicom
from cxr_core.model import Predictor, open_model, reassess
from cxr_core.model.predictor import open_engine
from cxr_core.reading import read_image
from cxr_core.report import report_paragraph
from cxr_core.report.report_text import card_lines, describe_opinions
from cxr_core.store.read_record import Opinion, first_opinion


@pytest.fixture(scope="module")
def reading(predictor):
    return read_image(phantom_dicom(256, 224, PatientName="QZNAME"), predictor)[1]


def with_states(reading, *above):
    """The reading with the findings of these labels above, and the other evaluated ones below."""
    findings = tuple(
        finding
        if finding.state == "not_evaluated"
        else dataclasses.replace(
            finding, state="above" if finding.label in above else "below", probability=0.31, threshold=0.2
        )
        for finding in reading.findings
    )
    return dataclasses.replace(reading, findings=findings)


def test_what_is_above_is_named_with_its_numbers_and_what_is_below_by_name(reading, predictor):
    text = report_paragraph(with_states(reading, "Effusion"), predictor.card)
    assert text.startswith(
        "Automated second reading (research software): Effusion (probability 0.310, threshold 0.200) is above its "
        "operating point. Below their operating point: "
    )
    assert text.endswith("This does not exclude other findings.")
    below, unevaluated = re.search(r"Below their operating point: (.*?)\. Not evaluated: (.*?)\.", text).groups()
    assert "Cardiomegaly" in below
    assert "Effusion" not in below
    assert "Hernia" in unevaluated
    assert "Model second-read-mini version 2, a demonstration model; operating point default." in text
    two = report_paragraph(with_states(reading, "Effusion", "Mass"), predictor.card)
    assert re.search(r"(Effusion|Mass) \(.*?\) and (Effusion|Mass) \(.*?\) are above their operating point\.", two)


def test_no_reading_is_called_normal(reading, predictor):
    labels = [finding.label for finding in reading.findings if finding.state != "not_evaluated"]
    for number in range(3):
        for above in itertools.combinations(labels, number):
            text = report_paragraph(with_states(reading, *above), predictor.card)
            assert not re.search("normal|no finding|unremarkable|clear|absent|negative|no evidence", text, re.I), text
            assert "does not exclude other findings" in text
            assert ("no evaluated finding is above its operating point" in text) == (number == 0)
            assert "QZNAME" not in text


def test_warnings_assumptions_overrides_and_instability_are_named(calibrated_models, edge_model):
    folder = open_model(str(calibrated_models / "enriched"))
    predictor = Predictor(folder, open_engine(folder, "openvino"))
    data = phantom_dicom(256, 224, Modality="CT")
    _, reading = read_image(data, predictor, read_anyway="wrong tag")
    text = report_paragraph(reading, folder.card)
    assert re.search(r"\(score [\d.]+, threshold|no evaluated finding", text)
    assert "The image had been refused and was read on request." in text
    assert reading.quality.reasons[0].rstrip(".") in text
    assumed = reassess(reading, folder.card, "default", {"Effusion": 0.05})
    assert "Assumed prevalence: Effusion 5%." in report_paragraph(assumed, folder.card)
    folder = open_model(str(edge_model))
    _, reading = read_image(phantom_dicom(256, 224), Predictor(folder, open_engine(folder, "openvino")), stability=True)
    assert re.search(
        r"State changes under small changes of the image: [^.]*Effusion", report_paragraph(reading, folder.card)
    )


def test_a_refused_image_has_no_paragraph(predictor):
    _, reading = read_image(phantom_dicom(128, 128, Modality="CT"), predictor)
    with pytest.raises(ValueError, match="refused"):
        report_paragraph(reading, predictor.card)


def test_the_card_has_five_lines_with_the_numbers_that_it_states(predictor):
    card = predictor.card
    lines = dict(card_lines(card, "openvino"))
    assert list(lines) == ["Model", "Training", "Calibration", "Discrimination", "Limits"]
    assert "11,904 images of 3,948 patients" in lines["Training"]
    known = {label: e.value for label, e in card.metrics[0].per_label.items() if e.value is not None}
    assert f"{min(known.values()):.2f} (" in lines["Discrimination"]
    assert f"{max(known.values()):.2f} (" in lines["Discrimination"]
    bare = dataclasses.replace(card, metrics=(), calibration=None, limits=())
    lines = dict(card_lines(bare, "openvino"))
    assert lines["Discrimination"] == "no AUC on the card"
    assert lines["Limits"] == "not stated"


def test_the_reader_stands_beside_the_model_with_the_first_and_the_current_opinion(reading, predictor):
    def opinion(label, number, value, revealed, minute):
        created = f"2026-11-26T22:{minute:02d}:03.123+00:00"
        return Opinion(label, "anna", number, "r", value, revealed, "of Mrs QZNAME", created)

    opinions = (
        opinion("Effusion", 0, "present", False, 1),
        opinion("Mass", 0, "uncertain", True, 2),
        opinion("Effusion", 1, "uncertain", True, 3),
        opinion("Effusion", 2, "absent", True, 4),
    )
    text = report_paragraph(with_states(reading, "Effusion"), predictor.card, opinions)
    assert (
        "Reader's opinion. Effusion: present (2026-11-26 22:01 UTC, before the findings were shown), now absent "
        "(2026-11-26 22:04 UTC, with the findings shown); Mass: uncertain (2026-11-26 22:02 UTC, with the findings "
        "shown)." in text
    )
    assert "QZNAME" not in text
    assert "Reader" not in report_paragraph(reading, predictor.card)
    assert describe_opinions(opinions, "Hernia") == ""


def test_the_first_opinion_of_a_report_is_that_of_the_statistics():
    """What the reader said when the findings were shown: earlier slips were corrected without knowing the model."""
    minutes = enumerate((("absent", False), ("uncertain", False), ("present", True), ("absent", True)))
    given = [
        Opinion("Mass", "anna", at, "r", value, shown, "", f"2026-11-26T22:0{at}:00.000+00:00")
        for at, (value, shown) in minutes
    ]
    assert first_opinion(given) == given[1]
    assert describe_opinions(given, "Mass") == (
        "uncertain (2026-11-26 22:01 UTC, before the findings were shown), now absent (2026-11-26 22:03 UTC, with the "
        "findings shown)"
    )
    assert describe_opinions(given[:2], "Mass") == "uncertain (2026-11-26 22:01 UTC, before the findings were shown)"
    # without one there is only what was stated with the findings shown
    assert first_opinion(given[2:]) is None
    assert describe_opinions(given[2:3], "Mass").startswith("present (2026-11-26 22:02 UTC, with the findings shown")
