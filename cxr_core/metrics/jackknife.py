"""The jackknife over patients: covariances of several figures of merit on the same images.

Unlike DeLong's covariances it needs no independence of a patient's images; with one image of each patient the two
differ little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .cases import check_labels, index_patients
from .delong import placements
from .patient_sums import patient_sums

__all__ = ["jackknife_aucs", "jackknife_covariance"]


def jackknife_covariance(left_out: ArrayLike) -> NDArray[np.float64]:
    """Return the covariance matrix of figures from their values without each patient in turn.

    Args:
        left_out: (m, P) figures with one of P patients left out.

    Returns:
        (m, m): (P - 1) / P times the sum over patients of products of deviations from the mean.

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 11.

    Examples:
        >>> values = np.array([1.0, 2.0, 6.0])
        >>> means = (values.sum() - values) / 2
        >>> jackknife_covariance(means[None]).round(6) == round(values.var(ddof=1) / 3, 6)
        array([[ True]])
    """
    left_out = np.asarray(left_out, dtype=np.float64)
    deviations = left_out - left_out.mean(axis=1, keepdims=True)
    number = left_out.shape[1]
    return np.asarray((number - 1) / number * (deviations @ deviations.T), dtype=np.float64)


def jackknife_aucs(
    labels: ArrayLike, ratings: ArrayLike, patients: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the empirical AUC of each set of ratings, and that without each patient in turn.

    Args:
        labels: (n,) bool or 0/1; at least two patients of each class.
        ratings: (m, n) finite grades or scores, a row a reader or modality.
        patients: (n,) whole numbers or strings.

    Returns:
        (m,) AUCs; (m, P) AUCs with one of P patients left out.

    Examples:
        >>> auc, left_out = jackknife_aucs([0, 0, 1, 1], [[1, 2, 2, 3]], [1, 2, 3, 4])
        >>> auc, left_out
        (array([0.875]), array([[0.75, 1.  , 1.  , 0.75]]))
    """
    labels, ratings = check_labels(labels), np.asarray(ratings, dtype=np.float64)
    number, which = index_patients(patients, len(labels))
    positives, negatives = (patient_sums(rows, which, number)[0] for rows in (labels, ~labels))
    mixed = np.flatnonzero((positives > 0) & (negatives > 0))
    pairs = (labels.sum() - positives) * ((~labels).sum() - negatives)
    aucs, left_out = [], []
    for scores in ratings:
        below, above = placements(labels, scores)
        ordered = below.sum() * negatives.sum()
        # pairs in the right order that a patient's images are in; those within a patient are counted twice
        lost = np.bincount(which[labels], weights=below, minlength=number) * negatives.sum()
        lost += np.bincount(which[~labels], weights=above, minlength=number) * positives.sum()
        for patient in mixed:
            own, other = (scores[rows & (which == patient)] for rows in (labels, ~labels))
            lost[patient] -= (np.sign(own[:, None] - other) + 1).sum() / 2
        aucs.append(ordered / (positives.sum() * negatives.sum()))
        left_out.append((ordered - lost) / pairs)
    return np.array(aucs), np.array(left_out)
