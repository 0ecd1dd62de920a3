"""The alarm: reads differ from the reference in any series. One rule, with one bound on false alarms for all series."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..metrics import ChangeOptions, detect_changes, first_of_patient
from .reads import check_reads
from .reference import MonitoringReference, series_of

__all__ = ["Alarm", "Contribution", "Episode", "Watch", "factors_of", "watch"]

_NAMED, _MOST_NAMED = 0.05, 3
"""Smallest part of the statistic for which a series is named beside an alarm, and how many are."""


@dataclass(frozen=True)
class Contribution:
    """One series of an alarm.

    Attributes:
        series: its name.
        rises: whether its values lie above the reference, else below.
        part: of the statistic, in [0, 1].
    """

    series: str
    rises: bool
    part: float


@dataclass(frozen=True)
class Alarm:
    """One alarm.

    Attributes:
        row: of the table of reads in order of time.
        time: of that read; None where it has none.
        reads: that counted since the charts last started at 0, this one included.
        contributions: the three series that make up most of the statistic, the largest first, of those with 5 % or
            more.
        since: time of the read with which the change most likely began, by the chart that is the largest part of the
            statistic; None where it has no time. An estimate without an interval.
    """

    row: int
    time: pd.Timestamp | None
    reads: int
    contributions: tuple[Contribution, ...]
    since: pd.Timestamp | None = None


@dataclass(frozen=True)
class Episode:
    """Alarms one after the other of which each names first what the one before names too: a series and its direction.

    Attributes:
        first: the first of them.
        last: the last of them, which is the first where there is one.
        alarms: how many.
    """

    first: Alarm
    last: Alarm
    alarms: int


@dataclass(frozen=True, eq=False)
class Watch:
    """The statistic over time.

    Attributes:
        rows: (n,) rows of the table, in order of time, that count: the first read of each patient in 30 days.
        level: (n,) statistic over its limit; an alarm is raised at 1 or more.
        alarms: in order of time.
    """

    rows: NDArray[np.intp]
    level: NDArray[np.float64]
    alarms: tuple[Alarm, ...]

    def episodes(self) -> tuple[Episode, ...]:
        """Return the alarms, in order of time, those of a change that lasts as one."""
        episodes: list[Episode] = []
        for alarm in self.alarms:
            last = episodes[-1] if episodes else None
            if last is not None and set(_causes(alarm)[:1]) <= set(_causes(last.last)):
                episodes[-1] = Episode(last.first, alarm, last.alarms + 1)
            else:
                episodes.append(Episode(alarm, alarm, 1))
        return tuple(episodes)


def _causes(alarm: Alarm) -> list[tuple[str, bool]]:
    return [(one.series, one.rises) for one in alarm.contributions]


def watch(
    reads: pd.DataFrame, reference: MonitoringReference, options: ChangeOptions | None = None, period: float = 30.0
) -> Watch:
    """Return the statistic of a stream of reads, and its alarms.

    Args:
        reads: as in :mod:`.reads`, all with a time, of the model of the reference.
        reference: its series are watched, those that the reads lack included, which then change nothing.
        options: of the charts; one false alarm in 10,000 reads by default.
        period: days in which a patient counts once.

    References:
        :func:`.metrics.detect_changes`; the beginning of a change by maximum likelihood, as in Hinkley, Biometrika 57
        (1970) 1-17.
    """
    options = options or ChangeOptions()
    reads = check_reads(reads)
    days = ((reads["time"] - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)).to_numpy()
    rows = np.flatnonzero(first_of_patient(days, reads["patient"].to_numpy(dtype=np.str_), period))
    factors = factors_of(reads.iloc[rows], reference, options)
    level, positions, parts = detect_changes(factors, options)
    starts = np.concatenate([[-1], positions[:-1]]) if len(positions) else positions
    alarms = []
    for at, start, part in zip(positions, starts, parts, strict=True):
        # the sum of logarithms from a read to the alarm is largest where that read is the first of the change
        sums = np.cumsum(factors[start + 1 : at + 1, int(np.argmax(part))][::-1])
        first = rows[at - int(np.argmax(sums))]
        time, since = (_time(reads["time"].iloc[row]) for row in (rows[at], first))
        alarms.append(Alarm(int(rows[at]), time, int(at - start), _contributions(reference, part), since))
    return Watch(rows, level, tuple(alarms))


def factors_of(reads: pd.DataFrame, reference: MonitoringReference, options: ChangeOptions) -> NDArray[np.float64]:
    """Return (n, 2 x series) logarithms of likelihood ratios, rise and fall of each series of the reference in turn."""
    numbers, events = series_of(reads)
    unknown = np.full(len(reads), np.nan)
    columns = [
        *(known.factors(numbers.get(name, unknown), options) for name, known in reference.numbers.items()),
        *(known.factors(events.get(name, unknown), options) for name, known in reference.proportions.items()),
    ]
    return np.concatenate(columns, axis=1)


def _time(time: pd.Timestamp) -> pd.Timestamp | None:
    return None if pd.isna(time) else time


def _contributions(reference: MonitoringReference, parts: NDArray[np.float64]) -> tuple[Contribution, ...]:
    order = [int(chart) for chart in np.argsort(-parts)[:_MOST_NAMED] if parts[chart] >= _NAMED]
    return tuple(Contribution(reference.series[chart // 2], chart % 2 == 0, float(parts[chart])) for chart in order)
