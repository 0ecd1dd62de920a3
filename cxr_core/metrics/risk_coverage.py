"""Selective prediction: the error rate when the images that the model is least confident of are withheld.

Withholding helps only where someone reads what is withheld. A lower risk among the rest can also come from
withholding the positives: the number withheld stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import Estimate
from .bootstrap import BootstrapOptions, default_resamples, multiplicities, with_percentiles
from .cases import check_labels_and_scores, check_threshold, count_cases, index_patients, insufficient_cases
from .proportions import Proportion, patient_proportions

__all__ = ["CoveragePoint", "RiskCoverage", "risk_coverage"]


@dataclass(frozen=True)
class CoveragePoint:
    """The images that remain at one level of confidence.

    Attributes:
        coverage: proportion of images that remain, no less than was asked for.
        images: that remain.
        positives_withheld: positive images that are withheld.
        risk: proportion of the remaining images on the wrong side of the threshold.
        sensitivity, specificity: among the remaining images.
    """

    coverage: float
    images: int
    positives_withheld: int
    risk: Estimate
    sensitivity: Estimate
    specificity: Estimate


@dataclass(frozen=True)
class RiskCoverage:
    """The risk-coverage curve and the area under it.

    Attributes:
        points: in the order of the coverages asked for.
        area: the mean risk over all coverages, from the most confident image alone to all images: lower is better.
            Confidence that says nothing gives about the risk at full coverage.
        full_coverage: the risk where nothing is withheld, the reference for ``area``.
    """

    points: tuple[CoveragePoint, ...]
    area: Estimate
    full_coverage: Estimate


def risk_coverage(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    confidence: ArrayLike,
    patients: ArrayLike,
    coverages: ArrayLike = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    options: BootstrapOptions | None = None,
) -> RiskCoverage:
    """Return risk, sensitivity and specificity when the images that the model is least confident of are withheld.

    Args:
        labels: (n,) bool or 0/1.
        scores: (n,) finite.
        threshold: a number or an infinity.
        confidence: (n,) finite; higher is more confident, such as the distance of score and threshold in log-odds.
            Images of the same confidence are withheld together.
        patients: (n,) whole numbers or strings.
        coverages: (k,) proportions of images that remain, each in (0, 1].
        options: of the intervals; None is :func:`.bootstrap.default_resamples`.

    Raises:
        ValueError: for other shapes or values.

    References:
        El-Yaniv and Wiener, On the foundations of noise-free selective classification, Journal of Machine Learning
        Research 11 (2010) 1605-1641; area: Geifman, Uziel and El-Yaniv, ICLR 2019.

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> labels = np.arange(90) % 3 == 0
        >>> scores = labels + generator.normal(size=90)
        >>> curve = risk_coverage(labels, scores, 0.5, abs(scores - 0.5), np.arange(90), coverages=[0.5, 1.0])
        >>> [(point.images, round(point.risk.value, 3)) for point in curve.points]
        [(45, 0.333), (90, 0.356)]
    """
    labels, scores = check_labels_and_scores(labels, scores)
    confidence = check_labels_and_scores(labels, confidence)[1]
    # numbers in the order of the names: the same draws, and faster to look up
    number, which = index_patients(patients, len(labels))
    options = options or BootstrapOptions(default_resamples(len(labels)))
    coverages = np.asarray(coverages, dtype=np.float64)
    if coverages.ndim != 1 or not ((coverages > 0) & (coverages <= 1)).all():
        raise ValueError("Coverages outside (0, 1]: (k,) proportions above 0 and up to 1 are accepted.")
    above = scores >= check_threshold(threshold)
    wrong = above != labels
    selections = []
    for coverage in coverages if len(labels) else ():
        # A quotient of whole numbers rounds as the written decimal does, so 0.9 of 10 images are 9.
        last = int(np.searchsorted(np.arange(1, len(labels) + 1) / len(labels), coverage))
        selections.append(confidence >= np.sort(confidence)[::-1][last])
    wanted = []
    for selected in (np.ones(len(labels), dtype=bool), *selections):
        counts = count_cases(labels[selected], which[selected])
        wanted += [
            Proportion(wrong, selected, counts),
            Proportion(above, labels & selected, counts, "no positive", "positive {}"),
            Proportion(~above, ~labels & selected, counts, "no negative", "negative {}"),
        ]
    full, _, _, *estimates = patient_proportions(wanted, which, options)
    points = tuple(
        CoveragePoint(float(selected.mean()), int(selected.sum()), int((labels & ~selected).sum()), *three)
        for selected, *three in zip(selections, estimates[::3], estimates[1::3], estimates[2::3], strict=True)
    )
    counts = count_cases(labels, which)
    reason = insufficient_cases(counts, options.min_patients)
    if reason:
        return RiskCoverage(points, Estimate.missing(reason, counts), full)
    order = np.argsort(-confidence, kind="stable")
    # the last image of each level of confidence: its images enter at once
    ends = np.flatnonzero(np.diff(confidence[order], append=-np.inf))
    arrays = which[order], wrong[order].astype(np.float64), slice(None) if len(ends) == len(order) else ends
    replicates = [
        _area(times, *arrays) for drawn in multiplicities(number, options) for times in np.ascontiguousarray(drawn.T)
    ]
    estimate = Estimate(_area(np.ones(number), *arrays), counts=counts)
    return RiskCoverage(points, with_percentiles(estimate, np.array(replicates), options), full)


def _area(
    times: NDArray[np.float64], which: NDArray[np.intp], wrong: NDArray[np.float64], ends: NDArray[np.intp] | slice
) -> float:
    """Return the mean risk over the images, by falling confidence, with each patient so many times.

    The images of one level enter at once, each at the risk of all that are as confident or more.
    """
    images = times[which]
    entered, errors = np.cumsum(images)[ends], np.cumsum(images * wrong)[ends]
    risk = np.divide(errors, entered, out=np.zeros_like(entered), where=entered > 0)
    return float((np.diff(entered, prepend=0.0) * risk).sum() / entered[-1])
