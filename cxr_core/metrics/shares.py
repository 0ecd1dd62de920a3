"""Shares and means over films with their interval, clustered by patient where patients have several films."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from .estimate import CLUSTERED, CLUSTERED_WILSON, PATIENT_BOOTSTRAP, WILSON, Estimate
from .intervals import BOOTSTRAP_FROM, check_labels, count_cases
from .replicates import patient_sums, sum_replicates
from .resampling import check_level, index_patients, percentile_interval

__all__ = ["Share", "clustered_wilson", "patient_mean", "patient_share", "patient_shares", "wilson"]


@dataclass(frozen=True, eq=False)
class Share:
    """A share to be found: of the films that are counted, those on which an event holds.

    Attributes:
        event: (n,) bool or 0/1.
        among: (n,) bool, the films that are counted; None is all.
        counts: of the Estimate, where they are not films with and without the event.
        empty: the reason where no film is counted.
        words: whom ``min_patients`` counts, for the reason.
    """

    event: ArrayLike
    among: ArrayLike | None = None
    counts: tuple[int, int, int, int] | None = None
    empty: str = "no film"
    words: str = "patients"


def wilson(successes: int, trials: int, level: float = 0.95) -> Estimate:
    """Return a share with Wilson's score interval.

    Only right where trials are independent: where each patient has one film, or patients are what is
    counted. With several films of a patient it is too narrow; use :func:`patient_share`.

    Args:
        successes: whole number in [0, trials].
        trials: whole number, 0 or more.
        level: of the interval, in (0, 1).

    Returns:
        Estimate whose positives are the successes; value None with reason ``"no trial"`` for none.

    Raises:
        ValueError: for other numbers.

    Source: Wilson, Journal of the American Statistical Association 22 (1927) 209-212; without
    continuity correction.
    """
    check_level(level)
    if not 0 <= successes <= trials or successes != int(successes) or trials != int(trials):
        raise ValueError(f"{successes} of {trials}: whole numbers, no more successes than trials, are accepted.")
    counts = (int(successes), int(trials - successes), None, None)
    if trials == 0:
        return Estimate(None, None, None, *counts, "no trial")
    share = successes / trials
    return Estimate(share, *_wilson_limits(share, trials, float(ndtri((1 + level) / 2))), *counts, None, WILSON)


def clustered_wilson(
    events: NDArray[np.float64], films: NDArray[np.float64], level: float = 0.95
) -> tuple[float, float]:
    """Return Wilson's limits of a share of films, with as many trials as the films are worth.

    Films of one patient tell less than as many patients would. The films are divided by the design effect,
    the variance of the share between patients over that of independent films; it is taken as no less than 1,
    and Student's quantile replaces the normal one, since that variance rests on few patients.

    Args:
        events: (patients,) number of films with the event, of each patient.
        films: (patients,) number of films of each patient, at least 1; not all or none with the event, at
            least two patients.
        level: in (0, 1).

    Source: Rao and Scott, A simple method for the analysis of clustered binary data, Biometrics 48 (1992)
    577-585, for the design effect; Korn and Graubard, Survey Methodology 24 (1998) 193-201, for Student's
    quantile; Wilson (1927).
    """
    number, total = len(films), films.sum()
    share = events.sum() / total
    variance = number / (number - 1) * ((events - share * films) ** 2).sum() / total**2
    worth = min(share * (1 - share) / variance, total) if variance > 0 else total
    return _wilson_limits(share, worth, float(stdtrit(number - 1, (1 + level) / 2)))


def patient_share(
    event: ArrayLike,
    patients: ArrayLike,
    among: ArrayLike | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    bootstrap_from: int = BOOTSTRAP_FROM,
    *,
    counts: tuple[int, int, int, int] | None = None,
    empty: str = "no film",
    words: str = "patients",
) -> Estimate:
    """Return the share of films on which an event holds.

    A share of films, not of patients: a patient with many films weighs more.

    Args:
        event: (n,) bool or 0/1.
        patients: (n,) of whole numbers or strings.
        among: (n,) bool, the films that are counted; None is all.
        resamples, seed, level: as in :func:`.intervals.patient_bootstrap_auc`.
        min_patients: patients with a film among them below which there is no value.
        bootstrap_from: patients with, and patients without the event from which percentiles are used.
        counts: of the Estimate, where they are not films with and without the event.
        empty: the reason where no film is counted.
        words: whom ``min_patients`` counts, for the reason.

    Returns:
        Estimate. The interval is Wilson's where each patient has one film; else percentiles of resampled
        patients where there are enough, and Wilson's clustered by patient where not. Of a share of 0 or 1
        no resample differs, and it is Wilson's with each patient as one trial.

    Raises:
        ValueError: for other shapes or values.

    Source: Field and Welsh (2007), as in :mod:`.resampling`; Efron and Tibshirani (1993), chapter 13;
    :func:`clustered_wilson`; Wilson (1927).
    """
    share = Share(event, among, counts, empty, words)
    return patient_shares([share], patients, resamples, seed, level, min_patients, bootstrap_from)[0]


def patient_shares(
    shares: Sequence[Share],
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    bootstrap_from: int = BOOTSTRAP_FROM,
) -> tuple[Estimate, ...]:
    """Return :func:`patient_share` of each, all from the same resamples, which are gone through once.

    Raises:
        ValueError: for other shapes or values.
    """
    check_level(level)
    todo, sums, estimates = [], [], []
    for share in shares:
        event = check_labels(share.event)
        among = np.ones(len(event), dtype=bool) if share.among is None else check_labels(share.among)
        number, which = index_patients(patients, len(event))
        patients = which  # numbers in the order of the names: the same draws, and faster to look through
        counts = share.counts or count_cases(event[among], which[among])
        films = np.bincount(which[among], minlength=number).astype(np.float64)
        events = np.bincount(which[among & event], minlength=number).astype(np.float64)
        estimate = _without_resamples(events, films, counts, share, level, min_patients, bootstrap_from)
        if estimate is None:
            todo.append(len(estimates))
            sums += [events, films]
        estimates.append(estimate or counts)
    if todo:
        replicates = sum_replicates(np.stack(sums), resamples, seed)
        for k, done, of in zip(todo, replicates[::2], replicates[1::2], strict=True):
            events, films = sums[2 * todo.index(k)], sums[2 * todo.index(k) + 1]
            share_of_draws = np.divide(done, of, out=np.full(len(of), np.nan), where=of > 0)
            low, high, reason = percentile_interval(share_of_draws, level)
            value, counts = float(events.sum() / films.sum()), estimates[k]
            if reason == "too few cases":
                reason = f"too few cases: {int((films > 0).sum())} {shares[k].words}"
                value = None
            estimates[k] = Estimate(value, low, high, *counts, reason, None if reason else PATIENT_BOOTSTRAP)
    return tuple(estimates)


def _without_resamples(events, films, counts, share: Share, level, min_patients, bootstrap_from) -> Estimate | None:
    """Return the estimate from counts of each patient; None where the interval is one of resamples."""
    counted = films > 0
    trials = int(counted.sum())
    if not trials:
        return Estimate(None, None, None, *counts, share.empty)
    if trials < min_patients:
        return Estimate(None, None, None, *counts, f"too few cases: {trials} {share.words}")
    total, successes = int(films.sum()), int(events.sum())
    value = successes / total
    if total == trials or value in (0.0, 1.0):
        of_patients = wilson(successes if total == trials else int(value) * trials, trials, level)
        return Estimate(value, of_patients.low, of_patients.high, *counts, None, WILSON)
    if min((events > 0).sum(), (events < films).sum()) >= bootstrap_from:
        return None
    if trials == 1:
        return Estimate(value, None, None, *counts, "no interval: one patient")
    low, high = clustered_wilson(events[counted], films[counted], level)
    return Estimate(value, low, high, *counts, None, CLUSTERED_WILSON)


def patient_mean(
    values: ArrayLike,
    patients: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    bootstrap_from: int = BOOTSTRAP_FROM,
    *,
    lowest: float = -math.inf,
    highest: float = math.inf,
    counts: tuple[int, int, int, int] | None = None,
) -> Estimate:
    """Return the mean of a number over films.

    A mean over films, not over patients: a patient with many films weighs more.

    Args:
        values: (n,) finite, one number a film.
        patients: (n,) of whole numbers or strings.
        resamples, seed, level, min_patients: as in :func:`patient_share`.
        bootstrap_from: patients from which percentiles are used; below, the spread between patients with
            Student's quantile.
        lowest, highest: what the number cannot go beyond; the interval is cut there.
        counts: of the Estimate, where the number has to do with a label.

    Returns:
        Estimate that counts all films as positive where no other counts are given. Value None with reason ``"no
        film"`` or ``"too few cases: 3 patients"``.

    Raises:
        ValueError: for other shapes or values.

    Source: Field and Welsh (2007); a ratio of sums over patients, linearised, as in Cochran, Sampling
    Techniques (1977), 6.4.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"Values of shape {values.shape}: (n,) finite numbers are accepted.")
    check_level(level)
    number, which = index_patients(patients, len(values))
    counts = counts or (len(values), 0, number, 0)
    if number < max(min_patients, 1):
        return Estimate(None, None, None, *counts, f"too few cases: {number} patients" if number else "no film")
    sums = patient_sums(np.stack([values, np.ones(len(values))]), which, number)
    value = float(sums[0].sum() / sums[1].sum())
    if number >= bootstrap_from:
        done, of = sum_replicates(sums, resamples, seed)
        low, high, reason = percentile_interval(done / of, level)
        return Estimate(value, low, high, *counts, reason, None if reason else PATIENT_BOOTSTRAP)
    apart = sums[0] - value * sums[1]
    if number == 1 or not np.abs(apart).max() > 1e-12:
        return Estimate(value, None, None, *counts, "no interval: no spread between patients")
    error = math.sqrt(number / (number - 1) * float(apart @ apart)) / len(values)
    half = float(stdtrit(number - 1, (1 + level) / 2)) * error
    return Estimate(value, max(value - half, lowest), min(value + half, highest), *counts, None, CLUSTERED)


def _wilson_limits(share: float, trials: float, z: float) -> tuple[float, float]:
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    # At the ends the limit is 0 or 1 exactly, which rounding would miss by a little.
    low = 0.0 if share == 0 else max(float(middle - half), 0.0)
    high = 1.0 if share == 1 else min(float(middle + half), 1.0)
    return low, high
