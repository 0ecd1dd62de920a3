"""Label noise: one reference standard held against another on the same images, and the model against both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from ..estimate import CLUSTERED, Counts, Estimate
from .agreement import cohen_kappa
from .auc import auc_with_interval
from .bootstrap import DEFAULTS, BootstrapOptions, with_percentiles
from .cases import check_labels_and_scores, count_cases, index_patients, insufficient_cases, too_few_cases
from .delong import placements
from .diagnostic_accuracy import sensitivity_specificity
from .ranking_replicates import auc_replicates
from .roc import auc_value

__all__ = ["LabelNoise", "label_noise"]


@dataclass(frozen=True)
class LabelNoise:
    """Other labels of the same images, such as mined ones, held against reference labels, such as experts'.

    Neither need be the truth: two references that err in the same way agree, and a model that was trained on the other
    labels may have learned their errors.

    Attributes:
        sensitivity, specificity: of the other labels, as of a test for the reference labels.
        kappa: Cohen's, of the two.
        auc: of the model's scores against the reference labels.
        other_auc: of the same scores against the other labels.
        change: ``other_auc`` minus ``auc``, paired by patient. Counts are those of the labels with fewer patients of
            the rarer class.
    """

    sensitivity: Estimate
    specificity: Estimate
    kappa: Estimate
    auc: Estimate
    other_auc: Estimate
    change: Estimate


def label_noise(
    labels: ArrayLike,
    other_labels: ArrayLike,
    scores: ArrayLike,
    patients: ArrayLike,
    options: BootstrapOptions = DEFAULTS,
) -> LabelNoise:
    """Hold other labels against reference labels, and the model's AUC against both.

    Args:
        labels, other_labels: (n,) bool or 0/1, of the images that both sources label.
        scores: (n,) finite scores of the model.
        patients: (n,) whole numbers or strings.
        options: of the intervals; the change of the AUC has percentiles of the patient bootstrap from
            ``bootstrap_min_patients`` on and below it an interval from the spread of its linear terms between
            patients, with Student's quantile.

    Raises:
        ValueError: for other shapes or values.

    References:
        The linear terms of an AUC by patient: Obuchowski, Biometrics 53 (1997) 567-578; here of two AUCs with the
        same scores and different labels. Labels as a source of error in evaluation: Oakden-Rayner, Academic Radiology
        27 (2020) 106-112.

    Examples:
        >>> truth = np.arange(120) % 3 == 0
        >>> mined = truth ^ (np.arange(120) % 10 == 0)
        >>> noise = label_noise(truth, mined, truth + np.arange(120) % 7 / 4, np.arange(120))
        >>> [round(number.value, 2) for number in (noise.sensitivity, noise.kappa, noise.auc, noise.change)]
        [0.9, 0.78, 0.91, -0.09]
    """
    labels, scores = check_labels_and_scores(labels, scores)
    other_labels = check_labels_and_scores(other_labels, scores)[0]
    rates = sensitivity_specificity(labels, other_labels.astype(np.float64), 0.5, patients, options)
    return LabelNoise(
        *rates,
        cohen_kappa(labels, other_labels, patients, options),
        auc_with_interval(labels, scores, patients, options),
        auc_with_interval(other_labels, scores, patients, options),
        _change(labels, other_labels, scores, patients, options),
    )


def _change(
    labels: NDArray[np.bool_],
    other_labels: NDArray[np.bool_],
    scores: NDArray[np.float64],
    patients: ArrayLike,
    options: BootstrapOptions,
) -> Estimate:
    both = [count_cases(truth, patients) for truth in (labels, other_labels)]
    counts: Counts = min(both, key=lambda one: one.rarer_patients)
    reason = insufficient_cases(counts, options.min_patients)
    if reason:
        return Estimate.missing(reason, counts)
    value = auc_value(other_labels, scores) - auc_value(labels, scores)
    if counts.rarer_patients >= options.bootstrap_min_patients:
        one, other = auc_replicates([(labels, scores), (other_labels, scores)], patients, options)
        return with_percentiles(Estimate(value, counts=counts), other - one, options)
    number, which = index_patients(patients, len(labels))
    terms = np.bincount(which, _linear_terms(other_labels, scores) - _linear_terms(labels, scores), minlength=number)
    error = float(np.sqrt(number / (number - 1) * (terms**2).sum())) if number > 1 else 0.0
    if error < 1e-12:
        return Estimate(value, counts=counts, reason="no interval: no spread between patients")
    if counts.rarer_patients < 2:
        return Estimate.missing(too_few_cases(counts), counts)
    half = float(stdtrit(counts.rarer_patients - 1, options.tails[1])) * error
    return Estimate(value, value - half, value + half, counts, method=CLUSTERED)


def _linear_terms(labels: NDArray[np.bool_], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) what each image moves the AUC by, to first order; they add up to 0."""
    terms = np.empty(len(labels))
    for rows, placed in zip((labels, ~labels), placements(labels, scores), strict=True):
        terms[rows] = (placed - placed.mean()) / len(placed)
    return terms
