"""Labels, scores and patients as every metric takes them: checked, counted, and dealt into folds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import Counts

__all__ = [
    "check_labels",
    "check_labels_and_scores",
    "check_level",
    "check_probabilities",
    "check_threshold",
    "columns_of",
    "count_cases",
    "index_patients",
    "insufficient_cases",
    "missing_class",
    "patient_folds",
    "too_few_cases",
]


def check_labels_and_scores(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return labels as (n,) bool and scores as (n,) float64.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite numbers.

    Raises:
        ValueError: for other shapes or values.

    Examples:
        >>> check_labels_and_scores([0, 1], [0.2, 0.9])
        (array([False,  True]), array([0.2, 0.9]))
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(
            f"Labels of shape {labels.shape} and scores of shape {scores.shape}: "
            "two arrays of the same shape (n,) are accepted."
        )
    if labels.dtype != bool:
        if labels.dtype.kind not in "iuf" and labels.size:
            raise ValueError(f"Labels of type {labels.dtype}: bool or the numbers 0 and 1 are accepted.")
        if not np.isin(labels, (0, 1)).all():
            raise ValueError(
                "Labels other than 0 and 1 were found; only these are accepted. Leave out images without a label."
            )
        labels = labels.astype(bool)
    if scores.dtype.kind not in "biuf":
        raise ValueError(f"Scores of type {scores.dtype}: real numbers are accepted.")
    scores = scores.astype(np.float64)
    if not np.isfinite(scores).all():
        raise ValueError("Scores that are NaN or infinite were found; finite scores are accepted.")
    return labels, scores


def check_labels(labels: ArrayLike) -> NDArray[np.bool_]:
    """Return labels as (n,) bool; raises ValueError for anything but (n,) bool or 0/1."""
    return check_labels_and_scores(labels, np.zeros(np.shape(labels)))[0]


def check_probabilities(labels: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return labels as (n,) bool and probabilities as (n,) float64 in [0, 1]; raises ValueError for others."""
    labels, probabilities = check_labels_and_scores(labels, probabilities)
    if len(probabilities) and not (probabilities.min() >= 0 and probabilities.max() <= 1):
        raise ValueError("Probabilities below 0 or above 1 were found; numbers in [0, 1] are accepted.")
    return labels, probabilities


def check_threshold(threshold: float) -> float:
    """Return the threshold as a float; raises ValueError for NaN. Infinities are accepted."""
    if math.isnan(threshold):
        raise ValueError("The threshold is NaN; a number is accepted.")
    return float(threshold)


def check_level(level: float) -> None:
    """Raise ValueError for a confidence level that is not in (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"A level of {level}: a proportion between 0 and 1, such as 0.95, is accepted.")


def columns_of(labels: ArrayLike, scores: ArrayLike) -> list[tuple[NDArray[np.bool_], NDArray[np.float64]]]:
    """Return the labels and scores of each class, from two arrays of shape (n, classes).

    Raises:
        ValueError: for other shapes or values.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.ndim != 2 or labels.shape != scores.shape:
        raise ValueError(
            f"Labels of shape {labels.shape} and scores of shape {scores.shape}: "
            "two arrays of the same shape (n, classes) are accepted."
        )
    return [check_labels_and_scores(*column) for column in zip(labels.T, scores.T, strict=True)]


def count_cases(labels: ArrayLike, patients: ArrayLike | None = None) -> Counts:
    """Count positive and negative images, and the patients with any of them.

    Args:
        labels: (n,) bool or 0/1.
        patients: (n,) whole numbers or strings; None takes each image for one patient.

    Returns:
        Counts. A patient with positive and negative images is counted among both.

    Raises:
        ValueError: for other shapes or values.

    Examples:
        >>> count_cases([1, 0, 0, 1], ["a", "a", "b", "c"])
        Counts(positive_images=2, negative_images=2, positive_patients=2, negative_patients=2)
    """
    labels = check_labels(labels)
    positives = int(labels.sum())
    if patients is None:
        return Counts(positives, len(labels) - positives, positives, len(labels) - positives)
    number, which = index_patients(patients, len(labels))
    positive, negative = (
        int(np.bincount(which[rows], minlength=number).astype(bool).sum()) for rows in (labels, ~labels)
    )
    return Counts(positives, len(labels) - positives, positive, negative)


def missing_class(counts: Counts) -> str | None:
    """Return why nothing can be ranked, or None where both classes have an image.

    Examples:
        >>> missing_class(Counts(0, 5, 0, 5))
        'no positive'
    """
    if counts.positive_images and counts.negative_images:
        return None
    return "no positive" if counts.negative_images else "no negative" if counts.positive_images else "no image"


