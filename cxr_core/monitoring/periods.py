"""Reads by day or week with their control limits, and the distributions of a period beside the reference."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..metrics import (
    ProportionReference,
    category_test,
    count_limits,
    mean_limits,
    proportion_limits,
    stability_index,
)
from .reads import check_reads
from .reference import MIN_PATIENTS, MonitoringReference, counts_of, series_of

__all__ = ["MEAN", "MIN_PERIODS", "QUARTILES", "category_table", "distribution_table", "mix_table", "period_table"]

MIN_PERIODS = 8
"""Other periods of the same kind from which the limits of the number of reads are made."""

MOST_CATEGORIES = 6
"""Most reasons, and most devices, that are a series of their own."""

QUARTILES = ("seconds", "distance")
"""Numbers of which median and quartiles are given."""

MEAN = "mean "
"""Before the name of a number, in the name of the series of its means."""


def period_table(
    reads: pd.DataFrame, reference: MonitoringReference, by: Literal["day", "week"] = "week"
) -> pd.DataFrame:
    """Return counts, proportions and means of each period with their control limits.

    Args:
        reads: as in :mod:`.reads`, with times.
        reference: of the proportions and numbers.
        by: day, or week from Monday, UTC.

    Returns:
        Columns ``period`` (first day), ``series``, ``reads``, ``value``, ``low``, ``high``, ``outside``. Limits are NaN
        where there are none. The series are

        - ``reads``, with a row for every period, also for one without a read; its limits are from the other periods
          (of a day: from other week days, or from other week-ends);
        - proportions of the reference, with limits from it;
        - proportions that the reference lacks, and reasons of refusals and warnings, and devices, which no reference
          has: with limits from the other periods;
        - numbers of the reference, such as scores, with ``mean`` before the name: mean of their normal scores in
          standard deviations, of the first read of each patient in the period, with limits around 0;
        - ``seconds`` and ``distance``: median, with the quartiles as limits, which are none of a control chart.

    References:
        :func:`.metrics.count_limits`, :func:`.metrics.proportion_limits`, :func:`.metrics.mean_limits`; limits that
        hold 99.73 % of the periods.
    """
    reads = check_reads(reads)
    columns = ["period", "series", "reads", "value", "low", "high", "outside"]
    if reads.empty:
        return pd.DataFrame(columns=columns)
    starts = reads["time"].dt.tz_localize(None).dt.to_period("D" if by == "day" else "W-SUN").dt.start_time
    periods = pd.date_range(starts.min(), starts.max(), freq="D" if by == "day" else "7D")
    counts = starts.value_counts().reindex(periods, fill_value=0).to_numpy()
    rows = _read_rows(periods, counts, by)
    numbers, events = series_of(reads)
    place = periods.get_indexer(starts)
    for name, known in reference.proportions.items():
        number, positive = _counts(events[name], place, len(periods))
        rows += _proportions(periods, name, number, positive, proportion_limits(known, number))
    unreferenced = {name: values for name, values in events.items() if name not in reference.proportions}
    for name, values in (unreferenced | _site_events(reads)).items():
        number, positive = _counts(values, place, len(periods))
        patients = _patients_elsewhere(values, reads["patient"].to_numpy(dtype=np.str_), place, len(periods))
        limits = _limits_from_others(number, positive, patients)
        rows += _proportions(periods, name, number, positive, limits)
    first = _first_of_period(reads, place)
    for name, distribution in reference.numbers.items():
        scores = distribution.standardise(np.where(first, numbers.get(name, np.full(len(reads), np.nan)), np.nan))
        number, total = _counts(scores, place, len(periods))
        means = total / np.maximum(number, 1)
        limits = mean_limits(distribution, number)
        rows += [
            (period, MEAN + name, n, mean, low, high)
            for period, n, mean, (low, high) in zip(
                periods, number.tolist(), means.tolist(), limits.tolist(), strict=True
            )
            if n
        ]
    for name in QUARTILES:
        of_period = reads[name].groupby(starts).quantile([0.25, 0.5, 0.75]).unstack().dropna()
        known_values = reads[name].notna().groupby(starts).sum()
        rows += [(day, name, int(known_values[day]), q[0.5], q[0.25], q[0.75]) for day, q in of_period.iterrows()]
    table = pd.DataFrame(rows, columns=columns[:-1])
    outside = (table["value"] < table["low"] - 1e-12) | (table["value"] > table["high"] + 1e-12)
    return table.assign(outside=outside & ~table["series"].isin(QUARTILES))


def _counts(
    values: NDArray[np.float64], place: NDArray[np.intp], periods: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return (periods,) number of known values, and their sum."""
    known = ~np.isnan(values)
    total = np.bincount(place[known], values[known], minlength=periods)
    return np.bincount(place[known], minlength=periods), total.astype(np.float64)


