"""Figures of the card, drawn with plotly."""

from __future__ import annotations

import plotly.graph_objects as go

from ..labels import display_name
from ..model import ModelCard
from ..model.card import Metric, MetricTable

__all__ = ["BLUE", "GRID", "ORANGE", "QUIET", "auc_figure", "counts_figure", "layout"]

BLUE, ORANGE, QUIET, GRID = "#56B4E9", "#E69F00", "#7f8994", "#222830"
_COLOURS = {"train": BLUE, "validation": ORANGE, "test": "#009E73"}
_OTHERS = ("#CC79A7", "#F0E442", "#D55E00")


def auc_figure(table: MetricTable) -> go.Figure:
    """Return the AUC of each label with its interval, best on top; chance is a line."""
    known = [(label, m) for label, m in table.per_label.items() if m.value is not None]
    known.sort(key=lambda pair: pair[1].value)
    figure = go.Figure()
    figure.add_scatter(
        x=[m.value for _, m in known],
        y=[display_name(label) for label, _ in known],
        mode="markers",
        marker={"color": BLUE, "size": 9},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [(m.high if m.high is not None else m.value) - m.value for _, m in known],
            "arrayminus": [m.value - (m.low if m.low is not None else m.value) for _, m in known],
            "color": BLUE,
            "thickness": 1.5,
            "width": 4,
        },
        customdata=[_hover(m) for _, m in known],
        hovertemplate="%{y}: %{customdata}<extra></extra>",
        showlegend=False,
    )
    figure.add_vline(x=0.5, line={"color": QUIET, "dash": "dot", "width": 1})
    figure.update_layout(**layout(height=110 + 26 * max(1, len(known))))
    figure.update_xaxes(title=table.metric, range=[0.2, 1.0], gridcolor=GRID, zeroline=False)
    return figure


def _hover(metric: Metric) -> str:
    if metric.counts is None or metric.low is None or metric.high is None:
        return f"{metric.value:.2f}<br>{metric.reason or 'no interval'}"
    counts = f"{metric.counts.positive_patients} positive, {metric.counts.negative_patients} negative patients"
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})<br>{counts}"


def counts_figure(card: ModelCard) -> go.Figure:
    """Return positive patients of each label and part, on a logarithmic axis."""
    first = next(iter(card.counts.values()))
    order = sorted(card.labels, key=lambda label: -first[label].positive_patients)
    others = iter(_OTHERS)
    figure = go.Figure()
    for part, counts in card.counts.items():
        figure.add_bar(
            name=part,
            x=[display_name(label) for label in order],
            y=[counts[label].positive_patients for label in order],
            marker={"color": _COLOURS.get(part) or next(others, QUIET)},
            hovertemplate="%{x}, " + part + ": %{y} positive patients<extra></extra>",
        )
    figure.update_layout(
        **layout(height=330), barmode="group", legend={"orientation": "h", "y": 1.12, "x": 0}, bargap=0.25
    )
    figure.update_yaxes(title="positive patients", type="log", gridcolor=GRID, dtick=1)
    return figure


def layout(height: int) -> dict:
    """Return what all figures of the pages look like."""
    return {
        "height": height,
        "margin": {"l": 10, "r": 16, "t": 12, "b": 60},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "#c9d0d8", "size": 13},
        "yaxis": {"automargin": True, "gridcolor": GRID},
    }
