"""The section "Operating points" of the page "Model"."""

from __future__ import annotations

from html import escape

import streamlit as st

from ..estimate import Counts, Estimate
from ..formatting import format_estimate, format_probability
from ..labels import display_name
from ..model import ModelCard, OperatingPoint
from ..model.card import MeasuredFlagRates
from ..model.findings import why_not_evaluated
from ..model.formatting import CROSS_VALIDATED, IN_SAMPLE, describe_evaluation
from ..model.rate_formatting import describe_measured_images, describe_operating_point
from .chrome import heading, html, small, table

__all__ = ["operating_point_section"]


def operating_point_section(card: ModelCard) -> None:
    """Draw a chosen operating point of the card: its rule, false-alarm rate and thresholds."""
    heading("Operating points")
    names = list(card.operating_points)
    if not names:
        small("This model has no operating points: no finding is reported as above or below a threshold.")
        return
    name = st.selectbox("Operating point", names, key="card-operating-point", persist_state="session")
    point = card.operating_points[name]
    html(
        '<div class="sr-small">{rule}. Set on {images}. <b>{flagged}</b> {held_out}</div>',
        rule=point.rule[:1].upper() + point.rule[1:],
        images=point.images,
        flagged=describe_operating_point(point),
        held_out=f"{CROSS_VALIDATED.capitalize()}: {point.held_out}." if point.held_out else "",
    )
    if not_checked := describe_evaluation(card):
        small(not_checked)
    if len(names) > 1:
        table(
            (
                "operating point",
                f"images without findings flagged, {CROSS_VALIDATED}",
                f"the same, {IN_SAMPLE}",
                f"labels above threshold per image, {CROSS_VALIDATED}",
            ),
            [
                (
                    escape(key) + ("" if key in card.offered_points else " (not offered for reading)"),
                    *_rates(entry),
                    format_estimate(entry.labels_above_per_image, decimals=1),
                )
                for key, entry in card.operating_points.items()
            ],
            numbers=3,
        )
    if point.flagged_by_group:
        table(
            (
                "group",
                f"images without findings flagged, {CROSS_VALIDATED}",
                f"the same, {IN_SAMPLE}",
                "flagged",
                "images",
            ),
            [_group_row(point, group) for group in point.flagged_by_group],
            numbers=4,
        )
    for rates in card.flag_rates:
        if rates.operating_point == name:
            _measured(rates)
    _thresholds(card, point)


def _measured(rates: MeasuredFlagRates) -> None:
    """Write how many images without findings are flagged in an evaluation run."""
    small(f"{describe_measured_images(rates)}.")
    groups = {"all images": rates.flagged, **rates.flagged_by_group}
    table(
        ("group", "images without findings flagged", "flagged", "images"),
        [
            (escape(group), escape(format_estimate(rate, percent=True)), *_counts(rate.counts))
            for group, rate in groups.items()
        ],
        numbers=3,
    )


def _counts(counts: Counts | None) -> tuple[str, str]:
    return ("", "") if counts is None else (f"{counts.positive_images:,}", f"{counts.images:,}")


def _rates(point: OperatingPoint) -> tuple[str, str]:
    """Return the proportion flagged, cross-validated and in-sample."""
    rate, where_set = point.flagged_without_findings, point.flagged_where_set
    return _in_order(rate, where_set, point)


def _group_row(point: OperatingPoint, group: str) -> tuple[str, ...]:
    rate = point.flagged_by_group[group]
    rates = _in_order(rate, point.flagged_by_group_where_set.get(group), point)
    return escape(group), *rates, *_counts(rate.counts)


def _in_order(rate: Estimate | None, where_set: Estimate | None, point: OperatingPoint) -> tuple[str, str]:
    """Return cross-validated and in-sample rate; a point that was not cross-validated has one rate, in-sample."""
    first, second = (rate, where_set) if point.held_out else (None, rate)
    return format_estimate(first, percent=True), format_estimate(second, percent=True)


def _thresholds(card: ModelCard, point: OperatingPoint) -> None:
    rows, how = [], f", {CROSS_VALIDATED}" if point.held_out else ""
    for label, threshold in point.thresholds.items():
        reason = why_not_evaluated(card, point, label)
        if threshold.value is None or reason is not None:
            rows.append((display_name(label), "not evaluated", "", "", escape(reason or "")))
            continue
        counts = threshold.counts
        rows.append(
            (
                display_name(label),
                format_probability(threshold.value),
                format_estimate(threshold.sensitivity, percent=True) if threshold.sensitivity else "",
                format_estimate(threshold.specificity, percent=True) if threshold.specificity else "",
                f"{counts.positive_patients:,} positive, {counts.negative_patients:,} negative patients"
                if counts
                else escape(threshold.source or ""),
            )
        )
    table(
        (
            "label",
            "threshold on the score",
            f"sensitivity{how} (95 % CI)",
            f"specificity{how} (95 % CI)",
            "set on",
        ),
        rows,
        numbers=3,
    )
