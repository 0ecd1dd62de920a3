"""Every rate of the embedded model's card, recomputed from the predictions that come with the project."""

import functools
import json

import numpy as np
import pytest
from scipy.special import logit
from sklearn.metrics import roc_auc_score

from cxr_core.calibration.curves import FOLDS, _by_platt, _crossfitted
from cxr_core.calibration.operating_points import MOST_FLAGGED, RULES
from cxr_core.calibration.sample import CalibrationSet
from cxr_core.datasets.table import MINED
from cxr_core.evaluation import summarise
from cxr_core.evaluation.catalogue import CATALOGUE
from cxr_core.evaluation.in_sample import IN_SAMPLE_NOTE
from cxr_core.labels import display_name
from cxr_core.metrics import BootstrapOptions, age_bands, patient_folds, platt
from cxr_core.model.card import read_card
from cxr_core.model.findings import MIN_PATIENTS, flag_rate, make_findings, usable_threshold
from cxr_core.model.folder import find_model
from cxr_core.model.rate_formatting import describe_group_rates, describe_operating_point, describe_view_rate
from cxr_core.report.record import reading_record
from cxr_core.store import RunRecord
from cxr_core.store.predictions import read_predictions
from cxr_core.store.record import with_current_names
from cxr_core.store.runs import EMBEDDED
from cxr_core.ui.findings import findings_message

RUN = EMBEDDED / "validation-patients-of-nih-128"
EXPERTS = EMBEDDED / "experts-on-nih-expert"
NAMES = [rule.name for rule in RULES]


@pytest.fixture(scope="module")
def card():
    return read_card(find_model("second-read-mini") / "card.json")


@pytest.fixture(scope="module")
def images():
    """Return the validation images as the card was calibrated on them."""
    run = read_predictions(RUN / "predictions.parquet")
    positive = run.references[MINED] == 1
    return CalibrationSet(
        labels=tuple(run.labels.tolist()),
        stated=np.ones(len(run.labels), dtype=bool),
        positive=positive,
        without_findings=~positive.any(axis=1),
        logits=logit(run.scores),
        patients=run.patients.astype(np.int64),
        views=run.views,
        sexes=run.sexes,
        ages=run.ages,
    )


@pytest.fixture(scope="module")
def groups(images):
    bands = age_bands(images.ages)
    return {
        "view: AP": images.views == "AP",
        "view: PA": images.views == "PA",
        "sex: F": images.sexes == "F",
        "sex: M": images.sexes == "M",
        **{f"age: {band}": bands == band for band in np.unique(bands)},
    }


def shown(card, point, images):
    """Return (n, labels) bool: which findings of each image a reading calls above."""
    return np.array([[f.state == "above" for f in make_findings(card, row, point)] for row in images.logits])


def cross_validated(card, point, images):
    """Return the same of thresholds that were set on the other folds' patients."""
    rule = RULES[NAMES.index(point.name)]
    columns = [c for c, label in enumerate(card.labels) if point.thresholds[label].value is not None]
    fold = patient_folds(images.patients, FOLDS, 0)
    above = np.zeros(images.positive.shape, dtype=bool)
    for number in range(FOLDS):
        for c, value in rule.set(images.select(fold != number), columns).items():
            above[fold == number, c] = images.scores[fold == number, c] >= value
    return above


@pytest.fixture(scope="module")
def states(card, images):
    """Return, for the name of an operating point, the states in-sample and cross-validated; computed once."""

    @functools.cache
    def of_point(name):
        point = card.operating_points[name]
        return shown(card, point, images), cross_validated(card, point, images)

    return of_point


def check_flagged(above, images, groups, overall, by_group):
    clear, flagged = images.without_findings, above.any(axis=1)
    assert set(by_group) == set(groups)
    for rate, inside in ((overall, clear), *((rate, clear & groups[name]) for name, rate in by_group.items())):
        counted = (flagged[inside].sum(), (~flagged[inside]).sum())
        assert (rate.counts.positive_images, rate.counts.negative_images) == counted
        if rate.value is None:
            assert len(np.unique(images.patients[inside])) < 10
            continue
        assert rate.value == flagged[inside].mean()
        assert rate.low <= rate.value <= rate.high


