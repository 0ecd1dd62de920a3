"""A card is given what its runs say: the numbers are those of the metrics on the run's own predictions."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from cxr_core.errors import WrongArguments
from cxr_core.evaluation import ANY_FINDING, summarise
from cxr_core.evaluation.measured import AGE_SEX_VIEW, measured_card
from cxr_core.labels import LABELS
from cxr_core.metrics import auc_difference, auc_with_interval, reader_points
from cxr_core.model import open_model, read_card, write_card
from cxr_core.store import RunStore
from cxr_core.training.baseline import fit_baseline
from cxr_core.training.table import read_table
from tests.runs import made_up, record_of


@pytest.fixture(scope="module")
def card():
    return open_model("second-read-mini").card


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    rng = np.random.default_rng(4)
    rows = []
    for i in range(300):
        found = [label for label in LABELS if rng.random() < 0.2]
        age, sex, view = rng.integers(20, 90), rng.choice(["M", "F"]), rng.choice(["PA", "AP"])
        rows.append((f"t{i}.png", "|".join(found) or "No Finding", i, age, sex, view))
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


def test_tables_lead_in_the_order_of_the_runs(measured):
    found = [(table.metric, table.name, table.reference) for table in measured.metrics]
    each = [("AUC", "made up", "mined"), (AGE_SEX_VIEW, "made up", "mined"), ("AUC", "made up", "experts"),
            (AGE_SEX_VIEW, "made up", "experts")]  # fmt: skip
    assert found == [*each, *each, ("AUC", "made up, PA films", "mined"), ("AUC", "made up, AP films", "mined")]


def test_areas_are_those_of_the_run(measured, predictions):
    summary = summarise(record_of(predictions), predictions)
    table = measured.metrics[0]
    assert {label: (m.value, m.low, m.high) for label, m in table.per_label.items()} == {
        label: (e.value, e.low, e.high) for label, e in summary.auc.items()
    }
    assert table.per_label["Mass"].counts.positive_films == (predictions.references["mined"][:, 4] == 1).sum()
    by_view = measured.metrics[-2]
    pa = predictions.views == "PA"
    again = auc_with_interval(
        predictions.references["mined"][pa, 4] == 1, predictions.scores[pa, 4], predictions.patients[pa]
    )
    assert by_view.per_label["Mass"].value == again.value
    assert by_view.number_of_films == pa.sum()


def test_the_difference_is_to_a_model_that_never_saw_a_film(measured, predictions, training):
    labels = np.column_stack([training.labels, training.labels.any(axis=1)])
    others = fit_baseline(training, labels).log_odds(predictions)
    truth = predictions.references["mined"][:, 2] == 1
    again = auc_difference(truth, predictions.scores[:, 2], others[:, 2], predictions.patients)
    found = measured.metrics[1].per_label["Effusion"]
    assert (found.value, found.low, found.high) == (again.value, again.low, again.high)
    assert ANY_FINDING in measured.metrics[1].per_label


def test_readers_are_kept(measured, predictions):
    points = reader_points(predictions.readers.answers[:, :, 2], predictions.patients)
    assert [p.sensitivity.value for p in measured.readers["Effusion"]] == [p.sensitivity.value for p in points]
    assert [p.specificity.high for p in measured.readers["Effusion"]] == [p.specificity.high for p in points]


def test_the_card_is_the_same_after_it_was_written(measured, tmp_path):
    write_card(measured, tmp_path / "card.json")
    assert read_card(tmp_path / "card.json") == measured


def test_a_run_of_other_weights_is_refused(card, predictions, tmp_path):
    store = RunStore(folder=tmp_path)
    run = store.add(record_of(predictions, "other"), predictions)
    with pytest.raises(WrongArguments, match="made with other weights"):
        measured_card(dataclasses.replace(card), [run])
    store.close()
