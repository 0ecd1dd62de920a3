"""A run's numbers: against a peer, and the same wherever they are told."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn import metrics as peer

from cxr_core.cli.run_words import summary_words
from cxr_core.evaluation import ANY_FINDING, outcomes, summarise, summary_of
from cxr_core.evaluation.export import export_run, summary_csv
from cxr_core.evaluation.kept import FOLDER
from cxr_core.labels import LABELS, NOTICE
from cxr_core.metrics import age_bands
from cxr_core.settings import settings
from cxr_core.store import RunStore, StoredRun
from tests.runs import made_up, record_of

THRESHOLDS = dict.fromkeys(LABELS[:5], 0.3)


def calibrated(films=400, **changed):
    """Predictions with probabilities for all labels but the last: too sure of themselves, and too high."""
    predictions = made_up(films, **changed)
    probabilities = expit(1.5 * logit(predictions.scores) + 0.5)
    probabilities[:, -1] = np.nan
    return dataclasses.replace(predictions, probabilities=probabilities)


@pytest.fixture(scope="module")
def predictions():
    return calibrated()


@pytest.fixture(scope="module")
def record(predictions):
    return record_of(predictions, operating_point="default", thresholds=THRESHOLDS)


@pytest.fixture(scope="module")
def summary(record, predictions):
    return summarise(record, predictions, resamples=60)


def test_values_are_the_peers(summary, predictions):
    labels, truth, scores, _ = outcomes(predictions)
    assert list(summary.labels) == list(labels)
    for c, (label, numbers) in enumerate(summary.labels.items()):
        positive = truth[:, c] == 1
        assert numbers.prevalence.value == pytest.approx(positive.mean())
        assert numbers.auc.value == pytest.approx(peer.roc_auc_score(positive, scores[:, c]), abs=1e-12)
        expected = peer.average_precision_score(positive, scores[:, c])
        assert numbers.average_precision.value == pytest.approx(expected, abs=1e-12)
        if label in LABELS[:-1]:
            expected = peer.brier_score_loss(positive, predictions.probabilities[:, c])
            assert numbers.brier.value == pytest.approx(expected, abs=1e-12)
            assert 0 < numbers.calibration.slope.value < 1
        else:
            assert (numbers.brier, numbers.calibration) == (None, None)
        if label in THRESHOLDS:
            above = scores[:, c] >= 0.3
            point = numbers.operating
            assert point.sensitivity.value == pytest.approx(peer.recall_score(positive, above))
            assert point.specificity.value == pytest.approx(peer.recall_score(~positive, ~above))
            assert point.positive_predictive_value.value == pytest.approx(peer.precision_score(positive, above))
            assert point.negative_predictive_value.value == pytest.approx(peer.precision_score(~positive, ~above))
        elif label != ANY_FINDING:
            assert numbers.operating is None


def test_the_share_flagged_is_of_films_without_findings(summary, predictions):
    flagged = (predictions.scores[:, :5] >= 0.3).any(axis=1)
    nothing = ~(predictions.references["mined"] == 1).any(axis=1)
    assert summary.flagged_without_findings.value == pytest.approx(flagged[nothing].mean())
    point = summary.labels[ANY_FINDING].operating
    assert point.specificity.value == pytest.approx(1 - flagged[nothing].mean())
    assert point.sensitivity.value == pytest.approx(flagged[~nothing].mean())


def test_means_are_of_the_labels_without_any_finding(summary):
    labels = [numbers.auc for label, numbers in summary.labels.items() if label != ANY_FINDING]
    assert summary.mean_auc.macro.value == pytest.approx(np.mean([auc.value for auc in labels]))
    weights = [auc.positives for auc in labels]
    assert summary.mean_auc.weighted.value == pytest.approx(np.average([auc.value for auc in labels], weights=weights))
    assert summary.mean_auc.macro.low < summary.mean_auc.macro.value < summary.mean_auc.macro.high
    assert summary.mean_auc.labels == LABELS


def test_any_finding_by_group(summary, predictions):
    _, truth, scores, _ = outcomes(predictions)
    sexes = np.where(predictions.sexes == "", "unknown", predictions.sexes)
    names = {"view": predictions.views, "sex": sexes, "age": age_bands(predictions.ages)}
    assert {group.characteristic for group in summary.groups} == set(names)
    for group in summary.groups:
        inside = names[group.characteristic] == group.group
        assert group.auc.positives + group.auc.negatives == inside.sum() > 0
        if group.auc.value is not None:
            expected = peer.roc_auc_score(truth[inside, -1] == 1, scores[inside, -1])
            assert group.auc.value == pytest.approx(expected, abs=1e-12)
    bands = [group.group for group in summary.groups if group.characteristic == "age"]
    assert bands == ["18 to 39", "40 to 59", "60 to 79", "80 and over", "unknown"]
    unknown = dataclasses.replace(predictions, ages=np.full(len(predictions), np.nan))
    groups = summarise(record_of(unknown), unknown, resamples=2).groups
    assert {group.characteristic for group in groups} == {"view", "sex"}


def test_without_thresholds_nothing_is_said_of_an_operating_point(predictions):
    found = summarise(record_of(predictions), predictions, resamples=2)
    assert found.flagged_without_findings is None
    assert all(numbers.operating is None for numbers in found.labels.values())
    assert "Operating point: none is kept with this run." in summary_words(found)


def test_a_label_of_which_the_reference_says_nothing_is_not_there(record, predictions):
    said = predictions.references["mined"].copy()
    said[:, 3] = -1
    said[:7, 4] = -1
    partly = dataclasses.replace(predictions, references={"mined": said})
    found = summarise(record, partly, resamples=2)
    assert LABELS[3] not in found.labels
    assert found.labels[LABELS[4]].auc.positives + found.labels[LABELS[4]].auc.negatives == len(predictions) - 7


def test_terminal_and_files_tell_the_same_numbers(summary):
    rows = list(csv.DictReader(io.StringIO(summary_csv(summary))))
    words = summary_words(summary)
    metrics = {row["metric"] for row in rows}
    assert metrics == {
        *("auc", "prevalence", "average_precision", "brier", "calibration_slope", "calibration_intercept"),
        *("sensitivity", "specificity", "ppv", "npv", "macro_auc", "weighted_auc", "flagged_without_findings"),
    }
    for row in rows:
        assert row["notice"] == NOTICE
        value, low, high = (row[name] and f"{float(row[name]):.3f}" for name in ("value", "low", "high"))
        assert (f"{value} ({low} to {high}" if low else row["reason"].partition(":")[0]) in words, row
    for number, row in zip(summary.numbers(), rows, strict=True):
        assert row["value"] == ("" if number.estimate.value is None else repr(number.estimate.value))
        assert row["threshold"] == ("" if number.threshold is None else "0.3")


@pytest.fixture
def run(tmp_path, monkeypatch, record, predictions):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    store = RunStore(embedded=tmp_path / "none")
    kept = store.add(dataclasses.replace(record, references=("mined", "experts")), predictions)
    store.close()
    yield kept
    settings.cache_clear()


def test_numbers_are_found_once_and_are_the_same_to_the_last_digit(run, monkeypatch, tmp_path):
    told = []
    first = summary_of(run, report=lambda done, steps: told.append((done, steps)))
    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1]
    monkeypatch.setattr("cxr_core.evaluation.kept.summarise", None)
    assert summary_of(run) == first
    with pytest.raises(TypeError):
        summary_of(run, "experts")
    assert len(list((tmp_path / "runs" / FOLDER).iterdir())) == 1


def test_numbers_of_other_source_or_record_or_a_broken_file_are_found_anew(run, monkeypatch, tmp_path):
    first = summary_of(run)
    (kept,) = (tmp_path / "runs" / FOLDER).iterdir()
    kept.write_text("{")
    assert summary_of(run) == first
    assert kept.read_text() != "{"
    other = StoredRun(dataclasses.replace(run.record, thresholds={}), run.folder)
    assert summary_of(other).flagged_without_findings is None
    monkeypatch.setattr("cxr_core.evaluation.kept._source", lambda: ["another version"])
    assert summary_of(run) == first
    assert len(list((tmp_path / "runs" / FOLDER).iterdir())) == 3


def test_a_folder_that_cannot_be_written_keeps_nothing_and_tells_the_numbers(run, monkeypatch, tmp_path):
    # a file stands where the folder would be; a folder's mode would not stop an administrator
    (tmp_path / "runs" / FOLDER).write_text("")
    assert summary_of(run).reference == "mined"


def test_an_export_of_both_references_is_whole(run, tmp_path):
    summaries = [summary_of(run, reference) for reference in run.record.references]
    paths = export_run(run, summaries, tmp_path / "out")
    assert [path.name for path in paths] == ["metrics.csv", "metrics.json", "run.json", "predictions.csv"]
    told = json.loads((tmp_path / "out" / "metrics.json").read_text())
    for summary, numbers in zip(summaries, told, strict=True):
        for label, found in summary.auc.items():
            assert numbers["labels"][label]["auc"]["value"] == found.value
            assert numbers["labels"][label]["auc"]["low"] == found.low
