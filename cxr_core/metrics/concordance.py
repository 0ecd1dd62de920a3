"""Concordance of readers and model: agreement, disagreements both ways, changes of opinion after reveal, accuracy.

The first opinion is given before the model is shown; the final one after. Where a patient was read several times, by
one reader or by several, these reads resemble one another, so every interval and test is by patient. Agreement is not
correctness: a reader who follows a wrong model agrees with it. A change toward the model is not an improvement either;
only a reference standard tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..estimate import Estimate
from .agreement import clustered_kappa
from .bootstrap import DEFAULTS, BootstrapOptions
from .cases import index_patients, too_few_cases
from .map_baselines import paired_difference, sign_flip_test
from .opinions import Opinions, Uncertain, opinions_behind, shown_states, values_of
from .proportions import Proportion, patient_proportions

__all__ = [
    "BeforeAfter",
    "Concordance",
    "ReadingTime",
    "concordance",
    "reading_time",
]


@dataclass(frozen=True)
class BeforeAfter:
    """A proportion of the same opinions before and after reveal.

    Attributes:
        before, after: with their intervals.
        difference: after minus before, in [-1, 1], paired.
        p_value: two-sided, by :func:`.map_baselines.sign_flip_test`; None where the difference has no value.
    """

    before: Estimate
    after: Estimate
    difference: Estimate
    p_value: float | None


@dataclass(frozen=True)
class Concordance:
    """Readers and model on one group of opinions.

    Attributes:
        opinions, patients: in the group; None where a report does not state them, since they are few.
        uncertain: proportion of first opinions that are uncertain.
        agreement: proportion of first opinions that equal the model's state: present and above, or absent and below.
        kappa: Cohen's, of the same opinions.
        reader_only: proportion of the same opinions with the finding present to the reader and below for the model.
        model_only: the same, absent to the reader and above for the model.
        disagreement_p: two-sided, that both kinds of disagreement are as frequent; McNemar's exact test where each
            patient has one opinion, its version by patient otherwise. None without an agreement.
        changed: proportion of opinions that were changed after reveal, of those with a first and a final one.
        toward, away: the same, changed toward the state that the model showed then and away from it; another operating
            point may have made it another one since the first opinion. Uncertain lies in the middle between absent and
            present, so from absent to uncertain is toward a model that is above.
        change_p: two-sided, that changes toward and away are as frequent.
        sensitivity, specificity: of the reader against the reference standard, of opinions that are decided before
            and after. None where no opinion of the group has a reference.
    """

    opinions: int | None
    patients: int | None
    uncertain: Estimate
    agreement: Estimate
    kappa: Estimate
    reader_only: Estimate
    model_only: Estimate
    disagreement_p: float | None
    changed: Estimate
    toward: Estimate
    away: Estimate
    change_p: float | None
    sensitivity: BeforeAfter | None
    specificity: BeforeAfter | None


def concordance(
    opinions: Opinions, options: BootstrapOptions = DEFAULTS, uncertain: Uncertain = "excluded"
) -> Concordance:
    """Return the concordance of readers and model on a group of opinions.

    Args:
        opinions: of any readers, labels and months; opinions of several labels are pooled.
        options: of the intervals, of which resamples are pooled; with fewer than ``min_patients`` patients behind a
            number it has no value, so that none is stated of a handful of patients.
        uncertain: whether uncertain opinions are left out of agreement, kappa, disagreements and accuracy, or count as
            present or absent there. ``changed``, ``toward`` and ``away`` always count them as they are.

    Raises:
        ValueError: for another way to count uncertain opinions.

    References:
        Cohen, Educational and Psychological Measurement 20 (1960) 37-46; McNemar, Psychometrika 12 (1947) 153-157;
        intervals as :func:`.proportions.patient_proportion` and :func:`.agreement.clustered_kappa`. Results that are
        neither positive nor negative: Shinkins et al., BMJ 346 (2013) f2778.

    Examples:
        >>> n = np.arange(40)
        >>> first, above = np.where(n % 4 == 0, "present", "absent"), n % 2 == 0
        >>> final = np.where(n % 20 == 2, "present", first)
        >>> same = np.full(40, "A"), np.full(40, "Mass"), np.full(40, "2026-11")
        >>> found = concordance(Opinions(n.astype(str), *same, above, first, final, np.full(40, "")))
        >>> found.agreement.value, found.reader_only.value, found.model_only.value, found.toward.value
        (0.75, 0.0, 0.25, 0.05)
    """
    if uncertain not in get_args(Uncertain):
        raise ValueError(f"{uncertain!r}: one of {', '.join(get_args(Uncertain))} is accepted.")
    options = replace(options, pooled=True)
    number, which = index_patients(opinions.patient, len(opinions))
    first, final, before, after = values_of(opinions, uncertain)
    above, behind = opinions.above.astype(np.float64), opinions_behind(opinions, uncertain)
    stated, decided, changes = (behind[name] for name in ("stated", "decided", "both"))
    shown = shown_states(opinions)
    # a change has no direction where nothing was stated when it was made
    closer = np.nan_to_num(np.abs(first - shown) - np.abs(final - shown))
    with_opinion, with_both = "{} with a first opinion", "{} with an opinion before and after"
    proportions = patient_proportions(
        [
            Proportion(first == 0.5, stated, empty="no first opinion", kind=with_opinion),
            *(
                Proportion(event, decided, empty="no first opinion", kind=with_opinion)
                for event in (before == above, before > above, before < above)
            ),
            *(
                Proportion(event, changes, empty="no opinion after reveal", kind=with_both)
                for event in (first != final, closer > 0, closer < 0)
            ),
        ],
        which,
        options,
    )
    agreement, changed = proportions[1], proportions[4]
    kappa = agreement  # with its reason, where there is none
    if agreement.value is not None:
        kappa = clustered_kappa(before[decided] == 1, opinions.above[decided], which[decided], options)
    truth = opinions.reference
    accuracy = [
        _before_after(before == value, after == value, behind[kind], which, options, kind)
        for value, kind in ((1, "positive"), (0, "negative"))
    ]
    return Concordance(
        len(opinions),
        number,
        proportions[0],
        agreement,
        kappa,
        proportions[2],
        proportions[3],
        None if agreement.value is None else sign_flip_test((before - above)[decided], which[decided]),
        changed,
        proportions[5],
        proportions[6],
        None if changed.value is None else sign_flip_test(np.sign(closer[changes]), which[changes]),
        *(accuracy if (truth != "").any() else (None, None)),
    )


def _before_after(
    before: NDArray[np.bool_],
    after: NDArray[np.bool_],
    among: NDArray[np.bool_],
    which: NDArray[np.intp],
    options: BootstrapOptions,
    kind: str,
) -> BeforeAfter:
    rates = [Proportion(right, among, empty=f"no {kind}", kind=f"{kind} {{}}") for right in (before, after)]
    first, second = patient_proportions(rates, which, options)
    if first.value is None:
        return BeforeAfter(first, second, first, None)
    change = paired_difference(after[among], before[among], which[among], options)
    return BeforeAfter(first, second, change.difference, change.p_value)


@dataclass(frozen=True)
class ReadingTime:
    """Seconds per read.

    Attributes:
        reads: with a known time; None where a report does not state them, since they are few.
        quartiles: lower quartile, median and upper quartile in seconds; None where too few patients were read.
        reason: why there are none.
    """

    reads: int | None
    quartiles: tuple[float, float, float] | None
    reason: str | None = None


def reading_time(seconds: ArrayLike, patients: ArrayLike, options: BootstrapOptions = DEFAULTS) -> ReadingTime:
    """Return the quartiles of the time per read.

    From opening to the last opinion, interruptions included, which is why no mean is given.

    Args:
        seconds: (n,) one number a read, 0 or more; NaN where unknown, which is left out.
        patients: (n,) whole numbers or strings.
        options: ``min_patients`` is used.

    Examples:
        >>> reading_time(np.arange(41.0), np.arange(41)).quartiles
        (10.0, 20.0, 30.0)
    """
    seconds = np.asarray(seconds, dtype=np.float64)
    known = ~np.isnan(seconds)
    number = index_patients(np.asarray(patients)[known], int(known.sum()))[0]
    if number < max(options.min_patients, 1):
        return ReadingTime(int(known.sum()), None, too_few_cases(number))
    lower, median, upper = np.quantile(seconds[known], [0.25, 0.5, 0.75]).tolist()
    return ReadingTime(int(known.sum()), (lower, median, upper))
