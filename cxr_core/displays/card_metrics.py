"""Numbers of a card, drawn: one metric of every label."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ..labels import display_name
from ..model import Metric
from ..model.card import MetricTable
from .marks import Axis, Chart, Dots, Panel, Rule

__all__ = ["MetricDisplay", "metric_words"]


@dataclass(frozen=True, eq=False)
class MetricDisplay:
    """One table of a card as dots with intervals, the best on top.

    Attributes:
        measured: the card's table.
    """

    measured: MetricTable

    def table(self) -> pd.DataFrame:
        """Return a row a label."""
        m = self.measured
        common = {"films": m.films, "data": m.name, "reference": m.reference, "metric": m.metric}
        return pd.DataFrame([common | {"label": label} | _columns(metric) for label, metric in m.per_label.items()])

    def missing(self) -> dict[str, str]:
        """Return the labels without a value, and why."""
        return {
            label: metric.reason or "not known"
            for label, metric in self.measured.per_label.items()
            if metric.value is None
        }

    def chart(self) -> Chart:
        """Return the dots; the dotted line is chance, or no difference."""
        m = self.measured
        known = sorted(
            ((label, x) for label, x in m.per_label.items() if x.value is not None), key=lambda pair: pair[1].value
        )
        difference = any(metric.value < 0 for _, metric in known) or " less " in m.metric
        rule = 0.0 if difference else 0.5
        ends = {
            end: np.array([getattr(x, end) if getattr(x, end) is not None else np.nan for _, x in known], np.float64)
            for end in ("low", "high")
        }
        lows = [rule, *(low for low in ends["low"] if low == low), *(x.value for _, x in known)]
        highs = [high for high in ends["high"] if high == high] + [x.value for _, x in known]
        axis = Axis(m.metric, min(lows) - 0.04, max([*highs, 0.1]) + 0.04 if difference else 1.01)
        hover = tuple(f"{display_name(label)}: {metric_words(x)}<br>{counts_of(x)}" for label, x in known)
        dots = Dots(
            tuple(x.value for _, x in known),
            tuple(display_name(label) for label, _ in known),
            across="x",
            hover=hover,
            **ends,
        )
        names = Axis(names=tuple(display_name(label) for label, _ in known))
        told = "; ".join(f"{display_name(label)} {metric_words(x)}" for label, x in known)
        return Chart(
            f"{m.metric}, {m.name}",
            (Panel(axis, names, (Rule("x", rule), dots) if known else (), words="" if known else "too few cases"),),
            alt=f"{m.metric} on {m.name} by {m.reference}. {told or 'None is known.'}",
            height=80 + 25 * max(3, len(known)),
        )


def metric_words(metric: Metric) -> str:
    """Return a number of a card with its interval, or why there is none."""
    if metric.value is None:
        return metric.reason or "not known"
    if metric.low is None or metric.high is None:
        return f"{metric.value:.2f} ({metric.reason or 'no interval'})"
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})"


def counts_of(metric: Metric) -> str:
    """Return how many patients a number of a card rests on."""
    if metric.counts is None:
        return "patients not stated"
    return f"{metric.counts.positive_patients:,} positive, {metric.counts.negative_patients:,} negative patients"


def _columns(metric: Metric, prefix: str = "") -> dict[str, object]:
    counts = asdict(metric.counts) if metric.counts is not None else {}
    values = {"value": metric.value, "low": metric.low, "high": metric.high, **counts, "reason": metric.reason}
    return {f"{prefix}{name}": value for name, value in values.items()}
