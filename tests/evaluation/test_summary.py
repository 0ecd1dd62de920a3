"""Numbers of a run: equal to those of scikit-learn, and the same in every output."""

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn import metrics as sklearn

from cxr_core.cli.run_formatting import format_summary
from cxr_core.evaluation import ANY_FINDING, outcomes, summarise, summary_of
from cxr_core.evaluation.catalogue import CATALOGUE
from cxr_core.evaluation.export import export_run, summary_csv
from cxr_core.evaluation.kept_results import FOLDER, source_version
from cxr_core.evaluation.run_data import AUC_WORK, RunData
from cxr_core.labels import LABELS, NOTICE
from cxr_core.metrics import BootstrapOptions, age_bands
from cxr_core.settings import settings
from cxr_core.store import RunStore, StoredRun
from tests.runs import made_up, record_of

METRICS = [metric for entry in CATALOGUE for metric in entry.columns]
THRESHOLDS = dict.fromkeys(LABELS[:5], 0.3)


def calibrated(images=400, **changed):
    """Predictions with overconfident and too high probabilities for all labels but the last."""
    predictions = made_up(images, **changed)
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
    return summarise(record, predictions, options=BootstrapOptions(60))


def test_values_equal_those_of_scikit_learn(summary, predictions):
    labels, truth, scores, _ = outcomes(predictions)
    assert list(summary.auc) == list(labels)
    for c, label in enumerate(labels):
        positive = truth[:, c] == 1
        numbers = {metric: summary.by_label(metric).get(label) for metric in METRICS}
        assert numbers["prevalence"].value == pytest.approx(positive.mean())
        assert numbers["auc"].value == pytest.approx(sklearn.roc_auc_score(positive, scores[:, c]), abs=1e-12)
        expected = sklearn.average_precision_score(positive, scores[:, c])
        assert numbers["average_precision"].value == pytest.approx(expected, abs=1e-12)
        if label in LABELS[:-1]:
            expected = sklearn.brier_score_loss(positive, predictions.probabilities[:, c])
            assert numbers["brier"].value == pytest.approx(expected, abs=1e-12)
            assert 0 < numbers["calibration_slope"].value < 1
        else:
            assert (numbers["brier"], numbers["calibration_slope"]) == (None, None)
        if label in THRESHOLDS:
            above = scores[:, c] >= 0.3
            assert numbers["sensitivity"].value == pytest.approx(sklearn.recall_score(positive, above))
            assert numbers["specificity"].value == pytest.approx(sklearn.recall_score(~positive, ~above))
            assert numbers["ppv"].value == pytest.approx(sklearn.precision_score(positive, above))
            assert numbers["npv"].value == pytest.approx(sklearn.precision_score(~positive, ~above))
        elif label != ANY_FINDING:
            assert numbers["sensitivity"] is None


def test_the_flagged_proportion_is_of_images_without_findings(summary, predictions):
    flagged = (predictions.scores[:, :5] >= 0.3).any(axis=1)
    normal = ~(predictions.references["mined"] == 1).any(axis=1)
    assert summary.overall("flagged_without_findings").value == pytest.approx(flagged[normal].mean())
    assert summary.by_label("specificity")[ANY_FINDING].value == pytest.approx(1 - flagged[normal].mean())
    assert summary.by_label("sensitivity")[ANY_FINDING].value == pytest.approx(flagged[~normal].mean())


def test_mean_aucs_exclude_any_finding(summary):
    labels = [auc for label, auc in summary.auc.items() if label != ANY_FINDING]
    macro = summary.overall("macro_auc")
    assert macro.value == pytest.approx(np.mean([auc.value for auc in labels]))
    weights = [auc.positives for auc in labels]
    assert summary.overall("weighted_auc").value == pytest.approx(
        np.average([auc.value for auc in labels], weights=weights)
    )
    assert macro.low < macro.value < macro.high
    assert summary.labels_in_mean == LABELS


