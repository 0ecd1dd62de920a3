"""Baselines of heat maps, and paired tests of the maps against them.

A map that marks what is special of its image beats two guesses that do not look at the image: the image's centre, and
the average of the maps of other patients with the same finding, which knows where a finding usually lies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import Estimate
from .bootstrap import DEFAULTS, BootstrapOptions
from .cases import index_patients
from .patient_sums import patient_sums
from .proportions import patient_mean

__all__ = [
    "PairedDifference",
    "average_of_others",
    "best_threshold_of_others",
    "levels_of_equal_area",
    "paired_difference",
    "sign_flip_test",
]

_MOST_STEPS = 20_000
"""Largest sum of whole differences for which the distribution is enumerated."""


@dataclass(frozen=True)
class PairedDifference:
    """The mean difference of two numbers of the same images.

    Attributes:
        difference: with its interval, clustered by patient.
        p_value: two-sided, by :func:`sign_flip_test`, not adjusted; None where the difference has no value.
    """

    difference: Estimate
    p_value: float | None


def average_of_others(maps: ArrayLike, patients: ArrayLike) -> NDArray[np.float64]:
    """Return for each map the mean of the maps of all other patients.

    Left out is the patient, not the image: another image of the same patient shows the same finding in the same place.

    Args:
        maps: (n, rows, columns) finite, of one label.
        patients: (n,) whole numbers or strings.

    Returns:
        (n, rows, columns) float64; NaN where there is no other patient.

    Raises:
        ValueError: for other shapes.

    Examples:
        >>> average_of_others([[[1.0, 3.0]], [[5.0, 5.0]], [[2.0, 0.0]]], [7, 7, 8]).tolist()
        [[[2.0, 0.0]], [[2.0, 0.0]], [[3.0, 4.0]]]
    """
    maps = np.asarray(maps, dtype=np.float64)
    if maps.ndim != 3:
        raise ValueError(f"Maps of shape {maps.shape}: (n, rows, columns) are accepted.")
    number, which = index_patients(patients, len(maps))
    sums = np.zeros((number, *maps.shape[1:]))
    np.add.at(sums, which, maps)
    others = len(maps) - np.bincount(which, minlength=number)[which]
    with np.errstate(invalid="ignore"):
        average = (maps.sum(axis=0) - sums[which]) / others[:, None, None]
    average[others == 0] = np.nan
    return np.asarray(average)


def levels_of_equal_area(cells: NDArray[np.float64], marked: ArrayLike) -> NDArray[np.float64]:
    """Return the levels at which as large a proportion of a map is marked: its strongest cells.

    Args:
        cells: (rows, columns) finite.
        marked: (t,) proportions in [0, 1].

    Returns:
        (t,) float64; infinite where no cell is marked.

    Examples:
        >>> levels_of_equal_area(np.array([[1.0, 4.0], [3.0, 2.0]]), [0.5, 0.0]).tolist()
        [3.0, inf]
    """
    strongest = np.sort(cells, axis=None)[::-1]
    count = np.rint(np.asarray(marked, dtype=np.float64) * strongest.size).astype(int)
    return np.where(count > 0, strongest[np.maximum(count, 1) - 1], np.inf)


def best_threshold_of_others(overlap: ArrayLike, patients: ArrayLike) -> NDArray[np.intp]:
    """Return for each image the threshold with the largest mean overlap on the images of all other patients.

    So no image takes part in the choice of its own threshold; the choice itself is not part of the intervals.

    Args:
        overlap: (n, t) intersection over union by threshold.
        patients: (n,) whole numbers or strings.

    Returns:
        (n,) index of the threshold, the lowest of several; of all images where there is no other patient.

    Examples:
        >>> best_threshold_of_others([[0.9, 0.1], [0.2, 0.3], [0.2, 0.4]], [1, 2, 3]).tolist()
        [1, 0, 0]
    """
    overlap = np.asarray(overlap, dtype=np.float64)
    number, which = index_patients(patients, len(overlap))
    sums = patient_sums(overlap.T, which, number).T
    images = np.bincount(which, minlength=number)[which]
    # of the mean: the number of other images is the same at every threshold, so the sums have the same largest one
    others = np.where((images < len(overlap))[:, None], overlap.sum(axis=0) - sums[which], overlap.sum(axis=0))
    return np.asarray(np.argmax(np.round(others, 12), axis=1))


def paired_difference(
    values: ArrayLike, baseline: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> PairedDifference:
    """Compare a number of the maps with that of a baseline on the same images.

    Args:
        values, baseline: (n,) in [0, 1]: hits, overlaps or proportions.
        patients: (n,) whole numbers or strings.
        options: of the interval, as in :func:`.proportions.patient_mean`; the seed is that of the test too.

    Examples:
        >>> hits, centre = [True] * 15 + [False] * 5, [True] * 5 + [False] * 15
        >>> comparison = paired_difference(hits, centre, np.arange(20))
        >>> comparison.difference.value, round(comparison.p_value, 5)
        (0.5, 0.00195)
    """
    differences = np.asarray(values, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    difference = patient_mean(differences, patients, options, lowest=-1, highest=1)
    p_value = None if difference.value is None else sign_flip_test(differences, patients, seed=options.seed)
    return PairedDifference(difference, p_value)


def sign_flip_test(differences: ArrayLike, patients: ArrayLike, *, draws: int = 9_999, seed: int = 0) -> float:
    """Return the two-sided p-value of paired differences whose patients keep or change their sign at random.

    Under the hypothesis the two methods could be exchanged within a patient, so the sum of a patient's differences is
    as likely with the other sign. Whole differences, as those of hits, are enumerated: with one image of each patient
    that is McNemar's exact test. Of others the signs are drawn, and the smallest p-value is 1 / (draws + 1).

    Args:
        differences: (n,) finite, one number an image.
        patients: (n,) whole numbers or strings.
        draws: of the signs, where the differences are not whole numbers.
        seed: of NumPy's default generator.

    References:
        Fisher, The Design of Experiments (1935), section 21; McNemar, Psychometrika 12 (1947) 153-157; Phipson and
        Smyth, Statistical Applications in Genetics and Molecular Biology 9 (2010) 39, for the drawn signs.

    Examples:
        >>> sign_flip_test([1, 1, 1, 1, 1, -1, 0], np.arange(7)), 2 * (1 + 6) / 2**6
        (0.21875, 0.21875)
    """
    differences = np.asarray(differences, dtype=np.float64)
    number, which = index_patients(patients, len(differences))
    sums = patient_sums(differences, which, number)[0]
    sums = np.abs(sums[np.abs(sums) > 1e-12])
    observed = abs(float(differences.sum()))
    if not len(sums) or observed <= 1e-12:
        return 1.0
    if np.all(sums == np.rint(sums)) and sums.sum() <= _MOST_STEPS:
        return _enumerated(sums.astype(int), round(observed))
    generator, larger, width = np.random.default_rng(seed), 0, max(1, 2**21 // len(sums))
    for start in range(0, draws, width):
        signs = generator.integers(0, 2, size=(min(width, draws - start), len(sums)), dtype=np.int8) * 2 - 1
        larger += int((np.abs(signs @ sums) >= observed - 1e-9).sum())
    return (larger + 1) / (draws + 1)


def _enumerated(sums: NDArray[np.intp], observed: int) -> float:
    """Return the probability that the sum of numbers of random sign is at least as far from 0, by convolution."""
    total = int(sums.sum())
    probability = np.zeros(2 * total + 1)
    probability[total] = 1.0
    for step in sums.tolist():
        moved = np.zeros_like(probability)
        moved[step:] += probability[:-step] / 2
        moved[:-step] += probability[step:] / 2
        probability = moved
    distance = np.abs(np.arange(-total, total + 1))
    return min(1.0, float(probability[distance >= observed].sum()))
