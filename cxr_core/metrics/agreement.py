"""Agreement of human readers, and of the model as one more reader, beyond chance (kappa).

Kappa falls where a finding is rare or common though readers are as careful, so values of different findings do not
compare. Agreement is not correctness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from ..estimate import CLUSTERED_FISHER, Counts, Estimate
from .bootstrap import DEFAULTS, BootstrapOptions, with_percentiles
from .cases import count_cases, index_patients, too_few_cases
from .patient_sums import patient_sums, sum_replicates

__all__ = ["Agreement", "clustered_kappa", "cohen_kappa", "fleiss_kappa", "reader_agreement"]


@dataclass(frozen=True)
class Agreement:
    """Agreement of human readers, and of the model as one more reader.

    Counts of every Estimate are images, and patients with any, on which all concerned give the same answer, and the
    rest.

    Attributes:
        pairs: Cohen's kappa of each pair of columns (i, j), i < j; the model is the last column where there is one.
        with_others: of each column the mean kappa with the human readers other than itself.
        fleiss: of the human readers together.
        fleiss_with_model: of all columns; None without a model.
        gain: the model's mean kappa with the readers minus the mean kappa among the readers; None without a model.
            Its interval is of the difference, on the same resamples of patients.
        fleiss_without: of the human readers without each one in turn; empty for two readers.
        fleiss_change: of all human readers minus that without each one in turn, below 0 where agreement is better
            without this reader; on the same resamples of patients. Empty for two readers.
    """

    pairs: dict[tuple[int, int], Estimate]
    with_others: tuple[Estimate, ...]
    fleiss: Estimate
    fleiss_with_model: Estimate | None
    gain: Estimate | None
    fleiss_without: tuple[Estimate, ...] = ()
    fleiss_change: tuple[Estimate, ...] = ()


def cohen_kappa(
    answers: ArrayLike, other_answers: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> Estimate:
    """Return the agreement of two readers beyond chance.

    Args:
        answers, other_answers: (n,) bool or whole numbers, one a category; categories have no order.
        patients: (n,) whole numbers or strings.
        options: of the interval; ``min_patients`` counts all patients.

    Returns:
        Estimate in [-1, 1]; value None with reason ``"no image"``, ``"too few cases (3 patients)"`` or, where nothing
        is left beyond chance, that all always give the same answer.

    Raises:
        ValueError: for other shapes or values.

    References:
        Cohen, Educational and Psychological Measurement 20 (1960) 37-46; Field and Welsh (2007).

    Examples:
        >>> first, second = np.arange(40) % 2, np.arange(40) % 8 == 1
        >>> round(cohen_kappa(first, second, np.arange(40)).value, 3)
        0.25
    """
    both = np.stack([np.asarray(answers), np.asarray(other_answers)], axis=1)
    return reader_agreement(both, patients, options=options).pairs[0, 1]


def clustered_kappa(
    answers: ArrayLike, other_answers: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS
) -> Estimate:
    """Return Cohen's kappa of two readers who say yes or no, with an interval for few patients.

    With ``bootstrap_min_patients`` patients it is :func:`cohen_kappa`; with fewer, percentiles of resamples are too
    narrow, and the interval is from the spread of kappa's linear approximation between patients, with Student's
    quantile, on the scale of Fisher's z so that it stays within -1 and 1.

    Args:
        answers, other_answers: (n,) bool.
        patients, options: as in :func:`cohen_kappa`.

    References:
        Cohen (1960); Fleiss, Cohen and Everitt, Psychological Bulletin 72 (1969) 323-327, for the approximation, here
        summed over the images of each patient; Fisher, Metron 1 (1921) 3-32.

    Examples:
        >>> first, second = np.arange(40) % 2 == 1, np.arange(40) % 8 == 1
        >>> kappa = clustered_kappa(first, second, np.arange(40))
        >>> round(kappa.value, 3), round(kappa.low, 2), round(kappa.high, 2)
        (0.25, 0.03, 0.44)
    """
    both = np.stack([np.asarray(answers, dtype=bool), np.asarray(other_answers, dtype=bool)])
    number, which = index_patients(patients, both.shape[1])
    if number < max(options.min_patients, 1) or number >= options.bootstrap_min_patients:
        return cohen_kappa(both[0], both[1], which, options)
    agreed = both[0] == both[1]
    counts = count_cases(agreed, which)
    (one, other), agreement = (rates := both.mean(axis=1)).tolist(), float(agreed.mean())
    attainable = 1 - (one * other + (1 - one) * (1 - other))
    if attainable <= 1e-12:
        return Estimate.missing("all always give the same answer", counts)
    value = 1 - (1 - agreement) / attainable
    if not -1 < value < 1:
        return Estimate(round(value), counts=counts, reason="no interval: no spread between patients")
    by_chance = (2 * rates[::-1, None] - 1) * (both - rates[:, None])
    influence = (agreed - agreement - (1 - value) * by_chance.sum(axis=0)) / attainable
    sums = patient_sums(influence, which, number)[0]
    error = np.sqrt(number / (number - 1) * (sums @ sums)) / len(agreed) / (1 - value**2)
    if error < 1e-12:
        return Estimate(value, counts=counts, reason="no interval: no spread between patients")
    half = float(stdtrit(number - 1, options.tails[1]) * error)
    low, high = np.tanh(np.arctanh(value) + np.array([-half, half])).tolist()
    return Estimate(value, low, high, counts, method=CLUSTERED_FISHER)


def fleiss_kappa(answers: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS) -> Estimate:
    """Return the agreement of all readers beyond chance, as if the readers of each image were drawn at random.

    Args:
        answers: (n, readers) bool or whole numbers, at least two readers.
        patients, options: as in :func:`cohen_kappa`.

    References:
        Fleiss, Psychological Bulletin 76 (1971) 378-382; Field and Welsh (2007).

    Examples:
        >>> answers = np.stack([np.arange(40) % 2, np.arange(40) % 2, np.arange(40) % 8 == 1], axis=1)
        >>> round(fleiss_kappa(answers, np.arange(40)).value, 3)
        0.467
    """
    return reader_agreement(answers, patients, options=options).fleiss


def reader_agreement(
    answers: ArrayLike,
    patients: ArrayLike,
    model: ArrayLike | None = None,
    options: BootstrapOptions = DEFAULTS,
) -> Agreement:
    """Return all kappas of human readers and of a model as one more reader.

    Args:
        answers: (n, readers) bool or whole numbers, one a category; at least two readers.
        patients: (n,) whole numbers or strings.
        model: (n,) of the same kind, such as whether the score is at or over the threshold. Where the threshold was
            chosen on these images, its agreement is too good.
        options: of the intervals, percentiles with any number of patients; ``min_patients`` counts all patients.

    Raises:
        ValueError: for other shapes or values.

    References:
        As :func:`cohen_kappa` and :func:`fleiss_kappa`; mean pairwise kappa, Light, Psychological Bulletin 76 (1971)
        365-377.

    Examples:
        >>> answers = np.stack([np.arange(40) % 2 == 1, np.arange(40) % 8 == 1], axis=1)
        >>> agreement = reader_agreement(answers, np.arange(40), model=np.arange(40) % 4 == 1)
        >>> [(pair, round(kappa.value, 3)) for pair, kappa in agreement.pairs.items()]
        [((0, 1), 0.25), ((0, 2), 0.5), ((1, 2), 0.6)]
    """
    columns = _columns(answers, model)
    number, which = index_patients(patients, len(columns))
    readers = columns.shape[1] - (model is not None)
    pairs = list(combinations(range(columns.shape[1]), 2))
    groups = [list(range(readers)), list(range(columns.shape[1]))]
    left_out = range(readers if readers > 2 else 0)
    groups += [[other for other in range(readers) if other != reader] for reader in left_out]
    # a row for each reader: comparing whole rows is many times faster than the few answers to each image
    rows = np.ascontiguousarray(columns.T)
    categories = [False, True] if rows.dtype == bool else np.unique(rows).tolist()
    present = [answered for category in categories if (answered := rows == category).any()]
    one_hot = np.stack(present or [rows != rows])

    @cache
    def counts(chosen: tuple[int, ...]) -> Counts:
        return count_cases((rows[list(chosen)] == rows[chosen[0]]).all(axis=0), which)

    too_few = None
    values = replicates = np.full((len(pairs) + len(groups), 1), np.nan)
    if number < max(options.min_patients, 1):
        too_few = too_few_cases(number) if number else "no image"
    else:
        first, pattern = _patterns(one_hot)
        of_patterns = one_hot[:, :, first]
        tables = np.concatenate(
            [_pair_table(of_patterns, *pair) for pair in pairs]
            + [_answer_counts(of_patterns, group) for group in groups]
        )
        # the images with each pattern of answers say everything, and mostly there are few patterns
        few = len(first) <= len(tables)
        sums = _images(pattern, which, number) if few else patient_sums(tables[:, pattern], which, number)
        values, replicates = (
            _kappas(tables @ totals if few else totals, len(one_hot), len(pairs), [len(group) for group in groups])
            for totals in (sums.sum(axis=1, keepdims=True), sum_replicates(sums, options))
        )

    def estimate(weights: NDArray[np.float64], chosen: Sequence[int]) -> Estimate:
        if too_few:
            return Estimate.missing(too_few, counts(tuple(chosen)))
        used = weights != 0
        value = float((weights[used] @ values[used])[0])
        if np.isnan(value):
            return Estimate.missing("all always give the same answer", counts(tuple(chosen)))
        return with_percentiles(
            Estimate(value, counts=counts(tuple(chosen))), weights[used] @ replicates[used], options
        )

    unit = np.eye(len(pairs) + len(groups))
    fleiss = unit[len(pairs) :]
    with_others = [
        unit[[k for k, pair in enumerate(pairs) if c in pair and set(pair) - {c} <= set(groups[0])]].mean(axis=0)
        for c in groups[1]
    ]
    among_readers = unit[[k for k, pair in enumerate(pairs) if max(pair) < readers]].mean(axis=0)
    return Agreement(
        {pair: estimate(unit[k], pair) for k, pair in enumerate(pairs)},
        tuple(estimate(weights, groups[1]) for weights in with_others),
        estimate(fleiss[0], groups[0]),
        estimate(fleiss[1], groups[1]) if model is not None else None,
        estimate(with_others[-1] - among_readers, groups[1]) if model is not None else None,
        tuple(estimate(fleiss[2 + reader], groups[2 + reader]) for reader in left_out),
        tuple(estimate(fleiss[0] - fleiss[2 + reader], groups[0]) for reader in left_out),
    )


def _patterns(one_hot: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first image with each pattern of all readers' answers, and (images,) the pattern of each image."""
    categories, readers, images = one_hot.shape
    answers = one_hot.argmax(axis=0)
    if categories**readers > np.iinfo(np.intp).max:
        return np.unique(answers, axis=1, return_index=True, return_inverse=True)[1:]
    code = np.zeros(images, np.intp)
    for of_reader in answers:
        code = code * categories + of_reader
    return np.unique(code, return_index=True, return_inverse=True)[1:]


