"""The screen "Compare": two runs on the films that both have."""

from __future__ import annotations

from html import escape

import streamlit as st

from ..displays import ComparisonDisplay
from ..displays.comparison import p_words
from ..displays.display import counts_words, estimate_words
from ..errors import WrongArguments
from ..evaluation import compare_runs
from ..labels import display_name
from .chart import show
from .chrome import html, refusal
from .run_page import RunOnPage, computed, other_run
from .tables import table

__all__ = ["compare"]


def compare(run: RunOnPage) -> None:
    """Draw the differences of a chosen second run from the first."""
    other = other_run(run)
    if other is None:
        html(
            '<div class="sr-lead"><h1>There is one run only</h1><p>{words}</p></div>',
            words="Two runs on the same films can be compared: evaluate another model on them, or bring in its scores "
            "with python -m cxr_core runs import.",
        )
        return
    try:
        comparison = computed(
            run,
            "comparison",
            lambda: compare_runs(run.stored, other, run.summary.reference),
            other.record.id,
            other.record.predictions_sha256,
        )
    except WrongArguments as error:
        refusal("These two runs cannot be compared", (str(error),))
        return
    display = ComparisonDisplay(comparison)
    left, right = st.columns([1.2, 1], gap="large")
    with left:
        show(display, "comparison")
    with right:
        rows = [
            (
                escape(display_name(label)),
                escape(estimate_words(found.difference, signed=True)),
                escape(p_words(found.adjusted_p_value)),
                escape(counts_words(found.difference)),
            )
            for label, found in comparison.differences.items()
        ]
        table(("label", "difference of the AUC (95 %)", "Holm's p", "patients"), rows)
    html(
        '<div class="sr-small">{words}</div>',
        words=f"Paired on {comparison.films:,} films that both runs have, by {comparison.reference}. An interval is "
        "of its class alone; Holm's p is of all classes together: under 0.05, the chance that any class called "
        "different is not is at most 5 %.",
    )
