"""A chart on the screen, drawn with plotly: dark, and told by the pointer."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .marks import Axis, Bars, Cells, Chart, Dots, Line, Panel, Rule

__all__ = ["on_screen"]

_TEXT, _QUIET, _GRID = "#c9d0d8", "#7f8994", "#222830"
_BAND = 0.18
_WORDS_ALONE = 110
_ROW_GAP, _COLUMN_GAP = 64, 0.055
# white letters are read on each of them
_COLOURS = ((0.0, "#10151b"), (0.5, "#1b4460"), (1.0, "#2a7fb3"))


def on_screen(chart: Chart) -> go.Figure:
    """Return the chart as a plotly figure, for a dark page of any width."""
    columns = min(chart.columns, len(chart.panels)) or 1
    rows = max(1, math.ceil(len(chart.panels) / columns))
    alone = len(chart.panels) == 1
    drawn = any(panel.marks for panel in chart.panels)
    height = rows * chart.height if drawn else _WORDS_ALONE
    figure = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=None if alone else [panel.title for panel in chart.panels],
        vertical_spacing=min(_ROW_GAP / height, 1 / max(rows - 1, 1) * 0.9),
        horizontal_spacing=_COLUMN_GAP if columns > 1 else 0,
    )
    figure.update_annotations(font={"size": 10.5 if chart.small else 13, "color": _TEXT})
    if alone:
        # over the whole width: over the axes alone a long name would not fit
        figure.update_layout(
            title={"text": chart.panels[0].title, "x": 0, "xanchor": "left", "y": 0.98, "yanchor": "top"}
        )
        figure.update_layout(title_font={"size": 11 if chart.small else 13, "color": _TEXT})
    named: set[str] = set()
    for number, panel in enumerate(chart.panels):
        where = {"row": number // columns + 1, "col": number % columns + 1}
        for mark in panel.marks:
            _draw(figure, mark, panel, where, named)
        if panel.words:
            _write(figure, panel.words, number, small=chart.small)
        ticks = None
        if columns > 1 or panel.y.names:
            # a name up the side leaves little room; and the 0 % of a panel would lie on the 100 % of the one before
            ticks = (0.5, 1) if number % columns else (0, 0.5, 1)
        figure.update_xaxes(**_axis(panel.x, small=chart.small, ticks=ticks), automargin=True, **where)
        figure.update_yaxes(**_axis(panel.y, small=chart.small), automargin=True, **where)
        if not panel.marks:
            figure.update_xaxes(visible=False, **where)
            figure.update_yaxes(visible=False, **where)
        if chart.same_rows and number % columns:
            figure.update_yaxes(showticklabels=False, **where)
        if any(isinstance(mark, Cells) for mark in panel.marks):
            figure.update_yaxes(autorange="reversed", **where)
    figure.update_layout(
        height=height + (0 if chart.small else 40),
        margin=_margins(chart, named=bool(named)),
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _TEXT, "size": 11 if chart.small else 13},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "bgcolor": "rgba(0,0,0,0)"},
        barmode="stack" if any(panel.stacked for panel in chart.panels) else "group",
        bargap=0.22,
        hoverlabel={"bgcolor": "#15191e", "font": {"color": "#e8eaed"}},
        showlegend=bool(named),
    )
    return figure


def _margins(chart: Chart, *, named: bool) -> dict[str, int]:
    titled = any(panel.title for panel in chart.panels)
    if chart.small:
        return {"l": 4, "r": 12, "t": 24, "b": 24}
    return {"l": 8, "r": 14, "t": 34 if titled or named else 12, "b": 52}


def _draw(figure: go.Figure, mark, panel: Panel, where: dict, named: set[str]) -> None:
    if isinstance(mark, Rule):
        return _rule(figure, mark, where)
    if isinstance(mark, Cells):
        return _cells(figure, mark, where)
    # one entry in the legend for all panels
    first = bool(mark.name) and mark.name not in named
    if mark.name:
        named.add(mark.name)
    common = {
        "name": mark.name,
        "showlegend": first,
        "legendgroup": mark.name or None,
        "customdata": list(mark.hover) or None,
        "hovertemplate": "%{customdata}<extra></extra>" if mark.hover else None,
    }
    if isinstance(mark, Line):
        _line(figure, mark, common, where)
    elif isinstance(mark, Dots):
        figure.add_scatter(
            x=list(mark.x),
            y=list(mark.y),
            mode="markers+text" if mark.words else "markers",
            text=list(mark.words) or None,
            textposition="middle right",
            textfont={"size": 11, "color": _QUIET},
            marker={"color": mark.colour, "size": 9, "symbol": mark.symbol},
            cliponaxis=False,
            **_interval(mark),
            **common,
            **where,
        )
    elif isinstance(mark, Bars):
        figure.add_bar(x=list(mark.x), y=mark.y, width=mark.width, marker={"color": mark.colour}, **common, **where)
    return None


def _line(figure: go.Figure, mark: Line, common: dict, where: dict) -> None:
    shape = "hv" if mark.steps else "linear"
    if mark.low is not None and mark.high is not None:
        known = ~(np.isnan(mark.low) | np.isnan(mark.high))
        x = mark.x[known]
        figure.add_scatter(
            x=np.concatenate([x, x[::-1]]),
            y=np.concatenate([mark.high[known], mark.low[known][::-1]]),
            # else plotly dots the edge of a short one
            mode="lines",
            fill="toself",
            fillcolor=_transparent(mark.colour),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=mark.name or None,
            **where,
        )
    figure.add_scatter(
        x=mark.x,
        y=mark.y,
        mode="lines",
        line={"color": mark.colour, "width": 2, "dash": mark.dash, "shape": shape},
        **common,
        **where,
    )


def _rule(figure: go.Figure, mark: Rule, where: dict) -> None:
    line = {"color": _QUIET, "dash": "dot", "width": 1}
    if mark.along == "diagonal":
        figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=line, hoverinfo="skip", showlegend=False, **where)
    elif mark.along == "x":
        # a rule is drawn first: plotly would leave it out of a panel that is still empty
        figure.add_vline(x=mark.at, line=line, exclude_empty_subplots=False, **where)
    else:
        figure.add_hline(y=mark.at, line=line, exclude_empty_subplots=False, **where)


def _cells(figure: go.Figure, mark: Cells, where: dict) -> None:
    figure.add_heatmap(
        x=list(mark.columns),
        y=list(mark.rows),
        z=mark.values,
        text=[list(row) for row in mark.words],
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
        **where,
    )


def _interval(mark: Dots) -> dict:
    if mark.low is None or mark.high is None:
        return {}
    middle = np.asarray(mark.x if mark.across == "x" else mark.y, dtype=np.float64)
    bar = {
        "type": "data",
        "symmetric": False,
        "array": np.nan_to_num(mark.high - middle),
        "arrayminus": np.nan_to_num(middle - mark.low),
        "color": mark.colour,
        "thickness": 1.5,
        "width": 4,
    }
    return {f"error_{mark.across}": bar}


def _write(figure: go.Figure, words: str, number: int, *, small: bool) -> None:
    suffix = "" if number == 0 else str(number + 1)
    figure.add_annotation(
        text="<br>".join(_wrapped(words, 17 if small else 34)),
        x=0.5,
        y=0.5,
        xref=f"x{suffix} domain",
        yref=f"y{suffix} domain",
        showarrow=False,
        font={"color": _QUIET, "size": 10 if small else 13},
    )


def _wrapped(words: str, width: int) -> list[str]:
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) > width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _axis(axis: Axis, *, small: bool, ticks: tuple[float, ...] | None = None) -> dict:
    asked: dict = {
        "title": {"text": axis.title, "font": {"size": 11 if small else 13}, "standoff": 6},
        "gridcolor": _GRID,
        "zeroline": False,
        "linecolor": "#39424c",
    }
    if axis.names:
        asked |= {"type": "category", "categoryorder": "array", "categoryarray": list(axis.names)}
        # plotly drops every second name where it finds the room narrow
        asked |= {"tickmode": "array", "tickvals": list(axis.names)}
        # a name at an end keeps its place without a number, or panels of a row would differ
        asked["range"] = [-0.5, len(axis.names) - 0.5]
    elif axis.log:
        asked["type"] = "log"
        if axis.low is not None and axis.high is not None:
            asked["range"] = [math.log10(axis.low), math.log10(axis.high)]
        asked["dtick"] = 1
    elif axis.low is not None and axis.high is not None:
        asked["range"] = [axis.low, axis.high]
    if axis.percent:
        asked |= {"tickformat": ".0%", "tickangle": 0}
        asked |= {"nticks": 7} if ticks is None and not small else {"tickvals": list(ticks or (0, 0.5, 1))}
    if axis.bare:
        asked["showticklabels"] = False
    return asked


def _transparent(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{_BAND})"
