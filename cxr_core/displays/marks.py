"""What a figure is made of, whoever draws it: the screen draws with plotly, paper with matplotlib.

A display computes; the marks it returns hold every number that is drawn, so that both drawings and the table of
the same display cannot differ.
"""

from __future__ import annotations

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
    "Panel",
    "Rule",
]

# Okabe and Ito's colours, which colour-blind eyes tell apart; black is the background of the screen
BLUE, ORANGE, GREEN, PINK = "#56B4E9", "#E69F00", "#009E73", "#CC79A7"
YELLOW, NAVY, RED, GREY = "#F0E442", "#0072B2", "#D55E00", "#8A949E"
PALETTE = (BLUE, ORANGE, GREEN, PINK, YELLOW, RED, NAVY, GREY)


@dataclass(frozen=True, eq=False)
class Line:
    """A curve of k points, with a band between ``low`` and ``high`` where they are given.

    Attributes:
        x, y: (k,) float64.
        name: in the legend; empty for none.
        dash: how it is drawn.
        low, high: (k,) float64 of the band, or None.
        hover: (k,) what a pointer is told, or empty.
        steps: drawn as a staircase: between two points the value is that of the first.
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
    """k points, with an interval along x or y where ``low`` and ``high`` are given (NaN: this point has none).

    Attributes:
        x, y: (k,) numbers, or names of a category on an axis that has names.
        low, high: (k,) float64, or None.
        across: which axis the interval lies along.
        words: (k,) written beside the points, or empty.
    """

    x: tuple | NDArray
    y: tuple | NDArray
    name: str = ""
    colour: str = BLUE
    symbol: Literal["circle", "diamond", "square", "cross"] = "circle"
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    across: Literal["x", "y"] = "y"
    hover: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Bars:
    """Upright bars: one for each name of x, or for each number (then ``width`` wide)."""

    x: tuple | NDArray
    y: NDArray[np.float64]
    name: str = ""
    colour: str = BLUE
    hover: tuple[str, ...] = ()
    width: float | None = None


@dataclass(frozen=True, eq=False)
class Cells:
    """A table of coloured cells.

    Attributes:
        columns, rows: names.
        values: (rows, columns) float64, NaN for an empty cell.
        words: (rows, columns) what is written in each, row by row.
        hover: (rows, columns) what a pointer is told, or empty: names and words.
        low, high: values of the palest and the fullest colour.
    """

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    values: NDArray[np.float64]
    words: tuple[tuple[str, ...], ...]
    hover: tuple[tuple[str, ...], ...] = ()
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class Rule:
    """A straight line for the eye: at a value of ``x`` or ``y``, or ``diagonal`` from (0, 0) to (1, 1)."""

    along: Literal["x", "y", "diagonal"]
    at: float = 0.0


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        title: with the unit.
        low, high: the ends, or None to let the drawing choose.
        log: logarithmic.
        percent: shares are written in percent.
        names: categories, in order (from the bottom up on a y axis); empty for a numeric axis.
        bare: nothing is written along it, since the panel below has the same.
    """

    title: str = ""
    low: float | None = None
    high: float | None = None
    log: bool = False
    percent: bool = False
    names: tuple[str, ...] = ()
    bare: bool = False


@dataclass(frozen=True, eq=False)
class Panel:
    """One pair of axes and what lies on it; or words alone, where there is nothing to draw."""

    x: Axis
    y: Axis
    marks: tuple[Line | Dots | Bars | Cells | Rule, ...] = ()
    title: str = ""
    words: str = ""
    stacked: bool = False


@dataclass(frozen=True, eq=False)
class Chart:
    """A figure.

    Attributes:
        title: what is drawn, short.
        panels: read row by row.
        columns: panels in a row.
        height: of one row of panels, in pixels at 96 to the inch.
        alt: what the figure shows, for whoever does not see it.
        caption: the numbers of the figure in words; written below it.
        small: panels are small multiples: few ticks, small type.
        same_rows: all panels have the same names up their y axis: they are written once a row.
        notes: what must stand beside the numbers; written below the figure.
        listed: the figure's numbers as lines of words, the heads first, for a screen too narrow for its cells; or
            empty.
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
    listed: tuple[tuple[str, ...], ...] = ()

    def below(self) -> tuple[str, ...]:
        """Return the lines below the figure: the caption, then the notes as sentences."""
        # a name such as nih_expert is no word of a sentence's beginning
        begun = (one[:1].upper() + one[1:] if one.split(" ")[0].isalpha() else one for one in self.notes)
        notes = " ".join(one if one.endswith(".") else f"{one}." for one in begun)
        return tuple(words for words in (self.caption, notes) if words)

    def apart(self) -> tuple[Chart, ...]:
        """Return a chart of each panel by itself, for where there is no room for several in a row."""
        # what a panel below would have said, each says for itself
        panels = [replace(one, x=replace(one.x, bare=False), y=replace(one.y, bare=False)) for one in self.panels]
        return tuple(replace(self, title=one.title or self.title, panels=(one,), columns=1) for one in panels)
