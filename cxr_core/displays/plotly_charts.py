"""Charts for pages, drawn with plotly on a dark background, with tooltips."""

from __future__ import annotations

import copy
import math
from functools import lru_cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .marks import Axis, Bars, Cells, Chart, Dots, Line, Mark, Rule

__all__ = ["plotly_figure"]

_TEXT, _QUIET, _GRID = "#c9d0d8", "#7f8994", "#222830"
_BAND_OPACITY = 0.18
_EMPTY_HEIGHT = 110
_ROW_GAP, _COLUMN_GAP = 64, 0.055
# the text in a cell has a contrast of 4.5 or more on each of them
_COLOURS = ((0.0, "#10151b"), (0.5, "#1b4460"), (1.0, "#226f9f"))
_RULE = {"color": _QUIET, "dash": "dot", "width": 1}
_SILENT = {"hoverinfo": "skip", "showlegend": False}

# plotly's classes check and copy with every change; what a figure consists of is put together before it is one
Fields = dict[str, Any]


def plotly_figure(chart: Chart) -> go.Figure:
    """Return the chart as a plotly figure for a dark page of any width."""
    is_empty = not any(panel.marks for panel in chart.panels)
    # one message instead of one per panel, which would overlap
    panels = chart.panels[:1] if is_empty else chart.panels
    columns = min(chart.columns, len(panels)) or 1
    rows = max(1, math.ceil(len(panels) / columns))
    is_single = len(panels) == 1
    height = _EMPTY_HEIGHT if is_empty else rows * chart.height
    vertical = min(_ROW_GAP / height, 1 / max(rows - 1, 1) * 0.9)
    layout = copy.deepcopy(_grid(rows, columns, vertical, _COLUMN_GAP if columns > 1 else 0))
    titles = layout.pop("annotations")
    layout |= {"annotations": [], "shapes": []}
    small_size = 11 if is_single else 10.5
    font: Fields = {"size": small_size if chart.small else 13, "color": _TEXT}
    if is_single:
        # across the whole figure: a long title does not fit above the axes
        layout["title"] = {
            "text": panels[0].title, "x": 0, "xanchor": "left", "y": 0.98, "yanchor": "top", "font": font,
        }  # fmt: skip
    else:
        layout["annotations"] += [
            title | {"text": panel.title, "font": font}
            for title, panel in zip(titles, panels, strict=False)
            if panel.title
        ]
    traces: list[Fields] = []
    legend_names: set[str] = set()
    for number, panel in enumerate(panels):
        suffix = "" if number == 0 else str(number + 1)
        for mark in panel.marks:
            if isinstance(mark, Rule) and mark.axis != "diagonal":
                layout["shapes"].append(_rule(mark, suffix))
            else:
                traces += [
                    trace | {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"} for trace in _drawn(mark, legend_names)
                ]
        if panel.message:
            layout["annotations"].append(_message(panel.message, suffix, small=chart.small))
        ticks = None
        if columns > 1 or panel.y.names:
            # category names leave little room, and a 0 % label would overlap the 100 % of the panel before it
            ticks = (0.5, 1) if number % columns else (0, 0.5, 1)
        x, y = layout[f"xaxis{suffix}"], layout[f"yaxis{suffix}"]
        x |= _axis(panel.x, small=chart.small, ticks=ticks) | {"automargin": True}
        y |= _axis(panel.y, small=chart.small) | {"automargin": True}
        if not panel.marks:
            x["visible"] = y["visible"] = False
        if chart.same_rows and number % columns:
            y["showticklabels"] = False
        if any(isinstance(mark, Cells) for mark in panel.marks):
            y["autorange"] = "reversed"
    layout |= {
        "height": height + (0 if chart.small else 40),
        "margin": _margins(chart, has_legend=bool(legend_names)),
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": _TEXT, "size": 11 if chart.small else 13},
        "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "bgcolor": "rgba(0,0,0,0)"},
        "barmode": "stack" if any(panel.stacked for panel in chart.panels) else "group",
        "bargap": 0.22,
        "hoverlabel": {"bgcolor": "#15191e", "font": {"color": "#e8eaed"}},
        "showlegend": bool(legend_names),
    }
    return go.Figure({"data": traces, "layout": layout})


@lru_cache(maxsize=64)
def _grid(rows: int, columns: int, vertical: float, horizontal: float) -> Fields:
    """Return plotly's layout of a grid: the axes of each cell, and a title above each."""
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=["title"] * (rows * columns),
        vertical_spacing=vertical,
        horizontal_spacing=horizontal,
    )
    layout: Fields = figure.to_plotly_json()["layout"]
    del layout["template"]
    return layout


def _margins(chart: Chart, *, has_legend: bool) -> dict[str, int]:
    if chart.small:
        return {"l": 4, "r": 12, "t": 24, "b": 24}
    has_title = any(panel.title for panel in chart.panels)
    return {"l": 8, "r": 14, "t": 34 if has_title or has_legend else 12, "b": 52}