def _images(pattern: NDArray[np.intp], which: NDArray[np.intp], patients: int) -> NDArray[np.float64]:
    """Return (patterns, patients) images with each pattern."""
    patterns = int(pattern.max()) + 1
    counts = np.bincount(pattern * patients + which, minlength=patterns * patients)
    return counts.reshape(patterns, patients).astype(np.float64)


def _kappas(sums: NDArray[np.float64], size: int, pairs: int, readers: list[int]) -> NDArray[np.float64]:
    """Return (pairs + groups, draws): Cohen's of each pair, then Fleiss's of each group of so many readers."""
    of_pairs, of_groups = np.split(sums, [pairs * size**2])
    return np.stack(
        [
            *(_cohen(table) for table in of_pairs.reshape(pairs, size, size, -1)),
            *(_fleiss(rows, count) for rows, count in zip(np.split(of_groups, len(readers)), readers, strict=True)),
        ]
    )


def _pair_table(one_hot: NDArray[np.bool_], i: int, j: int) -> NDArray[np.float64]:
    """Return (categories squared, images): the pair of answers to an image by two readers, as one of 0 and 1."""
    table = one_hot[:, None, i] & one_hot[None, :, j]
    return table.reshape(-1, one_hot.shape[2]).astype(np.float64)


def _answer_counts(one_hot: NDArray[np.bool_], readers: list[int]) -> NDArray[np.float64]:
    """Return (categories + 2, images): answers in each category, pairs of readers that agree, and 1."""
    answers = one_hot[:, readers].sum(axis=1).astype(np.float64)
    agreeing = (answers * (answers - 1)).sum(axis=0)
    return np.concatenate([answers, agreeing[None], np.ones_like(agreeing)[None]])


