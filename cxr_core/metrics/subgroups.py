"""Who is missed more often: one class at its threshold, in groups of patients and in their crossings.

A gap between groups is no proof of an unfair model: groups differ in how ill they are, how they are filmed and
how their films were labelled. No gap with few cases is no proof of a fair one. Many groups make some gap by
chance; intervals are of each group alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .clustered import auc_of_columns
from .estimate import FROM_GROUPS, Estimate
from .intervals import BOOTSTRAP_FROM, count_cases
from .ranking import check_labels_and_scores
from .resampling import index_patients, resamples_for
from .shares import Share, patient_shares

__all__ = ["UNKNOWN", "SubgroupRow", "age_bands", "subgroups"]

UNKNOWN = "unknown"
OLDEST = 110
"""Ages over this are slips of the pen (ChestX-ray14 has some of 400) and count as unknown."""


@dataclass(frozen=True)
class SubgroupRow:
    """One group, at one threshold.

    Attributes:
        group: pairs of characteristic and name, such as ``(("sex", "F"), ("view", "AP"))``; empty for all films.
        films, patients: how many, with and without the label.
        false_negative_rate: of the positive films the share below the threshold: the missed ones.
        gap: false negative rate of the group less that of all films outside it; None for all films.
        false_positive_rate: of the negative films the share above.
        auc: within the group; it holds nothing of a threshold that is wrong for it.
    """

    group: tuple[tuple[str, str], ...]
    films: int
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
    resamples: int | None = None,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
    bootstrap_from: int = BOOTSTRAP_FROM,
) -> tuple[SubgroupRow, ...]:
    """Return rows for all films, for each group and for crossings of groups.

    Args:
        labels: (n,) bool or 0/1, of one class.
        scores: (n,) finite.
        threshold: a number or an infinity.
        patients: (n,) of whole numbers or strings.
        characteristics: name to (n,) strings, such as the sex; an empty string is :data:`UNKNOWN`.
        crossings: how many characteristics are crossed at most; 1 for none.
        resamples: for all groups the same; None is :func:`.resampling.resamples_for` so many films.
        seed, level, min_patients, bootstrap_from: as in :func:`.shares.patient_share`.

    Returns:
        The row of all films; then those of one characteristic, those of two and so on, each kind with the
        highest false negative rate first and those without a value last.

    Raises:
        ValueError: for other shapes or values.

    Source: Seyyed-Kalantari et al., Underdiagnosis bias of artificial intelligence algorithms applied to chest
    radiographs, Nature Medicine 27 (2021) 2176-2182, for misses first and for crossings.
    """
    labels, scores = check_labels_and_scores(labels, scores)
    if math.isnan(threshold):
        raise ValueError("A threshold of NaN: a number is accepted.")
    resamples = resamples_for(len(labels)) if resamples is None else resamples
    # numbers in the order of the names: the same draws, and faster to look through
    patients, above = index_patients(patients, len(labels))[1], scores >= threshold
    names = {name: _names(name, values, len(labels)) for name, values in characteristics.items()}
    groups = [((), np.ones(len(labels), dtype=bool))]
    for depth in range(1, crossings + 1):
        groups += _groups(names, depth, len(labels))

    def rate(event: NDArray, kind: NDArray, word: str, inside: NDArray) -> Share:
        counts = count_cases(labels[inside], patients[inside])
        return Share(event, kind & inside, counts, f"no {word}", f"{word} patients")

    shares = [
        share
        for _, inside in groups
        for share in (
            rate(~above, labels, "positive", inside),
            rate(~above, labels, "positive", ~inside),
            rate(above, ~labels, "negative", inside),
        )
    ]
    rows_of = [np.flatnonzero(inside) for _, inside in groups]
    options = (resamples, seed, level, min_patients, bootstrap_from)
    found = patient_shares(shares, patients, *options)
    areas = auc_of_columns([(labels[rows], scores[rows], rows) for rows in rows_of], patients, *options)
    table = [
        SubgroupRow(
            group,
            len(rows),
            len(np.unique(patients[rows])),
            missed,
            _difference(missed, elsewhere) if group else None,
            false_positives,
            area,
        )
        for (group, _), rows, missed, elsewhere, false_positives, area in zip(
            groups, rows_of, found[::3], found[1::3], found[2::3], areas, strict=True
        )
    ]
    return tuple(sorted(table, key=_depth_then_missed))


def _depth_then_missed(row: SubgroupRow) -> tuple[int, float]:
    missed = row.false_negative_rate.value
    return len(row.group), math.inf if missed is None else -missed


def age_bands(ages: ArrayLike, edges: tuple[int, ...] = (18, 40, 60, 80)) -> NDArray[np.str_]:
    """Return names of age bands: "under 18", "18 to 39", ..., "80 and over".

    Args:
        ages: (n,) years; NaN, negative, or over :data:`OLDEST` is :data:`UNKNOWN`.
        edges: first year of each band but the first, ascending.
    """
    ages = np.asarray(ages, dtype=np.float64)
    between = [f"{low} to {high - 1}" for low, high in pairwise(edges)]
    names = np.array([f"under {edges[0]}", *between, f"{edges[-1]} and over", UNKNOWN])
    sound = np.isfinite(ages) & (ages >= 0) & (ages <= OLDEST)
    return names[np.where(sound, np.searchsorted(edges, np.where(sound, ages, 0), side="right"), len(names) - 1)]


def _names(name: str, values: ArrayLike, films: int) -> NDArray[np.str_]:
    values = np.asarray(values)
    if values.shape != (films,) or values.dtype.kind not in "UO":
        raise ValueError(
            f"{name} of shape {values.shape}, {values.dtype}: a string for each of {films} films is accepted."
        )
    values = values.astype(str)
    return np.where(values == "", UNKNOWN, values)


def _groups(names: Mapping[str, NDArray], depth: int, films: int) -> Iterator[tuple[tuple, NDArray[np.bool_]]]:
    """Yield every combination that has a film, and which films are in it."""
    coded = {name: np.unique(values, return_inverse=True) for name, values in names.items()}
    for chosen in combinations(names, depth):
        # one number for each combination, counting up in the order of the names
        crossed = np.zeros(films, dtype=np.intp)
        for name in chosen:
            distinct, code = coded[name]
            crossed = crossed * len(distinct) + code
        for number in np.unique(crossed):
            inside = crossed == number
            first = int(np.argmax(inside))
            yield tuple((name, str(names[name][first])) for name in chosen), inside


def _difference(one: Estimate, other: Estimate) -> Estimate:
    """Return the difference of two shares from the limits of each (MOVER).

    The two are taken as independent; patients who are in both leave the interval rather too wide.

    Source: Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10; Zou and Donner, the same journal 27
    (2008) 1693-1702, for limits of any kind.
    """
    counts = (one.positives, one.negatives, one.positive_patients, one.negative_patients)
    if one.value is None:
        return Estimate(None, None, None, *counts, one.reason)
    if other.value is None:
        return Estimate(None, None, None, *counts, f"outside the group: {other.reason}")
    value = one.value - other.value
    if one.low is None or other.low is None:
        return Estimate(value, None, None, *counts, one.reason or other.reason)
    low = value - math.hypot(one.value - one.low, other.high - other.value)
    high = value + math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, low, high, *counts, None, FROM_GROUPS)