def _drawn(mark: Mark, legend_names: set[str]) -> list[Fields]:
    """Return the traces of a mark, and add its name to those in the legend."""
    if isinstance(mark, Rule):
        return [{"type": "scatter", "x": [0, 1], "y": [0, 1], "mode": "lines", "line": _RULE} | _SILENT]
    if isinstance(mark, Cells):
        return [_cells(mark)]
    # one entry in the legend for all panels
    is_new = bool(mark.name) and mark.name not in legend_names
    legend_names |= {mark.name} - {""}
    common = {
        "name": mark.name,
        "showlegend": is_new,
        "legendgroup": mark.name or None,
        "customdata": list(mark.hover) or None,
        "hovertemplate": "%{customdata}<extra></extra>" if mark.hover else None,
    }
    if isinstance(mark, Line):
        return _line(mark, common)
    if isinstance(mark, Bars):
        bars = {"type": "bar", "x": list(mark.x), "y": mark.y, "width": mark.width, "marker": {"color": mark.colour}}
        return [bars | common]
    dots = {
        "type": "scatter",
        "x": list(mark.x),
        "y": list(mark.y),
        "mode": "markers+text" if mark.text else "markers",
        "text": list(mark.text) or None,
        "textposition": "middle right",
        "textfont": {"size": 11, "color": _QUIET},
        "marker": {"color": mark.colour, "size": 9, "symbol": mark.symbol},
        "cliponaxis": False,
    }
    return [dots | _interval(mark) | common]


def _line(mark: Line, common: Fields) -> list[Fields]:
    shape = "hv" if mark.steps else "linear"
    style = {"color": mark.colour, "width": 2, "dash": mark.dash, "shape": shape}
    line = {"type": "scatter", "x": mark.x, "y": mark.y, "mode": "lines", "line": style} | common
    if mark.low is None or mark.high is None:
        return [line]
    known = ~(np.isnan(mark.low) | np.isnan(mark.high))
    x = mark.x[known]
    band = {
        "type": "scatter",
        "x": np.concatenate([x, x[::-1]]),
        "y": np.concatenate([mark.high[known], mark.low[known][::-1]]),
        # by default plotly draws the points of a short line as markers
        "mode": "lines",
        "fill": "toself",
        "fillcolor": _transparent(mark.colour),
        "line": {"width": 0},
        "legendgroup": mark.name or None,
    }
    return [band | _SILENT, line]


def _rule(mark: Rule, suffix: str) -> Fields:
    """Return the line across a panel, whether it has other marks or not."""
    across = {"xref": f"x{suffix}", "yref": f"y{suffix} domain", "x0": mark.at, "x1": mark.at, "y0": 0, "y1": 1}
    along = {"xref": f"x{suffix} domain", "yref": f"y{suffix}", "x0": 0, "x1": 1, "y0": mark.at, "y1": mark.at}
    return {"type": "line", "line": _RULE} | (across if mark.axis == "x" else along)


def _cells(mark: Cells) -> Fields:
    return {
        "type": "heatmap",
        "x": list(mark.columns),
        "y": list(mark.rows),
        "z": mark.values,
        "text": [list(row) for row in mark.text],
        "texttemplate": "%{text}",
        "textfont": {"color": "#f2f4f6"},
        "customdata": [list(row) for row in mark.hover] or None,
        "hovertemplate": f"{'%{customdata}' if mark.hover else '%{y}, %{x}: %{text}'}<extra></extra>",
        "zmin": mark.low,
        "zmax": mark.high,
        "colorscale": [list(stop) for stop in _COLOURS],
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
    }


def _interval(mark: Dots) -> Fields:
    if mark.low is None or mark.high is None:
        return {}
    middle = np.asarray(mark.x if mark.interval_axis == "x" else mark.y, dtype=np.float64)
    bar = {
        "type": "data",
        "symmetric": False,
        "array": np.nan_to_num(mark.high - middle),
        "arrayminus": np.nan_to_num(middle - mark.low),
        "color": mark.colour,
        "thickness": 1.5,
        "width": 4,
    }
    return {f"error_{mark.interval_axis}": bar}


def _message(message: str, suffix: str, *, small: bool) -> Fields:
    return {
        "text": "<br>".join(_wrapped(message, 17 if small else 34)),
        "x": 0.5,
        "y": 0.5,
        "xref": f"x{suffix} domain",
        "yref": f"y{suffix} domain",
        "showarrow": False,
        "font": {"color": _QUIET, "size": 10 if small else 13},
    }


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _axis(axis: Axis, *, small: bool, ticks: tuple[float, ...] | None = None) -> Fields:
    options: Fields = {
        "title": {"text": axis.title, "font": {"size": 11 if small else 13}, "standoff": 6},
        "gridcolor": _GRID,
        "zeroline": False,
        "linecolor": "#39424c",
    }
    if axis.names:
        options |= {"type": "category", "categoryorder": "array", "categoryarray": list(axis.names)}
        # by default plotly omits every second name if space is short
        options |= {"tickmode": "array", "tickvals": list(axis.names)}
        # a category without a value keeps its place, so that the panels of a row match
        options["range"] = [-0.5, len(axis.names) - 0.5]
    elif axis.log:
        options["type"] = "log"
        if axis.low is not None and axis.high is not None:
            options["range"] = [math.log10(axis.low), math.log10(axis.high)]
        options["dtick"] = 1
    elif axis.low is not None and axis.high is not None:
        options["range"] = [axis.low, axis.high]
    if axis.percent:
        options |= {"tickformat": ".0%", "tickangle": 0}
        options |= {"nticks": 7} if ticks is None and not small else {"tickvals": list(ticks or (0, 0.5, 1))}
    if axis.ticks:
        options |= {"tickmode": "array", "tickvals": [at for at, _ in axis.ticks], "tickangle": 0}
        options["ticktext"] = [text for _, text in axis.ticks]
    if axis.hide_ticks:
        options["showticklabels"] = False
    return options


def _transparent(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{_BAND_OPACITY})"