def _proportions(
    periods: pd.DatetimeIndex,
    name: str,
    number: NDArray[np.intp],
    positive: NDArray[np.float64],
    limits: NDArray[np.float64],
) -> list[tuple[Any, ...]]:
    return [
        (period, name, n, hits / n, low, high)
        for period, n, hits, (low, high) in zip(
            periods, number.tolist(), positive.tolist(), limits.tolist(), strict=True
        )
        if n
    ]


def _site_events(reads: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Return the events that a site's reads alone have, by series, the most frequent of each kind; NaN if unknown."""
    events = {}
    if "reasons" in reads:
        refused = (reads["quality"] == "refused").to_numpy()
        for status, among in (("refused", np.ones(len(reads), dtype=bool)), ("warning", ~refused)):
            of_status = reads["reasons"].where(reads["quality"] == status, None).map(lambda one: one or ())
            for reason in of_status.explode().dropna().value_counts().index[:MOST_CATEGORIES]:
                given = of_status.map(lambda kinds, reason=reason: reason in kinds).to_numpy(dtype=np.float64)
                events[f"{status}: {reason}"] = np.where(among, given, np.nan)
    if "device" in reads:
        known = (reads["device"] != "").to_numpy()
        for device in reads["device"][known].value_counts().index[:MOST_CATEGORIES]:
            same = (reads["device"] == device).to_numpy(dtype=np.float64)
            events[f"device: {device}"] = np.where(known, same, np.nan)
    return events


def _patients_elsewhere(
    values: NDArray[np.float64], patients: NDArray[np.str_], place: NDArray[np.intp], periods: int
) -> NDArray[np.intp]:
    """Return (periods,) number of patients with a known value in another period; reads of unknown ones count each."""
    known = ~np.isnan(values)
    single = np.where(patients == "", [f"\0{row}" for row in range(len(patients))], patients)[known]
    codes = np.unique(single, return_inverse=True)[1]
    total, here = np.bincount(codes), place[known]
    return np.array(
        [np.count_nonzero(total > np.bincount(codes[here == p], minlength=len(total))) for p in range(periods)]
    )


def _limits_from_others(
    number: NDArray[np.intp], positive: NDArray[np.float64], patients: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return (periods, 2) limits of each proportion from all other periods; NaN where these have few patients."""
    limits = np.full((len(number), 2), np.nan)
    for position, others in enumerate(patients.tolist()):
        reads = int(number.sum() - number[position])
        if others >= MIN_PATIENTS and number[position]:
            value = float(positive.sum() - positive[position]) / reads
            limits[position] = proportion_limits(ProportionReference(value, others), number[[position]])[0]
    return limits


def _first_of_period(reads: pd.DataFrame, place: NDArray[np.intp]) -> NDArray[np.bool_]:
    repeated = pd.DataFrame({"patient": reads["patient"].to_numpy(), "place": place}).duplicated().to_numpy()
    return np.asarray(~repeated | (reads["patient"] == "").to_numpy(), dtype=bool)


def category_table(reads: pd.DataFrame) -> pd.DataFrame:
    """Return how often images were refused and warned for each reason, and how many came from each device.

    Args:
        reads: as in :mod:`.reads`, of one period; reasons and devices may be missing.

    Returns:
        Columns ``kind`` (``refused``, ``warning`` or ``device``), ``category``, ``reads``, ``proportion`` (of all
        reads), ``first`` and ``last`` (days, UTC), the most frequent of each kind first. A read may have several
        reasons.
    """
    reads = check_reads(reads)
    parts = []
    for kind in ("refused", "warning", "device"):
        column = "device" if kind == "device" else "reasons"
        if column not in reads:
            continue
        chosen = reads[reads["device"] != ""] if kind == "device" else reads[reads["quality"] == kind]
        entries = chosen[["time", column]].explode(column).dropna().groupby(column)["time"]
        found = entries.agg(["size", "min", "max"]).sort_values("size", ascending=False, kind="stable")
        parts.append(
            pd.DataFrame(
                {
                    "kind": kind,
                    "category": found.index.astype(str),
                    "reads": found["size"].to_numpy(dtype=np.int64),
                    "proportion": found["size"].to_numpy(dtype=np.float64) / max(len(reads), 1),
                    "first": found["min"].dt.strftime("%Y-%m-%d").to_numpy(),
                    "last": found["max"].dt.strftime("%Y-%m-%d").to_numpy(),
                }
            )
        )
    columns = ["kind", "category", "reads", "proportion", "first", "last"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _read_rows(periods: pd.DatetimeIndex, counts: np.ndarray, by: str) -> list[tuple[Any, ...]]:
    weekend = (periods.day_of_week >= 5) & (by == "day")
    rows = []
    for position, (period, count) in enumerate(zip(periods, counts.tolist(), strict=True)):
        others = (weekend == weekend[position]) & (np.arange(len(periods)) != position)
        # the last period may not be over
        low, high = (float("nan"),) * 2
        if others.sum() >= MIN_PERIODS:
            low, high = count_limits(counts[others])
        if position == len(periods) - 1:
            low = float("nan")
        rows.append((period, "reads", count, float(count), low, high))
    return rows


def distribution_table(reads: pd.DataFrame, reference: MonitoringReference) -> pd.DataFrame:
    """Return each number of a period beside its distribution in the reference.

    Args:
        reads: of the period, as in :mod:`.reads`; the first of each patient is used.
        reference: of the numbers.

    Returns:
        Columns ``series``, ``reads``, ``stability_index``, ``limit`` (which 5 % exceed though nothing has changed),
        ``lower_quartile``, ``median``, ``upper_quartile``, and ``median_of_reference``; NaN with too few reads.
    """
    numbers, _ = series_of(_first(reads))
    rows = []
    for name, known in reference.numbers.items():
        values = numbers.get(name, np.array([]))
        index = stability_index(values, known)
        quartiles = np.nanquantile(values, [0.25, 0.5, 0.75]) if index.value is not None else (np.nan,) * 3
        median = known.values[np.searchsorted(known.cumulative, 0.5)]
        rows.append((name, index.reads, index.value, index.limit, *quartiles, median))
    names = ["series", "reads", "stability_index", "limit", "lower_quartile", "median", "upper_quartile"]
    return pd.DataFrame(rows, columns=[*names, "median_of_reference"])


def mix_table(reads: pd.DataFrame, reference: MonitoringReference) -> pd.DataFrame:
    """Return views and sexes of a period beside those of the reference, by patient.

    Returns:
        Columns ``characteristic``, ``category``, ``patients``, ``patients_of_reference``, and ``p_value`` of the
        characteristic, not adjusted; NaN where there is no test.
    """
    first, rows = _first(reads), []
    for characteristic, expected in reference.mixes.items():
        counts = counts_of(first[characteristic])
        p_value = category_test(counts, expected)
        rows += [
            (characteristic, category, counts.get(category, 0), expected.get(category, 0), p_value)
            for category in sorted({*counts, *expected})
        ]
    return pd.DataFrame(rows, columns=["characteristic", "category", "patients", "patients_of_reference", "p_value"])


def _first(reads: pd.DataFrame) -> pd.DataFrame:
    """Return the first read of each patient; all of an unknown one."""
    reads = check_reads(reads)
    return reads[~reads["patient"].duplicated() | (reads["patient"] == "")]
