"""Concordance of readers and model as figures: agreement, changes of opinion, and accuracy before and after reveal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..formatting import format_estimate, format_p_value
from ..labels import display_name
from ..metrics import Concordance, Estimate, ReadingTime
from ..monitoring import Clusters, clustered_table
from .display import estimate_columns, estimate_dots, estimate_panel, hover_text
from .marks import BLUE, ORANGE, Axis, Chart, Dots, Panel, Symbol

__all__ = ["AccuracyChangeDisplay", "ConcordanceDisplay", "OpinionChangeDisplay", "ReadingTimeDisplay"]

_STEPS, _MOST_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25), 5

_CAPTION = (
    "Reader only: present to the reader, below the threshold for the model. First opinions, the last before the model "
    "was shown; intervals by {}; uncertain opinions are excluded. Agreement is not correctness."
)


@dataclass(frozen=True, eq=False)
class ConcordanceDisplay:
    """Agreement, kappa and disagreements of groups of opinions.

    Attributes:
        by: what the groups are, such as "label".
        groups: concordance of each, by name.
        clusters: what the reads are clustered by.
    """

    by: str
    groups: Mapping[str, Concordance]
    clusters: Clusters

    def table(self) -> pd.DataFrame:
        """Return one row per group and number; ``p_value`` is that both kinds of disagreement are as frequent."""
        rows = [
            {self.by: name, "opinions": group.opinions, "patients": group.patients, "number": number}
            | estimate_columns(getattr(group, number))
            | {"p_value": group.disagreement_p if number == "reader_only" else None}
            for name, group in self.groups.items()
            for number in ("agreement", "kappa", "reader_only", "model_only", "uncertain")
        ]
        return clustered_table(pd.DataFrame(rows), self.clusters)

    def chart(self) -> Chart:
        """Return kappa, and the proportions of both kinds of disagreement."""
        names, groups = shown_groups(self.by, self.groups), list(self.groups.values())
        missing = next((g.kappa.reason or "" for g in groups if g.kappa.value is None), "no opinion")
        kappas = [group.kappa for group in groups]
        signed = any((kappa.low or 0.0) < 0 for kappa in kappas)
        rows = [
            (
                name,
                _count(group.opinions),
                _count(group.patients),
                _percent(group.agreement),
                format_estimate(group.kappa),
                _percent(group.reader_only),
                _percent(group.model_only),
                format_p_value(group.disagreement_p),
            )
            for name, group in zip(names, groups, strict=True)
        ]
        disagreements = two_series_panel(
            "proportion of opinions",
            names,
            {"reader only": [g.reader_only for g in groups], "model only": [g.model_only for g in groups]},
            missing,
        )
        return Chart(
            f"Agreement of readers and model by {self.by}",
            (estimate_panel("kappa", names, kappas, signed=signed, missing=missing), disagreements),
            alt=f"Kappa by {self.by}. " + "; ".join(f"{row[0]} {row[4]}" for row in rows) + ".",
            columns=2,
            same_rows=True,
            height=90 + 30 * max(3, len(names)),
            caption=_CAPTION.format(self.clusters.one),
            table_rows=(
                (
                    self.by,
                    "opinions",
                    self.clusters.unit,
                    "agreement",
                    "kappa (95 % CI)",
                    "reader only",
                    "model only",
                    "p",
                ),
                *rows,
            ),
        )


@dataclass(frozen=True, eq=False)
class OpinionChangeDisplay:
    """How often an opinion changed after reveal, and in which direction.

    Attributes:
        by, groups, clusters: as in :class:`ConcordanceDisplay`.
    """

    by: str
    groups: Mapping[str, Concordance]
    clusters: Clusters

    def table(self) -> pd.DataFrame:
        """Return one row per group and number; ``p_value`` is that both directions are as frequent."""
        rows = [
            {self.by: name, "number": number}
            | estimate_columns(getattr(group, number))
            | {"p_value": group.change_p if number == "toward" else None}
            for name, group in self.groups.items()
            for number in ("changed", "toward", "away")
        ]
        return clustered_table(pd.DataFrame(rows), self.clusters)

    def chart(self) -> Chart:
        """Return the proportions of opinions changed toward the model and away from it."""
        names, groups = shown_groups(self.by, self.groups), list(self.groups.values())
        missing = next((g.changed.reason or "" for g in groups if g.changed.value is None), "no opinion")
        series = {"toward the model": [g.toward for g in groups], "away from it": [g.away for g in groups]}
        rows = [
            (name, *(_percent(e) for e in (g.changed, g.toward, g.away)), format_p_value(g.change_p))
            for name, g in zip(names, groups, strict=True)
        ]
        return Chart(
            f"Opinions changed after reveal by {self.by}",
            (two_series_panel("proportion of opinions", names, series, missing),),
            alt=f"Opinions changed toward the model, by {self.by}. " + "; ".join(f"{r[0]} {r[2]}" for r in rows) + ".",
            height=90 + 30 * max(3, len(names)),
            caption="Of opinions with a first and a final one. A change toward the model is not an improvement.",
            table_rows=((self.by, "changed", "toward", "away", "p"), *rows),
        )


@dataclass(frozen=True, eq=False)
class AccuracyChangeDisplay:
    """Sensitivity and specificity of the readers before and after reveal.

    Attributes:
        by, groups, clusters: as in :class:`ConcordanceDisplay`; groups without a reference standard are not drawn.
    """

    by: str
    groups: Mapping[str, Concordance]
    clusters: Clusters

    def table(self) -> pd.DataFrame:
        """Return one row per group, sensitivity and specificity, and before, after or difference."""
        rows = [
            {self.by: name, "number": number, "when": when}
            | estimate_columns(getattr(rate, when))
            | {"p_value": rate.p_value if when == "difference" else None}
            for name, group in self.groups.items()
            for number, rate in (("sensitivity", group.sensitivity), ("specificity", group.specificity))
            if rate is not None
            for when in ("before", "after", "difference")
        ]
        return clustered_table(pd.DataFrame(rows), self.clusters)

    def chart(self) -> Chart:
        """Return both rates, before and after, side by side."""
        shown = zip(shown_groups(self.by, self.groups), self.groups.values(), strict=True)
        known = {name: group for name, group in shown if group.sensitivity and group.specificity}
        panels, rows = [], []
        for number in ("sensitivity", "specificity"):
            rates = [getattr(group, number) for group in known.values()]
            missing = next((rate.before.reason or "" for rate in rates if rate.before.value is None), "")
            series = {"before reveal": [rate.before for rate in rates], "after": [rate.after for rate in rates]}
            missing = missing or "no reference standard"
            panels.append(two_series_panel(number, list(known), series, missing))
            rows += [
                (
                    f"{name}, {number}",
                    _percent(rate.before),
                    _percent(rate.after),
                    format_estimate(rate.difference, percent=True, signed=True),
                    format_p_value(rate.p_value),
                )
                for name, rate in zip(known, rates, strict=True)
            ]
        return Chart(
            f"Accuracy of the readers before and after reveal by {self.by}",
            tuple(panels),
            alt="Before and after reveal. " + "; ".join(f"{row[0]} {row[1]} and {row[2]}" for row in rows) + ".",
            columns=2,
            same_rows=True,
            height=90 + 30 * max(3, len(known)),
            caption="Against the reference standard, of opinions that are present or absent both times.",
            table_rows=((self.by, "before", "after", "difference (95 % CI)", "p"), *rows) if rows else (),
        )


@dataclass(frozen=True, eq=False)
class ReadingTimeDisplay:
    """Seconds per read.

    Attributes:
        by: as in :class:`ConcordanceDisplay`.
        times: of each group, by name.
    """

    by: str
    times: Mapping[str, ReadingTime]

    def table(self) -> pd.DataFrame:
        """Return one row per group: reads, quartiles in seconds, and why there are none."""
        columns = [self.by, "reads", "lower_quartile", "median", "upper_quartile", "reason"]
        rows = [(name, time.reads, *(time.quartiles or (None,) * 3), time.reason) for name, time in self.times.items()]
        return pd.DataFrame(rows, columns=columns)

    def chart(self) -> Chart:
        """Return medians with quartiles."""
        names, title = shown_groups(self.by, self.times), "Time per read"
        known = [
            (name, time.quartiles) for name, time in zip(names, self.times.values(), strict=True) if time.quartiles
        ]
        lower, median, upper = np.array([quartiles for _, quartiles in known]).reshape(-1, 3).T
        shown = [name for name, _ in known]
        missing = next((time.reason or "" for time in self.times.values() if not time.quartiles), "no read")
        rows = [
            (name, _count(time.reads), *(f"{q:.0f} s" for q in time.quartiles or ()))
            if time.quartiles
            else (name, _count(time.reads), time.reason or "", "", "")
            for name, time in zip(names, self.times.values(), strict=True)
        ]
        hover = tuple(f"{row[0]}: median {row[3]}, quartiles {row[2]} to {row[4]}" for row in rows if row[0] in shown)
        dots = Dots(median, tuple(shown), "", BLUE, "circle", lower, upper, interval_axis="x", hover=hover)
        high = 1.1 * float(upper.max()) if known else 1.0
        return Chart(
            title,
            (
                Panel(
                    Axis("seconds, median with quartiles", 0, high),
                    Axis(names=tuple(names)[::-1]),
                    (dots,) if known else (),
                    message="" if known else missing,
                ),
            ),
            alt=f"{title}. " + "; ".join(f"{row[0]} {row[3]}" for row in rows if row[3]) + ".",
            height=90 + 26 * max(2, len(names)),
            caption="On the reader's screen, interruptions of up to ten minutes included.",
            table_rows=((self.by, "reads", "lower quartile", "median", "upper quartile"), *rows),
        )


def shown_groups(by: str, groups: Iterable[str]) -> list[str]:
    """Return what groups are called on a figure.

    Examples:
        >>> shown_groups("label", ["all", "Pleural_Thickening"])
        ['All', 'Pleural thickening']
    """
    return ["All" if name == "all" else display_name(name) if by == "label" else name for name in groups]


def two_series_panel(axis: str, names: list[str], series: Mapping[str, list[Estimate]], missing: str) -> Panel:
    """Return a panel of two proportions of each row, as dots of two colours with their intervals.

    Args:
        axis: title of the x axis.
        names: (k,) of the rows, the first on top.
        series: two lists of k estimates, by name in the legend.
        missing: written where no estimate has a value.
    """
    marks: list[Dots] = []
    looks: tuple[tuple[str, Symbol], ...] = ((BLUE, "circle"), (ORANGE, "diamond"))
    for (legend, estimates), (colour, symbol) in zip(series.items(), looks, strict=True):
        known = [(name, e) for name, e in zip(names, estimates, strict=True) if e.value is not None]
        if known:
            texts = [f"{legend}: {hover_text(*pair, percent=True)}" for pair in known]
            rows, values = zip(*known, strict=True)
            marks.append(estimate_dots(values, rows, texts, legend=legend, colour=colour, symbol=symbol))
    ends = [e.high or e.value_or_nan for estimates in series.values() for e in estimates if e.value is not None]
    high = min(1.01, max(0.05, 1.1 * max(ends, default=1.0)))
    step = next((step for step in _STEPS if high / step <= _MOST_TICKS), 0.5)
    ticks = tuple((n * step, f"{n * step:.0%}") for n in range(int(high / step) + 1))
    return Panel(
        Axis(axis, -0.01 * high, high, percent=True, ticks=ticks),
        Axis(names=tuple(names)[::-1]),
        tuple(marks),
        message="" if marks else missing,
    )


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _percent(estimate: Estimate) -> str:
    return format_estimate(estimate, percent=True)
