"""Every rate of the embedded model's stability, counted again from the logits that it was measured with.

``embedded_stability.npz`` has the names of the images, (n,), and their logits, (1 + changes, n, labels): first as they
are, then under each small change. After a change of thresholds: ``models stability`` writes the card anew.
"""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from cxr_core.imaging import SMALL_CHANGES
from cxr_core.metrics import patient_mean, patient_proportion
from cxr_core.model.card import read_card
from cxr_core.model.findings import usable_threshold
from cxr_core.model.folder import find_model
from cxr_core.store.predictions import read_predictions
from cxr_core.store.runs import EMBEDDED


@pytest.fixture(scope="module")
def card():
    return read_card(find_model("second-read-mini") / "card.json")


@pytest.fixture(scope="module")
def stored():
    with np.load(Path(__file__).with_name("embedded_stability.npz")) as file:
        return file["images"], file["logits"]


@pytest.fixture(scope="module")
def run():
    return read_predictions(EMBEDDED / "validation-patients-of-nih-128" / "predictions.parquet")


@pytest.fixture(scope="module")
def patients(stored, run):
    of_image = dict(zip(run.images.tolist(), run.patients.tolist(), strict=True))
    return np.array([int(of_image[name]) for name in stored[0].tolist()])


def test_the_images_as_they_are_have_the_scores_of_the_embedded_run(stored, run, card):
    names, logits = stored
    row = {name: number for number, name in enumerate(run.images.tolist())}
    expected = run.scores[[row[name] for name in names.tolist()]]
    assert run.labels.tolist() == list(card.labels)
    np.testing.assert_allclose(expit(logits[0].astype(np.float64)), expected, atol=1e-5)


def test_the_rates_are_counts_of_states_at_the_thresholds_of_the_card(stored, patients, card):
    _, logits = stored
    stability, point = card.stability, card.operating_point()
    evaluated = {label: usable_threshold(card, point, label) for label in card.labels}
    evaluated = {label: threshold for label, threshold in evaluated.items() if threshold is not None}
    assert stability.operating_point == "default"
    assert stability.weights_sha256 == card.weights_sha256
    assert stability.thresholds == evaluated
    assert (stability.number_of_images, stability.number_of_patients) == (len(patients), len(set(patients.tolist())))
    assert stability.number_of_images >= 200
    columns = [card.labels.index(label) for label in evaluated]
    above = expit(logits[:, :, columns].astype(np.float64)) >= list(evaluated.values())
    changed = above[1:] != above[0]
    assert list(stability.per_change) == [change.name for change in SMALL_CHANGES]
    pairs = [(stability.together, changed.any(axis=0)), *zip(stability.per_change.values(), changed, strict=True)]
    for rate, events in pairs:
        any_label = events.any(axis=1)
        assert rate.any_label.value == any_label.mean()
        assert rate.any_label.counts.positive_images == any_label.sum()
        assert rate.any_label.counts.positive_patients == len(set(patients[any_label].tolist()))
        assert rate.any_label.counts.negative_patients == len(set(patients[~any_label].tolist()))
        assert list(rate.per_label) == list(evaluated)
        for estimate, of_label in zip(rate.per_label.values(), events.T, strict=True):
            assert estimate.value == of_label.mean()
            assert estimate.counts.positive_images == of_label.sum()
    # the interval too, once
    assert stability.together.any_label == patient_proportion(changed.any(axis=(0, 2)), patients)


def test_the_mean_changes_of_the_logits_are_those_of_the_stored_ones(stored, patients, card):
    _, logits = stored
    differences = logits[1:].astype(np.float64) - logits[0]
    for rates, difference in zip(card.stability.per_change.values(), differences, strict=True):
        assert rates.logit_difference == patient_mean(np.abs(difference).mean(axis=1), patients)
        assert rates.logit_shift == patient_mean(difference.mean(axis=1), patients)
