"""A model that sees no film: age, sex and view alone.

What a network adds to these is what it has seen. In ChestX-ray14 they say much: bedridden patients are filmed
AP and are ill, and many findings come with age.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .table import FilmTable

__all__ = ["Baseline", "fit_baseline"]

RIDGE = 1.0
"""Penalty on the squared coefficients but the intercept: a label that no film of one sex has stays finite."""

OLDEST = 100.0
"""NIH's table has ages up to 414; they are cut here."""


class Described(Protocol):
    """Films whose age, sex and view are known or said not to be: a table, or the predictions of a run."""

    ages: NDArray[np.float64]
    sexes: NDArray[np.str_]
    views: NDArray[np.str_]


@dataclass(frozen=True)
class Baseline:
    """Logistic regressions, one a label.

    Attributes:
        coefficients: (6, classes) float64: intercept, age, age squared, male, AP, age by AP.
        mean_age: stands in where the age is not known.
    """

    coefficients: NDArray[np.float64]
    mean_age: float

    def log_odds(self, films: Described) -> NDArray[np.float64]:
        """Return (n, classes) float64 log-odds of the films' labels."""
        return _features(films, self.mean_age) @ self.coefficients


def fit_baseline(films: FilmTable, labels: NDArray[np.bool_]) -> Baseline:
    """Fit on training films.

    Args:
        films: of training patients, with age, sex and view.
        labels: (n, classes) bool; the table's own, or others of the same films such as "any finding".

    Source: logistic regression by Newton's method (iteratively reweighted least squares), McCullagh and
    Nelder, *Generalized Linear Models* (1989), section 4.4, with a ridge (le Cessie and van Houwelingen, 1992).
    """
    ages = np.clip(films.ages, 0, OLDEST)
    mean_age = float(np.nanmean(ages)) if np.isfinite(ages).any() else 0.0
    features = _features(films, mean_age)
    columns = [_logistic(features, labels[:, c].astype(np.float64)) for c in range(labels.shape[1])]
    return Baseline(np.stack(columns, axis=1), mean_age)


def _features(films: Described, mean_age: float) -> NDArray[np.float64]:
    ages = np.clip(films.ages, 0, OLDEST)
    age = (np.where(np.isfinite(ages), ages, mean_age) - 50) / 20
    male, ap = films.sexes == "M", films.views == "AP"
    return np.stack([np.ones(len(age)), age, age**2, male, ap, age * ap], axis=1).astype(np.float64)


def _logistic(features: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    penalty = RIDGE * np.eye(features.shape[1])
    penalty[0, 0] = 1e-6  # the intercept is free; a label that no film has still ends
    beta = np.zeros(features.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-features @ beta))
        gradient = features.T @ (labels - p) - penalty @ beta
        step = np.linalg.solve(features.T @ (features * (p * (1 - p))[:, None]) + penalty, gradient)
        # a long step from a flat place would overshoot
        beta += step / max(1.0, float(np.abs(step).max()) / 2)
        if np.abs(step).max() < 1e-10:
            break
    return beta
