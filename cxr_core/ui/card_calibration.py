"""The section "Calibration" of the page "Model", with its figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go
import streamlit as st

from ..estimate import Estimate
from ..formatting import format_estimate
from ..labels import display_name, name_in_sentence
from ..model import ModelCard
from ..model.calibration import Calibration, Curve, GroupAgreement, HeldOut, Scale
from ..model.formatting import CROSS_VALIDATED, describe_calibration
from .chrome import heading, html, small, table

__all__ = ["calibration_section"]

_BARE = {"displayModeBar": False}
_POINTS = 121
BLUE, ORANGE, QUIET, GRID = "#56B4E9", "#E69F00", "#7f8994", "#222830"


def _layout(height: int) -> dict[str, object]:
    """Return the plotly layout of the figures."""
    return {
        "height": height,
        "margin": {"l": 10, "r": 16, "t": 12, "b": 60},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "#c9d0d8", "size": 13},
        "yaxis": {"automargin": True, "gridcolor": GRID},
    }


def _error_bars(estimates: Sequence[tuple[float, Estimate]]) -> dict[str, object]:
    """Return plotly's error bars from (value, estimate); an estimate without a confidence interval gets none."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [0.0 if estimate.high is None else estimate.high - value for value, estimate in estimates],
        "arrayminus": [0.0 if estimate.low is None else value - estimate.low for value, estimate in estimates],
        "color": BLUE,
        "thickness": 1.5,
        "width": 4,
    }