def test_auc_of_any_finding_by_group(summary, predictions):
    _, truth, scores, _ = outcomes(predictions)
    sexes = np.where(predictions.sexes == "", "unknown", predictions.sexes)
    names = {"view": predictions.views, "sex": sexes, "age": age_bands(predictions.ages)}
    groups = {tuple(n.group.split(": ")): n.estimate for n in summary.numbers if n.entry == "groups"}
    assert {characteristic for characteristic, _ in groups} == set(names)
    for (characteristic, group), auc in groups.items():
        inside = names[characteristic] == group
        assert auc.positives + auc.negatives == inside.sum() > 0
        if auc.value is not None:
            expected = sklearn.roc_auc_score(truth[inside, -1] == 1, scores[inside, -1])
            assert auc.value == pytest.approx(expected, abs=1e-12)
    bands = [group for characteristic, group in groups if characteristic == "age"]
    assert bands == ["18 to 39", "40 to 59", "60 to 79", "80 and over", "unknown"]
    unknown = dataclasses.replace(predictions, ages=np.full(len(predictions), np.nan))
    numbers = summarise(record_of(unknown), unknown, options=BootstrapOptions(2)).numbers
    assert {n.group.partition(":")[0] for n in numbers if n.entry == "groups"} == {"view", "sex"}


def test_without_thresholds_there_is_no_operating_point(predictions):
    summary = summarise(record_of(predictions), predictions, options=BootstrapOptions(2))
    assert summary.overall("flagged_without_findings") is None
    assert summary.by_label("sensitivity") == {}
    assert "Operating point: none is stored with this run." in format_summary(summary)


def test_labels_without_a_reference_standard_are_omitted(record, predictions):
    truth = predictions.references["mined"].copy()
    truth[:, 3] = -1
    truth[:7, 4] = -1
    partial = dataclasses.replace(predictions, references={"mined": truth})
    auc = summarise(record, partial, options=BootstrapOptions(2)).auc
    assert LABELS[3] not in auc
    assert auc[LABELS[4]].positives + auc[LABELS[4]].negatives == len(predictions) - 7


PERCENTAGES = (
    *("prevalence", "sensitivity", "specificity", "ppv", "npv", "flagged_without_findings"),
    *("label_sensitivity", "label_specificity"),
)
CELLS = ("true_positives", "false_negatives", "false_positives", "true_negatives")
SIGNED = ("calibration_intercept", "calibration_in_the_large", "auc_change")


def test_terminal_and_csv_have_the_same_numbers(summary):
    rows = list(csv.DictReader(io.StringIO(summary_csv(summary))))
    printed = format_summary(summary)
    metrics = {row["metric"] for row in rows}
    assert metrics == {
        *("auc", "prevalence", "average_precision", "brier", "calibration_slope", "calibration_intercept"),
        *("calibration_in_the_large", "calibration_error", "calibration_error_by_chance"),
        *("true_positives", "false_negatives", "false_positives", "true_negatives"),
        *("positive_likelihood_ratio", "negative_likelihood_ratio"),
        *("sensitivity", "specificity", "ppv", "npv", "macro_auc", "weighted_auc", "flagged_without_findings"),
        *("label_sensitivity", "label_specificity", "label_kappa", "auc_of_both", "auc_by_other", "auc_change"),
    }
    for row in rows:
        assert row["notice"] == NOTICE
        spec = ".1%" if row["metric"] in PERCENTAGES else "+.3f" if row["metric"] in SIGNED else ".3f"
        value, low, high = (row[name] and f"{float(row[name]):{spec}}" for name in ("value", "low", "high"))
        if row["metric"] in CELLS:
            value = f"{int(row['value']):,}"
        text = f"{value} ({low} to {high}" if low else row["reason"].partition(":")[0] or f"; {value}"
        assert text in printed, row
    for number, row in zip(summary.numbers, rows, strict=True):
        assert row["value"] == ("" if number.estimate.value is None else repr(number.estimate.value))
        assert row["threshold"] == ("" if number.threshold is None else "0.3")


