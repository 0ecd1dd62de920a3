import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxr_core.calibration.card_calibration import mean_auc_metric
from cxr_core.metrics import BootstrapOptions

RNG = np.random.default_rng(0)
OPTIONS = BootstrapOptions(500, min_patients=10)
LABELS = RNG.random((300, 3)) < [0.3, 0.5, 0.01]
SCORES = 0.3 * LABELS + RNG.random((300, 3))
PATIENTS = np.repeat(np.arange(150), 2)


def test_the_mean_of_the_labels_with_enough_patients():
    mean = mean_auc_metric(LABELS, SCORES, PATIENTS, OPTIONS)
    expected = [roc_auc_score(LABELS[:, c], SCORES[:, c]) for c in (0, 1)]
    assert mean.value == pytest.approx(np.mean(expected))
    assert mean.low < mean.value < mean.high
    assert mean.reason == "mean of 2 of 3 labels"
    found = LABELS[:, :2].any(axis=1)
    assert (mean.counts.positive_images, mean.counts.negative_images) == (found.sum(), (~found).sum())


def test_its_interval_is_narrower_than_that_of_one_label():
    """Two labels that were drawn apart: the error of their mean is smaller."""
    both = mean_auc_metric(LABELS[:, :2], SCORES[:, :2], PATIENTS, OPTIONS)
    one = mean_auc_metric(LABELS[:, :1], SCORES[:, :1], PATIENTS, OPTIONS)
    assert both.high - both.low < one.high - one.low
    assert both.reason is None


def test_no_label_with_enough_patients_has_no_mean():
    mean = mean_auc_metric(LABELS[:, 2:], SCORES[:, 2:], PATIENTS, OPTIONS)
    assert mean.value is None
    assert "no label with 10" in mean.reason
