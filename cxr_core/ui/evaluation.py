"""The page "Evaluation": all labels of a run, then one in detail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from html import escape

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ..displays import (
    AucDisplay,
    OperatingDisplay,
    Outcome,
    RocDisplay,
)
from ..displays.display import display_of
from ..estimate import Estimate
from ..evaluation.catalogue import CATALOGUE, Column, Entry
from ..evaluation.reference_results import OFFICIAL, PUBLISHED, comparable
from ..formatting import format_counts
from ..labels import display_name
from ..model.formatting import CROSS_VALIDATED, IN_SAMPLE
from .chart import show_display, show_panels
from .chrome import facts_table, html, small, table
from .open_runs import RunOnPage, cached
from .run_page import select_label

__all__ = ["all_labels", "aucs", "one_label", "roc_panels"]

_ALL_LABELS = ("auc", "roc")
"""Entries of the catalogue that :func:`all_labels` draws."""

_FLAGGED = ("flagged_cross_validated", "flagged")
"""Entries of the catalogue that have a table by group."""

_SLIDER_STOPS = 160
"""More stops than this cannot be distinguished on the slider."""


def all_labels(run: RunOnPage) -> None:
    """Draw the AUCs of all labels beside their ROC curves."""
    left, right = st.columns([1, 1.25], gap="large")
    with left:
        aucs(run)
        _overall(run)
    with right:
        roc_panels(run, width=172, height=194)
    _group_table(run, _FLAGGED)
    _published(run)


def aucs(run: RunOnPage) -> None:
    """Draw the AUC of each label, and name the labels without one."""
    display = AucDisplay.of(run.summary)
    show_display(display, "auc")
    missing = [f"{display_name(label)}: {reason}" for label, reason in display.missing().items()]
    if missing:
        html('<div class="sr-small"><b>Not estimated.</b> {lines}</div>', lines="; ".join(missing))


def _overall(run: RunOnPage) -> None:
    for entry in (entry for entry in CATALOGUE if entry.name not in _FLAGGED):
        for row in run.summary.rows(entry):
            for metric, estimate in row.estimates.items() if row.overall else ():
                small(f"{run.summary.title(entry)}: {row.name}: {entry.columns[metric].format(estimate)}.")


def _group_table(run: RunOnPage, names: tuple[str, str], label: str = "") -> None:
    """Write numbers of all images and by group: a column for each metric of the named entries; nothing without any."""
    columns: list[tuple[str, Column, dict[str, Estimate]]] = []
    for entry in (entry for entry in CATALOGUE if entry.name in names):
        for metric, column in entry.columns.items():
            numbers = [n for n in run.summary.of(entry) if n.metric == metric and n.label == label]
            heading = ", ".join(filter(None, (column.heading, run.summary.basis(entry))))
            if numbers:
                columns.append((heading, column, {n.group: n.estimate for n in numbers}))
                title = entry.title
    if not columns:
        return
    first_column = columns[0][1]
    rows = []
    for group, first in columns[0][2].items():
        cells = [
            column.format(numbers[group], counts=numbers[group] if column.images else None) if group in numbers else ""
            for _, column, numbers in columns
        ]
        rows.append((group or "all images", *cells, *([] if first_column.images else [format_counts(first)])))
    small(f"{title}{f', {display_name(label)}' if label else ''}")
    headings = ("group", *(heading for heading, _, _ in columns), *([] if first_column.images else ["patients"]))
    table(headings, [tuple(map(escape, row)) for row in rows])


def roc_panels(run: RunOnPage, width: int, height: int) -> None:
    """Draw the ROC curve of each label, as panels of a width and height in pixels."""
    curves = cached(run, "rocs", lambda: RocDisplay.of(list(run.outcomes.values()), run.summary, bands=False))
    with_points = replace(curves, thresholds={label: t for label, t in run.thresholds.items() if label in run.outcomes})
    show_panels(with_points, "rocs", width, height)


def _published(run: RunOnPage) -> None:
    """Write published results on other images; collapsed, because they cannot be compared with the run."""
    shown = comparable(run.record)
    with st.expander("Published results for ChestX-ray14, on other test images"):
        for published in (entry for entry in PUBLISHED if entry not in shown):
            split = "NIH's official split" if published.split == OFFICIAL else published.split
            html('<div class="sr-small"><b>{name}</b>, {split}. {source}.</div>', name=published.name, split=split,
                 source=published.source)  # fmt: skip
            cells = [(display_name(label), f"{value:.3f}") for label, value in published.auc.items()]
            half = (len(cells) + 1) // 2
            rows = [(*left, *right) for left, right in zip(cells[:half], cells[half:], strict=True)]
            table(("label", "AUC", "label", "AUC"), rows)
        small(
            "Published without confidence intervals. The same model scores about 0.03 higher on a random split by "
            "patient than on NIH's official split, so these results cannot be compared with the run above."
        )


def one_label(run: RunOnPage) -> None:
    """Draw all figures of one label."""
    outcome = select_label(run)
    roc = cached(run, "roc", lambda: RocDisplay.of([outcome], run.summary), outcome.label)
    _operating_point(run, outcome, roc)
    figures = [e for e in CATALOGUE if e.page == "evaluation" and e.display and e.name not in _ALL_LABELS]
    drawn = 0
    columns: Sequence[DeltaGenerator] = ()
    for entry in figures:
        label = outcome.label if entry.every_label else ""
        display = cached(run, entry.name, partial(display_of, entry, run, label), label)
        numbers = _numbers(run, entry, outcome.label)
        if display is None and not numbers:
            continue
        if drawn % 2 == 0:
            # rows of two, so that the order is that of the entries on a narrow screen too
            columns = st.columns(2, gap="large")
        with columns[drawn % 2]:
            if display is not None:
                show_display(display, f"{entry.name}-{label}")
            if numbers:
                facts_table(numbers)
        drawn += 1
    _group_table(run, ("calibration_groups_cross_validated", "calibration_groups"), outcome.label)


def _numbers(run: RunOnPage, entry: Entry, label: str) -> dict[str, str]:
    """Return the numbers of a label, as text, by heading."""
    estimates = {metric: run.summary.by_label(metric) for metric in entry.columns if entry.per_label}
    return {
        entry.columns[metric].heading: entry.columns[metric].format(by_label[label])
        for metric, by_label in estimates.items()
        if label in by_label
    }


def _cross_validated(run: RunOnPage, label: str) -> dict[str, str]:
    """Return sensitivity and specificity that the card has cross-validated on these images; empty where it has none."""
    entry = next(entry for entry in CATALOGUE if entry.name == "operating_point_cross_validated")
    return {f"{heading}, {CROSS_VALIDATED}": number for heading, number in _numbers(run, entry, label).items()}


@st.fragment
def _operating_point(run: RunOnPage, outcome: Outcome, roc: RocDisplay) -> None:
    """Draw the ROC curve and the performance at the operating point of the slider.

    A fragment, so that moving the slider does not recompute the rest of the page.
    """
    left, right = st.columns([1.15, 1], gap="large")
    with right:
        threshold = _threshold_slider(outcome, run.thresholds.get(outcome.label))
        percent = st.number_input(
            "Assumed prevalence, % of images",
            min_value=0.1,
            max_value=99.9,
            value=None,
            step=0.5,
            format="%.1f",
            placeholder=f"not set; {100 * outcome.truth.mean():.1f} in this run",
            help="Percentage of the images where you work that show the finding. Predictive values are then computed "
            "for it, with sensitivity and specificity as measured here; without it, for the prevalence in this run.",
            key="prevalence",
            persist_state="session",
            width=260,
        )
        display = OperatingDisplay.at(outcome, threshold, None if percent is None else percent / 100, run.notes)
        show_display(display, f"operating-{outcome.label}")
        basis = f", {IN_SAMPLE}" if run.context.in_sample else ""
        first = _cross_validated(run, outcome.label) if threshold == run.thresholds.get(outcome.label) else {}
        facts_table(first | {f"{name}{basis}": number for name, number in display.numbers().items()})
        if threshold != run.thresholds.get(outcome.label):
            small(
                "This threshold was chosen on the images on which it is evaluated, so its results are optimistic and "
                "their intervals ignore the choice. To store a threshold, set it on validation patients with "
                "python -m cxr_core calibrate.",
                "sr-assumed",
            )
    with left:
        show_display(replace(roc, thresholds={outcome.label: threshold}), f"roc-{outcome.label}")


def _threshold_slider(outcome: Outcome, default: float | None) -> float:
    # the slider displays its stops with the same number of digits
    quantiles = np.quantile(outcome.scores, np.linspace(0, 1, _SLIDER_STOPS))
    stops = np.unique([float(f"{score:.4g}") for score in quantiles])
    if default is not None:
        stops = np.union1d(stops, [default])
    value = default if default is not None else float(stops[len(stops) // 2])
    return st.select_slider(
        "Threshold on the score",
        [float(stop) for stop in stops],
        value=float(value),
        format_func=lambda stop: f"{stop:.4g}" + (" (model card)" if stop == default else ""),
        key=f"threshold-{outcome.label}-{outcome.reference}",
        persist_state="session",
    )
