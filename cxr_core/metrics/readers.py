"""Human readers on the same films as a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import Estimate
from .operating import sensitivity_specificity

__all__ = ["ReaderPoint", "majority_of_others", "reader_points"]


@dataclass(frozen=True)
class ReaderPoint:
    """One reader in the ROC plane.

    Attributes:
        sensitivity, specificity: against the majority of the other readers, with their intervals.
        ties: films left out, where as many of the others say yes as no.
    """

    sensitivity: Estimate
    specificity: Estimate
    ties: int


def majority_of_others(answers: ArrayLike, reader: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return what the other readers say of each film, and where they are of two minds.

    Args:
        answers: (n, readers) bool, at least three readers.
        reader: the column that is judged.

    Returns:
        (n,) bool, True where more than half of the others say yes; (n,) bool, True where exactly half do.
    """
    answers = np.asarray(answers)
    if answers.ndim != 2 or answers.shape[1] < 3 or answers.dtype != bool:
        raise ValueError(f"Answers of shape {answers.shape}, {answers.dtype}: (n, 3 readers or more) bool is accepted.")
    others = np.delete(answers, reader, axis=1)
    yes, count = others.sum(axis=1), others.shape[1]
    return 2 * yes > count, 2 * yes == count


def reader_points(
    answers: ArrayLike, patients: ArrayLike, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> tuple[ReaderPoint, ...]:
    """Return each reader's sensitivity and specificity against the majority of the others.

    The reference is another one for each reader and is itself only readers' opinion; films on which the
    others are of two minds are left out and counted. So a point near the model's curve does not say that
    the model reads as well as that reader: the curve is drawn against a reference of its own.

    Args:
        answers: (n, readers) bool.
        patients: (n,) of whole numbers or strings.
        resamples, seed, level: as in :func:`.operating.sensitivity_specificity`.

    Raises:
        ValueError: for other shapes or values.
    """
    answers, patients = np.asarray(answers), np.asarray(patients)
    points = []
    for reader in range(answers.shape[1]):
        majority, tied = majority_of_others(answers, reader)
        kept = ~tied
        said = answers[kept, reader].astype(np.float64)
        found = sensitivity_specificity(
            majority[kept], said, 0.5, patients[kept], resamples=resamples, seed=seed, level=level
        )
        points.append(ReaderPoint(*found, int(tied.sum())))
    return tuple(points)