@pytest.mark.parametrize("name", NAMES)
def test_rates_of_an_operating_point_are_counts_of_states(card, images, groups, states, name):
    point, (in_sample, held_out) = card.operating_points[name], states(name)
    check_flagged(in_sample, images, groups, point.flagged_where_set, point.flagged_by_group_where_set)
    check_flagged(held_out, images, groups, point.flagged_without_findings, point.flagged_by_group)
    assert point.labels_above_per_image.value == pytest.approx(held_out.sum(axis=1).mean(), abs=1e-12)
    assert point.held_out
    for c, label in enumerate(card.labels):
        threshold, positive = point.thresholds[label], images.positive[:, c]
        assert (threshold.counts.positive_images, threshold.counts.images) == (positive.sum(), len(positive))
        assert (threshold.counts.positive_patients, threshold.counts.negative_patients) == (
            len(np.unique(images.patients[positive])),
            len(np.unique(images.patients[~positive])),
        )
        if threshold.value is None:
            assert not in_sample[:, c].any()
            continue
        assert threshold.sensitivity.value == held_out[positive, c].mean()
        assert threshold.specificity.value == (~held_out[~positive, c]).mean()


def test_the_default_flags_at_most_a_fifth_of_images_without_findings_in_each_view(images, groups, states):
    flagged, clear = states("default")[0].any(axis=1), images.without_findings
    rates = {view: flagged[clear & groups[f"view: {view}"]].mean() for view in ("AP", "PA")}
    assert max(rates.values()) <= MOST_FLAGGED
    # and not fewer than it has to
    assert max(rates.values()) > MOST_FLAGGED - 0.01
    assert flagged[clear].mean() <= MOST_FLAGGED


def test_labels_are_evaluated_where_they_have_earned_it(card, images):
    for c, label in enumerate(card.labels):
        curve, positive = card.calibration.per_label[label], images.positive[:, c]
        patients = [len(np.unique(images.patients[rows])) for rows in (positive, ~positive)]
        if curve.auc.value is not None:
            assert curve.auc.value == pytest.approx(roc_auc_score(positive, images.scores[:, c]), abs=1e-12)
        earned = min(patients) >= MIN_PATIENTS and curve.auc.low > 0.5 and curve.held_out.slope.low > 0
        assert (usable_threshold(card, card.operating_point(), label) is not None) == earned


def test_slopes_and_calibration_in_the_large_are_those_of_cross_validated_probabilities(card, images, groups):
    for c, label in enumerate(card.labels):
        held_out, positive = card.calibration.per_label[label].held_out, images.positive[:, c]
        if held_out is None:
            continue
        fold = patient_folds(images.patients, FOLDS, 0, positive)
        predicted = logit(_crossfitted(_by_platt, positive, images.logits[:, c], fold))
        assert held_out.slope.value == pytest.approx(platt(positive, predicted).slope, abs=1e-9)
        assert list(held_out.by_group) == ["view: AP", "view: PA", "sex: F", "sex: M"]
        for group, agreement in held_out.by_group.items():
            inside = groups[group]
            assert agreement.counts.positive_images == positive[inside].sum()
            if agreement.slope.value is None:
                assert agreement.counts.positive_patients < 10
                continue
            line = platt(positive[inside], predicted[inside])
            assert agreement.slope.value == pytest.approx(line.slope, abs=1e-9)
            # in the large: shifted by it, as many are expected as were observed
            shifted = predicted[inside] + agreement.in_the_large.value
            assert (1 / (1 + np.exp(-shifted))).sum() == pytest.approx(positive[inside].sum(), rel=1e-6)


