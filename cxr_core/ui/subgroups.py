"""The screen "Subgroups": who is missed, by sex, age and view."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from ..displays import Outcome, SubgroupDisplay
from ..displays.display import estimate_words
from ..displays.subgroups import group_words
from .chart import show_apart
from .chrome import html
from .run_page import RunOnPage, chosen_label, computed
from .tables import table

__all__ = ["groups"]


def groups(run: RunOnPage) -> None:
    """Draw one class in groups at the model's operating point, or at one where a tenth of the negatives is called."""
    outcome = chosen_label(run)
    if not outcome.truth.any() or outcome.truth.all():
        kind = "positive" if not outcome.truth.any() else "negative"
        html('<div class="sr-lead"><p>{words}</p></div>', words=f"No film of this run is {kind}: there is no rate.")
        return
    threshold, words = _threshold(run, outcome)
    display = computed(
        run,
        "subgroups",
        lambda: SubgroupDisplay.of(outcome, run.predictions, threshold, notes=run.summary.notes),
        outcome.label,
    )
    html('<div class="sr-small">{words}</div>', words=words)
    show_apart(display, f"subgroups-{outcome.label}", width=440)
    crossings = display.crossings()
    if crossings.panels[0].y.names:
        show_apart(display, f"crossings-{outcome.label}", width=440, chart=crossings)
    with st.expander("All groups and crossings, with counts"):
        rows = [
            (
                escape(group_words(row)),
                f"{row.films:,}",
                f"{row.patients:,}",
                escape(estimate_words(row.false_negative_rate, percent=True)),
                "" if row.gap is None else escape(estimate_words(row.gap, percent=True, signed=True)),
                escape(estimate_words(row.false_positive_rate, percent=True)),
                escape(estimate_words(row.auc)),
            )
            for row in display.rows
        ]
        heads = ("group", "films", "patients", "missed", "against all others", "falsely called", "AUC")
        table(heads, rows, numbers=2)


def _threshold(run: RunOnPage, outcome: Outcome) -> tuple[float, str]:
    if outcome.label in run.thresholds:
        return run.thresholds[outcome.label], "At the model's default operating point."
    negatives = outcome.scores[~outcome.truth]
    return float(np.quantile(negatives, 0.9)), (
        "The model has no operating point for this: a score that a tenth of the negatives of these films reaches is "
        "taken, so the rates of all films are of that choice, and only the groups' differences tell anything."
    )
