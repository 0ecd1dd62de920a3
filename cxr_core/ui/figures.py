"""What the figures of a card's calibration look like."""

from __future__ import annotations

__all__ = ["BLUE", "GRID", "ORANGE", "QUIET", "layout"]

BLUE, ORANGE, QUIET, GRID = "#56B4E9", "#E69F00", "#7f8994", "#222830"


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
