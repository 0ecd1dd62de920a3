"""Runs and cards, drawn: each display computes once, and is a table and a chart of the same numbers.

A display has ``table()`` and ``chart()``; :func:`on_screen` draws a chart with plotly, :func:`as_svg` and
:func:`as_png` draw it for a paper.
"""

from .auc import AucDisplay
from .display import Display
from .marks import Chart
from .outcome import Outcome, outcome_of, outcomes_of
from .paper import as_png, as_svg, on_paper
from .roc import RocDisplay
from .screen import on_screen

__all__ = [
    "AucDisplay",
    "Chart",
    "Display",
    "Outcome",
    "RocDisplay",
    "as_png",
    "as_svg",
    "on_paper",
    "on_screen",
    "outcome_of",
    "outcomes_of",
]
