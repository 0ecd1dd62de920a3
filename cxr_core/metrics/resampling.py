"""Patients drawn with replacement: the draws that every interval of this package rests on.

Films of one patient resemble one another, so it is patients that are drawn, each with all of its
films. A resample is kept as multiplicities (how often each patient was drawn), since any count of films
in a resample is then a sum of per-patient counts times multiplicities: one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "LARGEST_DROPPED_SHARE",
    "check_level",
    "index_patients",
    "multiplicities",
    "patient_folds",
    "percentile_interval",
    "resamples_for",
]

# Where more resamples than this lack a class, those that are left say little about the others.
LARGEST_DROPPED_SHARE = 0.05
_CELLS = 2**21
_KEPT_CELLS = 2**26
_MOST, _FEWEST, _WORK = 2000, 400, 50_000_000


def index_patients(patients: ArrayLike, films: int) -> tuple[int, NDArray[np.intp]]:
    """Return the number of patients and, for each film, the number of its patient.

    Args:
        patients: (n,) of whole numbers or strings, one for each film.
        films: n, which ``patients`` must have.

    Returns:
        The number of distinct patients P, and (n,) intp in [0, P) in the sorted order of patients.

    Raises:
        ValueError: for another shape, or where a film has no patient (None, NaN or an empty string).
    """
    patients = np.asarray(patients)
    if patients.shape != (films,):
        raise ValueError(f"Patients of shape {patients.shape}: one for each film, shape ({films},), is accepted.")
    if patients.dtype.kind in "iu" and films and patients.min() >= 0 and patients.max() < 4 * films:
        # numbers already: this is asked for every number of a run
        seen = np.zeros(int(patients.max()) + 1, dtype=bool)
        seen[patients] = True
        return int(seen.sum()), (np.cumsum(seen) - 1)[patients]
    values = patients.tolist()
    if any(value is None or value == "" or (isinstance(value, float) and math.isnan(value)) for value in values):
        raise ValueError("Films without a patient were found; films of unknown patients cannot be resampled.")
    if len({type(value) for value in values}) > 1:
        raise ValueError("Patients of more than one type were found; all numbers or all strings are accepted.")
    distinct, where = np.unique(patients, return_inverse=True)
    return len(distinct), where


def patient_folds(patients: ArrayLike, folds: int, seed: int, labels: ArrayLike | None = None) -> NDArray[np.intp]:
    """Deal patients into folds of as equal a size as can be; all films of a patient fall into one.

    Args:
        patients: (n,) of whole numbers or strings.
        folds: number of folds, from 2 to the number of patients.
        seed: of NumPy's default generator, which orders the patients before they are dealt.
        labels: (n,) bool or 0/1, to be as common in one fold as in another: patients are dealt by falling
            number of positive films, each to the fold with fewest, and the others so that films even out.
            Else what is fitted without a fold is off by what that fold has more than its share of.

    Returns:
        (n,) intp in [0, folds), the fold of each film.

    Raises:
        ValueError: for another number of folds.
    """
    number, which = index_patients(patients, np.shape(patients)[0])
    if not 2 <= folds <= number:
        raise ValueError(f"{folds} folds of {number} patients: from 2 to one a patient are accepted.")
    order = np.random.default_rng(seed).permutation(number)
    fold = np.empty(number, dtype=np.intp)
    if labels is None:
        fold[order] = np.arange(number) % folds
        return fold[which]
    films = np.bincount(which, minlength=number)
    positives = np.bincount(which, weights=np.asarray(labels, dtype=np.float64), minlength=number)
    held = np.zeros((folds, 2))
    for patient in order[np.lexsort((-films[order], -positives[order]))]:
        # a positive patient to the fold with the fewest positive films, another to that with the fewest films
        need = held if positives[patient] else held[:, ::-1]
        fold[patient] = np.lexsort((need[:, 1], need[:, 0]))[0]
        held[fold[patient]] += positives[patient], films[patient]
    return fold[which]


def resamples_for(films: int) -> int:
    """Return how many resamples are drawn where nobody says: 2,000 up to 25,000 films, 445 for 112,120.

    So many that films times resamples stay under 50 million, and no fewer than 400. With 400, chance of the draws
    moves an end of a 95 % interval by 0.13 standard errors, 3.4 % of the interval's width (a quantile's standard
    deviation, sqrt(p (1 - p) / R) over the density there): with so many films, in the fourth decimal of an area.

    Source: Efron and Tibshirani (1993), 19.3, for the error that is left by few resamples.
    """
    return int(min(max(_WORK // max(films, 1), _FEWEST), _MOST))


def multiplicities(patients: int, resamples: int, seed: int, rows: int | None = None) -> Iterator[NDArray[np.float64]]:
    """Draw as many patients as there are, with replacement, again and again.

    Args:
        patients: number of patients P, at least 1.
        resamples: number of resamples R, at least 1.
        seed: of NumPy's default generator (PCG64); the draws depend on it, P and R alone.
        rows: the tallest array the caller makes from one chunk; chunks are narrower where it is tall.

    Yields:
        (P, r) float64 whole numbers, each column adding up to P; the r of all chunks add up to R.

    Raises:
        ValueError: for no patient or no resample.

    Source: Field and Welsh, Bootstrapping clustered data, Journal of the Royal Statistical Society B 69
    (2007) 369-390: the cluster bootstrap.
    """
    if patients < 1 or resamples < 1:
        raise ValueError(f"{patients} patients, {resamples} resamples: at least 1 of each is accepted.")
    width = max(1, _CELLS // max(patients, rows or 0))
    if patients * resamples > _KEPT_CELLS:
        yield from _draw(patients, resamples, seed, width)
        return
    kept = _kept_draws(patients, resamples, seed)
    for start in range(0, resamples, width):
        yield kept[:, start : start + width].astype(np.float64)


def _draw(patients: int, resamples: int, seed: int, width: int) -> Iterator[NDArray[np.float64]]:
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, width):
        r = min(width, resamples - start)
        drawn = generator.integers(0, patients, size=(r, patients))
        cells = (drawn * r + np.arange(r)[:, None]).ravel()
        yield np.bincount(cells, minlength=patients * r).reshape(patients, r).astype(np.float64)


@lru_cache(maxsize=2)
def _kept_draws(patients: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    """Return (P, R) draws: a run has hundreds of numbers of the same draws, and drawing is most of the work.

    One byte holds how often a patient is drawn: over 255 times, from 256 patients or more, comes once in 10^500.
    """
    kept = np.empty((patients, resamples), dtype=np.uint8)
    done = 0
    for drawn in _draw(patients, resamples, seed, max(1, _CELLS // patients)):
        kept[:, done : done + drawn.shape[1]] = drawn
        done += drawn.shape[1]
    kept.flags.writeable = False
    return kept


def percentile_interval(replicates: NDArray[np.float64], level: float) -> tuple[float | None, float | None, str | None]:
    """Return the low and high percentile of bootstrap replicates.

    Plain percentiles. Taken on the logit scale and brought back they would be the same up to
    interpolation, since percentiles go along with any rising function; they never leave the range of
    the statistic. They are a little too narrow with few patients.

    Args:
        replicates: (R,) float64; NaN where the statistic was undefined, which is dropped.
        level: in (0, 1), such as 0.95.

    Returns:
        ``(low, high, None)``, or ``(None, None, reason)``: ``"too few cases"`` where more than 5 % were
        dropped; or that every resample gives the same value, which is no sign of certainty.

    Raises:
        ValueError: for another level.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    check_level(level)
    kept = replicates[~np.isnan(replicates)]
    if len(replicates) - len(kept) > LARGEST_DROPPED_SHARE * len(replicates):
        return None, None, "too few cases"
    if kept.min() == kept.max():
        return None, None, "no interval: every resample gives the same value"
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high), None


def check_level(level: float) -> None:
    """Raise ValueError for a confidence level that is not in (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"A level of {level}: a share such as 0.95, between 0 and 1, is accepted.")