def _cohen(table: NDArray[np.float64]) -> NDArray[np.float64]:
    images = table.sum(axis=(0, 1))
    agreed = np.trace(table) / images
    by_chance = (table.sum(axis=1) * table.sum(axis=0)).sum(axis=0) / images**2
    return _beyond_chance(agreed, by_chance)


def _fleiss(sums: NDArray[np.float64], readers: int) -> NDArray[np.float64]:
    answers, agreeing, images = sums[:-2], sums[-2], sums[-1]
    by_chance = ((answers / (images * readers)) ** 2).sum(axis=0)
    return _beyond_chance(agreeing / (images * readers * (readers - 1)), by_chance)


def _beyond_chance(agreed: NDArray[np.float64], by_chance: NDArray[np.float64]) -> NDArray[np.float64]:
    attainable = 1 - by_chance
    kappa = np.full(len(attainable), np.nan)
    return np.divide(agreed - by_chance, attainable, out=kappa, where=attainable > 1e-12)


def _columns(answers: ArrayLike, model: ArrayLike | None) -> NDArray[np.int_]:
    answers = np.asarray(answers)
    if answers.ndim != 2 or answers.shape[1] < 2 or answers.dtype.kind not in "biu":
        raise ValueError(
            f"Answers of shape {answers.shape}, {answers.dtype}: (n, 2 readers or more) bool or integers is accepted."
        )
    if model is None:
        return answers
    model = np.asarray(model)
    if model.shape != answers.shape[:1] or model.dtype.kind not in "biu":
        raise ValueError(f"A model of shape {model.shape}, {model.dtype}: one answer for each image is accepted.")
    return np.column_stack([answers, model])
