"""Logistic regression in every resample of patients by one step of Newton's method, from sums over each patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from .logistic import solve
from .replicates import patient_sums, sum_replicates

__all__ = ["one_step_replicates"]


def one_step_replicates(labels, logits, which, fit, resamples: int, seed: int) -> NDArray[np.float64]:
    """Return where one step from the fit of all films leads in each resample.

    The step's error is of the order of a step squared, so it vanishes as patients grow more. A resample's sums of
    gradient and information are those of its patients: nothing in it depends on the number of films.

    Args:
        labels: (n,) bool.
        logits: (n,) finite.
        which: (n,) the number of each film's patient.
        fit: (2,) slope and intercept, or (1,) the intercept where the slope is held at 1; of all films, by maximum
            likelihood.
        resamples, seed: as in :func:`.resampling.multiplicities`.

    Returns:
        (2 or 1, resamples) float64, in the order of ``fit``; NaN where the information is none.

    Source: Moulton and Zeger, Bootstrapping generalized linear models, Computational Statistics and Data Analysis 11
    (1991) 53-63, the one-step bootstrap.
    """
    design = np.stack([logits, np.ones_like(logits)])[-len(fit) :]
    chance = expit(fit @ design + (logits if len(fit) == 1 else 0))
    pairs = [(i, j) for i in range(len(fit)) for j in range(i, len(fit))]
    gradient = design * (labels - chance)
    information = [design[i] * design[j] * chance * (1 - chance) for i, j in pairs]
    number = int(which.max()) + 1
    sums = sum_replicates(patient_sums(np.stack([*gradient, *information]), which, number), resamples, seed)
    steps = solve(dict(zip(pairs, sums[len(fit) :], strict=True)), sums[: len(fit)])
    return np.asarray(fit)[:, None] + steps
