"""Metrics of runs in a model card: equal to those computed from the predictions of the runs."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from cxr_core.datasets.table import read_table
from cxr_core.errors import WrongArguments
from cxr_core.evaluation import ANY_FINDING, summarise
from cxr_core.evaluation.card_metrics import AGE_SEX_VIEW, fit_baseline, measured_card, measured_flag_rates
from cxr_core.labels import LABELS
from cxr_core.metrics import auc_difference, auc_with_interval, reader_points
from cxr_core.model import open_model, read_card, write_card
from cxr_core.store import RunStore
from tests.runs import made_up, record_of


@pytest.fixture(scope="module")
def card():
    return open_model("second-read-mini").card


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    rng = np.random.default_rng(4)
    rows = []
    for i in range(300):
        positive = [label for label in LABELS if rng.random() < 0.2]
        age, sex, view = rng.integers(20, 90), rng.choice(["M", "F"]), rng.choice(["PA", "AP"])
        rows.append((f"t{i}.png", "|".join(positive) or "No Finding", i, age, sex, view))
    columns = ["Image Index", "Finding Labels", "Patient ID", "Patient Age", "Patient Gender", "View Position"]
    path = tmp_path_factory.mktemp("table") / "table.csv"
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    return read_table(path, None)


@pytest.fixture(scope="module")
def predictions():
    return made_up(300, readers=3)


@pytest.fixture(scope="module")
def measured(card, predictions, training, tmp_path_factory):
    store = RunStore(folder=tmp_path_factory.mktemp("runs"))
    sha256 = card.weights_sha256
    runs = [
        store.add(record_of(predictions, "experts", model_sha256=sha256), predictions),
        store.add(record_of(predictions, "validation", model_sha256=sha256, part="validation"), predictions),
    ]
    yield measured_card(card, runs, training)
    store.close()


def test_tables_are_in_the_order_of_the_runs(measured):
    tables = [(table.metric, table.name, table.reference) for table in measured.metrics]
    each = [("AUC", "made up", "mined"), (AGE_SEX_VIEW, "made up", "mined"), ("AUC", "made up", "experts"),
            (AGE_SEX_VIEW, "made up", "experts")]  # fmt: skip
    assert tables == [*each, *each, ("AUC", "made up, PA images", "mined"), ("AUC", "made up, AP images", "mined")]


def test_aucs_equal_those_of_the_run(measured, predictions):
    summary = summarise(record_of(predictions), predictions)
    table = measured.metrics[0]
    assert {label: (m.value, m.low, m.high) for label, m in table.per_label.items()} == {
        label: (e.value, e.low, e.high) for label, e in summary.auc.items()
    }
    assert table.per_label["Mass"].counts.positive_images == (predictions.references["mined"][:, 4] == 1).sum()
    by_view = measured.metrics[-2]
    pa = predictions.views == "PA"
    expected = auc_with_interval(
        predictions.references["mined"][pa, 4] == 1, predictions.scores[pa, 4], predictions.patients[pa]
    )
    assert by_view.per_label["Mass"].value == expected.value
    assert by_view.number_of_images == pa.sum()


def test_the_gain_is_the_difference_from_the_baseline(measured, predictions, training):
    labels = np.column_stack([training.positive, training.positive.any(axis=1)])
    baseline = fit_baseline(training, labels).log_odds(predictions)
    truth = predictions.references["mined"][:, 2] == 1
    expected = auc_difference(truth, predictions.scores[:, 2], baseline[:, 2], predictions.patients)
    gain = measured.metrics[1].per_label["Effusion"]
    assert (gain.value, gain.low, gain.high) == (expected.value, expected.low, expected.high)
    assert ANY_FINDING in measured.metrics[1].per_label


def test_readers_have_the_values_of_the_run(measured, predictions):
    points = reader_points(predictions.readers.answers[:, :, 2], predictions.patients)
    assert [p.sensitivity.value for p in measured.readers["Effusion"]] == [p.sensitivity.value for p in points]
    assert [p.specificity.high for p in measured.readers["Effusion"]] == [p.specificity.high for p in points]


def test_a_written_card_is_read_back_unchanged(measured, tmp_path):
    write_card(measured, tmp_path / "card.json")
    assert read_card(tmp_path / "card.json") == measured


def test_a_run_of_other_weights_is_refused(card, predictions, tmp_path):
    store = RunStore(folder=tmp_path)
    run = store.add(record_of(predictions, "other"), predictions)
    with pytest.raises(WrongArguments, match="made with other weights"):
        measured_card(dataclasses.replace(card), [run])
    store.close()


def test_images_without_findings_flagged_are_counts_at_the_thresholds_of_the_card(card, measured, predictions):
    point = card.operating_point()
    above = np.zeros(len(predictions), dtype=bool)
    for label, threshold in point.thresholds.items():
        if threshold.value is not None:
            above |= predictions.scores[:, list(predictions.labels).index(label)] >= threshold.value
    assert [(rates.name, rates.reference) for rates in measured.flag_rates] == [
        ("made up", "mined"), ("made up", "experts"),
    ] * 2  # fmt: skip
    clear = ~(predictions.references["mined"] == 1).any(axis=1)
    rates = measured.flag_rates[0]
    for rate, inside in (
        (rates.flagged, clear),
        (rates.flagged_by_group["view: PA"], clear & (predictions.views == "PA")),
    ):
        assert (rate.counts.positive_images, rate.counts.images) == (above[inside].sum(), inside.sum())
        assert rate.value in (None, above[inside].mean())


def test_rates_of_an_in_sample_run_are_not_added(card, predictions, tmp_path):
    store = RunStore(folder=tmp_path)
    record = record_of(predictions, "validation", model_sha256=card.weights_sha256, in_sample=True)
    run = store.add(record, predictions)
    assert measured_flag_rates(card, [run]) == ()
    store.close()
