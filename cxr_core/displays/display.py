"""The interface of displays, and parts that they share."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluation.catalogue import Entry
from ..evaluation.run_view import FIGURE_OPTIONS, RunView
from ..formatting import format_counts, format_estimate
from ..metrics import Estimate
from .marks import BLUE, Axis, Chart, Dots, Panel, Rule, Symbol

__all__ = [
    "FIGURE_OPTIONS",
    "Display",
    "RunView",
    "display_of",
    "estimate_columns",
    "estimate_dots",
    "estimate_panel",
    "hover_text",
    "interval_bounds",
    "numbers_by_row",
    "table_cell",
    "table_counts",
]


class Display(Protocol):
    """Numbers of a run or a card; drawn by :mod:`.plotly_charts` and :mod:`.matplotlib_charts`."""

    def table(self) -> pd.DataFrame:
        """Return all numbers of the figure, with counts, intervals and reasons, for its CSV."""

    def chart(self) -> Chart:
        """Return the chart."""


def display_of(entry: Entry, run: RunView, label: str = "") -> Display | None:
    """Return the display of an entry of the catalogue; None if the run has no data for it.

    Args:
        entry: an entry with a display.
        run: the run.
        label: for entries with a figure per label.
    """
    module, name = entry.display.split(".")
    display: Display | None = getattr(import_module(f"{__package__}.{module}"), name).of_run(run, label)
    return display


def estimate_columns(estimate: Estimate, prefix: str = "") -> dict[str, object]:
    """Return an Estimate as columns of a table: value, low, high, counts, reason, method."""
    return {f"{prefix}{name}": value for name, value in estimate.columns().items()}


def numbers_by_row(run: RunView, entry: str, label: str = "") -> dict[tuple[str, str], dict[str, Estimate]]:
    """Return the numbers of an entry of the catalogue by label and group, then metric; of one label, or of all."""
    rows: dict[tuple[str, str], dict[str, Estimate]] = {}
    for number in run.summary.numbers:
        if number.entry == entry and label in ("", number.label):
            rows.setdefault((number.label, number.group), {})[number.metric] = number.estimate
    return rows


def estimate_panel(
    axis: str,
    names: Sequence[str],
    estimates: Sequence[Estimate],
    *,
    percent: bool = False,
    signed: bool = False,
    missing: str = "",
) -> Panel:
    """Return a panel of dots with intervals along x, the first name on top.

    Args:
        axis: title of the x axis.
        names: (k,) of the rows; those without a value keep their place.
        estimates: (k,).
        percent: proportions, written in percent.
        signed: differences: the axis is even about a rule at 0. Else it reaches from 0 to 1.
        missing: what is written where there is no value.
    """
    known = [(name, estimate) for name, estimate in zip(names, estimates, strict=True) if estimate.value is not None]
    values = [estimate for _, estimate in known]
    dots = estimate_dots(
        values, [name for name, _ in known], [hover_text(*pair, percent=percent, signed=signed) for pair in known]
    )
    ends = [abs(end) for e in values for end in (e.value_or_nan, e.low or 0.0, e.high or 0.0)]
    low, high = -0.01, 1.01
    if signed:
        high = 1.1 * max(ends, default=1.0) or 1.0
        low = -high
    marks = (*((Rule("x", 0.0),) if signed else ()), dots) if known else ()
    return Panel(
        Axis(axis, low, high, percent=percent), Axis(names=tuple(names)[::-1]), marks, message="" if known else missing
    )


def table_cell(estimate: Estimate, *, percent: bool = False, signed: bool = False) -> str:
    """Return an estimate as a narrow cell: without a value its reason without counts."""
    if estimate.value is None:
        return (estimate.reason or "not known").partition(" (")[0]
    return format_estimate(estimate, percent=percent, signed=signed)


def table_counts(estimate: Estimate) -> str:
    """Return positive and negative patients as a narrow cell."""
    return f"{estimate.positive_patients or 0:,} / {estimate.negative_patients or 0:,}"


def interval_bounds(estimates: Sequence[Estimate]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower and upper limits of k estimates, (k,) float64 each; NaN without an interval."""
    low = [np.nan if estimate.low is None else estimate.low for estimate in estimates]
    high = [np.nan if estimate.high is None else estimate.high for estimate in estimates]
    return np.array(low, dtype=np.float64), np.array(high, dtype=np.float64)


def estimate_dots(
    estimates: Sequence[Estimate],
    names: Sequence[str],
    hover: Sequence[str],
    *,
    legend: str = "",
    colour: str = BLUE,
    symbol: Symbol = "circle",
) -> Dots:
    """Return k estimates as dots along the x axis, with their intervals.

    Args:
        estimates: k, each with a value.
        names: (k,) categories of the y axis.
        hover: (k,) tooltips.
        legend: name in the legend; empty for none.
        colour, symbol: of the dots.
    """
    low, high = interval_bounds(estimates)
    values = tuple(estimate.value_or_nan for estimate in estimates)
    return Dots(values, tuple(names), legend, colour, symbol, low, high, interval_axis="x", hover=tuple(hover))


def hover_text(name: str, estimate: Estimate, *, percent: bool = False, signed: bool = False) -> str:
    """Return the tooltip of an estimate: name, value, interval, patients."""
    counts = "" if estimate.positive_patients is None else f"<br>{format_counts(estimate)}"
    return f"{name}: {format_estimate(estimate, percent=percent, signed=signed)}{counts}"
