"""The elements of a chart, independent of the library that draws it: plotly on a page, matplotlib on paper.

Marks hold every number that is drawn, so that both drawings and the table of a display agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "PALETTE",
    "PINK",
    "RED",
    "YELLOW",
    "Axis",
    "Bars",
    "Cells",
    "Chart",
    "Dots",
    "Line",
    "Mark",
    "Panel",
    "Rule",
    "Symbol",
    "small_multiples",
]

# Okabe and Ito's colour-blind-safe palette, without its black: pages have a dark background
BLUE, ORANGE, GREEN, PINK = "#56B4E9", "#E69F00", "#009E73", "#CC79A7"
YELLOW, NAVY, RED, GREY = "#F0E442", "#0072B2", "#D55E00", "#8A949E"
PALETTE = (BLUE, ORANGE, GREEN, PINK, YELLOW, RED, NAVY, GREY)

Symbol = Literal["circle", "diamond", "square", "cross"]
Coordinates = tuple[str, ...] | tuple[float, ...] | NDArray[np.float64]
"""Numbers, or categories on an axis with names."""


@dataclass(frozen=True, eq=False)
class Line:
    """A curve of k points, with an optional band.

    Attributes:
        x, y: (k,) float64.
        name: in the legend; empty for none.
        dash: line style.
        low, high: (k,) float64, limits of the band; None without a band.
        hover: (k,) tooltips, or empty.
        steps: drawn as steps; between two points the value is that of the first.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    name: str = ""
    colour: str = BLUE
    dash: Literal["solid", "dash", "dot"] = "solid"
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    hover: tuple[str, ...] = ()
    steps: bool = False


@dataclass(frozen=True, eq=False)
class Dots:
    """k points, with optional intervals.

    Attributes:
        x, y: (k,) numbers, or categories on an axis with names.
        low, high: (k,) float64, limits of the intervals, NaN for a point without one; None without intervals.
        interval_axis: axis along which the intervals lie.
        hover: (k,) tooltips, or empty.
        text: (k,) labels drawn beside the points, or empty.
    """

    x: Coordinates
    y: Coordinates
    name: str = ""
    colour: str = BLUE
    symbol: Symbol = "circle"
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    interval_axis: Literal["x", "y"] = "y"
    hover: tuple[str, ...] = ()
    text: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Bars:
    """Vertical bars, one per category of x, or one per number of x with a ``width``."""

    x: Coordinates
    y: NDArray[np.float64]
    name: str = ""
    colour: str = BLUE
    hover: tuple[str, ...] = ()
    width: float | None = None


@dataclass(frozen=True, eq=False)
class Cells:
    """A matrix of coloured cells.

    Attributes:
        columns, rows: names.
        values: (rows, columns) float64, NaN for an empty cell.
        text: (rows, columns) label of each cell.
        hover: (rows, columns) tooltips; if empty, row, column and text.
        low, high: values at the ends of the colour scale.
    """

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    values: NDArray[np.float64]
    text: tuple[tuple[str, ...], ...]
    hover: tuple[tuple[str, ...], ...] = ()
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class Rule:
    """A reference line: at a value of ``x`` or ``y``, or the ``diagonal`` from (0, 0) to (1, 1)."""

    axis: Literal["x", "y", "diagonal"]
    at: float = 0.0


Mark = Line | Dots | Bars | Cells | Rule


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        title: with the unit.
        low, high: limits, or None for automatic ones.
        log: logarithmic scale.
        percent: tick labels are percentages.
        names: categories, in order (from the bottom up on a y axis); empty for a numeric axis.
        hide_ticks: no tick labels, because the panel below has the same.
        ticks: positions and their labels, such as dates; empty for automatic ones.
    """

    title: str = ""
    low: float | None = None
    high: float | None = None
    log: bool = False
    percent: bool = False
    names: tuple[str, ...] = ()
    hide_ticks: bool = False
    ticks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes with its marks; or a message, if there is nothing to draw.

    Attributes:
        alt: text alternative of this panel alone; empty where that of the chart describes each of its panels.
    """

    x: Axis
    y: Axis
    marks: tuple[Mark, ...] = ()
    title: str = ""
    message: str = ""
    stacked: bool = False
    alt: str = ""


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure.

    Attributes:
        title: short title.
        panels: in row-major order.
        alt: text alternative.
        columns: number of panels in a row.
        height: of one row of panels, in pixels at 96 per inch.
        caption: shown below the figure.
        small: panels are small multiples, with few ticks and small type.
        same_rows: all panels have the same y categories; only the first panel of a row shows them.
        notes: remarks that must accompany the numbers; shown below the caption.
        table_rows: the numbers as a table, headings first, for narrow screens and reports; or empty.
    """

    title: str
    panels: tuple[Panel, ...]
    alt: str
    columns: int = 1
    height: int = 380
    caption: str = ""
    small: bool = False
    same_rows: bool = False
    notes: tuple[str, ...] = ()
    table_rows: tuple[tuple[str, ...], ...] = ()

    def footer(self) -> tuple[str, ...]:
        """Return the lines below the figure: the caption, then the notes as sentences."""
        # an identifier such as nih_expert keeps its case
        capitalised = (note[:1].upper() + note[1:] if note.split(" ")[0].isalpha() else note for note in self.notes)
        notes = " ".join(note if note.endswith(".") else f"{note}." for note in capitalised)
        return tuple(line for line in (self.caption, notes) if line)

    def split(self) -> tuple[Chart, ...]:
        """Return one chart per panel, with all tick labels."""
        panels = [replace(p, x=replace(p.x, hide_ticks=False), y=replace(p.y, hide_ticks=False)) for p in self.panels]
        charts = []
        for panel in panels:
            title = panel.title or self.title
            charts.append(
                replace(self, title=title, panels=(panel,), alt=panel.alt or f"{title}. {self.alt}", columns=1)
            )
        return tuple(charts)


def small_multiples(title: str, charts: Sequence[Chart], columns: int = 4) -> Chart:
    """Return one chart with the panels of several charts of the same kind, such as one per label.

    A panel's title is the part of its chart's title after the comma, followed by the legend entries that not all
    charts have, such as those with counts.
    """
    common = set.intersection(*({name for panel in chart.panels for name in _names(panel)} for chart in charts))
    panels = []
    for chart in charts:
        label = chart.title.partition(", ")[2] or chart.title
        for panel in chart.panels:
            marks = [m if isinstance(m, Cells | Rule) or m.name in common else replace(m, name="") for m in panel.marks]
            heading = ", ".join([label, *(name for name in _names(panel) if name not in common)])
            panels.append(replace(panel, title=heading, marks=tuple(marks)))
    alt = " ".join(chart.alt for chart in charts)
    return Chart(title, tuple(panels), alt, columns, height=250, small=True, notes=charts[0].notes)


def _names(panel: Panel) -> list[str]:
    return [mark.name for mark in panel.marks if not isinstance(mark, Cells | Rule) and mark.name]