@pytest.fixture
def run(tmp_path, monkeypatch):
    # few images, since most tests of it compute its summary several times
    predictions = calibrated(60)
    record = record_of(predictions, operating_point="default", thresholds=THRESHOLDS)
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    store = RunStore(embedded=tmp_path / "none")
    stored = store.add(dataclasses.replace(record, references=("mined", "experts")), predictions)
    store.close()
    yield stored
    settings.cache_clear()


def test_a_summary_is_computed_once_and_cached_exactly(run, monkeypatch, tmp_path):
    reports = []
    first = summary_of(run, report=lambda done, steps: reports.append((done, steps)))
    run_data = RunData(run.record, run.predictions(), first.reference, {}, BootstrapOptions(10))
    work = AUC_WORK * len(run_data.auc_subsets) + sum(entry.work(run_data) for entry in CATALOGUE)
    done = [part for part, _ in reports]
    # the time left is known from the first AUC on, and what is done only grows
    assert {whole for _, whole in reports} == {work}
    assert done[: len(run_data.auc_subsets) + 1] == [AUC_WORK * n for n in range(len(run_data.auc_subsets) + 1)]
    assert done == sorted(set(done))
    assert done[-1] == work
    monkeypatch.setattr("cxr_core.evaluation.summary.summarise", None)
    assert summary_of(run) == first
    with pytest.raises(TypeError):
        summary_of(run, "experts")
    assert len(list((tmp_path / "runs" / FOLDER).iterdir())) == 1


def test_a_summary_is_computed_again_for_other_source_or_record_or_a_broken_cache(run, monkeypatch, tmp_path):
    first = summary_of(run)
    (cached,) = (tmp_path / "runs" / FOLDER).iterdir()
    cached.write_text("{")
    assert summary_of(run) == first
    assert cached.read_text() != "{"
    other = StoredRun(dataclasses.replace(run.record, thresholds={}), run.folder)
    assert summary_of(other).overall("flagged_without_findings") is None
    monkeypatch.setattr("cxr_core.evaluation.kept_results.source_version", lambda: ["another version"])
    assert summary_of(run) == first
    assert len(list((tmp_path / "runs" / FOLDER).iterdir())) == 3


@pytest.mark.parametrize(
    "name", ["/estimate.py", "/labels.py", "/metrics/proportions.py", "/evaluation/outcomes.py", "/model/findings.py"]
)
def test_the_source_that_decides_the_numbers_is_part_of_the_key(monkeypatch, name):
    source_version.cache_clear()
    before, read = source_version(), Path.read_bytes
    changed = lambda path: read(path) + b"#" * path.as_posix().endswith(name)  # noqa: E731
    monkeypatch.setattr(Path, "read_bytes", changed)
    source_version.cache_clear()
    assert source_version() != before
    source_version.cache_clear()


def test_a_summary_is_computed_if_the_cache_cannot_be_written(run, monkeypatch, tmp_path):
    # a file in place of the folder, because the mode of a folder does not restrict root
    (tmp_path / "runs" / FOLDER).write_text("")
    assert summary_of(run).reference == "mined"


def test_an_export_contains_both_reference_standards(run, tmp_path):
    summaries = [summary_of(run, reference) for reference in run.record.references]
    paths = export_run(run, summaries, tmp_path / "out")
    assert [path.name for path in paths] == ["metrics.csv", "metrics.json", "run.json", "predictions.csv"]
    exported = json.loads((tmp_path / "out" / "metrics.json").read_text())
    for summary, numbers in zip(summaries, exported, strict=True):
        for label, auc in summary.auc.items():
            assert numbers["labels"][label]["auc"]["value"] == auc.value
            assert numbers["labels"][label]["auc"]["low"] == auc.low
