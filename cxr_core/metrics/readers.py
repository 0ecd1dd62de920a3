"""Human readers in the ROC plane, and whose majority a reference standard is.

The reference standard is the majority of the other readers, for the reader and for the model alike: a reader who is
part of a reference agrees with it by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import Estimate
from .bootstrap import DEFAULTS, BootstrapOptions
from .diagnostic_accuracy import sensitivity_specificity

__all__ = [
    "ReaderPoint",
    "majority_members",
    "majority_of_others",
    "reader_points",
]

_MAX_MEMBERS = 10
"""Readers of whom every subset is tried by :func:`majority_members`."""


@dataclass(frozen=True)
class ReaderPoint:
    """One reader in the ROC plane.

    Attributes:
        sensitivity, specificity: against the majority of the other readers, with their intervals.
        ties: images left out, on which as many of the others answer yes as no.
    """

    sensitivity: Estimate
    specificity: Estimate
    ties: int


def majority_of_others(answers: ArrayLike, reader: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the majority answer of the other readers, and where they are evenly split.

    Args:
        answers: (n, readers) bool, at least three readers.
        reader: column of the reader who is judged.

    Returns:
        (n,) bool, True where more than half of the others answer yes; (n,) bool, True where exactly half do.

    Raises:
        ValueError: for other shapes or types.

    Examples:
        >>> majority_of_others(np.array([[True, True, True], [False, True, False]]), reader=0)
        (array([ True, False]), array([False,  True]))
    """
    answers = np.asarray(answers)
    if answers.ndim != 2 or answers.shape[1] < 3 or answers.dtype != bool:
        raise ValueError(f"Answers of shape {answers.shape}, {answers.dtype}: (n, 3 readers or more) bool is accepted.")
    others = np.delete(answers, reader, axis=1)
    yes, count = others.sum(axis=1), others.shape[1]
    return 2 * yes > count, 2 * yes == count


def reader_points(
    answers: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> tuple[ReaderPoint, ...]:
    """Return each reader's sensitivity and specificity against the majority of the others.

    The reference differs from reader to reader and is itself only opinion; images on which the others are evenly
    split are left out and counted. So a point near the model's curve does not say that the model reads as well as
    that reader: the curve is drawn against another reference.

    Args:
        answers: (n, readers) bool, at least three readers.
        patients: (n,) whole numbers or strings.
        options: of the intervals, as in :func:`.diagnostic_accuracy.sensitivity_specificity`.

    Raises:
        ValueError: for other shapes or values.

    Examples:
        >>> answers = np.stack([np.arange(60) % 2 == 0, np.arange(60) % 4 == 0, np.arange(60) % 2 == 0], axis=1)
        >>> [(point.sensitivity.value, point.ties) for point in reader_points(answers, np.arange(60))]
        [(1.0, 15), (0.5, 0), (1.0, 15)]
    """
    answers, patients = np.asarray(answers), np.asarray(patients)
    points = []
    for reader in range(answers.shape[1]):
        majority, tied = majority_of_others(answers, reader)
        called = answers[~tied, reader].astype(np.float64)
        rates = sensitivity_specificity(majority[~tied], called, 0.5, patients[~tied], options)
        points.append(ReaderPoint(*rates, int(tied.sum())))
    return tuple(points)


def majority_members(answers: ArrayLike, reference: ArrayLike) -> tuple[int, ...]:
    """Return the readers whose majority a reference standard is, on every image and label; empty where there are none.

    Args:
        answers: (n, readers, labels) bool.
        reference: (n, labels) 1 positive, 0 negative, below 0 not stated.

    Returns:
        Columns of the fewest such readers; odd numbers of at most ten readers are tried.

    Examples:
        >>> answers = np.array([[[True], [True], [False]], [[False], [True], [False]], [[True], [False], [True]]])
        >>> majority_members(answers, np.array([[1], [0], [1]]))
        (0,)
    """
    answers, reference = np.asarray(answers, dtype=bool), np.asarray(reference)
    stated, readers = reference >= 0, answers.shape[1]
    if readers > _MAX_MEMBERS or not stated.any():
        return ()
    subsets: Sequence[tuple[int, ...]] = [
        members for size in range(1, readers + 1, 2) for members in combinations(range(readers), size)
    ]
    for members in subsets:
        majority = 2 * answers[:, members].sum(axis=1) > len(members)
        if (majority == (reference == 1))[stated].all():
            return members
    return ()
