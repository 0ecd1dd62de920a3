"""Figures of the calibration, drawn with plotly from what the card keeps."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from ..labels import display_name
from ..model.calibration import Calibration, Curve, Scale
from .figures import BLUE, GRID, ORANGE, QUIET, layout

__all__ = ["curve_figure", "reliability_figure", "slopes_figure"]

_POINTS = 121


def reliability_figure(label: str, curve: Curve) -> go.Figure:
    """Return observed over predicted: one point for each tenth of the films, held out, with its interval.

    On the diagonal, as many films are positive as predicted. The points hold equally many films, so where they
    stand close, most films are.
    """
    bins = [b for b in curve.held_out.bins if b.observed.value is not None]
    top = max([b.predicted for b in bins] + [b.observed.high or b.observed.value for b in bins] + [0.01]) * 1.08
    figure = go.Figure()
    figure.add_scatter(
        x=[0, top],
        y=[0, top],
        mode="lines",
        line={"color": QUIET, "dash": "dot", "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=[b.predicted for b in bins],
        y=[b.observed.value for b in bins],
        mode="lines+markers",
        line={"color": BLUE, "width": 1, "dash": "solid"},
        marker={"color": BLUE, "size": 8},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [(b.observed.high or b.observed.value) - b.observed.value for b in bins],
            "arrayminus": [b.observed.value - (b.observed.low or 0.0) for b in bins],
            "color": BLUE,
            "thickness": 1.5,
            "width": 4,
        },
        customdata=[(b.observed.low, b.observed.high, b.films, b.patients) for b in bins],
        hovertemplate="predicted %{x:.3f}, observed %{y:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f})<br>"
        "%{customdata[2]} films of %{customdata[3]} patients<extra></extra>",
        showlegend=False,
    )
    figure.update_layout(**layout(height=330))
    figure.update_xaxes(title="predicted probability", range=[0, top], gridcolor=GRID, zeroline=False)
    figure.update_yaxes(title=f"share with {display_name(label).lower()}", range=[0, top], gridcolor=GRID)
    return figure


def curve_figure(label: str, curve: Curve) -> go.Figure:
    """Return probability over score, with the interval of the curve."""
    scale = Scale(curve)
    first, last = curve.logits[0], curve.logits[-1]
    logits = [first + (last - first) * i / (_POINTS - 1) for i in range(_POINTS)]
    scores = [1 / (1 + math.exp(-z)) for z in logits]
    rows = [scale.at(z) for z in logits]
    figure = go.Figure()
    figure.add_scatter(x=scores, y=[row[2] for row in rows], mode="lines", line={"width": 0}, hoverinfo="skip")
    figure.add_scatter(
        x=scores,
        y=[row[0] for row in rows],
        mode="lines",
        line={"width": 0},
        fill="tonexty",
        fillcolor="rgba(230,159,0,0.22)",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=scores,
        y=[row[1] for row in rows],
        mode="lines",
        line={"color": ORANGE, "width": 2},
        customdata=[(row[0], row[2]) for row in rows],
        hovertemplate="score %{x:.3f}: probability %{y:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f})"
        "<extra></extra>",
    )
    figure.update_layout(**layout(height=330), showlegend=False)
    figure.update_xaxes(title="score", gridcolor=GRID, zeroline=False)
    figure.update_yaxes(title=f"probability of {display_name(label).lower()}", rangemode="tozero", gridcolor=GRID)
    return figure


def slopes_figure(calibration: Calibration) -> go.Figure:
    """Return the calibration slope of each label on held-out patients, with its interval; 1 is right."""
    known = [
        (label, curve.held_out.slope, curve.counts)
        for label, curve in calibration.per_label.items()
        if curve.held_out is not None and curve.held_out.slope.value is not None
    ]
    known.sort(key=lambda row: row[1].value)
    figure = go.Figure()
    figure.add_scatter(
        x=[slope.value for _, slope, _ in known],
        y=[display_name(label) for label, _, _ in known],
        mode="markers",
        marker={"color": BLUE, "size": 9},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [(slope.value if slope.high is None else slope.high) - slope.value for _, slope, _ in known],
            "arrayminus": [slope.value - (slope.value if slope.low is None else slope.low) for _, slope, _ in known],
            "color": BLUE,
            "thickness": 1.5,
            "width": 4,
        },
        customdata=[(s.low, s.high, c.positive_patients, c.negative_patients) for _, s, c in known],
        hovertemplate="%{y}: %{x:.2f} (%{customdata[0]:.2f} to %{customdata[1]:.2f})<br>"
        "%{customdata[2]} positive, %{customdata[3]} negative patients<extra></extra>",
        showlegend=False,
    )
    figure.add_vline(x=1, line={"color": QUIET, "dash": "dot", "width": 1})
    figure.update_layout(**layout(height=110 + 26 * max(1, len(known))))
    figure.update_xaxes(title="calibration slope", gridcolor=GRID, zeroline=False)
    return figure
