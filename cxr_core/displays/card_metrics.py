"""Metrics of a model card: one metric of all labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pandas as pd

from ..estimate import Estimate
from ..formatting import format_counts, format_estimate
from ..labels import display_name
from ..model.card import MetricTable
from .display import estimate_dots
from .marks import Axis, Chart, Panel, Rule

__all__ = ["MetricDisplay", "format_metric"]


@dataclass(frozen=True, eq=False)
class MetricDisplay:
    """One metric table of a card as dots with intervals, the highest on top."""

    metrics: MetricTable

    def table(self) -> pd.DataFrame:
        """Return one row per label."""
        m = self.metrics
        common = {"images": m.images, "data": m.name, "reference": m.reference, "metric": m.metric}
        return pd.DataFrame([common | {"label": label} | _columns(metric) for label, metric in m.per_label.items()])

    def missing(self) -> dict[str, str]:
        """Return the labels without a value, and the reasons."""
        return {
            label: metric.reason or "not known"
            for label, metric in self.metrics.per_label.items()
            if metric.value is None
        }

    def chart(self) -> Chart:
        """Return a dot plot; the dotted line is chance, or no difference."""
        m = self.metrics
        known = [(display_name(label), metric) for label, metric in m.per_label.items() if metric.value is not None]
        known.sort(key=lambda pair: pair[1].value_or_nan)
        values = [metric.value_or_nan for _, metric in known]
        # "AUC less that of" in cards of version 0.1.0
        difference = any(value < 0 for value in values) or "difference" in m.metric or " less " in m.metric
        rule = 0.0 if difference else 0.5
        lows = [rule, *values, *(metric.low for _, metric in known if metric.low is not None)]
        highs = [*values, *(metric.high for _, metric in known if metric.high is not None)]
        # the whole name of a difference is too long for a narrow screen, and is in the title
        axis = Axis(
            "difference in AUC" if difference else m.metric,
            min(lows) - 0.04,
            max([*highs, 0.1]) + 0.04 if difference else 1.01,
        )
        names = tuple(name for name, _ in known)
        hover = [
            f"{name}: {format_metric(metric)}<br>"
            + ("patients not stated" if metric.counts is None else format_counts(metric))
            for name, metric in known
        ]
        dots = estimate_dots([metric for _, metric in known], names, hover)
        marks = (Rule("x", rule), dots) if known else ()
        text = "; ".join(f"{name} {format_metric(metric)}" for name, metric in known)
        return Chart(
            f"{m.metric[:1].upper()}{m.metric[1:]}, {m.name}, by {m.reference}",
            (Panel(axis, Axis(names=names), marks, message="" if known else "too few cases"),),
            alt=f"{m.metric} on {m.name} by {m.reference}. {text or 'None is known.'}",
            height=80 + 25 * max(3, len(known)),
        )


def format_metric(metric: Estimate) -> str:
    """Return a metric of a card as text; a published one, without counts, with its two decimals."""
    return format_estimate(metric, decimals=2 if metric.counts is None else None)


def _columns(metric: Estimate) -> dict[str, object]:
    counts = asdict(metric.counts) if metric.counts is not None else {}
    return {"value": metric.value, "low": metric.low, "high": metric.high, **counts, "reason": metric.reason}
