"""Reads over time as figures: control charts of a series, and the statistic of the alarm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..labels import display_name
from ..monitoring import Alarm, Episode, Watch
from ..monitoring.periods import MEAN, QUARTILES
from ..monitoring.reads import SCORE
from ..monitoring.reference import UNFAMILIAR
from .marks import BLUE, GREY, ORANGE, RED, Axis, Cells, Chart, Dots, Line, Panel, Rule, Symbol, small_multiples

__all__ = [
    "LIMITS",
    "AlarmDisplay",
    "ControlChartDisplay",
    "ScoreChartsDisplay",
    "describe_episode",
    "series_title",
    "series_value",
]

LIMITS = "Limits hold 99.73 % of the periods while nothing has changed. A point outside is no alarm."

_TITLES = {
    "reads": "Reads",
    "refused": "Refused images",
    "warning": "Images with a warning",
    "flagged": "Images with any finding above its threshold",
    "view: AP": "AP views",
    "sex: M": "Male patients",
    "seconds": "Time to answer",
    "age": "Age",
    "distance": "Distance from the training images",
    UNFAMILIAR: "Images unlike the training images",
}
_KINDS = {"refused: ": "Refused", "warning: ": "Warning", "device: ": "Device"}
_MOST_TICKS, _MOST_POINTS = 5, 2000


def series_title(series: str) -> str:
    """Return the title of a series.

    Examples:
        >>> series_title("score: Pleural_Thickening"), series_title("mean score: Mass"), series_title("reads")
        ('Score of Pleural thickening', 'Score, Mass', 'Reads')
    """
    if series.startswith(MEAN + SCORE):
        return f"Score, {display_name(series.removeprefix(MEAN + SCORE))}"
    series = series.removeprefix(MEAN)
    if series.startswith(SCORE):
        return f"Score of {display_name(series.removeprefix(SCORE))}"
    for prefix, title in _KINDS.items():
        if series.startswith(prefix):
            return f"{title}: {series.removeprefix(prefix)}"
    return _TITLES.get(series, series)


def series_value(value: float, series: str) -> str:
    """Return a value of a series, or one of its limits, with its unit; ``none`` where there is none.

    Examples:
        >>> series_value(0.125, "flagged"), series_value(1.25, "seconds"), series_value(-0.1, "mean age")
        ('12.5%', '1.2 s', '-0.10 SD')
    """
    if np.isnan(value):
        return "none"
    if series == "reads":
        return f"{value:,.0f}"
    if series.startswith(MEAN):
        return f"{value:+.2f} SD"
    if series in QUARTILES:
        return f"{value:.1f} s" if series == "seconds" else f"{value:.2f}"
    return f"{value:.1%}"


def describe_episode(episode: Episode) -> str:
    """Return one line on an alarm, or on several of one change: when, since when, and what changed."""
    alarm, text = episode.first, "Alarm"
    if alarm.time is not None:
        text += f" on {alarm.time:%Y-%m-%d}"
    text += f" after {alarm.reads:,} {'read' if alarm.reads == 1 else 'reads'}"
    if alarm.since is not None:
        text += f", change since about {alarm.since:%Y-%m-%d}"
    if episode.alarms > 1:
        until = "" if episode.last.time is None else f", the last on {episode.last.time:%Y-%m-%d}"
        text += f", {episode.alarms} alarms{until}"
    return f"{text}: {_named(alarm)}"


@dataclass(frozen=True, eq=False)
class ControlChartDisplay:
    """One series by day or week with its control limits.

    Attributes:
        series: name in the table.
        periods: rows of the series in :func:`.monitoring.period_table`.
        unit: of a period, "day" or "week".
    """

    series: str
    periods: pd.DataFrame
    unit: str

    @classmethod
    def of(cls, table: pd.DataFrame, series: str, unit: str) -> ControlChartDisplay:
        """Return the chart of one series of a table of periods."""
        return cls(series, table[table["series"] == series].reset_index(drop=True), unit)

    def table(self) -> pd.DataFrame:
        """Return the rows of the series."""
        return self.periods

    def chart(self) -> Chart:
        """Return points over time; those outside the limits in another colour."""
        rows, title = self.periods, series_title(self.series)
        signed, quartiles = self.series.startswith(MEAN), self.series in QUARTILES
        percent = self.series != "reads" and not signed and not quartiles
        if rows.empty:
            return Chart(title, (Panel(Axis(), Axis(), message="no read in these periods"),), alt=f"{title}: no read.")
        start = rows["period"].min()
        x = ((rows["period"] - start) / pd.Timedelta(days=1 if self.unit == "day" else 7)).to_numpy(np.float64)
        value, low, high = (rows[name].to_numpy(np.float64) for name in ("value", "low", "high"))
        outside = rows["outside"].to_numpy(dtype=bool)
        hover = np.array(
            [
                f"{row.period:%Y-%m-%d}: {series_value(row.value, self.series)} of {row.reads:,} reads, "
                f"limits {series_value(row.low, self.series)} to {series_value(row.high, self.series)}"
                for row in rows.itertuples()
            ]
        )
        limits = "quartiles" if quartiles else "limits"
        marks: list[Line | Dots] = [
            Line(x[known], limit[known], limits, GREY, "dash")
            for limit in (low, high)
            if (known := ~np.isnan(limit)).any()
        ]
        looks: tuple[tuple[NDArray[np.bool_], str, Symbol, str], ...] = (
            (~outside, BLUE, "circle", "median" if quartiles else "within"),
            (outside, RED, "diamond", "outside"),
        )
        for chosen, colour, symbol, name in looks:
            if chosen.any():
                marks.append(Dots(x[chosen], value[chosen], name, colour, symbol, hover=tuple(hover[chosen].tolist())))
        units = {"reads": "reads", "seconds": "seconds", "distance": "distance"}
        unit = "standard deviations" if signed else units.get(self.series, "proportion of reads")
        ends = np.concatenate([value, low, high])
        top = 1.05 * float(np.nanmax(ends if not signed else np.abs(ends))) or 1.0
        step = -(-len(rows) // _MOST_TICKS)
        ticks = tuple((float(x[n]), f"{rows['period'][n]:%d %b}".lstrip("0")) for n in range(0, len(rows), step))
        return Chart(
            title,
            (
                Panel(
                    Axis(f"{self.unit} from", ticks=ticks),
                    Axis(unit, -top if signed else 0, min(top, 1.0) if percent else top, percent=percent),
                    (*((Rule("y", 0.0),) if signed else ()), *marks),
                ),
            ),
            alt=f"{title} by {self.unit}: {int(outside.sum())} of {len(rows)} outside their limits, "
            f"last {series_value(value[-1], self.series)}.",
            height=210,
            caption="Median with quartiles." if quartiles else "",
        )


@dataclass(frozen=True, eq=False)
class ScoreChartsDisplay:
    """The mean of each label's scores, and of other numbers of the reference, by day or week.

    Attributes:
        periods: of :func:`.monitoring.period_table`; the series of means are drawn.
        unit: of a period, "day" or "week".
    """

    periods: pd.DataFrame
    unit: str

    def table(self) -> pd.DataFrame:
        """Return the rows of the series."""
        return self.periods[self.periods["series"].str.startswith(MEAN)].reset_index(drop=True)

    def chart(self) -> Chart:
        """Return a small chart of each series, in standard deviations of the reference."""
        rows = self.table()
        title = "Scores beside those of the validation images"
        names = list(dict.fromkeys(rows["series"]))
        if not names:
            return Chart(title, (Panel(Axis(), Axis(), message="no read with a score"),), alt=f"{title}: none.")
        charts = [ControlChartDisplay.of(rows, name, self.unit).chart() for name in names]
        outside = rows.groupby("series", sort=False)["outside"].sum()
        last = rows.groupby("series", sort=False).tail(1).set_index("series")
        texts = [
            (
                series_title(name).removeprefix("Score, "),
                series_value(last["value"][name], name),
                "none" if np.isnan(last["high"][name]) else f"±{last['high'][name]:.2f}",
                f"{int(outside[name])} of {int((rows['series'] == name).sum())}",
            )
            for name in names
        ]
        return replace(
            small_multiples(title, [_without_titles(chart) for chart in charts], columns=5),
            height=150,
            alt=f"{title}. Outside their limits: "
            + "; ".join(f"{series_title(name)} {int(outside[name])}" for name in names)
            + f" of {rows['period'].nunique()} {self.unit}s.",
            caption="Mean of the scores by period, in standard deviations of the validation images (0: as there), one "
            f"read of each patient, or study where it is unknown. Dashed: limits; red diamonds lie outside. {LIMITS}",
            table_rows=(("number", f"last {self.unit}", "limits", f"{self.unit}s outside"), *texts),
        )


def _without_titles(chart: Chart) -> Chart:
    """Return a chart for a small place: without titles of the axes and without a legend."""
    (panel,) = chart.panels
    marks = tuple(mark if isinstance(mark, Rule | Cells) else replace(mark, name="") for mark in panel.marks)
    ticks = panel.x.ticks[:: max(1, len(panel.x.ticks) - 1)]
    x, y = replace(panel.x, title="", ticks=ticks), replace(panel.y, title="")
    return replace(chart, panels=(replace(panel, x=x, y=y, marks=marks),))


@dataclass(frozen=True, eq=False)
class AlarmDisplay:
    """The statistic of the alarm over the reads, and the alarms.

    Attributes:
        watch: the statistic.
        reads_per_false_alarm: the stated rate.
    """

    watch: Watch
    reads_per_false_alarm: float

    def table(self) -> pd.DataFrame:
        """Return one row per alarm and series that it names."""
        columns = ["time", "since", "reads", "series", "direction", "part"]
        rows = [
            (alarm.time, alarm.since, alarm.reads, one.series, "rise" if one.rises else "fall", one.part)
            for alarm in self.watch.alarms
            for one in alarm.contributions
        ]
        return pd.DataFrame(rows, columns=columns)

    def chart(self) -> Chart:
        """Return the statistic on a logarithmic scale with its limit."""
        level, alarms = self.watch.level, self.watch.alarms
        x = np.arange(1, len(level) + 1, dtype=np.float64)
        title, alt = "Change of the reads", f"{len(alarms)} alarms in {len(level):,} reads that count."
        if not len(level):
            return Chart(title, (Panel(Axis(), Axis(), message="no read"),), alt=alt)
        at = np.flatnonzero(level >= 1)
        hover = tuple(_named(alarm) for alarm in alarms)
        drawn = _thinned(level)
        marks: list[Line | Dots | Rule] = [Rule("y", 1.0), Line(x[drawn], level[drawn], "statistic", BLUE)]
        if len(at):
            marks.append(Dots(x[at], level[at], "alarm", ORANGE, "diamond", hover=hover))
        return Chart(
            title,
            (Panel(Axis("reads that count"), Axis("statistic / limit", log=True), tuple(marks)),),
            alt=alt,
            height=260,
            caption=(
                f"An alarm at 1. At most one false alarm in {self.reads_per_false_alarm:,.0f} reads on average, over "
                "all series. An alarm is no statement about the model's accuracy."
            ),
            notes=tuple(map(describe_episode, self.watch.episodes())),
        )


def _thinned(level: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the places of at most some 2,000 points of a long line, alarms among them."""
    step = max(1, len(level) // _MOST_POINTS)
    return np.union1d(np.arange(0, len(level), step), np.flatnonzero(level >= 1))


def _named(alarm: Alarm) -> str:
    named = (f"{series_title(one.series)} {'higher' if one.rises else 'lower'}" for one in alarm.contributions)
    return "; ".join(named) or "many series"