def too_few_cases(cases: Counts | int, kind: str = "") -> str:
    """Return the reason for a missing value that rests on too few patients.

    Args:
        cases: positive and negative patients, or one number of patients.
        kind: of these patients: ``{}`` stands for the word "patients".

    Examples:
        >>> too_few_cases(Counts(3, 900, 3, 400))
        'too few cases (3 positive, 400 negative patients)'
        >>> too_few_cases(1)
        'too few cases (1 patient)'
        >>> too_few_cases(5, "{} with an image above")
        'too few cases (5 patients with an image above)'
    """
    if isinstance(cases, Counts):
        negative = cases.negative_patients
        return f"too few cases ({cases.positive_patients} positive, {negative} negative {_patients(negative)})"
    return f"too few cases ({cases} {(kind or '{}').format(_patients(cases))})"


def _patients(number: int) -> str:
    return "patient" if number == 1 else "patients"


def insufficient_cases(counts: Counts, min_patients: int) -> str | None:
    """Return why a metric of both classes has no value, or None: a class is missing, or patients are too few.

    Examples:
        >>> insufficient_cases(Counts(3, 900, 3, 400), min_patients=10)
        'too few cases (3 positive, 400 negative patients)'
    """
    return missing_class(counts) or (too_few_cases(counts) if counts.rarer_patients < min_patients else None)


def index_patients(patients: ArrayLike, images: int) -> tuple[int, NDArray[np.intp]]:
    """Number the patients in sorted order.

    Args:
        patients: (n,) whole numbers or strings, one for each image.
        images: n, which ``patients`` must have.

    Returns:
        The number of distinct patients P, and (n,) intp in [0, P), the patient of each image.

    Raises:
        ValueError: for another shape, or where an image has no patient (None, NaN or an empty string).

    Examples:
        >>> index_patients(["b", "a", "b"], images=3)
        (2, array([1, 0, 1]))
    """
    patients = np.asarray(patients)
    if patients.shape != (images,):
        raise ValueError(f"Patients of shape {patients.shape}: one for each image, shape ({images},), is accepted.")
    if patients.dtype.kind in "iu" and images and patients.min() >= 0 and patients.max() < 4 * images:
        # Numbers already: no sorting, since this is called for every number of a run.
        seen = np.zeros(int(patients.max()) + 1, dtype=bool)
        seen[patients] = True
        return int(seen.sum()), (np.cumsum(seen) - 1)[patients]
    values = patients.tolist()
    if any(value is None or value == "" or (isinstance(value, float) and math.isnan(value)) for value in values):
        raise ValueError("Images without a patient were found; images of unknown patients cannot be resampled.")
    if len({type(value) for value in values}) > 1:
        raise ValueError("Patients of more than one type were found; all numbers or all strings are accepted.")
    distinct, which = np.unique(patients, return_inverse=True)
    return len(distinct), which


def patient_folds(patients: ArrayLike, folds: int, seed: int, labels: ArrayLike | None = None) -> NDArray[np.intp]:
    """Deal patients into folds of nearly equal size; all images of a patient fall into one fold.

    Args:
        patients: (n,) whole numbers or strings.
        folds: number of folds, from 2 to the number of patients.
        seed: of NumPy's default generator, which orders the patients before they are dealt.
        labels: (n,) bool or 0/1, by which folds are stratified: patients are dealt by falling number of positive
            images, each to the fold with fewest, and the others so that the numbers of images even out.

    Returns:
        (n,) intp in [0, folds), the fold of each image.

    Raises:
        ValueError: for another number of folds.

    Examples:
        >>> patient_folds([1, 1, 2, 3, 4], folds=2, seed=0)
        array([1, 1, 0, 0, 1])
    """
    number, which = index_patients(patients, np.shape(patients)[0])
    if not 2 <= folds <= number:
        raise ValueError(f"{folds} folds of {number} patients: from 2 folds to one for each patient are accepted.")
    order = np.random.default_rng(seed).permutation(number)
    fold = np.empty(number, dtype=np.intp)
    if labels is None:
        fold[order] = np.arange(number) % folds
        return fold[which]
    images = np.bincount(which, minlength=number)
    positives = np.bincount(which, weights=np.asarray(labels, dtype=np.float64), minlength=number)
    totals = np.zeros((folds, 2))
    for patient in order[np.lexsort((-images[order], -positives[order]))]:
        # A positive patient goes to the fold with the fewest positive images, another to that with the fewest images.
        need = totals if positives[patient] else totals[:, ::-1]
        fold[patient] = np.lexsort((need[:, 1], need[:, 0]))[0]
        totals[fold[patient]] += positives[patient], images[patient]
    return fold[which]
