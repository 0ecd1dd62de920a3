"""Risk against coverage: what is left of the errors when the films the model is least sure of are withheld.

Withholding helps only where someone reads what is withheld. A lower risk among the rest can also come from
withholding the positives: their share among the kept stands beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .estimate import Estimate
from .intervals import BOOTSTRAP_FROM, count_cases, why_not, with_percentiles
from .ranking import check_labels_and_scores
from .resampling import check_level, index_patients, multiplicities, resamples_for
from .shares import Share, patient_shares

__all__ = ["CoveragePoint", "RiskCoverage", "risk_coverage"]


@dataclass(frozen=True)
class CoveragePoint:
    """What is kept at one limit of sureness.

    Attributes:
        coverage: the share of films that are kept, no less than was asked for.
        films: kept.
        positives_withheld: positive films that are withheld.
        risk: of the kept films the share on the wrong side of the threshold.
        sensitivity, specificity: among the kept films.
    """

    coverage: float
    films: int
    positives_withheld: int
    risk: Estimate
    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True)
class RiskCoverage:
    """The curve and its area.

    Attributes:
        points: in the order of the coverages asked for.
        area: the mean risk over all coverages, from the surest film alone to all films: lower is better.
            Sureness that says nothing gives about the risk of all films.
        everyone: the risk where nothing is withheld, what ``area`` is to be held against.
    """

    points: tuple[CoveragePoint, ...]
    area: Estimate
    everyone: Estimate


def risk_coverage(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    sureness: ArrayLike,
    patients: ArrayLike,
    coverages: ArrayLike = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    resamples: int | None = None,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    bootstrap_from: int = BOOTSTRAP_FROM,
) -> RiskCoverage:
    """Return risk, sensitivity and specificity when the films the model is least sure of are withheld.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite.
        threshold: a number or an infinity.
        sureness: (n,) finite; higher is surer, such as the distance of score and threshold in log-odds. Films of
            the same sureness are kept or withheld together.
        patients: (n,) of whole numbers or strings.
        coverages: shares of films to keep, each in (0, 1].
        resamples: None is :func:`.resampling.resamples_for` so many films.
        seed, level, min_patients, bootstrap_from: as in :func:`.shares.patient_share`.

    Raises:
        ValueError: for other shapes or values.

    Source: El-Yaniv and Wiener, On the foundations of noise-free selective classification, Journal of Machine
    Learning Research 11 (2010) 1605-1641; area: Geifman, Uziel and El-Yaniv, ICLR 2019.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    sureness = check_labels_and_scores(labels, sureness)[1]
    number, which = index_patients(patients, len(labels))
    # numbers in the order of the names: the same draws, and faster to look through
    patients = which
    check_level(level)
    if math.isnan(threshold):
        raise ValueError("A threshold of NaN: a number is accepted.")
    coverages = np.asarray(coverages, dtype=np.float64)
    if coverages.ndim != 1 or not ((coverages > 0) & (coverages <= 1)).all():
        raise ValueError("Coverages beyond 0 and 1: (k,) shares over 0 and up to 1 are accepted.")
    resamples = resamples_for(len(labels)) if resamples is None else resamples
    above = scores >= threshold
    wrong = above != labels
    limits = []
    for coverage in coverages if len(labels) else ():
        # A quotient of whole numbers rounds as the written share does, so 0.9 of 10 films are 9.
        last = int(np.searchsorted(np.arange(1, len(labels) + 1) / len(labels), coverage))
        limits.append(sureness >= np.sort(sureness)[::-1][last])
    shares = []
    for kept in (np.ones(len(labels), dtype=bool), *limits):
        counts = count_cases(labels[kept], patients[kept])
        shares += [
            Share(wrong, kept, counts),
            Share(above, labels & kept, counts, "no positive", "positive patients"),
            Share(~above, ~labels & kept, counts, "no negative", "negative patients"),
        ]
    found = patient_shares(shares, patients, resamples, seed, level, min_patients, bootstrap_from)
    everyone = found[0]
    points = [
        CoveragePoint(float(kept.mean()), int(kept.sum()), int((labels & ~kept).sum()), *found[3 * k + 3 : 3 * k + 6])
        for k, kept in enumerate(limits)
    ]
    counts = count_cases(labels, patients)
    reason = why_not(counts, min_patients)
    if reason:
        return RiskCoverage(tuple(points), Estimate(None, None, None, *counts, reason), everyone)
    order = np.argsort(-sureness, kind="stable")
    # the last film of each level of sureness: its films enter at once
    ends = np.flatnonzero(np.diff(sureness[order], append=-np.inf))
    if len(ends) == len(order):
        ends = slice(None)
    of_films = which[order], wrong[order].astype(np.float64), ends
    value = _area(np.ones(number), *of_films)
    replicates = [
        _area(times, *of_films)
        for drawn in multiplicities(number, resamples, seed)
        for times in np.ascontiguousarray(drawn.T)
    ]
    estimate = Estimate(value, None, None, *counts, None)
    return RiskCoverage(tuple(points), with_percentiles(estimate, np.array(replicates), level), everyone)


def _area(times, which, wrong, ends) -> float:
    """Return the mean risk over films kept, from the surest down, with each patient so many times.

    The films of one level enter at once, each at the risk of all that are as sure or surer.
    """
    films = times[which]
    kept, errors = np.cumsum(films)[ends], np.cumsum(films * wrong)[ends]
    risk = np.divide(errors, kept, out=np.zeros_like(kept), where=kept > 0)
    return float((np.diff(kept, prepend=0.0) * risk).sum() / kept[-1])
