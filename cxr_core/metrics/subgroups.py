"""One class at its threshold in subgroups of patients and in their intersections: who is missed more often.

A gap between subgroups is no proof of an unfair model: they differ in how ill patients are, how they are imaged and
how images were labelled. No gap with few cases is no proof of a fair one. Many subgroups make some gap by chance;
intervals are of each subgroup alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import FROM_GROUPS, Estimate
from ..labels import MAX_AGE
from .auc import auc_of_subsets
from .bootstrap import BootstrapOptions, default_resamples
from .cases import check_labels_and_scores, check_threshold, count_cases, index_patients
from .proportions import Proportion, patient_proportions

__all__ = ["UNKNOWN", "SubgroupRow", "age_bands", "subgroups"]

UNKNOWN = "unknown"
"""The group of images whose view, sex or age is not known."""


@dataclass(frozen=True)
class SubgroupRow:
    """One subgroup, at one threshold.

    Attributes:
        group: pairs of characteristic and name, such as ``(("sex", "F"), ("view", "AP"))``; empty for all images.
        images, patients: number, with and without the label.
        false_negative_rate: proportion of the positive images below the threshold: the missed ones.
        gap: false negative rate of the subgroup minus that of all images outside it; None for all images.
        false_positive_rate: proportion of the negative images above the threshold.
        auc: within the subgroup; it does not show a threshold that is wrong for it.
    """

    group: tuple[tuple[str, str], ...]
    images: int
    patients: int
    false_negative_rate: Estimate
    gap: Estimate | None
    false_positive_rate: Estimate
    auc: Estimate


def subgroups(
    labels: ArrayLike,
    scores: ArrayLike,
    threshold: float,
    patients: ArrayLike,
    characteristics: Mapping[str, ArrayLike],
    crossings: int = 2,
    options: BootstrapOptions | None = None,
) -> tuple[SubgroupRow, ...]:
    """Return rows for all images, for each subgroup and for intersections of subgroups.

    Args:
        labels: (n,) bool or 0/1, of one class.
        scores: (n,) finite.
        threshold: a number or an infinity.
        patients: (n,) whole numbers or strings.
        characteristics: name to (n,) strings, such as the sex; an empty string is :data:`UNKNOWN`.
        crossings: largest number of characteristics that are crossed; 1 for none.
        options: of the intervals, the same for all; None is :func:`.bootstrap.default_resamples`.

    Returns:
        The row of all images; then those of one characteristic, those of two and so on, each with the highest false
        negative rate first and those without a value last.

    Raises:
        ValueError: for other shapes or values.

    References:
        Seyyed-Kalantari et al., Underdiagnosis bias of artificial intelligence algorithms applied to chest
        radiographs, Nature Medicine 27 (2021) 2176-2182, for false negatives first and for intersections.

    Examples:
        >>> generator = np.random.default_rng(0)
        >>> labels, sex = np.arange(120) % 3 == 0, np.array(["F", "M"])[np.arange(120) % 2]
        >>> rows = subgroups(labels, labels + generator.normal(size=120), 0.5, np.arange(120), {"sex": sex})
        >>> [(row.group, row.images, round(row.false_negative_rate.value, 3)) for row in rows]
        [((), 120, 0.4), ((('sex', 'M'),), 60, 0.5), ((('sex', 'F'),), 60, 0.3)]
    """
    labels, scores = check_labels_and_scores(labels, scores)
    options = options or BootstrapOptions(default_resamples(len(labels)))
    # numbers in the order of the names: the same draws, and faster to look up
    which, above = index_patients(patients, len(labels))[1], scores >= check_threshold(threshold)
    names = {name: _names(name, values, len(labels)) for name, values in characteristics.items()}
    groups: list[tuple[tuple[tuple[str, str], ...], NDArray[np.bool_]]] = [((), np.ones(len(labels), dtype=bool))]
    for depth in range(1, crossings + 1):
        groups += _groups(names, depth, len(labels))

    def missed(inside: NDArray[np.bool_]) -> Proportion:
        counts = count_cases(labels[inside], which[inside])
        return Proportion(~above, labels & inside, counts, "no positive", "positive {}")

    def false_alarms(inside: NDArray[np.bool_]) -> Proportion:
        counts = count_cases(labels[inside], which[inside])
        return Proportion(above, ~labels & inside, counts, "no negative", "negative {}")

    wanted = [rate for _, inside in groups for rate in (missed(inside), missed(~inside), false_alarms(inside))]
    estimates = patient_proportions(wanted, which, options)
    rows_of = [np.flatnonzero(inside) for _, inside in groups]
    areas = auc_of_subsets([(labels[rows], scores[rows], rows) for rows in rows_of], which, options)
    table = [
        SubgroupRow(
            group,
            len(rows),
            len(np.unique(which[rows])),
            inside_rate,
            _difference(inside_rate, outside_rate) if group else None,
            false_positive_rate,
            auc,
        )
        for (group, _), rows, inside_rate, outside_rate, false_positive_rate, auc in zip(
            groups, rows_of, estimates[::3], estimates[1::3], estimates[2::3], areas, strict=True
        )
    ]
    return tuple(sorted(table, key=_depth_then_rate))


def _depth_then_rate(row: SubgroupRow) -> tuple[int, float]:
    rate = row.false_negative_rate.value
    return len(row.group), math.inf if rate is None else -rate


def age_bands(ages: ArrayLike, edges: tuple[int, ...] = (18, 40, 60, 80)) -> NDArray[np.str_]:
    """Return names of age bands: "under 18", "18 to 39", ..., "80 and over".

    Args:
        ages: (n,) years; NaN, negative, or over :data:`cxr_core.labels.MAX_AGE` is :data:`UNKNOWN`.
        edges: first year of each band but the first, ascending.

    Examples:
        >>> age_bands([17, 18, 85, 400]).tolist()
        ['under 18', '18 to 39', '80 and over', 'unknown']
    """
    ages = np.asarray(ages, dtype=np.float64)
    between = [f"{low} to {high - 1}" for low, high in pairwise(edges)]
    names = np.array([f"under {edges[0]}", *between, f"{edges[-1]} and over", UNKNOWN])
    valid = np.isfinite(ages) & (ages >= 0) & (ages <= MAX_AGE)
    return names[np.where(valid, np.searchsorted(edges, np.where(valid, ages, 0), side="right"), len(names) - 1)]


def _names(name: str, values: ArrayLike, images: int) -> NDArray[np.str_]:
    values = np.asarray(values)
    if values.shape != (images,) or values.dtype.kind not in "UO":
        raise ValueError(
            f"{name} of shape {values.shape}, {values.dtype}: a string for each of {images} images is accepted."
        )
    strings = values.astype(str)
    return np.where(strings == "", UNKNOWN, strings)


def _groups(
    names: Mapping[str, NDArray[np.str_]], depth: int, images: int
) -> Iterator[tuple[tuple[tuple[str, str], ...], NDArray[np.bool_]]]:
    """Yield every combination that has an image, and which images are in it."""
    coded = {name: np.unique(values, return_inverse=True) for name, values in names.items()}
    for chosen in combinations(names, depth):
        # one number for each combination, counting up in the order of the names
        crossed = np.zeros(images, dtype=np.intp)
        for name in chosen:
            distinct, code = coded[name]
            crossed = crossed * len(distinct) + code
        for number in np.unique(crossed):
            inside = crossed == number
            first = int(np.argmax(inside))
            yield tuple((name, str(names[name][first])) for name in chosen), inside


def _difference(inside: Estimate, outside: Estimate) -> Estimate:
    """Return the difference of two proportions from the limits of each (MOVER).

    The two are taken as independent; patients who are in both leave the interval rather too wide.

    References:
        Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10; Zou and Donner, the same journal 27 (2008)
        1693-1702, for limits of any kind.
    """
    first, first_low, first_high = inside.value, inside.low, inside.high
    second, second_low, second_high = outside.value, outside.low, outside.high
    if first is None:
        return Estimate(None, counts=inside.counts, reason=inside.reason)
    if second is None:
        return Estimate.missing(f"outside the group: {outside.reason}", inside.counts)
    value = first - second
    if first_low is None or first_high is None or second_low is None or second_high is None:
        return Estimate(value, counts=inside.counts, reason=inside.reason or outside.reason)
    low = value - math.hypot(first - first_low, second_high - second)
    high = value + math.hypot(first_high - first, second - second_low)
    return Estimate(value, low, high, inside.counts, method=FROM_GROUPS)
