"""Whether readers agree beyond chance, and whether a model agrees with them as they do with one another.

Kappa falls where a finding is rare or common though readers are as careful, so values of different findings do
not compare. Agreement is not being right.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimate import Estimate
from .intervals import with_percentiles
from .replicates import patient_sums, sum_replicates
from .resampling import check_level, index_patients

__all__ = ["Agreement", "cohen_kappa", "fleiss_kappa", "reader_agreement"]


@dataclass(frozen=True)
class Agreement:
    """How readers agree, and the model as one more reader.

    Counts of every Estimate are films, and patients with any, on which all concerned say the same, and the rest.

    Attributes:
        pairs: Cohen's kappa of each pair of columns (i, j), i < j; the model is the last column where there is
            one.
        with_others: of each column the mean kappa with the human readers other than itself.
        fleiss: of the human readers together.
        fleiss_with_model: of all columns; None without a model.
        gain: the model's mean kappa with the readers less the mean kappa of the readers among one another;
            None without a model. Its interval is of the difference, on the same resamples of patients.
    """

    pairs: dict[tuple[int, int], Estimate]
    with_others: tuple[Estimate, ...]
    fleiss: Estimate
    fleiss_with_model: Estimate | None
    gain: Estimate | None


def cohen_kappa(answers: ArrayLike, others: ArrayLike, patients: ArrayLike, **options) -> Estimate:
    """Return the agreement of two readers beyond chance.

    Args:
        answers, others: (n,) bool or whole numbers, one a category; categories have no order.
        patients: (n,) of whole numbers or strings.
        options: ``resamples``, ``seed``, ``level`` and ``min_patients`` (of all patients) as in
            :func:`.intervals.patient_bootstrap_auc`.

    Returns:
        Estimate in [-1, 1]; value None with reason ``"no film"``, ``"too few cases: 3 patients"`` or ``"both
        always say the same one thing"``, where nothing is left beyond chance.

    Raises:
        ValueError: for other shapes or values.

    Source: Cohen, Educational and Psychological Measurement 20 (1960) 37-46; Field and Welsh (2007).
    """
    return reader_agreement(np.stack([np.asarray(answers), np.asarray(others)], axis=1), patients, **options).pairs[
        0, 1
    ]


def fleiss_kappa(answers: ArrayLike, patients: ArrayLike, **options) -> Estimate:
    """Return the agreement of all readers beyond chance, as if readers of each film were drawn from a crowd.

    Args:
        answers: (n, readers) bool or whole numbers, at least two readers.
        patients, options: as in :func:`cohen_kappa`.

    Source: Fleiss, Psychological Bulletin 76 (1971) 378-382; Field and Welsh (2007).
    """
    return reader_agreement(answers, patients, **options).fleiss


def reader_agreement(
    answers: ArrayLike,
    patients: ArrayLike,
    model: ArrayLike | None = None,
    resamples: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    min_patients: int = 10,
) -> Agreement:
    """Return all kappas of human readers and of a model as one more reader.

    Args:
        answers: (n, readers) bool or whole numbers, one a category; at least two readers.
        patients: (n,) of whole numbers or strings.
        model: (n,) of the same kind, such as whether the score is at or over the threshold. Where the threshold
            was chosen on these films, its agreement is too good.
        resamples, seed, level: as in :func:`.intervals.patient_bootstrap_auc`.
        min_patients: patients below which there is no value.

    Raises:
        ValueError: for other shapes or values.

    Source: as :func:`cohen_kappa` and :func:`fleiss_kappa`; mean pairwise kappa, Light, Psychological Bulletin
    76 (1971) 365-377.
    """
    answers = _check(answers, model)
    check_level(level)
    number, which = index_patients(patients, len(answers))
    columns, humans = answers.shape[1], answers.shape[1] - (model is not None)
    pairs = list(combinations(range(columns), 2))
    groups = [range(humans), range(columns)]
    categories, codes = np.unique(answers, return_inverse=True)
    codes = codes.reshape(answers.shape)

    def counts(chosen) -> tuple[int, int, int, int]:
        same = (answers[:, list(chosen)] == answers[:, [chosen[0]]]).all(axis=1)
        return (*_two(same), *(len(np.unique(which[kind])) for kind in (same, ~same)))

    if number < max(min_patients, 1):
        reason = f"too few cases: {number} patients" if len(answers) else "no film"

        def nothing(chosen) -> Estimate:
            return Estimate(None, None, None, *counts(chosen), reason)

        others = tuple(nothing(groups[0]) for _ in range(columns))
        with_model = nothing(groups[1]) if model is not None else None
        return Agreement({pair: nothing(pair) for pair in pairs}, others, nothing(groups[0]), with_model, with_model)

    one_hot = np.stack([codes == k for k in range(len(categories))]).astype(np.float64)
    tables = [_pair_table(one_hot, *pair) for pair in pairs], [_answer_counts(one_hot, list(group)) for group in groups]
    sums = patient_sums(np.concatenate([*tables[0], *tables[1]]), which, number)
    value, replicates = (
        _kappas(part, len(categories), len(pairs), [len(group) for group in groups])
        for part in (sums.sum(axis=1, keepdims=True), sum_replicates(sums, resamples, seed))
    )

    def estimate(weights: NDArray, chosen) -> Estimate:
        used = weights != 0
        found = float((weights[used] @ value[used])[0])
        if np.isnan(found):
            return Estimate(None, None, None, *counts(chosen), "all always say the same one thing")
        bare = Estimate(found, None, None, *counts(chosen), None)
        return with_percentiles(bare, weights[used] @ replicates[used], level)

    unit = np.eye(len(pairs) + 2)

    def mean(chosen: list[int]) -> NDArray:
        return unit[chosen].mean(axis=0)

    with_others = [
        mean([k for k, pair in enumerate(pairs) if c in pair and set(pair) - {c} <= set(range(humans))])
        for c in range(columns)
    ]
    among = mean([k for k, pair in enumerate(pairs) if max(pair) < humans])
    return Agreement(
        {pair: estimate(unit[k], pair) for k, pair in enumerate(pairs)},
        tuple(estimate(weights, groups[1]) for weights in with_others),
        estimate(unit[-2], groups[0]),
        estimate(unit[-1], groups[1]) if model is not None else None,
        estimate(with_others[-1] - among, groups[1]) if model is not None else None,
    )


def _kappas(sums: NDArray[np.float64], size: int, pairs: int, readers: list[int]) -> NDArray[np.float64]:
    """Return (pairs + groups, draws): Cohen's of each pair, then Fleiss's of each group of so many readers."""
    of_pairs, of_groups = np.split(sums, [pairs * size**2])
    return np.stack(
        [
            *(_cohen(table) for table in of_pairs.reshape(pairs, size, size, -1)),
            *(_fleiss(part, count) for part, count in zip(np.split(of_groups, len(readers)), readers, strict=True)),
        ]
    )


def _pair_table(one_hot, i: int, j: int) -> NDArray[np.float64]:
    """Return (categories squared, films): which pair of answers a film got from two readers."""
    return (one_hot[:, None, :, i] * one_hot[None, :, :, j]).reshape(-1, one_hot.shape[1])


def _answer_counts(one_hot, readers: list[int]) -> NDArray[np.float64]:
    """Return (categories + 2, films): answers in each category, pairs of readers that agree, and 1."""
    answers = one_hot[:, :, readers].sum(axis=2)
    agreeing = (answers * (answers - 1)).sum(axis=0)
    return np.concatenate([answers, agreeing[None], np.ones_like(agreeing)[None]])


def _cohen(table: NDArray[np.float64]) -> NDArray[np.float64]:
    films = table.sum(axis=(0, 1))
    agreed = np.trace(table) / films
    by_chance = (table.sum(axis=1) * table.sum(axis=0)).sum(axis=0) / films**2
    return _beyond(agreed, by_chance)


def _fleiss(sums: NDArray[np.float64], readers: int) -> NDArray[np.float64]:
    answers, agreeing, films = sums[:-2], sums[-2], sums[-1]
    by_chance = ((answers / (films * readers)) ** 2).sum(axis=0)
    return _beyond(agreeing / (films * readers * (readers - 1)), by_chance)


def _beyond(agreed, by_chance) -> NDArray[np.float64]:
    left = 1 - by_chance
    return np.divide(agreed - by_chance, left, out=np.full(len(left), np.nan), where=left > 1e-12)


def _two(same: NDArray[np.bool_]) -> tuple[int, int]:
    return int(same.sum()), int((~same).sum())


def _check(answers: ArrayLike, model: ArrayLike | None) -> NDArray:
    answers = np.asarray(answers)
    if answers.ndim != 2 or answers.shape[1] < 2 or answers.dtype.kind not in "biu":
        raise ValueError(
            f"Answers of shape {answers.shape}, {answers.dtype}: (n, 2 readers or more) bool or integers is accepted."
        )
    if model is None:
        return answers
    model = np.asarray(model)
    if model.shape != answers.shape[:1] or model.dtype.kind not in "biu":
        raise ValueError(f"A model of shape {model.shape}, {model.dtype}: one answer a film is accepted.")
    return np.column_stack([answers, model])
