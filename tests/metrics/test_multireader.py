"""The Obuchowski-Rockette analysis against published examples, and against plain loops."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from cxr_core.metrics import (
    BootstrapOptions,
    decisions_against_model,
    jackknife_aucs,
    jackknife_covariance,
    obuchowski_rockette,
)
from tests.metrics.van_dyke import LABELS, RATINGS


@pytest.fixture(scope="module")
def van_dyke():
    aucs, left_out = jackknife_aucs(LABELS, RATINGS.reshape(10, -1), np.arange(114))
    return aucs.reshape(2, 5), obuchowski_rockette(aucs.reshape(2, 5), jackknife_covariance(left_out))


# printed by OR-DBM MRMC 2.51 (University of Iowa), trapezoidal area, jackknife; the same in RJafroc's book, chapter
# "Obuchowski Rockette applications", dataset02


def test_areas_mean_squares_and_covariances_are_the_published_ones(van_dyke):
    aucs, analysis = van_dyke
    published = [
        [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
        [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
    ]
    assert aucs == pytest.approx(np.array(published), abs=5e-9)
    components = analysis.components
    assert components.modality == pytest.approx(0.00479617, abs=5e-9)
    assert components.reader == pytest.approx(0.00383620, abs=5e-9)
    assert components.interaction == pytest.approx(0.00055103, abs=5e-9)
    assert components.error == pytest.approx(0.00080229, abs=5e-9)
    assert components.cov1 == pytest.approx(0.00034661, abs=5e-9)
    assert components.cov2 == pytest.approx(0.00034407, abs=5e-9)
    assert components.cov3 == pytest.approx(0.00023903, abs=5e-9)


def test_the_three_tests_are_the_published_ones(van_dyke):
    _, analysis = van_dyke
    random, readers, cases = analysis.random, analysis.fixed_readers, analysis.fixed_cases
    assert random.difference.value == pytest.approx(-0.04380032, abs=5e-9)
    # F(1, 15.26) = 4.46, p = 0.0517
    assert random.statistic**2 == pytest.approx(4.456, abs=5e-4)
    assert random.degrees == pytest.approx(15.26, abs=5e-3)
    assert random.p_value == pytest.approx(0.05167, abs=5e-6)
    assert [random.difference.low, random.difference.high] == pytest.approx([-0.08796, 0.00036], abs=5e-6)
    # chi-square 5.47595 with one degree of freedom, p = 0.0193
    assert readers.statistic**2 == pytest.approx(5.47595, abs=5e-6)
    assert readers.p_value == pytest.approx(0.01928, abs=5e-6)
    assert readers.degrees == math.inf
    assert [readers.difference.low, readers.difference.high] == pytest.approx([-0.08049, -0.00711], abs=6e-6)
    # F(1, 4) = 8.70, p = 0.0420
    assert cases.statistic**2 == pytest.approx(8.704, abs=5e-4)
    assert (cases.degrees, cases.p_value) == (4, pytest.approx(0.04196, abs=5e-6))
    assert [cases.difference.low, cases.difference.high] == pytest.approx([-0.08502, -0.00258], abs=5e-6)


def test_the_means_of_each_modality_are_the_published_ones(van_dyke):
    # degrees of freedom 12.74 and 12.71
    one, other = van_dyke[1].means
    assert [one.value, one.low, one.high] == pytest.approx([0.89703704, 0.82522360, 0.96885048], abs=1e-7)
    assert [other.value, other.low, other.high] == pytest.approx([0.94083736, 0.89413783, 0.98753689], abs=1e-7)


def test_a_stand_alone_model_is_compared_as_published():
    # Chakraborty, RJafroc FROC book, "Standalone CAD vs. radiologists": 9 radiologists and CAD of Hupse et al. (2013),
    # probability of correct localisation at a false positive fraction of 0.2; the analyses 2T-RRRC, 1T-RRRC, 1T-RRFC
    readers = [0.69453125, 0.65, 0.80625, 0.725, 0.65982143, 0.76845238, 0.7375, 0.675, 0.675]
    figures = np.array([readers, [0.59166667] * 9])
    var, cov1, cov2, cov3 = 0.0034336373, 0.00076136841, 0.0022942211, 0.00076136841
    covariance = np.empty((2, 9, 2, 9))
    for i in range(2):
        for j in range(2):
            same, other = (var, cov2) if i == j else (cov1, cov3)
            covariance[i, :, j] = other + (same - other) * np.eye(9)
    analysis = obuchowski_rockette(figures, covariance)
    test = analysis.random
    assert test.difference.value == pytest.approx(0.11850612, abs=1e-8)
    assert test.statistic == pytest.approx(2.0390389, abs=1e-6)
    assert test.degrees == pytest.approx(937.24371, abs=1e-3)
    assert test.p_value == pytest.approx(0.041726262, abs=1e-8)
    assert [test.difference.low, test.difference.high] == pytest.approx([0.004448434, 0.232563801], abs=1e-7)
    fixed = analysis.fixed_cases
    assert (fixed.statistic, fixed.degrees) == (pytest.approx(6.7083568, abs=1e-5), 8)
    assert fixed.p_value == pytest.approx(0.00015139664, abs=1e-8)
    assert [fixed.difference.low, fixed.difference.high] == pytest.approx([0.077769525, 0.159242710], abs=1e-7)


def simulate(seed=0, images=160, patients=90, readers=5):
    random = np.random.default_rng(seed)
    truth = random.random(images) < 0.4
    right = random.random((images, readers)) < 0.85
    answers = np.where(right, truth[:, None], ~truth[:, None])
    return answers, np.where(random.random(images) < 0.7, truth, ~truth), random.integers(0, patients, images)


def test_fixed_cases_are_the_paired_t_test():
    figures = np.random.default_rng(0).uniform(0.6, 0.9, (2, 6))
    expected = ttest_rel(*figures)
    test = obuchowski_rockette(figures, np.zeros((12, 12))).fixed_cases
    assert (test.statistic, test.p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_two_modalities_give_the_test_of_the_differences_of_one():
    answers, model, patients = simulate()
    found = decisions_against_model(answers, model, patients)
    figures, left_out = loop(answers, model, patients)
    differences, spread = figures[0] - figures[1], left_out[0] - left_out[1]
    # Hillis 2007, one modality: [MS(R) + r max(Cov2, 0)] / r
    covariance = jackknife_covariance(spread)
    mean_square = differences.var(ddof=1)
    total = mean_square + 5 * max(covariance[~np.eye(5, dtype=bool)].mean(), 0)
    assert found.random.difference.value == pytest.approx(differences.mean())
    assert found.random.statistic == pytest.approx(differences.mean() / math.sqrt(total / 5))
    assert found.random.degrees == pytest.approx((total / mean_square) ** 2 * 4)
    # fixed readers: the jackknife of the mean difference, where no covariance is below 0
    assert found.components.cov2 > found.components.cov3
    error = math.sqrt(jackknife_covariance(spread.mean(axis=0)[None])[0, 0])
    assert found.fixed_readers.statistic == pytest.approx(differences.mean() / error)


def loop(answers, model, patients):
    """Figures of readers and model, and those without each patient, by scikit-learn."""

    def figures(rows):
        columns = []
        for reader in range(answers.shape[1]):
            votes = np.delete(answers[rows], reader, axis=1).sum(axis=1)
            kept = 2 * votes != answers.shape[1] - 1
            truth = 2 * votes[kept] > answers.shape[1] - 1
            columns.append([balanced_accuracy_score(truth, calls[rows][kept]) for calls in (answers[:, reader], model)])
        return np.array(columns).T

    left_out = [figures(patients != patient) for patient in np.unique(patients)]
    return figures(np.ones(len(model), dtype=bool)), np.stack(left_out, axis=-1)


def test_decisions_equal_a_plain_loop_that_leaves_each_patient_out():
    answers, model, patients = simulate(seed=3)
    figures, left_out = loop(answers, model, patients)
    again = obuchowski_rockette(figures, jackknife_covariance(left_out.reshape(10, -1)))
    found = decisions_against_model(answers, model, patients)
    assert found.random.p_value == pytest.approx(again.random.p_value)
    assert found.fixed_readers.p_value == pytest.approx(again.fixed_readers.p_value)
    assert [mean.value for mean in found.means] == pytest.approx(figures.mean(axis=1))
    assert found.components.cov1 == pytest.approx(again.components.cov1)


def test_areas_without_a_patient_who_has_images_of_both_classes():
    random = np.random.default_rng(1)
    patients = random.integers(0, 20, 70)
    labels = random.random(70) < 0.4
    ratings = np.round(random.normal(size=(3, 70)) + labels, 1)
    aucs, left_out = jackknife_aucs(labels, ratings, patients)
    assert aucs == pytest.approx([roc_auc_score(labels, scores) for scores in ratings])
    for k, patient in enumerate(np.unique(patients)):
        rows = patients != patient
        assert left_out[:, k] == pytest.approx([roc_auc_score(labels[rows], scores[rows]) for scores in ratings])


def test_too_few_cases_and_no_spread_are_reasons():
    answers = np.zeros((100, 3), dtype=bool)
    answers[:9] = True
    few = decisions_against_model(answers, answers[:, 0], np.arange(100), BootstrapOptions())
    assert few.random.reason == "too few cases (9 positive, 91 negative patients)"
    assert (few.random.p_value, few.components, few.means[0].value) == (None, None, None)
    answers[:30] = True
    same = decisions_against_model(answers, answers[:, 0], np.arange(100))
    assert (same.random.difference.value, same.random.p_value) == (0, None)
    assert "no spread" in same.fixed_readers.difference.reason
    assert decisions_against_model(np.zeros((0, 3), dtype=bool), np.zeros(0, bool), []).random.reason == "no image"


@pytest.mark.parametrize("figures", [np.zeros((3, 4)), np.zeros((2, 1)), np.zeros(4)])
def test_other_shapes_are_refused(figures):
    with pytest.raises(ValueError, match="2 modalities"):
        obuchowski_rockette(figures, np.zeros((8, 8)))
    with pytest.raises(ValueError, match="covariance"):
        obuchowski_rockette(np.zeros((2, 4)), np.zeros((4, 4)))
