"""Several readers, several cases: the Obuchowski-Rockette analysis of readers against another modality or a model.

A figure of merit of every reader in both modalities, and the covariance matrix of these figures over samples of
patients, give three tests of equal mean figures: for readers and cases like these (both random), for these readers
(readers fixed), and for these cases (cases fixed). A stand-alone model is the second modality, with its figure beside
that of every reader: statistic, degrees of freedom and p-value are those of the one-modality analysis of the
differences reader minus model (Chakraborty, below).

References:
    Obuchowski and Rockette, Communications in Statistics, Simulation and Computation 24 (1995) 285-308; Hillis,
    Obuchowski, Schartz and Berbaum, Statistics in Medicine 24 (2005) 1579-1607; Hillis, Statistics in Medicine 26
    (2007) 596-619, for the degrees of freedom; Chakraborty, Observer Performance Methods for Diagnostic Imaging
    (2017), chapter 22, for a stand-alone model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from ..estimate import OBUCHOWSKI_ROCKETTE, Counts, Estimate
from .bootstrap import DEFAULTS, BootstrapOptions
from .cases import check_labels, check_level, count_cases, index_patients, insufficient_cases
from .jackknife import jackknife_covariance
from .patient_sums import patient_sums
from .readers import majority_of_others

__all__ = [
    "MeanTest",
    "MultireaderAnalysis",
    "VarianceComponents",
    "decisions_against_model",
    "obuchowski_rockette",
]


@dataclass(frozen=True)
class VarianceComponents:
    """Mean squares and covariances of the figures of merit, the components of the model of Obuchowski and Rockette.

    Attributes:
        modality, reader, interaction: mean squares of modality, reader, and modality by reader.
        error: variance of a figure over samples of patients, mean of all.
        cov1, cov2, cov3: mean covariance of one reader's figures in the two modalities, of two readers' in one
            modality, and of two readers' in different ones. As estimated: they may be negative.
    """

    modality: float
    reader: float
    interaction: float
    error: float
    cov1: float
    cov2: float
    cov3: float


@dataclass(frozen=True)
class MeanTest:
    """Mean figure of the first modality minus that of the second.

    Attributes:
        difference: with its interval.
        statistic: difference over its standard error; its square is the F or chi-square of the literature. None with
            ``reason``.
        degrees: of freedom of Student's t; infinite for the normal distribution.
        p_value: two-sided, not adjusted; None with ``reason``.
        reason: why there is no test.
    """

    difference: Estimate
    statistic: float | None
    degrees: float
    p_value: float | None
    reason: str | None = None


@dataclass(frozen=True)
class MultireaderAnalysis:
    """Three tests, which differ in what they may be generalised to.

    Attributes:
        means: mean figure of each modality, for random readers and cases; limits may lie outside [0, 1].
        random: readers and cases random: says something of readers and patients like these.
        fixed_readers: of these readers and of patients like these.
        fixed_cases: of readers like these and of these patients alone.
        components: None where cases are too few.
    """

    means: tuple[Estimate, Estimate]
    random: MeanTest
    fixed_readers: MeanTest
    fixed_cases: MeanTest
    components: VarianceComponents | None

    @classmethod
    def missing(cls, reason: str, counts: Counts | None = None) -> MultireaderAnalysis:
        """Return an analysis without numbers."""
        nothing = Estimate.missing(reason, counts)
        test = MeanTest(nothing, None, math.nan, None, reason)
        return cls((nothing, nothing), test, test, test, None)


def obuchowski_rockette(
    figures: ArrayLike, covariance: ArrayLike, counts: Counts | None = None, level: float = 0.95
) -> MultireaderAnalysis:
    """Compare the mean figure of merit of the same readers in two modalities.

    With t = 2 modalities and r readers, mean squares MS(T), MS(R), MS(TR) of the figures, and the mean covariances of
    :class:`VarianceComponents`, the squared standard error of the difference of means is 2 / r times

    - readers and cases random: MS(TR) + r max(Cov2 - Cov3, 0), Student's t with
      [MS(TR) + r max(Cov2 - Cov3, 0)]^2 / [MS(TR)^2 / ((t - 1)(r - 1))] degrees of freedom (Hillis 2007);
    - readers fixed: Var - Cov1 + (r - 1) max(Cov2 - Cov3, 0), normal;
    - cases fixed: MS(TR), Student's t with (t - 1)(r - 1): the paired t-test of the figures.

    Args:
        figures: (2, r) figure of merit of each reader in each modality, r at least 2.
        covariance: (2, r, 2, r) or (2 r, 2 r), of the figures over samples of patients.
        counts: of the Estimates.
        level: confidence level, in (0, 1).

    Raises:
        ValueError: for other shapes.

    References:
        The module's.

    Examples:
        >>> figures = np.array([[0.92, 0.86, 0.90, 0.97, 0.83], [0.95, 0.91, 0.92, 1.0, 0.93]])
        >>> covariance = 3e-4 + 5e-4 * np.eye(10)
        >>> test = obuchowski_rockette(figures, covariance).random
        >>> round(test.difference.value, 3), round(test.degrees, 1), round(test.p_value, 3)
        (-0.046, 4.0, 0.033)
    """
    figures = np.asarray(figures, dtype=np.float64)
    readers = figures.shape[-1]
    if figures.ndim != 2 or figures.shape[0] != 2 or readers < 2:
        raise ValueError(f"Figures of shape {figures.shape}: (2 modalities, 2 readers or more) is accepted.")
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.size != (2 * readers) ** 2:
        raise ValueError(f"A covariance of shape {matrix.shape}: (2, {readers}, 2, {readers}) is accepted.")
    check_level(level)
    matrix = matrix.reshape(2, readers, 2, readers)
    components = _components(figures, matrix)
    c, between = components, max(components.cov2 - components.cov3, 0.0)
    difference = float(figures[0].mean() - figures[1].mean())

    def test(variance: float, degrees: float) -> MeanTest:
        return _test(difference, variance * 2 / readers, degrees, counts, level)

    both = c.interaction + readers * between
    return MultireaderAnalysis(
        (_mean(figures[0], matrix[0, :, 0], counts, level), _mean(figures[1], matrix[1, :, 1], counts, level)),
        test(both, _degrees(both, c.interaction, readers)),
        test(c.error - c.cov1 + (readers - 1) * between, math.inf),
        test(c.interaction, readers - 1),
        components,
    )


def _components(figures: NDArray[np.float64], matrix: NDArray[np.float64]) -> VarianceComponents:
    readers = figures.shape[1]
    of_modality, of_reader = figures.mean(axis=1, keepdims=True), figures.mean(axis=0, keepdims=True)
    interaction = figures - of_modality - of_reader + figures.mean()
    same_reader = np.eye(readers, dtype=bool)
    within, across = (matrix[0, :, 0] + matrix[1, :, 1]) / 2, (matrix[0, :, 1] + matrix[1, :, 0]) / 2
    return VarianceComponents(
        modality=float(readers * np.var(of_modality, ddof=1)),
        reader=float(2 * np.var(of_reader, ddof=1)),
        interaction=float((interaction**2).sum() / (readers - 1)),
        error=float(within[same_reader].mean()),
        cov1=float(across[same_reader].mean()),
        cov2=float(within[~same_reader].mean()),
        cov3=float(across[~same_reader].mean()),
    )


def _degrees(total: float, mean_square: float, readers: int) -> float:
    return (total / mean_square) ** 2 * (readers - 1) if mean_square > 1e-24 else math.inf


def _mean(figures: NDArray[np.float64], matrix: NDArray[np.float64], counts: Counts | None, level: float) -> Estimate:
    """Return the mean of one modality: (r,) figures with their (r, r) covariance; Hillis 2007, single modality."""
    readers = len(figures)
    mean_square = float(np.var(figures, ddof=1))
    total = mean_square + readers * max(float(matrix[~np.eye(readers, dtype=bool)].mean()), 0.0)
    degrees = _degrees(total, mean_square, readers)
    return _test(float(figures.mean()), total / readers, degrees, counts, level).difference


def _test(value: float, variance: float, degrees: float, counts: Counts | None, level: float) -> MeanTest:
    if variance <= 1e-24:
        reason = "no interval: no spread between readers or patients"
        return MeanTest(Estimate(value, counts=counts, reason=reason), None, degrees, None, reason)
    error = math.sqrt(variance)
    # Student's t with a million degrees of freedom is the normal distribution to seven digits
    half = float(stdtrit(min(degrees, 1e6), (1 + level) / 2)) * error
    p_value = 2 * float(stdtr(min(degrees, 1e6), -abs(value) / error))
    estimate = Estimate(value, value - half, value + half, counts, method=OBUCHOWSKI_ROCKETTE)
    return MeanTest(estimate, value / error, degrees, p_value)


def decisions_against_model(
    answers: ArrayLike, model: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> MultireaderAnalysis:
    """Compare readers' yes and no with a model's, by (sensitivity + specificity) / 2.

    That is the area under the ROC curve of one point, and of a model with a threshold as of a reader; it is not the
    area under the model's whole curve. Reader and model are both held against the majority of the other readers, so
    the model's figure differs a little beside each reader. Covariances are by the jackknife over patients.

    Args:
        answers: (n, readers) bool, at least three readers.
        model: (n,) bool, whether the model calls the image positive at its operating point.
        patients: (n,) whole numbers or strings.
        options: level and min_patients are used, the latter for the reference of every reader.

    Returns:
        MultireaderAnalysis, readers minus model. Counts are those of the reader whose reference has the fewest
        patients of the rarer class.

    Raises:
        ValueError: for other shapes or values.

    References:
        The module's; (sensitivity + specificity) / 2 as the area of one point: Cantor and Kattan, Medical Decision
        Making 20 (2000) 468-470.

    Examples:
        >>> truth = np.arange(80) % 2 == 0
        >>> answers = np.stack([truth, truth ^ (np.arange(80) % 9 == 0), truth ^ (np.arange(80) % 10 == 0)], axis=1)
        >>> analysis = decisions_against_model(answers, truth ^ (np.arange(80) % 4 == 0), np.arange(80))
        >>> [round(mean.value, 3) for mean in analysis.means], round(analysis.random.p_value, 4)
        ([0.925, 0.752], 0.0058)
    """
    answers, model = np.asarray(answers), check_labels(model)
    readers = answers.shape[1]
    number, which = index_patients(patients, len(answers))
    fewest: Counts | None = None
    figures, left_out = np.zeros((2, readers)), np.zeros((2, readers, number))
    for reader in range(readers):
        majority, tied = majority_of_others(answers, reader)
        counts = count_cases(majority[~tied], which[~tied])
        if fewest is None or counts.rarer_patients < fewest.rarer_patients:
            fewest = counts
        positive, negative = patient_sums(np.stack([majority & ~tied, ~majority & ~tied]), which, number)
        for modality, called in enumerate((answers[:, reader], model)):
            right = patient_sums(np.stack([majority & called & ~tied, ~majority & ~called & ~tied]), which, number)
            with np.errstate(invalid="ignore", divide="ignore"):
                figures[modality, reader] = _balanced(right.sum(axis=1), positive.sum(), negative.sum())
                without = right.sum(axis=1, keepdims=True) - right
                left_out[modality, reader] = _balanced(without, positive.sum() - positive, negative.sum() - negative)
    reason = insufficient_cases(fewest or count_cases([]), max(options.min_patients, 2))
    if reason:
        return MultireaderAnalysis.missing(reason, fewest)
    covariance = jackknife_covariance(left_out.reshape(2 * readers, number))
    return obuchowski_rockette(figures, covariance, fewest, options.level)


def _balanced(right: NDArray[np.float64], positive: ArrayLike, negative: ArrayLike) -> NDArray[np.float64]:
    """Return (sensitivity + specificity) / 2 from (2, ...) right answers to positives and negatives."""
    return np.asarray((right[0] / positive + right[1] / negative) / 2)
