"""Numbers that rest on few patients are withheld, and what they could be computed from.

A group with a number of fewer than ten patients shows neither the number nor its counts. Groups by label, reader or
month add up to all opinions, so that one withheld group is the difference between all and the others: then the next
smallest group is withheld too, until at least two are, and at least ten patients are behind them together (primary and
complementary suppression: Hundepool et al., Statistical Disclosure Control (2012), chapter 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..metrics import (
    CONCORDANCE_BASES,
    BeforeAfter,
    Concordance,
    Estimate,
    Opinions,
    ReadingTime,
    Uncertain,
    opinions_behind,
)
from ..metrics.bootstrap import DEFAULTS
from .clusters import ClusterUnit, in_units

__all__ = ["LEAST", "WITHHELD", "withheld", "withhold_small", "withhold_small_times"]

LEAST = DEFAULTS.min_patients
"""Patients that must be behind a number."""

WITHHELD = "withheld (protects a smaller group)"

_P_VALUES = {"disagreement_p": "decided", "change_p": "both"}


def withheld(members: Mapping[str, Set[int]]) -> dict[str, bool]:
    """Return the groups whose numbers are withheld, and of each whether it is small itself.

    Args:
        members: patients behind the number, by group. The groups add up to a total that is shown.

    Examples:
        >>> withheld({"Reader 1": set(range(40)), "Reader 2": set(range(12)), "Reader 3": {1, 2}, "Reader 4": set()})
        {'Reader 3': True, 'Reader 2': False}
    """
    by_size = sorted((name for name, patients in members.items() if patients), key=lambda name: len(members[name]))
    chosen = {name: True for name in by_size if len(members[name]) < LEAST}
    for name in by_size[len(chosen) :]:
        if not chosen or (len(chosen) > 1 and len(set().union(*(members[one] for one in chosen))) >= LEAST):
            break
        chosen[name] = False
    return chosen


def withhold_small(
    total: Concordance,
    groups: Mapping[str, Concordance],
    opinions: Opinions,
    keys: NDArray[np.str_],
    uncertain: Uncertain,
    unit: ClusterUnit,
) -> tuple[Concordance, dict[str, Concordance]]:
    """Return the concordance of all opinions and of each group without what rests on few patients.

    Args:
        total: of all opinions.
        groups: by name.
        opinions: all of them.
        keys: (n,) name of the group of each opinion.
        uncertain: as in :func:`.metrics.concordance`.
        unit: what the "patients" of the opinions are; reasons and methods are in its words.
    """
    patients = np.unique(opinions.patient, return_inverse=True)[1]
    behind = {"all": np.ones(len(opinions), dtype=bool)} | opinions_behind(opinions, uncertain)

    def members(rows: NDArray[np.bool_]) -> set[int]:
        return set(np.unique(patients[rows]).tolist())

    of_total = {base for base, rows in behind.items() if 0 < len(members(rows)) < LEAST}
    of_groups = {
        base: withheld({name: members(rows & (keys == name)) for name in groups}) for base, rows in behind.items()
    }
    return (
        _without(total, dict.fromkeys(of_total, True), unit),
        {
            name: _without(group, {base: chosen[name] for base, chosen in of_groups.items() if name in chosen}, unit)
            for name, group in groups.items()
        },
    )


def withhold_small_times(
    times: Mapping[str, ReadingTime], members: Mapping[str, Set[int]], total: str, unit: ClusterUnit
) -> dict[str, ReadingTime]:
    """Return the times per read without those of few patients.

    Args:
        times: by group.
        members: patients with a known time, by group.
        total: name of the group of all reads.
        unit: as in :func:`withhold_small`.
    """
    chosen = withheld({name: patients for name, patients in members.items() if name != total})
    if 0 < len(members.get(total, ())) < LEAST:
        chosen[total] = True
    return {
        name: ReadingTime(None, None, _few("patients", unit) if chosen[name] else WITHHELD) if name in chosen else time
        for name, time in times.items()
    }


def _without(group: Concordance, chosen: Mapping[str, bool], unit: ClusterUnit) -> Concordance:
    """Return a group without what rests on the chosen bases; those that are small themselves are true."""

    def stated(estimate: Estimate, base: str) -> Estimate:
        if base not in chosen:
            reason, method = (text and in_units(text, unit) for text in (estimate.reason, estimate.method))
            return replace(estimate, reason=reason, method=method)
        if not chosen[base]:
            return Estimate.missing(WITHHELD)
        kind = f"{base} patients" if base in ("positive", "negative") else "patients"
        return Estimate.missing(_few(kind, unit))

    def number(name: str) -> Estimate | BeforeAfter | None:
        value, base = getattr(group, name), CONCORDANCE_BASES[name]
        if not isinstance(value, BeforeAfter):
            return None if value is None else stated(value, base)
        before, after, difference = (stated(part, base) for part in (value.before, value.after, value.difference))
        return BeforeAfter(before, after, difference, None if base in chosen else value.p_value)

    changes: dict[str, object] = {name: number(name) for name in CONCORDANCE_BASES}
    changes |= dict.fromkeys((name for name, base in _P_VALUES.items() if base in chosen))
    changes |= dict.fromkeys(("opinions", "patients") if "all" in chosen else ())
    return replace(group, **changes)  # type: ignore[arg-type]


def _few(patients: str, unit: ClusterUnit) -> str:
    return in_units(f"too few cases (fewer than {LEAST} {patients})", unit)
