"""The screen "Evaluation": how good a model was on a run's films, all classes and one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from ..displays import (
    AucDisplay,
    CalibrationDisplay,
    NetBenefitDisplay,
    OperatingDisplay,
    Outcome,
    OutcomeDisplay,
    PrecisionRecallDisplay,
    RocDisplay,
)
from ..displays.display import estimate_words
from ..evaluation.published import OFFICIAL, PUBLISHED, comparable
from ..labels import display_name
from .chart import numbers_table, show, show_apart
from .chrome import html
from .run_page import RunOnPage, chosen_label, computed
from .tables import table

__all__ = ["all_classes", "one_class", "small_rocs"]

_STOPS = 160
"""Places of the slider: as many as the eye tells apart on its length."""


def all_classes(run: RunOnPage) -> None:
    """Draw the areas of all classes beside their curves."""
    left, right = st.columns([1, 1.25], gap="large")
    with left:
        areas = AucDisplay.of(run.summary)
        show(areas, "auc")
        mean = run.summary.mean_auc
        html(
            '<div class="sr-small">{words}.</div>',
            words=f"Mean AUC of {len(mean.labels)} labels: {estimate_words(mean.macro)}; "
            f"weighted by their positive films: {estimate_words(mean.weighted)}",
        )
        flagged = run.summary.flagged_without_findings
        if flagged is not None:
            html(
                '<div class="sr-small">{words}.</div>',
                words="Of films without findings on which any label is above its operating point: "
                + estimate_words(flagged, percent=True),
            )
        missing(areas)
    with right:
        small_rocs(run, width=172)
    _published(run)


def _published(run: RunOnPage) -> None:
    """Write what others published, in a panel of its own: on other films, so not beside this run's numbers."""
    beside = comparable(run.record)
    rest = [published for published in PUBLISHED if published not in beside]
    with st.expander("Published for ChestX-ray14 by others, on other films than these"):
        for published in rest:
            split = "NIH's own split" if published.split == OFFICIAL else published.split
            html('<div class="sr-small"><b>{name}</b>, {split}. {source}.</div>', name=published.name, split=split,
                 source=published.source)  # fmt: skip
            cells = [(display_name(label), f"{value:.3f}") for label, value in published.auc.items()]
            half = (len(cells) + 1) // 2
            rows = [(*one, *other) for one, other in zip(cells[:half], cells[half:], strict=True)]
            table(("label", "AUC", "label", "AUC"), rows)
        html(
            '<div class="sr-small">{words}</div>',
            words="Without intervals, as published. The same model is about 0.03 better on a random split by patient "
            "than on NIH's own, so none of these is a mark for the run above.",
        )


def small_rocs(run: RunOnPage, width: int) -> None:
    """Draw the ROC curve of every class, small."""
    curves = computed(run, "rocs", lambda: RocDisplay.of(list(run.outcomes.values()), run.summary, bands=False))
    with_points = replace(curves, thresholds={label: t for label, t in run.thresholds.items() if label in run.outcomes})
    show_apart(with_points, "rocs", width, height=width + 22)


def missing(areas: AucDisplay) -> None:
    """Say which labels have no number, and why."""
    lines = [f"{display_name(label)}: {reason}" for label, reason in areas.missing().items()]
    if lines:
        html('<div class="sr-small"><b>Without a number.</b> {lines}</div>', lines="; ".join(lines))


def one_class(run: RunOnPage) -> None:
    """Draw everything of one class."""
    outcome = chosen_label(run)
    roc = computed(run, "roc", lambda: RocDisplay.of([outcome], run.summary), outcome.label)
    _operating(run, outcome, roc)
    notes = run.summary.notes
    made = (
        ("precision-recall", lambda: PrecisionRecallDisplay.of(outcome, notes)),
        ("calibration", lambda: CalibrationDisplay.of(outcome, notes)),
        ("distribution", lambda: OutcomeDisplay.of(outcome, run.thresholds.get(outcome.label), notes)),
        ("net-benefit", lambda: NetBenefitDisplay.of(outcome, notes)),
    )
    columns = st.columns(2, gap="large")
    for number, (name, make) in enumerate(made):
        with columns[number % 2]:
            display = computed(run, name, make, outcome.label)
            show(display, f"{name}-{outcome.label}")
            if isinstance(display, CalibrationDisplay):
                numbers_table(display.numbers())


@st.fragment
def _operating(run: RunOnPage, outcome: Outcome, roc: RocDisplay) -> None:
    """Draw the curve and, beside it, what the operating point does that the slider stands on.

    A fragment: moving the slider computes this part anew, and nothing else of the page.
    """
    left, right = st.columns([1.15, 1], gap="large")
    with right:
        threshold = _slider(outcome, run.thresholds.get(outcome.label))
        percent = st.number_input(
            "Prevalence where you work, %",
            min_value=0.0,
            max_value=99.9,
            value=0.0,
            step=0.5,
            format="%.1f",
            help="The share of films that show it. 0: not set. Sensitivity and specificity are taken to stay as here.",
            key="prevalence",
            persist_state="session",
            width=260,
        )
        display = OperatingDisplay.at(outcome, threshold, percent / 100 or None, run.summary.notes)
        show(display, f"operating-{outcome.label}")
        numbers_table(display.numbers())
        if threshold != run.thresholds.get(outcome.label):
            html(
                '<div class="sr-small sr-assumed">{words}</div>',
                words="This point was set by hand on the films that measure it: its numbers are too good, and their "
                "intervals hold nothing of that choice. To keep one, set it on validation patients: "
                "python -m cxr_core calibrate.",
            )
    with left:
        show(replace(roc, thresholds={outcome.label: threshold}), f"roc-{outcome.label}")


def _slider(outcome: Outcome, usual: float | None) -> float:
    # what is written on the slider is the threshold itself, to the last digit
    quantiles = np.quantile(outcome.scores, np.linspace(0, 1, _STOPS))
    stops = np.unique([float(f"{score:.4g}") for score in quantiles])
    if usual is not None:
        stops = np.union1d(stops, [usual])
    where = usual if usual is not None else float(stops[len(stops) // 2])
    return st.select_slider(
        "Operating point: a film is called above at a score of",
        [float(stop) for stop in stops],
        value=float(where),
        format_func=lambda stop: f"{stop:.4g}" + (" (of the card)" if stop == usual else ""),
        key=f"threshold-{outcome.label}-{outcome.reference}",
        persist_state="session",
    )
