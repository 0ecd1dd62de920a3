"""Charts for publication, drawn with matplotlib on white, as SVG or PNG."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..labels import NOTICE
from .marks import Axis, Bars, Cells, Chart, Dots, Line, Mark, Rule

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["as_png", "as_svg", "matplotlib_figure"]

_DASH = {"solid": "-", "dash": "--", "dot": ":"}
_SYMBOL = {"circle": "o", "diamond": "D", "square": "s", "cross": "X"}
_QUIET = "#6b7680"
_PIXELS_PER_INCH = 96
# yellow and sky blue have too little contrast on white
_DARKER = {"#56B4E9": "#2A86BD", "#F0E442": "#B8A800"}


def matplotlib_figure(chart: Chart, width: float = 7.2) -> Figure:
    """Return the chart as a matplotlib figure, ``width`` inches wide, with its footer and the notice."""
    # imported here because pages do not need it
    from matplotlib.figure import Figure

    columns = min(chart.columns, len(chart.panels)) or 1
    rows = max(1, math.ceil(len(chart.panels) / columns))
    height = rows * chart.height / _PIXELS_PER_INCH * (0.62 if columns > 2 else 0.8) + 0.8
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    size = 6.5 if columns > 2 or chart.small else 8
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes_of_panel, panel in zip(axes, chart.panels, strict=False):
        axes_of_panel.tick_params(labelsize=size - 0.5, length=2.5, width=0.6)
        axes_of_panel.grid(visible=True, color="#e6e8ea", linewidth=0.6)
        axes_of_panel.set_axisbelow(True)
        for side in ("top", "right"):
            axes_of_panel.spines[side].set_visible(False)
        stack: dict[str | float, float] = {}
        bars = [mark for mark in panel.marks if isinstance(mark, Bars)]
        for mark in panel.marks:
            _draw(axes_of_panel, mark, size, bars, stack if panel.stacked else None)
        if not panel.marks:
            axes_of_panel.set_axis_off()
        axes_of_panel.set_title(panel.title, fontsize=size + 0.5, loc="left")
        _axis(axes_of_panel, panel.x, "x", size)
        _axis(axes_of_panel, panel.y, "y", size)
        if chart.same_rows and panel is not chart.panels[0]:
            axes_of_panel.tick_params(axis="y", labelleft=False)
        if panel.message:
            axes_of_panel.text(
                0.5,
                0.5,
                panel.message,
                transform=axes_of_panel.transAxes,
                ha="center",
                va="center",
                fontsize=size,
                color=_QUIET,
                wrap=True,
            )
    for empty in axes[len(chart.panels) :]:
        empty.set_visible(False)
    _legend(figure, axes, size)
    figure.suptitle(chart.title, fontsize=size + 2, x=0.01, ha="left")
    figure.supxlabel(" · ".join((*chart.footer(), NOTICE)), fontsize=5.5, color=_QUIET, x=0.01, ha="left")
    return figure


def as_svg(chart: Chart) -> bytes:
    """Return the chart as SVG with selectable text; the metadata contain its title and text alternative."""
    from matplotlib import rc_context

    stream = io.BytesIO()
    # reproducible bytes; a name with two dollar signs is not a formula
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "second-read", "text.parse_math": False}):
        matplotlib_figure(chart).savefig(
            stream, format="svg", metadata={"Title": chart.title, "Description": chart.alt, "Date": None}
        )
    # control characters that XML does not allow
    return stream.getvalue().translate(None, bytes({*range(32)} - {*b"\t\n\r"}))


def as_png(chart: Chart, dpi: int = 300) -> bytes:
    """Return the chart as PNG; its text chunks contain the title, the text alternative and the notice."""
    from matplotlib import rc_context

    stream = io.BytesIO()
    with rc_context({"text.parse_math": False}):
        matplotlib_figure(chart).savefig(
            stream, format="png", dpi=dpi, metadata={"Title": chart.title, "Description": chart.alt, "Warning": NOTICE}
        )
    return stream.getvalue()


def _draw(axes: Axes, mark: Mark, size: float, bars: list[Bars], stack: dict[str | float, float] | None) -> None:
    if isinstance(mark, Rule):
        if mark.axis == "diagonal":
            axes.plot([0, 1], [0, 1], color=_QUIET, linewidth=0.8, linestyle=":")
        else:
            straight_line = axes.axvline if mark.axis == "x" else axes.axhline
            straight_line(mark.at, color=_QUIET, linewidth=0.8, linestyle=":")
    elif isinstance(mark, Cells):
        _cells(axes, mark, size)
    elif isinstance(mark, Line):
        colour = _DARKER.get(mark.colour, mark.colour)
        axes.plot(
            mark.x,
            mark.y,
            color=colour,
            linewidth=1.3,
            linestyle=_DASH[mark.dash],
            label=mark.name or "_",
            drawstyle="steps-post" if mark.steps else "default",
        )
        if mark.low is not None and mark.high is not None:
            axes.fill_between(mark.x, mark.low, mark.high, color=colour, alpha=0.18, linewidth=0)
    elif isinstance(mark, Dots):
        _dots(axes, mark, size)
    else:
        _bars(axes, mark, bars, stack)


def _dots(axes: Axes, mark: Dots, size: float) -> None:
    colour = _DARKER.get(mark.colour, mark.colour)
    errors = {}
    if mark.low is not None and mark.high is not None:
        middle = np.asarray(mark.x if mark.interval_axis == "x" else mark.y, dtype=np.float64)
        both = np.nan_to_num(np.array([middle - mark.low, mark.high - middle]))
        errors = {f"{mark.interval_axis}err": np.maximum(both, 0)}
    axes.errorbar(
        list(mark.x),
        list(mark.y),
        fmt=_SYMBOL[mark.symbol],
        color=colour,
        markersize=4,
        elinewidth=0.9,
        capsize=2,
        label=mark.name or "_",
        **errors,
    )
    for x, y, text in zip(mark.x, mark.y, mark.text, strict=False):
        axes.annotate(text, (x, y), xytext=(5, 0), textcoords="offset points", fontsize=size - 1, va="center")


def _bars(axes: Axes, mark: Bars, bars: list[Bars], stack: dict[str | float, float] | None) -> None:
    colour = _DARKER.get(mark.colour, mark.colour)
    if mark.width is not None:
        axes.bar(mark.x, mark.y, width=mark.width, color=colour, alpha=0.75, label=mark.name or "_")
        return
    if stack is not None:
        bottom = np.array([stack.get(name, 0.0) for name in mark.x])
        axes.bar(list(mark.x), mark.y, bottom=bottom, width=0.8, color=colour, label=mark.name or "_")
        stack.update(zip(mark.x, bottom + mark.y, strict=True))
        return
    width, number = 0.8 / len(bars), bars.index(mark)
    places = np.arange(len(mark.x)) + (number - (len(bars) - 1) / 2) * width
    axes.bar(places, mark.y, width=width, color=colour, label=mark.name or "_")
    axes.set_xticks(range(len(mark.x)), [str(name) for name in mark.x])


def _cells(axes: Axes, mark: Cells, size: float) -> None:
    axes.grid(visible=False)
    axes.imshow(mark.values, cmap="Blues", vmin=mark.low, vmax=mark.high, aspect="auto")
    axes.set_xticks(range(len(mark.columns)), mark.columns)
    axes.set_yticks(range(len(mark.rows)), mark.rows)
    middle = (mark.low + mark.high) / 2
    for r, row in enumerate(mark.text):
        for c, text in enumerate(row):
            colour = "white" if mark.values[r, c] > middle else "black"
            axes.text(c, r, text.replace("<br>", "\n"), ha="center", va="center", fontsize=size - 1.5, color=colour)


def _axis(axes: Axes, axis: Axis, which: Literal["x", "y"], size: float) -> None:
    getattr(axes, f"set_{which}label")(axis.title, fontsize=size)
    if axis.log:
        getattr(axes, f"set_{which}scale")("log")
    if axis.low is not None and axis.high is not None and not axis.names:
        getattr(axes, f"set_{which}lim")(axis.low, axis.high)
    if axis.percent:
        from matplotlib.ticker import PercentFormatter

        getattr(axes, f"{which}axis").set_major_formatter(PercentFormatter(1.0, decimals=0))
    if axis.ticks:
        getattr(axes, f"set_{which}ticks")([at for at, _ in axis.ticks], [text for _, text in axis.ticks])
    if axis.hide_ticks:
        axes.tick_params(axis=which, **{"labelbottom" if which == "x" else "labelleft": False})
    elif which == "x" and (axis.names or any(len(t.get_text()) > 6 for t in axes.get_xticklabels())):
        axes.tick_params(axis="x", rotation=90 if len(axis.names) > 6 else 0)


def _legend(figure: Figure, all_axes: Iterable[Axes], size: float) -> None:
    artists: dict[str, Artist] = {}
    for axes in all_axes:
        handles, names = axes.get_legend_handles_labels()
        for name, handle in zip(names, handles, strict=True):
            artists.setdefault(name, handle)
    if artists:
        figure.legend(
            list(artists.values()), list(artists), loc="outside upper right", fontsize=size, frameon=False, ncols=4
        )
