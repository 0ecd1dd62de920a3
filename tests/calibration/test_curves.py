"""Curves that are fitted for the card, on scores of which the truth is known."""

import dataclasses

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from cxr_core.calibration import curves as module
from cxr_core.calibration.curves import fit_calibration
from cxr_core.calibration.operating_points import FOLDS
from cxr_core.calibration.sample import CalibrationSet, CalibrationSource
from cxr_core.labels import LABELS
from cxr_core.metrics import BootstrapOptions, isotonic, patient_folds, platt, platt_replicates, recalibration
from tests.images import INTERCEPT, SLOPE, made_up_scores

ORIGIN = CalibrationSource("images", "enriched", "split", "hash")


def sample(patients=250, labels=("Effusion",), **options):
    scored = made_up_scores(patients, labels=labels, **options)
    return CalibrationSet.of(scored)


def test_the_card_keeps_the_bootstrap_interval_at_any_score():
    images = sample(400)
    curve = fit_calibration(images, ORIGIN, "w", options=BootstrapOptions(2000, 3)).per_label["Effusion"]
    slopes, intercepts = platt_replicates(
        images.positive[:, 0], images.logits[:, 0], images.patients, BootstrapOptions(2000, 3)
    )
    # inside the images' scores, between knots, and two logits beyond the last knot on either side
    for at in np.linspace(curve.logits[0] - 2, curve.logits[-1] + 2, 137):
        expected = np.quantile(slopes * at + intercepts, [0.025, 0.975])
        low, value, high = curve.at(at)
        half = (expected[1] - expected[0]) / 2
        np.testing.assert_allclose([low, high], expected, atol=0.05 * half + 0.002)
        assert value == pytest.approx(curve.slope * at + curve.intercept)


def test_on_a_known_curve_the_card_covers_the_truth():
    """Over 60 samples, 95 % of the card's intervals hold the true probability, and their middle is near it."""
    at = (-2.5, -1.0, 0.5)
    hits, values = [], []
    for seed in range(60):
        images = sample(200, seed=seed)
        line = platt(images.positive[:, 0], images.logits[:, 0])
        knots, low, high = module._platt_edges(
            images.positive[:, 0], images.logits[:, 0], images.patients, BootstrapOptions(200, seed)
        )
        curve = module.Curve("platt", line.slope, line.intercept, tuple(knots), (), tuple(low), tuple(high))
        rows = [curve.at(x) for x in at]
        hits.append([row[0] <= SLOPE * x + INTERCEPT <= row[2] for x, row in zip(at, rows, strict=True)])
        values.append([expit(row[1]) for row in rows])
    # a binomial share of 180 around 0.95 has SD 0.016, a little more since the three go together
    assert 0.87 < np.mean(hits) < 1
    np.testing.assert_allclose(np.mean(values, axis=0), expit(SLOPE * np.array(at) + INTERCEPT), atol=0.02)


def test_held_out_images_agree_and_calibrating_helps():
    images = sample(600)
    # a network that was trained with class weights: every score is far too high
    high = dataclasses.replace(images, logits=1.6 * images.logits + 3)
    held = fit_calibration(high, ORIGIN, "w", options=BootstrapOptions(300)).per_label["Effusion"].held_out
    assert held.slope.low < 1 < held.slope.high
    assert held.intercept.low < 0 < held.intercept.high
    assert held.in_the_large.low < 0 < held.in_the_large.high
    for difference in (held.brier_difference, held.log_loss_difference):
        assert difference.high < 0
    assert held.brier.value == pytest.approx(held.brier_uncalibrated.value + held.brier_difference.value)
    assert held.by_group == {}
    assert [b.images for b in held.bins] == [120] * 10
    predicted = [b.predicted for b in held.bins]
    assert predicted == sorted(predicted)
    inside = sum(b.observed.low <= b.predicted <= b.observed.high for b in held.bins)
    assert inside >= 7


def test_an_image_is_judged_by_a_curve_that_its_patient_had_no_part_in():
    images = sample(60)
    positive, logits = images.positive[:, 0], images.logits[:, 0]
    fold = patient_folds(images.patients, FOLDS, 0, positive)
    held = module._crossfitted(module._by_platt, positive, logits, fold)
    patient = images.patients == images.patients[7]
    # whatever is said of this patient changes the others' images, not its own
    changed = module._crossfitted(module._by_platt, positive ^ patient, logits, fold)
    np.testing.assert_array_equal(held[fold == fold[7]], changed[fold == fold[7]])
    assert (held[fold != fold[7]] != changed[fold != fold[7]]).all()


def test_a_score_that_says_nothing_gets_no_flattery():
    images = sample(400)
    noise = dataclasses.replace(images, logits=np.random.default_rng(9).normal(size=images.logits.shape))
    curve = fit_calibration(noise, ORIGIN, "w", options=BootstrapOptions(100)).per_label["Effusion"]
    if curve.method is None:
        assert "does not rise" in curve.reason
    else:
        low, _, high = curve.at(0.0)
        assert low < logit(curve.prevalence) < high