def test_what_a_reading_states_of_its_operating_point_are_these_rates(card, images, groups, states, predictor):
    from cxr_core.imaging import phantom_dicom
    from cxr_core.reading import read_image

    point, clear = card.operating_point(), images.without_findings
    in_sample, held_out = states("default")
    overall = held_out[clear].any(axis=1).mean()
    in_view = held_out[clear & groups["view: PA"]].any(axis=1).mean()
    text = describe_operating_point(point)
    assert f"it flags {overall:.1%} (" in text
    assert f") of images without findings (cross-validated; {clear.sum():,} images; " in text
    assert f"in-sample {in_sample[clear].any(axis=1).mean():.1%})" in text
    assert f"with and without findings, {held_out.sum(axis=1).mean():.1f} (" in text
    # the limit is kept in-sample alone, and the view in which it is not is named beside it
    in_ap = held_out[clear & groups["view: AP"]].any(axis=1).mean()
    assert in_view < point.most_flagged == MOST_FLAGGED < in_ap
    limit = f"at most {MOST_FLAGGED:.0%} of images without findings in each view, in-sample"
    assert f"{limit}; cross-validated, AP {in_ap:.1%} (" in text
    columns = [c for c, label in enumerate(card.labels) if point.thresholds[label].value is not None]
    sensitivities = {card.labels[c]: held_out[images.positive[:, c], c].mean() for c in columns}
    lowest, highest = min(sensitivities, key=sensitivities.get), max(sensitivities, key=sensitivities.get)
    ends = [f"{sensitivities[label]:.1%} ({display_name(label)})" for label in (lowest, highest)]
    assert f"Sensitivity by label: {' to '.join(ends)}, cross-validated." in text
    assert f"of PA images without findings it flags {in_view:.1%} (" in describe_view_rate(flag_rate(point, "PA"))
    assert f"PA {in_view:.1%} (" in describe_group_rates(point)[0]
    reading = read_image(phantom_dicom(256, 224), predictor)[1]
    assert reading.image.view == "PA"
    # the list of findings states the rates of each evaluated label
    rows = {row["label"]: row["rates"] for row in findings_message(reading, card, None)["rows"]}
    for c, label in enumerate(card.labels):
        if c not in columns:
            assert rows[label] == ""
            continue
        specificity = (~held_out[~images.positive[:, c], c]).mean()
        assert rows[label].startswith(f"sensitivity {sensitivities[label]:.1%} (")
        assert f"), specificity {specificity:.1%} (" in rows[label]
        assert rows[label].endswith("), cross-validated")
    record = reading_record("a.dcm", reading)["flagged_without_findings"]
    assert (record["rate"], record["images"], record["method"]) == (overall, clear.sum(), "cross-validated")
    assert (record["view"]["name"], record["view"]["rate"]) == ("PA", in_view)


def test_rates_on_the_experts_images_are_counts_of_states(card):
    run = read_predictions(EXPERTS / "predictions.parquet")
    point = card.operating_point()
    above = np.array([[f.state == "above" for f in make_findings(card, row, point)] for row in logit(run.scores)])
    bands = age_bands(run.ages)
    named = {"view": run.views, "sex": run.sexes, "age": bands}
    assert [rates.reference for rates in card.flag_rates] == list(run.references)
    for rates in card.flag_rates:
        truth = run.references[rates.reference]
        abnormal = run.any_finding.get(rates.reference, np.full(len(truth), -1))
        known = np.where(abnormal >= 0, abnormal, (truth == 1).any(axis=1))
        clear = known == 0
        groups = {name: named[name.partition(": ")[0]] == name.partition(": ")[2] for name in rates.flagged_by_group}
        assert sum((inside & clear).sum() for name, inside in groups.items() if name[:4] == "age:") == clear.sum()
        for rate, inside in (
            (rates.flagged, clear),
            *((rate, clear & groups[name]) for name, rate in rates.flagged_by_group.items()),
        ):
            flagged = above[inside].any(axis=1)
            assert (rate.counts.positive_images, rate.counts.images) == (flagged.sum(), inside.sum())
            if rate.value is None:
                assert len(np.unique(run.patients[inside])) < 10
                continue
            assert rate.value == flagged.mean()
            assert rate.low <= rate.value <= rate.high