def _reliability_figure(label: str, held_out: HeldOut) -> go.Figure:
    """Return the reliability diagram: observed over cross-validated probability in tenths of the images.

    Each point holds equally many images, with its interval; on the diagonal, observed equals predicted.
    """
    bins = [(b.observed.value, b) for b in held_out.bins if b.observed.value is not None]
    top = 1.08 * max([0.01, *(max(b.predicted, b.observed.high or value) for value, b in bins)])
    figure = go.Figure()
    figure.add_scatter(
        x=[0, top],
        y=[0, top],
        mode="lines",
        line={"color": QUIET, "dash": "dot", "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    figure.add_scatter(
        x=[b.predicted for _, b in bins],
        y=[value for value, _ in bins],
        mode="lines+markers",
        line={"color": BLUE, "width": 1, "dash": "solid"},
        marker={"color": BLUE, "size": 8},
        error_y=_error_bars([(value, b.observed) for value, b in bins]),
        customdata=[(b.observed.low, b.observed.high, b.images, b.patients) for _, b in bins],
        hovertemplate="predicted %{x:.3f}, observed %{y:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f})<br>"
        "%{customdata[2]} images of %{customdata[3]} patients<extra></extra>",
        showlegend=False,
    )
    figure.update_layout(**_layout(height=330))
    figure.update_xaxes(title="predicted probability", range=[0, top], gridcolor=GRID, zeroline=False)
    figure.update_yaxes(title=f"observed proportion of {name_in_sentence(label)}", range=[0, top], gridcolor=GRID)
    return figure


def _curve_figure(label: str, curve: Curve) -> go.Figure:
    """Return the calibration curve, probability over score, with its interval."""
    scale = Scale(curve)
    first, last = curve.logits[0], curve.logits[-1]
    logits = [first + (last - first) * i / (_POINTS - 1) for i in range(_POINTS)]
    scores = [1 / (1 + math.exp(-z)) for z in logits]
    rows = [scale.at(z) for z in logits]
    figure = go.Figure()
    figure.add_scatter(x=scores, y=[row[2] for row in rows], mode="lines", line={"width": 0}, hoverinfo="skip")
    figure.add_scatter(
        x=scores,
        y=[row[0] for row in rows],
        mode="lines",
        line={"width": 0},
        fill="tonexty",
        fillcolor="rgba(230,159,0,0.22)",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=scores,
        y=[row[1] for row in rows],
        mode="lines",
        line={"color": ORANGE, "width": 2},
        customdata=[(row[0], row[2]) for row in rows],
        hovertemplate="score %{x:.3f}: probability %{y:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f})"
        "<extra></extra>",
    )
    figure.update_layout(**_layout(height=330), showlegend=False)
    figure.update_xaxes(title="score", gridcolor=GRID, zeroline=False)
    figure.update_yaxes(title=f"probability of {name_in_sentence(label)}", rangemode="tozero", gridcolor=GRID)
    return figure


def _slopes_figure(calibration: Calibration) -> go.Figure:
    """Return the cross-validated calibration slope of each label, with its interval; 1 is ideal."""
    rows = [
        (curve.held_out.slope.value, curve.held_out.slope, label, curve)
        for label, curve in calibration.per_label.items()
        if curve.held_out is not None and curve.held_out.slope.value is not None
    ]
    rows.sort(key=lambda row: row[0])
    figure = go.Figure()
    figure.add_scatter(
        x=[value for value, _, _, _ in rows],
        y=[display_name(label) for _, _, label, _ in rows],
        mode="markers",
        marker={"color": BLUE, "size": 9},
        error_x=_error_bars([(value, slope) for value, slope, _, _ in rows]),
        customdata=[(slope.low, slope.high, *_patients(curve)) for _, slope, _, curve in rows],
        hovertemplate="%{y}: %{x:.2f} (%{customdata[0]:.2f} to %{customdata[1]:.2f})<br>"
        "%{customdata[2]} positive, %{customdata[3]} negative patients<extra></extra>",
        showlegend=False,
    )
    figure.add_vline(x=1, line={"color": QUIET, "dash": "dot", "width": 1})
    figure.update_layout(**_layout(height=110 + 26 * max(1, len(rows))))
    figure.update_xaxes(title=f"calibration slope, {CROSS_VALIDATED}", gridcolor=GRID, zeroline=False)
    return figure


def _patients(curve: Curve) -> tuple[str, str]:
    """Return the numbers of positive and negative patients that a curve was fitted on."""
    if curve.counts is None:
        return "unknown number of", "unknown number of"
    return f"{curve.counts.positive_patients:,}", f"{curve.counts.negative_patients:,}"


def calibration_section(card: ModelCard) -> None:
    """Draw the calibration of the card's probabilities, or state that it has none."""
    heading("Calibration")
    text = describe_calibration(card)
    small(f"{text[:1].upper()}{text[1:]}.")
    calibration = card.calibration
    if calibration is None:
        return
    html(
        '<div class="sr-small">{rule}. Every number here is cross-validated ({held_out}). Intervals: {interval}. Ideal '
        "are a slope of 1 and a calibration in the large of 0. A slope below 1 means that probabilities are too "
        "extreme; calibration in the large is above 0 where the label is more common than predicted. Differences in "
        "Brier score and log loss are those between the probability and the uncalibrated score on the same images; "
        "below 0 is better.</div>",
        rule=calibration.rule,
        held_out=calibration.held_out,
        interval=calibration.interval,
    )
    evaluated = {label: curve.held_out for label, curve in calibration.per_label.items() if curve.held_out is not None}
    if evaluated:
        st.plotly_chart(_slopes_figure(calibration), width="stretch", config=_BARE, key="slopes")
        label = st.selectbox(
            "Label", list(evaluated), format_func=display_name, key="card-calibration-label", persist_state="session"
        )
        curve, held_out = calibration.per_label[label], evaluated[label]
        positive, negative = _patients(curve)
        html(
            '<div class="sr-small"><b>{label}</b>: slope {slope}, calibration in the large {large}; AUC {auc}; '
            "{positive} positive, {negative} negative patients; prevalence in the calibration images "
            "{prevalence}.</div>",
            prevalence="unknown" if curve.prevalence is None else f"{curve.prevalence:.1%}",
            label=display_name(label),
            slope=format_estimate(held_out.slope, decimals=2),
            auc=format_estimate(curve.auc, decimals=2),
            large=format_estimate(held_out.in_the_large, decimals=2),
            positive=positive,
            negative=negative,
        )
        left, right = st.columns(2)
        with left:
            st.plotly_chart(_reliability_figure(label, held_out), width="stretch", config=_BARE, key="reliability")
            small(f"Reliability diagram, {CROSS_VALIDATED}: one point per tenth of the images, with its 95 % CI.")
        with right:
            st.plotly_chart(_curve_figure(label, curve), width="stretch", config=_BARE, key="curve")
            small("Calibration curve: from score to probability in the calibration images, with its interval.")
        if held_out.by_group:
            table(
                ("group", "slope", "calibration in the large", "positive patients", "negative patients"),
                [_agreement_row(group, agreement) for group, agreement in held_out.by_group.items()],
                numbers=4,
            )
    with st.expander("Calibration table"):
        table(
            ("label", "curve", "AUC", "slope", "in the large", "Brier score difference", "log loss difference"),
            [_row(label, curve) for label, curve in calibration.per_label.items()],
            numbers=6,
        )


def _agreement_row(group: str, agreement: GroupAgreement) -> tuple[str, ...]:
    return (
        escape(group),
        format_estimate(agreement.slope, decimals=2),
        format_estimate(agreement.in_the_large, decimals=2),
        f"{agreement.counts.positive_patients:,}",
        f"{agreement.counts.negative_patients:,}",
    )


def _row(label: str, curve: Curve) -> tuple[str, ...]:
    held_out = curve.held_out
    if held_out is None:
        auc = "" if curve.auc is None else format_estimate(curve.auc, decimals=2)
        return (display_name(label), f"none: {escape(curve.reason or '')}", auc, "", "", "", "")
    return (
        display_name(label),
        f"{curve.method}, {_patients(curve)[0]} positive patients",
        *(format_estimate(number, decimals=2) for number in (curve.auc, held_out.slope, held_out.in_the_large)),
        *(format_estimate(number, signed=True) for number in (held_out.brier_difference, held_out.log_loss_difference)),
    )
