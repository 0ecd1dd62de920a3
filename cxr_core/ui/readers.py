"""The page "Readers": radiologists who read the images of a run beside the model, and label noise."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ..displays import (
    AgreementDisplay,
    LabelNoiseDisplay,
    LeaveOneOutDisplay,
    OperatingDisplay,
    Outcome,
    ReaderAnalysisDisplay,
    ReaderDifferencesDisplay,
    ReadersDisplay,
    RocDisplay,
)
from ..evaluation import reader_outcomes, readers_in_reference
from ..labels import name_in_sentence
from .chart import show_display
from .chrome import empty_state, small, table
from .open_runs import RunOnPage, cached
from .run_page import select_label

__all__ = ["readers"]


def readers(run: RunOnPage) -> None:
    """Draw the readers of one label beside the model, readers minus model for all labels, and label noise."""
    if run.predictions.readers is None:
        empty_state(
            "No individual readers in this run",
            "A run holds the answers of individual readers if it was made with a table of them: "
            "python -m cxr_core evaluate ... --readers TABLE.csv",
            level=2,
        )
    else:
        _one_label(run)
        analysis = ReaderAnalysisDisplay.of_run(run)
        if analysis is not None:
            show_display(analysis, "reader-analysis")
            with st.expander("Numbers of all three analyses"):
                headings, *rows = analysis.table_rows()
                table(headings, [tuple(map(escape, row)) for row in rows], numbers=len(headings) - 1)
    _label_noise(run)


def _one_label(run: RunOnPage) -> None:
    readers, answers = run.predictions.readers, reader_outcomes(run.predictions)
    if readers is None or answers is None:
        return
    outcome = select_label(run)
    labels = [*run.predictions.labels.tolist(), list(run.outcomes)[-1]]
    answers_of_label = answers[outcome.rows][:, :, labels.index(outcome.label)]
    names, threshold = readers.readers, run.thresholds.get(outcome.label)
    points = cached(run, "readers", lambda: _points(run, outcome, names, answers_of_label, threshold), outcome.label)
    left, right = st.columns([1.15, 1], gap="large")
    with left:
        thresholds = {} if threshold is None else {outcome.label: threshold}
        roc = cached(
            run,
            "readers-roc",
            lambda: RocDisplay.of([outcome], run.summary, thresholds=thresholds, readers=points.points),
            outcome.label,
        )
        show_display(roc, f"readers-roc-{outcome.label}")
    with right:
        show_display(points, f"readers-{outcome.label}")
        agreement = cached(
            run,
            "agreement",
            lambda: AgreementDisplay.of(outcome, names, answers_of_label, threshold, run.notes),
            outcome.label,
        )
        show_display(agreement, f"agreement-{outcome.label}")
    missing = (
        f" The model has no operating point for {name_in_sentence(outcome.label)}, so it has no point on the curve."
        if threshold is None
        else ""
    )
    small(
        "Each reader is compared with the majority of the other readers, the model with the reference standard "
        f"{run.context.reference}. These are two reference standards: a reader's point on the curve does not prove "
        f"equal performance. Images on which the other readers are tied are excluded.{missing}{_members(run)}"
    )
    left, right = st.columns(2, gap="large")
    with left:
        differences = ReaderDifferencesDisplay.of_run(run, outcome.label)
        if differences is not None:
            show_display(differences, f"reader-differences-{outcome.label}")
    with right:
        without = LeaveOneOutDisplay.of_run(run, outcome.label)
        if without is not None:
            show_display(without, f"without-reader-{outcome.label}")


def _members(run: RunOnPage) -> str:
    """Return a sentence on the readers whose majority the run's reference standard is; empty where there are none."""
    members = cached(run, "readers-in-reference", lambda: readers_in_reference(run.predictions, run.context.reference))
    if not members:
        return ""
    return (
        f" On every image and label, {run.context.reference} is the majority of {', '.join(members)}, who agree with "
        "it by construction. Readers and model are therefore compared by the majority of the other readers below."
    )


def _label_noise(run: RunOnPage) -> None:
    noise = LabelNoiseDisplay.of_run(run)
    if noise is None:
        small(
            "Label noise: this run has one reference standard. A run made with a second table of the same images "
            "holds one against the other: python -m cxr_core evaluate ... --reference NAME=TABLE.csv"
        )
        return
    show_display(noise, "label-noise")
    with st.expander("Numbers of the label noise"):
        headings, *rows = noise.table_rows()
        table(headings, [tuple(map(escape, row)) for row in rows], numbers=len(headings) - 1)


def _points(
    run: RunOnPage, outcome: Outcome, names: NDArray[np.str_], answers: NDArray[np.bool_], threshold: float | None
) -> ReadersDisplay:
    model = None
    if threshold is not None:
        point = OperatingDisplay.at(outcome, threshold).point
        model = point.sensitivity, point.specificity
    return ReadersDisplay.of(outcome.label, names, answers, outcome.patients, model, run.notes)
