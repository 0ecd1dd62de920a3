"""Runs on the images that the card was calibrated on: recognised, marked everywhere, cross-validated figures first."""

import csv
import dataclasses
import io

import numpy as np
import pytest

from cxr_core.cli.run_formatting import format_summary
from cxr_core.displays import run_report
from cxr_core.displays.calibration import CalibrationDisplay, CrossValidatedCalibrationDisplay
from cxr_core.displays.display import RunView
from cxr_core.evaluation import compare_runs, summarise
from cxr_core.evaluation.export import export_run, summary_csv, summary_json
from cxr_core.evaluation.in_sample import IN_SAMPLE_NOTE, cross_validation, is_in_sample, usable_thresholds
from cxr_core.evaluation.run_context import SEEN_IN_TRAINING
from cxr_core.evaluation.run_record import new_record
from cxr_core.metrics import BootstrapOptions
from cxr_core.model import open_model
from cxr_core.report.model_card import model_card_markdown
from cxr_core.store import RunStore
from tests.runs import made_up, record_of


@pytest.fixture(scope="module")
def predictions():
    predictions = made_up(120)
    return dataclasses.replace(predictions, probabilities=predictions.scores)


@pytest.fixture(scope="module")
def card(predictions):
    """Return the embedded card as if it had been calibrated on the made-up images."""
    card = open_model("second-read-mini").card
    calibration = dataclasses.replace(
        card.calibration,
        sources=("made up",),
        reference="mined",
        number_of_images=len(predictions),
        number_of_patients=len(np.unique(predictions.patients)),
    )
    return dataclasses.replace(card, calibration=calibration)


@pytest.fixture(scope="module")
def record(card, predictions):
    thresholds = usable_thresholds(card, card.operating_point())
    return record_of(
        predictions, model_sha256=card.weights_sha256, part="all", operating_point="default", thresholds=thresholds
    )


@pytest.fixture(scope="module")
def summary(card, record, predictions):
    return summarise(record, predictions, options=BootstrapOptions(20), card=card)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, True),
        ({"data": ("elsewhere",)}, False),
        ({"data": ("elsewhere", "made up")}, True),
        ({"model_sha256": "0" * 64}, False),
        ({"split_sha256": "same", "part": "validation", "data": ("another resolution",)}, True),
        ({"split_sha256": "same", "part": "test"}, False),
        ({"split_sha256": "same", "part": "all"}, True),
        ({"split_sha256": "another", "part": "test"}, True),
        # as recorded when the run was made, whatever the card says since
        ({"in_sample": False}, False),
        ({"in_sample": True, "data": ("elsewhere",)}, True),
    ],
)
def test_a_run_is_in_sample_by_weights_and_by_split_or_data_set(card, record, changed, expected):
    card = dataclasses.replace(card, calibration=dataclasses.replace(card.calibration, split_sha256="same"))
    assert is_in_sample(dataclasses.replace(record, **changed), card) == expected


def test_without_a_card_or_a_calibration_nothing_is_in_sample(card, record):
    assert not is_in_sample(record, None)
    assert not is_in_sample(record, dataclasses.replace(card, calibration=None))


def test_a_new_run_records_whether_it_is_in_sample(card, predictions):
    made = {"name": "a", "model_id": card.id, "model_sha256": card.weights_sha256, "part": "all"}
    assert new_record(predictions, **made, card=card).in_sample is True
    elsewhere = dataclasses.replace(predictions, sources=np.full(len(predictions), "elsewhere"))
    assert new_record(elsewhere, **made, card=card).in_sample is False
    assert new_record(predictions, name="a", model_id="imported").in_sample is None


def test_cross_validated_figures_are_of_just_these_images_thresholds_and_labels(card, record):
    assert cross_validation(record, "mined", card).point == card.operating_point()
    moved = {label: value + 0.01 for label, value in record.thresholds.items()}
    for changed in ({"images": 119}, {"thresholds": moved}, {"operating_point": ""}, {"in_sample": False}):
        assert cross_validation(dataclasses.replace(record, **changed), "mined", card) is None
    assert cross_validation(record, "experts", card) is None