@pytest.fixture(scope="module")
def summaries(card):
    """Return the summaries of both runs against their first reference standard."""
    return {
        run.name: summarise(
            record, read_predictions(run / "predictions.parquet"), options=BootstrapOptions(50), card=card
        )
        for run in (RUN, EXPERTS)
        for record in [RunRecord(**with_current_names(json.loads((run / "run.json").read_text())))]
    }


def test_the_calibration_run_is_in_sample_with_the_cross_validated_figures_of_the_card_first(
    card, images, groups, states, summaries
):
    summary, point = summaries[RUN.name], card.operating_point()
    assert IN_SAMPLE_NOTE in summary.notes
    assert IN_SAMPLE_NOTE in summary.figure_notes
    in_sample, held_out = states("default")
    clear = images.without_findings
    rows = {
        basis: {n.group: n.estimate for n in summary.numbers if n.metric == metric}
        for basis, metric in (
            ("cross-validated", "cross_validated_flagged_without_findings"), ("in-sample", "flagged_without_findings"),
        )
    }  # fmt: skip
    for basis, above in (("cross-validated", held_out), ("in-sample", in_sample)):
        for group, inside in {"": clear, **{name: clear & rows_in for name, rows_in in groups.items()}}.items():
            estimate = rows[basis][group]
            if estimate.value is not None:
                assert estimate.value == above[inside].any(axis=1).mean()
    for c, label in enumerate(card.labels):
        if point.thresholds[label].value is None:
            continue
        positive = images.positive[:, c]
        assert summary.by_label("cross_validated_sensitivity")[label].value == held_out[positive, c].mean()
        assert summary.by_label("sensitivity")[label].value == in_sample[positive, c].mean()
        slope = card.calibration.per_label[label].held_out.slope
        assert summary.by_label("cross_validated_calibration_slope")[label].value == slope.value
        assert summary.by_label("calibration_slope")[label].value == pytest.approx(1, abs=1e-6)
    order = [entry.name for entry in CATALOGUE if summary.of(entry)]
    for name in ("operating_point", "flagged", "calibration"):
        assert order.index(f"{name}_cross_validated") < order.index(name)
    titles = [summary.title(entry) for entry in CATALOGUE]
    for title in ("Operating point", "Calibration"):
        assert {f"{title}, cross-validated", f"{title}, in-sample"} <= set(titles)
        assert title not in titles


def test_the_experts_run_is_not_in_sample(card, summaries):
    summary = summaries[EXPERTS.name]
    assert not summary.in_sample
    assert not any("in-sample" in summary.title(entry) for entry in CATALOGUE)
    assert not any(n.metric.startswith("cross_validated") for n in summary.numbers)
    rates = card.flag_rates[0]
    stated = {"": rates.flagged, **rates.flagged_by_group}
    computed = {n.group: n.estimate for n in summary.numbers if n.metric == "flagged_without_findings"}
    assert {group: rate.value for group, rate in computed.items()} == {g: rate.value for g, rate in stated.items()}


@pytest.mark.parametrize("run", sorted(path.name for path in EMBEDDED.iterdir() if path.is_dir()))
def test_runs_of_the_project_carry_the_thresholds_of_the_card(card, run):
    record = json.loads((EMBEDDED / run / "run.json").read_text())
    if record["model_sha256"] != card.weights_sha256:
        # thresholds of the previous version, whose card is not here
        assert record["model_version"] == "1"
        assert record["thresholds"]
        return
    assert record["model_version"] == card.version
    point = card.operating_point(record["operating_point"])
    usable = {label: usable_threshold(card, point, label) for label in card.labels}
    assert record["thresholds"] == {label: value for label, value in usable.items() if value is not None}
