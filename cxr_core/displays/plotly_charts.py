"""Charts for pages, drawn with plotly on a dark background, with tooltips."""

from __future__ import annotations

import math

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

Cell = dict[str, int]
"""Row and column of a panel in plotly's grid, from 1."""


def plotly_figure(chart: Chart) -> go.Figure:
    """Return the chart as a plotly figure for a dark page of any width."""
    is_empty = not any(panel.marks for panel in chart.panels)
    # one message instead of one per panel, which would overlap
    panels = chart.panels[:1] if is_empty else chart.panels
    columns = min(chart.columns, len(panels)) or 1
    rows = max(1, math.ceil(len(panels) / columns))
    is_single = len(panels) == 1
    height = _EMPTY_HEIGHT if is_empty else rows * chart.height
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=None if is_single else [panel.title for panel in panels],
        vertical_spacing=min(_ROW_GAP / height, 1 / max(rows - 1, 1) * 0.9),
        horizontal_spacing=_COLUMN_GAP if columns > 1 else 0,
    )
    figure.update_annotations(font={"size": 10.5 if chart.small else 13, "color": _TEXT})
    if is_single:
        # across the whole figure: a long title does not fit above the axes
        font = {"size": 11 if chart.small else 13, "color": _TEXT}
        figure.update_layout(
            title={"text": panels[0].title, "x": 0, "xanchor": "left", "y": 0.98, "yanchor": "top", "font": font}
        )
    legend_names: set[str] = set()
    for number, panel in enumerate(panels):
        cell = {"row": number // columns + 1, "col": number % columns + 1}
        for mark in panel.marks:
            _draw(figure, mark, cell, legend_names)
        if panel.message:
            _show_message(figure, panel.message, number, small=chart.small)
        ticks = None
        if columns > 1 or panel.y.names:
            # category names leave little room, and a 0 % label would overlap the 100 % of the panel before it
            ticks = (0.5, 1) if number % columns else (0, 0.5, 1)
        figure.update_xaxes(**_axis(panel.x, small=chart.small, ticks=ticks), automargin=True, **cell)
        figure.update_yaxes(**_axis(panel.y, small=chart.small), automargin=True, **cell)
        if not panel.marks:
            figure.update_xaxes(visible=False, **cell)
            figure.update_yaxes(visible=False, **cell)
        if chart.same_rows and number % columns:
            figure.update_yaxes(showticklabels=False, **cell)
        if any(isinstance(mark, Cells) for mark in panel.marks):
            figure.update_yaxes(autorange="reversed", **cell)
    figure.update_layout(
        height=height + (0 if chart.small else 40),
        margin=_margins(chart, has_legend=bool(legend_names)),
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _TEXT, "size": 11 if chart.small else 13},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "bgcolor": "rgba(0,0,0,0)"},
        barmode="stack" if any(panel.stacked for panel in chart.panels) else "group",
        bargap=0.22,
        hoverlabel={"bgcolor": "#15191e", "font": {"color": "#e8eaed"}},
        showlegend=bool(legend_names),
    )
    return figure


def _margins(chart: Chart, *, has_legend: bool) -> dict[str, int]:
    if chart.small:
        return {"l": 4, "r": 12, "t": 24, "b": 24}
    has_title = any(panel.title for panel in chart.panels)
    return {"l": 8, "r": 14, "t": 34 if has_title or has_legend else 12, "b": 52}


def _draw(figure: go.Figure, mark: Mark, cell: Cell, legend_names: set[str]) -> None:
    if isinstance(mark, Rule):
        return _rule(figure, mark, cell)
    if isinstance(mark, Cells):
        return _cells(figure, mark, cell)
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
        _line(figure, mark, common, cell)
    elif isinstance(mark, Dots):
        figure.add_scatter(
            x=list(mark.x),
            y=list(mark.y),
            mode="markers+text" if mark.text else "markers",
            text=list(mark.text) or None,
            textposition="middle right",
            textfont={"size": 11, "color": _QUIET},
            marker={"color": mark.colour, "size": 9, "symbol": mark.symbol},
            cliponaxis=False,
            **_interval(mark),
            **common,
            **cell,
        )
    elif isinstance(mark, Bars):
        figure.add_bar(x=list(mark.x), y=mark.y, width=mark.width, marker={"color": mark.colour}, **common, **cell)
    return None


def _line(figure: go.Figure, mark: Line, common: dict[str, object], cell: Cell) -> None:
    shape = "hv" if mark.steps else "linear"
    if mark.low is not None and mark.high is not None:
        known = ~(np.isnan(mark.low) | np.isnan(mark.high))
        x = mark.x[known]
        figure.add_scatter(
            x=np.concatenate([x, x[::-1]]),
            y=np.concatenate([mark.high[known], mark.low[known][::-1]]),
            # by default plotly draws the points of a short line as markers
            mode="lines",
            fill="toself",
            fillcolor=_transparent(mark.colour),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=mark.name or None,
            **cell,
        )
    figure.add_scatter(
        x=mark.x,
        y=mark.y,
        mode="lines",
        line={"color": mark.colour, "width": 2, "dash": mark.dash, "shape": shape},
        **common,
        **cell,
    )


def _rule(figure: go.Figure, mark: Rule, cell: Cell) -> None:
    line = {"color": _QUIET, "dash": "dot", "width": 1}
    if mark.axis == "diagonal":
        figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, hoverinfo="skip", showlegend=False, **cell)
    elif mark.axis == "x":
        # by default plotly omits the line from a panel without other marks, and rules are drawn first
        figure.add_vline(x=mark.at, line=line, exclude_empty_subplots=False, **cell)
    else:
        figure.add_hline(y=mark.at, line=line, exclude_empty_subplots=False, **cell)


def _cells(figure: go.Figure, mark: Cells, cell: Cell) -> None:
    figure.add_heatmap(
        x=list(mark.columns),
        y=list(mark.rows),
        z=mark.values,
        text=[list(row) for row in mark.text],
        texttemplate="%{text}",
        textfont={"color": "#f2f4f6"},
        customdata=[list(row) for row in mark.hover] or None,
        hovertemplate=f"{'%{customdata}' if mark.hover else '%{y}, %{x}: %{text}'}<extra></extra>",
        zmin=mark.low,
        zmax=mark.high,
        colorscale=[list(stop) for stop in _COLOURS],
        showscale=False,
        xgap=1,
        ygap=1,
        **cell,
    )


def _interval(mark: Dots) -> dict[str, object]:
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


def _show_message(figure: go.Figure, message: str, number: int, *, small: bool) -> None:
    suffix = "" if number == 0 else str(number + 1)
    figure.add_annotation(
        text="<br>".join(_wrapped(message, 17 if small else 34)),
        x=0.5,
        y=0.5,
        xref=f"x{suffix} domain",
        yref=f"y{suffix} domain",
        showarrow=False,
        font={"color": _QUIET, "size": 10 if small else 13},
    )


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _axis(axis: Axis, *, small: bool, ticks: tuple[float, ...] | None = None) -> dict[str, object]:
    options: dict[str, object] = {
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