def test_the_card_keeps_the_auc_of_every_label_with_ten_patients_and_agreement_by_view_and_sex():
    images = sample(300)
    images = dataclasses.replace(
        images,
        views=np.where(images.patients % 3 == 0, "AP", "PA"),
        sexes=np.where(images.patients < 4, "F", "M"),
        ages=np.full(len(images), 50.0),
    )
    curve = fit_calibration(images, ORIGIN, "w", options=BootstrapOptions(50)).per_label["Effusion"]
    assert curve.auc.value == pytest.approx(roc_auc_score(images.positive[:, 0], images.logits[:, 0]))
    assert 0.5 < curve.auc.low < curve.auc.value < curve.auc.high
    groups = curve.held_out.by_group
    assert list(groups) == ["view: AP", "view: PA", "sex: F", "sex: M"]
    fold = patient_folds(images.patients, FOLDS, 0, images.positive[:, 0])
    held = module._crossfitted(module._by_platt, images.positive[:, 0], images.logits[:, 0], fold)
    inside = images.views == "AP"
    again = recalibration(images.positive[inside, 0], held[inside], images.patients[inside], BootstrapOptions(50))
    assert groups["view: AP"].slope.value == again.slope.value
    assert groups["view: AP"].in_the_large.value == again.in_the_large.value
    assert groups["view: AP"].counts.images == inside.sum()
    assert groups["sex: F"].slope.reason.startswith("too few cases")
    few = images.select(images.patients < 60)
    assert few.counts(0).positive_patients < 30
    rare = fit_calibration(few, ORIGIN, "w", options=BootstrapOptions(50)).per_label["Effusion"]
    assert (rare.method, rare.auc.value is not None) == (None, True)


def test_a_score_that_falls_with_the_label_has_no_curve():
    images = sample(200)
    curve = fit_calibration(dataclasses.replace(images, logits=-images.logits), ORIGIN, "w").per_label["Effusion"]
    assert curve.method is None
    assert "does not rise" in curve.reason


def test_few_cases_and_unknown_labels_have_no_curve_and_say_why():
    scored = made_up_scores(100, labels=("Effusion", "Hernia", "Fracture"), rare=("Hernia",))
    images = CalibrationSet.of(dataclasses.replace(scored, images=scored.images.with_labels(("Effusion", "Hernia"))))
    calibration = fit_calibration(images, ORIGIN, "weights", options=BootstrapOptions(50))
    assert calibration.weights_sha256 == "weights"
    assert calibration.sampling == "enriched"
    assert calibration.number_of_images == 200
    assert calibration.number_of_patients == 100
    curves = calibration.per_label
    assert curves["Effusion"].method == "platt"
    assert curves["Effusion"].prevalence == images.positive[:, 0].mean()
    assert "30 of each needed" in curves["Hernia"].reason
    assert curves["Hernia"].counts.positive_patients < 5
    assert "no reference labels" in curves["Fracture"].reason


def test_an_isotonic_curve_needs_500_positive_patients_and_a_lower_log_loss(monkeypatch):
    assert module.ISOTONIC_PATIENTS == 500
    monkeypatch.setattr(module, "ISOTONIC_PATIENTS", 100)
    straight = sample(400)
    assert straight.counts(0).positive_patients > 100
    # the truth is a line: Platt is kept
    assert fit_calibration(straight, ORIGIN, "w", options=BootstrapOptions(20)).per_label["Effusion"].method == "platt"
    # the truth is a step, which no line follows
    rng = np.random.default_rng(0)
    steps = expit(np.where(straight.logits > -1, 1.5, -3.0))
    bent = dataclasses.replace(straight, positive=rng.random(straight.logits.shape) < steps)
    curve = fit_calibration(bent, ORIGIN, "w", options=BootstrapOptions(20)).per_label["Effusion"]
    assert curve.method == "isotonic"
    fitted = isotonic(bent.positive[:, 0], bent.logits[:, 0])
    # no level stretch: a probability below that of the threshold is a score below the threshold
    assert (np.diff(curve.log_odds) > 0).all()
    for at in (*fitted.logits, -9.0, 9.0):
        low, value, high = curve.at(at)
        assert low <= value <= high
        assert expit(value) == pytest.approx(np.clip(fitted.predict(at), 0.5 / 800, 1 - 0.5 / 800), abs=1e-3)
    monkeypatch.undo()
    assert fit_calibration(bent, ORIGIN, "w", options=BootstrapOptions(20)).per_label["Effusion"].method == "platt"


def test_the_same_seed_gives_the_same_card():
    images = sample(100, labels=LABELS[:2])
    one, same, other = (fit_calibration(images, ORIGIN, "w", options=BootstrapOptions(50, s)) for s in (0, 0, 1))
    assert one == same
    assert one != other


def test_progress_reaches_the_end():
    told = []
    fit_calibration(
        sample(60), ORIGIN, "w", options=BootstrapOptions(20), report=lambda done, labels: told.append((done, labels))
    )
    assert told == [(0, 1), (1, 1)]
