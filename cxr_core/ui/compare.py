"""The page "Compare": two runs on the images that both have."""

from __future__ import annotations

from html import escape

import streamlit as st

from ..displays import ComparisonDisplay
from ..errors import CxrError, WrongArguments
from ..evaluation.comparison import views_in_common
from ..formatting import format_counts, format_estimate, format_p_value
from ..labels import display_name
from ..metrics import Estimate
from ..store import StoredRun
from .chart import show_display
from .chrome import empty_state, refusal, small, table
from .open_runs import RunOnPage, begin_comparison
from .run_page import is_comparable, select_other_run

__all__ = ["compare"]


def compare(run: RunOnPage) -> None:
    """Draw the AUC of the run and of a second one, and the paired differences."""
    head = st.container(horizontal=True, vertical_alignment="bottom")
    with head:
        second = select_other_run(run)
    if second is None:
        empty_state("There is only one run", "Two runs on the same images can be compared.", level=2)
        _how_to(run)
        return
    # the images in common, and with them the choice of a view, are read while the process that compares starts
    view = st.session_state.get(_view_key(run, second), "")
    finish = begin_comparison(run, second, view)
    with head:
        chosen = _select_view(run, second)
    if not is_comparable(run, second):
        _how_to(run)
    try:
        comparison = finish() if chosen == view else begin_comparison(run, second, chosen)()
    except WrongArguments as error:
        refusal("These runs cannot be compared", (str(error),))
        return
    left, right = st.columns([1, 1.25], gap="large")
    with left:
        show_display(ComparisonDisplay(comparison), "comparison")
    with right:
        rows = [
            (
                escape(display_name(label)),
                *(_value(auc) for auc in comparison.aucs[label]),
                escape(format_estimate(result.difference, signed=True)),
                escape(format_p_value(result.adjusted_p_value)),
                escape(format_counts(result.difference)),
            )
            for label, result in comparison.differences.items()
        ]
        mean, number = comparison.mean, len(comparison.labels_in_mean)
        if number:
            aucs = (_value(auc) for auc in (mean.first, mean.second))
            rows.append(
                (f"Mean of {number} labels", *aucs, escape(format_estimate(mean.difference, signed=True)), "", "")
            )
        table(("label", "AUC", "AUC of the other", "AUC difference (95 % CI)", "p (Holm)", "patients"), rows)
    small(
        f"{comparison.one.model} minus {comparison.two.model}. Paired comparison on {comparison.images:,} images "
        f"{f'of view {chosen} ' if chosen else ''}that are in both runs; reference standard: "
        f"{comparison.reference}. Each confidence interval is for its label alone. Holm's p values account for all "
        "labels: if those under 0.05 are called different, the probability of any false claim is at most 5 %."
    )


def _how_to(run: RunOnPage) -> None:
    """Write how to make a run that can be compared with this one."""
    data = ", ".join(run.record.data)
    small(
        f"No other run chosen here has all images, reference standards and labels of this run. To make one, evaluate "
        f"another model on the same table ({data}, {run.record.part}), or import its scores:"
    )
    st.code(
        "python -m cxr_core evaluate --model OTHER --images FOLDER --table TABLE.csv\n"
        "python -m cxr_core runs import SCORES.csv --name NAME",
        language="bash",
    )


def _value(auc: Estimate) -> str:
    return "" if auc.value is None else f"{auc.value:.3f}"


def _view_key(run: RunOnPage, second: StoredRun) -> str:
    return f"compare-view-{run.record.id}-{second.record.id}"


def _select_view(run: RunOnPage, second: StoredRun) -> str:
    """Draw the choice of a view where the common images have more than one; empty for all images."""
    try:
        views = views_in_common(run.stored, second)
    except CxrError:
        return ""
    if len(views) < 2:
        return ""
    options = ["", *views]
    return st.selectbox(
        "View",
        options,
        format_func=lambda option: option or "all images",
        key=_view_key(run, second),
        width=150,
    )
