"""Other labels held against a reference, and the AUC of a model against both."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, recall_score, roc_auc_score

from cxr_core.metrics import BootstrapOptions, label_noise
from cxr_core.metrics.bootstrap import multiplicities
from cxr_core.metrics.cases import index_patients
from cxr_core.metrics.jackknife import jackknife_aucs, jackknife_covariance


def simulate(seed=0, images=400, patients=180):
    random = np.random.default_rng(seed)
    truth = random.random(images) < 0.3
    mined = np.where(random.random(images) < 0.85, truth, ~truth)
    return truth, mined, truth + random.normal(size=images), random.integers(0, patients, images)


def test_each_number_is_that_of_scikit_learn():
    truth, mined, scores, patients = simulate()
    noise = label_noise(truth, mined, scores, patients, BootstrapOptions(resamples=50))
    assert noise.sensitivity.value == pytest.approx(recall_score(truth, mined))
    assert noise.specificity.value == pytest.approx(recall_score(~truth, ~mined))
    assert noise.kappa.value == pytest.approx(cohen_kappa_score(truth, mined))
    assert noise.auc.value == pytest.approx(roc_auc_score(truth, scores))
    assert noise.other_auc.value == pytest.approx(roc_auc_score(mined, scores))
    assert noise.change.value == pytest.approx(noise.other_auc.value - noise.auc.value)
    assert (noise.sensitivity.positives, noise.other_auc.positives) == (truth.sum(), mined.sum())


def test_with_many_cases_the_interval_is_of_the_same_resamples():
    truth, mined, scores, patients = simulate()
    options = BootstrapOptions(resamples=40, seed=2, bootstrap_min_patients=0)
    change = label_noise(truth, mined, scores, patients, options).change
    number, which = index_patients(patients, len(truth))
    times = np.concatenate(list(multiplicities(number, options)), axis=1).astype(int)
    drawn = [np.repeat(np.arange(len(truth)), times[which, r]) for r in range(40)]
    loop = [roc_auc_score(mined[rows], scores[rows]) - roc_auc_score(truth[rows], scores[rows]) for rows in drawn]
    assert [change.low, change.high] == pytest.approx(np.quantile(loop, [0.025, 0.975]), abs=1e-12)


def test_with_few_cases_the_error_is_that_of_the_jackknife():
    truth, mined, scores, patients = simulate()
    change = label_noise(truth, mined, scores, patients).change
    assert change.method == "clustered by patient"
    left_out = [jackknife_aucs(labels, scores[None], patients)[1][0] for labels in (truth, mined)]
    error = np.sqrt(jackknife_covariance((left_out[1] - left_out[0])[None])[0, 0])
    # Student's quantile with some hundred degrees of freedom
    assert (change.high - change.low) / 2 == pytest.approx(1.98 * error, rel=0.05)
    assert (change.high + change.low) / 2 == pytest.approx(change.value)


def test_the_same_labels_change_nothing_and_rare_ones_are_too_few():
    truth, _, scores, patients = simulate()
    same = label_noise(truth, truth, scores, patients)
    assert (same.change.value, same.change.low, same.kappa.value) == (0, None, 1)
    assert "no spread" in same.change.reason
    rare = np.zeros(len(truth), dtype=bool)
    rare[np.unique(patients, return_index=True)[1][:6]] = True
    few = label_noise(truth, rare, scores, patients)
    assert few.other_auc.value is None
    assert "too few cases (6 positive" in few.change.reason
    assert few.sensitivity.value is not None