def test_every_export_has_the_word_and_the_cross_validated_figures_first(card, record, predictions, summary):
    rows = list(csv.DictReader(io.StringIO(summary_csv(summary))))
    assert all(IN_SAMPLE_NOTE in row["notes"] for row in rows)
    basis = {row["metric"]: row["basis"] for row in rows if not row["group"]}
    assert {metric: basis[metric] for metric in ("auc", "sensitivity", "calibration_slope")} == {
        "auc": "", "sensitivity": "in-sample", "calibration_slope": "in-sample",
    }  # fmt: skip
    order = [row["metric"] for row in rows if row["label"] in ("Effusion", "")]
    for metric in ("sensitivity", "specificity", "flagged_without_findings", "calibration_slope"):
        assert basis[f"cross_validated_{metric}"] == "cross-validated"
        assert order.index(f"cross_validated_{metric}") < order.index(metric)
    exported = summary_json(summary)
    assert IN_SAMPLE_NOTE in exported["notes"]
    slope = card.calibration.per_label["Effusion"].held_out.slope
    assert exported["labels"]["Effusion"]["cross_validated_calibration_slope"]["value"] == slope.value
    assert exported["labels"]["Effusion"]["calibration_slope"]["basis"] == "in-sample"
    by_group = [n for n in exported["numbers"] if n["metric"] == "cross_validated_flagged_without_findings"]
    assert {n["group"] for n in by_group} == {"", *card.operating_point().flagged_by_group}
    for text in (format_summary(summary), model_card_markdown(card, summary).replace("\\", "")):
        assert IN_SAMPLE_NOTE in text
        assert text.index("cross-validated") < text.rindex("in-sample")
    printed = format_summary(summary)
    for title in ("Operating point", "Calibration"):
        assert printed.index(f"\n{title}, cross-validated:") < printed.index(f"\n{title}, in-sample:")
    assert "\nCalibration by view and sex, cross-validated:" in printed
    assert "\nCalibration by view and sex, in-sample:" not in printed


def test_the_report_has_the_word_in_headings_notes_and_captions():
    predictions = made_up(60, labels=("Effusion",))
    predictions = dataclasses.replace(predictions, probabilities=predictions.scores)
    record = record_of(predictions, in_sample=True, operating_point="default", thresholds={"Effusion": 0.3})
    report = run_report(predictions, summarise(record, predictions, options=BootstrapOptions(5)))
    for title in ("Operating point", "Calibration", "Calibration by view and sex"):
        assert f"<h2>{title}, in-sample</h2>" in report
    # among the facts, and below each figure
    assert report.lower().count(IN_SAMPLE_NOTE) > 5


def test_the_calibration_curve_of_the_card_stands_beside_the_in_sample_one(card, predictions, summary):
    view = RunView.of(predictions, summary, options=BootstrapOptions(10))
    first, second = (d.of_run(view, "Effusion") for d in (CrossValidatedCalibrationDisplay, CalibrationDisplay))
    bins = card.calibration.per_label["Effusion"].held_out.bins
    assert [b.predicted for b in first.bins] == [b.predicted for b in bins]
    assert first.table()["images"].tolist() == [b.images for b in bins]
    assert (first.chart().title, second.chart().title) == (
        "Calibration, Effusion, cross-validated", "Calibration, Effusion, in-sample",
    )  # fmt: skip
    assert not any("in-sample" in line.lower() for line in first.chart().footer())
    assert any("Thresholds and calibration curves" in line for line in second.chart().footer())
    assert CrossValidatedCalibrationDisplay.of_run(view, "Hernia") is None


def test_files_of_an_export_have_both_notes(card, record, predictions, tmp_path):
    seen = dataclasses.replace(record, seen_in_training=True)
    store = RunStore(folder=tmp_path / "runs", embedded=tmp_path / "none")
    run = store.add(seen, predictions)
    store.close()
    summary = summarise(seen, predictions, options=BootstrapOptions(5), card=card)
    for path in export_run(run, [summary], tmp_path / "out"):
        text = path.read_text()
        assert SEEN_IN_TRAINING in text, path.name
        assert IN_SAMPLE_NOTE in text, path.name


def test_a_comparison_names_the_run_that_is_in_sample(predictions, tmp_path):
    store = RunStore(folder=tmp_path, embedded=tmp_path / "none")
    runs = [
        store.add(record_of(predictions, name, in_sample=name == "here", seen_in_training=True), predictions)
        for name in ("here", "there")
    ]
    store.close()
    notes = compare_runs(*runs).notes
    assert notes == (SEEN_IN_TRAINING, f"here: {IN_SAMPLE_NOTE}", "there: Test set evaluated 1 time before")
