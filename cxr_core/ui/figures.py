"""Figures of the card, drawn with plotly."""

from __future__ import annotations

import plotly.graph_objects as go

from ..labels import display_name
from ..model import ModelCard

__all__ = ["BLUE", "GRID", "ORANGE", "QUIET", "counts_figure", "layout"]

BLUE, ORANGE, QUIET, GRID = "#56B4E9", "#E69F00", "#7f8994", "#222830"
_COLOURS = {"train": BLUE, "validation": ORANGE, "test": "#009E73"}
_OTHERS = ("#CC79A7", "#F0E442", "#D55E00")


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
