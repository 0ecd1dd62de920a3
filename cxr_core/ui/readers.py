"""The screen "Readers": radiologists who read the same films, and the model beside them."""

from __future__ import annotations

import streamlit as st

from ..displays import AgreementDisplay, OperatingDisplay, Outcome, ReadersDisplay, RocDisplay
from ..evaluation import reader_outcomes
from ..labels import display_name
from .chart import show
from .chrome import html
from .run_page import RunOnPage, chosen_label, computed

__all__ = ["readers"]


def readers(run: RunOnPage) -> None:
    """Draw one class: the model's curve with the readers as points, the readers one by one, and who agrees."""
    answers = reader_outcomes(run.predictions)
    if answers is None:
        html(
            '<div class="sr-lead"><h1>No single readers in this run</h1><p>{words}</p></div>',
            words="A run knows what single radiologists said where it was made with their table: "
            "python -m cxr_core evaluate ... --readers TABLE.csv",
        )
        return
    outcome = chosen_label(run)
    labels = [*run.predictions.labels.tolist(), list(run.outcomes)[-1]]
    said = answers[outcome.rows][:, :, labels.index(outcome.label)]
    names, threshold = run.predictions.readers.readers, run.thresholds.get(outcome.label)
    points = computed(run, "readers", lambda: _readers(run, outcome, names, said, threshold), outcome.label)
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        roc = _curve(run, outcome, points, threshold)
        show(roc, f"readers-roc-{outcome.label}")
    with right:
        show(points, f"readers-{outcome.label}")
        agreement = computed(
            run,
            "agreement",
            lambda: AgreementDisplay.of(outcome, names, said, threshold, run.summary.notes),
            outcome.label,
        )
        show(agreement, f"agreement-{outcome.label}")
    html(
        '<div class="sr-small">{words}</div>',
        words=f"Each radiologist is judged by the majority of the others, the model by {run.summary.reference}: two "
        "references, so a reader on the curve is not proof of a tie. Films on which the others are split are left "
        f"out. {'' if threshold is not None else _without_point(outcome)}",
    )


def _readers(run: RunOnPage, outcome: Outcome, names, said, threshold: float | None) -> ReadersDisplay:
    model = None
    if threshold is not None:
        point = OperatingDisplay.at(outcome, threshold).point
        model = point.sensitivity, point.specificity
    return ReadersDisplay.of(outcome.label, names, said, outcome.patients, model, run.summary.notes)


def _curve(run: RunOnPage, outcome: Outcome, points: ReadersDisplay, threshold: float | None) -> RocDisplay:
    thresholds = {} if threshold is None else {outcome.label: threshold}
    return computed(
        run,
        "readers-roc",
        lambda: RocDisplay.of([outcome], run.summary, thresholds=thresholds, readers=points.points),
        outcome.label,
    )


def _without_point(outcome: Outcome) -> str:
    return f"The model has no operating point for {display_name(outcome.label).lower()}, and is not among the readers."
