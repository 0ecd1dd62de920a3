"""Of the screen "Model": calibration and operating points."""

from __future__ import annotations

from html import escape

import streamlit as st

from ..labels import display_name
from ..model import ModelCard
from ..model.card import OperatingPoint
from ..model.words import calibration_words, flagged_words, number_words, small_words
from .calibration_figures import curve_figure, reliability_figure, slopes_figure
from .chrome import html
from .tables import table

__all__ = ["calibration_section", "operating_point_section"]

_BARE = {"displayModeBar": False}


def operating_point_section(card: ModelCard) -> None:
    """Draw one operating point, chosen among those of the card, with what it flags."""
    st.subheader("Operating points", anchor=False)
    names = list(card.operating_points)
    if not names:
        html('<div class="sr-small">This card has none: nothing is called above or below.</div>')
        return
    name = st.selectbox("Operating point", names, key="card-operating-point", persist_state="session")
    point = card.operating_points[name]
    html(
        '<div class="sr-small">{rule}. Set on {films}. <b>{flagged}</b> {held}</div>',
        rule=point.rule[:1].upper() + point.rule[1:],
        films=point.films,
        flagged=flagged_words(point),
        held=f"Held out: {point.held_out}." if point.held_out else "",
    )
    if len(names) > 1:
        table(
            ("operating point", "films without findings flagged", "labels above per film"),
            [
                (escape(key), _percent(other.flagged_without_findings), number_words(other.labels_above_per_film, 1))
                for key, other in card.operating_points.items()
            ],
            numbers=2,
        )
    _thresholds(point)


def _thresholds(point: OperatingPoint) -> None:
    rows = []
    for label, threshold in point.thresholds.items():
        if threshold.value is None:
            rows.append((display_name(label), "not evaluated", "", "", escape(threshold.reason or "")))
            continue
        counts = threshold.counts
        rows.append(
            (
                display_name(label),
                small_words(threshold.value),
                number_words(threshold.sensitivity) if threshold.sensitivity else "",
                number_words(threshold.specificity) if threshold.specificity else "",
                f"{counts.positive_patients:,} positive, {counts.negative_patients:,} negative patients"
                if counts
                else escape(threshold.source or ""),
            )
        )
    table(("label", "threshold on the score", "sensitivity", "specificity", "set on"), rows, numbers=3)


def calibration_section(card: ModelCard) -> None:
    """Draw how the card's probabilities agree with outcomes, or say that there are none."""
    st.subheader("Calibration", anchor=False)
    words = calibration_words(card)
    html('<div class="sr-small">{words}.</div>', words=words[:1].upper() + words[1:])
    calibration = card.calibration
    if calibration is None:
        return
    html(
        '<div class="sr-small">{rule}. Judged on held-out patients ({held}). Intervals: {interval}. A slope of 1 and '
        "an intercept of 0 are right; a slope under 1 means probabilities that are too extreme. Differences in Brier "
        "score and log loss are those of the probability to the bare score, on the same films: under 0 is better."
        "</div>",
        rule=calibration.rule,
        held=calibration.held_out,
        interval=calibration.interval,
    )
    known = [label for label, curve in calibration.per_label.items() if curve.held_out is not None]
    if known:
        st.plotly_chart(slopes_figure(calibration), width="stretch", config=_BARE, key="slopes")
        label = st.selectbox(
            "Label", known, format_func=display_name, key="card-calibration-label", persist_state="session"
        )
        curve = calibration.per_label[label]
        html(
            '<div class="sr-small"><b>{label}</b>: slope {slope}, intercept {intercept}, in the large {large}; '
            "{positive} positive, {negative} negative patients; {share:.1f} % of the calibration films are "
            "positive.</div>".replace("{share:.1f}", f"{100 * curve.prevalence:.1f}"),
            label=display_name(label),
            slope=number_words(curve.held_out.slope),
            intercept=number_words(curve.held_out.intercept),
            large=number_words(curve.held_out.in_the_large),
            positive=f"{curve.counts.positive_patients:,}",
            negative=f"{curve.counts.negative_patients:,}",
        )
        one, two = st.columns(2)
        with one:
            st.plotly_chart(reliability_figure(label, curve), width="stretch", config=_BARE, key="reliability")
            html('<div class="sr-small">A point for each tenth of the held-out films, with its 95 % interval.</div>')
        with two:
            st.plotly_chart(curve_figure(label, curve), width="stretch", config=_BARE, key="curve")
            html(
                '<div class="sr-small">From score to probability among the calibration films, with its interval.</div>'
            )
    with st.expander("Calibration as a table"):
        table(
            ("label", "curve", "slope", "intercept", "in the large", "Brier, difference", "log loss, difference"),
            [_row(label, curve) for label, curve in calibration.per_label.items()],
            numbers=6,
        )


def _row(label: str, curve) -> tuple[str, ...]:
    held = curve.held_out
    if held is None:
        return (display_name(label), f"none: {escape(curve.reason or '')}", "", "", "", "", "")
    return (
        display_name(label),
        f"{curve.method}, {curve.counts.positive_patients:,} positive patients",
        *(number_words(number) for number in (held.slope, held.intercept, held.in_the_large)),
        *(number_words(number, 3, "+") for number in (held.brier_difference, held.log_loss_difference)),
    )


def _percent(metric) -> str:
    if metric is None or metric.value is None:
        return "not known"
    interval = "" if metric.low is None else f" ({100 * metric.low:.0f} to {100 * metric.high:.0f})"
    return f"{100 * metric.value:.0f} %{interval}"
